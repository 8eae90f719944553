package binlog

import (
	"errors"
	"time"

	"banyan.dev/banyan/mirror/change"
)

// Times as MySQL 5.6 and later store them (MySQL Internals, "Date and Time Data Type Representation"), and as older ones
// and MariaDB with mysql56_temporal_format=OFF do.

// fractionBytes is the size of 0 to 6 decimals.
var fractionBytes = [7]int{0, 1, 1, 2, 2, 3, 3}

// micros gives microseconds of a fraction in its bytes.
func micros(fraction int64, decimals int) int64 {
	switch fractionBytes[decimals] {
	case 1:
		return fraction * 10000
	case 2:
		return fraction * 100
	}
	return fraction
}

func appendInt(dst []byte, n uint64, width int) []byte {
	var digits [20]byte
	i := len(digits)
	for n > 0 || width > 0 {
		i--
		digits[i] = byte('0' + n%10)
		n, width = n/10, width-1
	}
	return append(dst, digits[i:]...)
}

func appendFraction(dst []byte, micro uint64, decimals int) []byte {
	if decimals == 0 {
		return dst
	}
	for range 6 - decimals {
		micro /= 10
	}
	return appendInt(append(dst, '.'), micro, decimals)
}

func appendDate(dst []byte, year, month, day uint64) []byte {
	dst = append(appendInt(dst, year, 4), '-')
	dst = append(appendInt(dst, month, 2), '-')
	return appendInt(dst, day, 2)
}

func appendClock(dst []byte, hour, minute, second uint64) []byte {
	dst = append(appendInt(dst, hour, 2), ':')
	dst = append(appendInt(dst, minute, 2), ':')
	return appendInt(dst, second, 2)
}

func readDate(dst []byte, c *cursor) []byte {
	v := c.little(3)
	return appendDate(dst, v>>9, v>>5&15, v&31)
}

// readTime2: 24 bits of sign, hours, minutes and seconds with an offset, then the fraction, all one number.
func readTime2(dst []byte, c *cursor, decimals int) []byte {
	size := fractionBytes[decimals]
	packed := int64(c.big(3+size)) - 0x800000<<(8*size)
	if packed < 0 {
		packed = -packed
		dst = append(dst, '-')
	}
	clock := uint64(packed >> (8 * size))
	dst = appendClock(dst, clock>>12&0x3ff, clock>>6&63, clock&63)
	return appendFraction(dst, uint64(micros(packed&(1<<(8*size)-1), decimals)), decimals)
}

func readDatetime2(dst []byte, c *cursor, decimals int) []byte {
	size := fractionBytes[decimals]
	packed := c.big(5) - 0x8000000000
	fraction := c.big(size)
	date, clock := packed>>17, packed&(1<<17-1)
	dst = appendDate(dst, date>>5/13, date>>5%13, date&31)
	dst = appendClock(append(dst, ' '), clock>>12, clock>>6&63, clock&63)
	return appendFraction(dst, uint64(micros(int64(fraction), decimals)), decimals)
}

// readTimestamp gives an Instant, or a Temporal for the zero value.
func readTimestamp(a *arena, seconds, micro uint64, decimals int) change.Value {
	n := len(a.buf)
	if seconds == 0 && micro == 0 {
		a.buf = appendFraction(append(a.buf, "0000-00-00 00:00:00"...), 0, decimals)
		return change.Value{Kind: change.Temporal, Text: a.since(n)}
	}
	at := time.Unix(int64(seconds), 0).UTC()
	year, month, day := at.Date()
	hour, minute, second := at.Clock()
	b := appendDate(a.buf, uint64(year), uint64(month), uint64(day))
	b = appendClock(append(b, 'T'), uint64(hour), uint64(minute), uint64(second))
	a.buf = append(appendFraction(b, micro, decimals), 'Z')
	return change.Value{Kind: change.Instant, Text: a.since(n)}
}

func readTimestamp2(a *arena, c *cursor, decimals int) change.Value {
	seconds := c.big(4)
	fraction := c.big(fractionBytes[decimals])
	return readTimestamp(a, seconds, uint64(micros(int64(fraction), decimals)), decimals)
}

// errOldTime is about what MariaDB 5.3 made of a time with decimals: of another size than the log says, and not told apart
// in it from one without. The numbers in it are beyond those of a time, but for a rare accident.
var errOldTime = errors.New("it is no time: its column has decimals in the form of MariaDB 5.3, which the log does not tell " +
	"(its COLUMN_TYPE in information_schema.COLUMNS says mariadb-5.3; ALTER TABLE … FORCE makes it anew where mysql56_temporal_format is ON)")

// readTime reads the old form: the digits HHMMSS as a number.
func readTime(dst []byte, c *cursor) ([]byte, error) {
	v := int64(int32(c.little(3)<<8) >> 8) //nolint:gosec // The sign of three bytes.
	if v < 0 {
		v = -v
		dst = append(dst, '-')
	}
	n := uint64(v)
	if n/10000 > 838 || n/100%100 > 59 || n%100 > 59 {
		return dst, errOldTime
	}
	return appendClock(dst, n/10000, n/100%100, n%100), nil
}

// readDatetime reads the old form: the digits YYYYMMDDHHMMSS as a number.
func readDatetime(dst []byte, c *cursor) ([]byte, error) {
	v := c.little(8)
	date, clock := v/1000000, v%1000000
	if date > 99991231 || date/100%100 > 12 || date%100 > 31 || clock/10000 > 23 || clock/100%100 > 59 || clock%100 > 59 {
		return dst, errOldTime
	}
	dst = appendDate(dst, date/10000, date/100%100, date%100)
	return appendClock(append(dst, ' '), clock/10000, clock/100%100, clock%100), nil
}
