package value

import (
	"errors"
	"time"
)

// civil is a date and time of day as MySQL writes it, without a zone. Any part of the date may be zero.
type civil struct {
	year, month, day     int
	hour, minute, second int
	nanos                int32
}

// parseCivil reads "YYYY-MM-DD" and, when there is more, " HH:MM:SS" and up to six decimals. It does not check that
// there is such a day.
func parseCivil(s []byte) (c civil, decimals int, ok bool) {
	if len(s) < 10 || s[4] != '-' || s[7] != '-' {
		return c, 0, false
	}
	var good [6]bool
	c.year, good[0] = digits(s[:4])
	c.month, good[1] = digits(s[5:7])
	c.day, good[2] = digits(s[8:10])
	if !good[0] || !good[1] || !good[2] {
		return c, 0, false
	}
	if len(s) == 10 {
		return c, 0, true
	}
	if len(s) < 19 || s[10] != ' ' || s[13] != ':' || s[16] != ':' {
		return c, 0, false
	}
	c.hour, good[3] = digits(s[11:13])
	c.minute, good[4] = digits(s[14:16])
	c.second, good[5] = digits(s[17:19])
	if !good[3] || !good[4] || !good[5] || c.hour > 23 || c.minute > 59 || c.second > 59 {
		return c, 0, false
	}
	c.nanos, decimals, ok = fraction(s[19:])
	return c, decimals, ok
}

func digits(s []byte) (n int, ok bool) {
	for _, ch := range s {
		if ch < '0' || ch > '9' {
			return 0, false
		}
		n = n*10 + int(ch-'0')
	}
	return n, len(s) > 0
}

// fraction reads nothing, or a point and one to six digits, as nanoseconds.
func fraction(s []byte) (nanos int32, decimals int, ok bool) {
	if len(s) == 0 {
		return 0, 0, true
	}
	if s[0] != '.' || len(s) > 7 {
		return 0, 0, false
	}
	n, ok := digits(s[1:])
	for range 9 - (len(s) - 1) {
		n *= 10
	}
	return int32(n), len(s) - 1, ok
}

// realDay tells whether the calendar has that day. Year 0 has (it is a leap year).
func (c civil) realDay() bool {
	if c.month < 1 || c.month > 12 || c.day < 1 || c.day > 31 {
		return false
	}
	t := time.Date(c.year, time.Month(c.month), c.day, 0, 0, 0, 0, time.UTC)
	return t.Day() == c.day
}

// Seconds of 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z, the range of google.protobuf.Timestamp.
const (
	minTimestamp = -62135596800
	maxTimestamp = 253402300799
)

var (
	errZeroDate    = errors.New("it is a zero date; write NULLIF(col, '0000-00-00 00:00:00') if it means none")
	errPartialDate = errors.New("it is a date with a part missing, which is no moment; use a string field, or a google.type.Date with DATE(col)")
	errNoDay       = errors.New("the calendar has no such day; use a string field, or mend the row")
	errGap         = errors.New("the clocks of the zone skip it; use a string field, or mend the row")
	errRange       = errors.New("it is outside of the years 1 to 9999 in UTC")
)

// moment gives the second since 1970 at which the zone's clocks show c. When they show it twice, as one hour a year
// where summer time ends, it gives the first and says that there is a second.
func (c civil) moment(zone *time.Location) (seconds int64, twice bool, err error) {
	switch {
	case c.year == 0 && c.month == 0 && c.day == 0:
		return 0, false, errZeroDate
	case c.year == 0 || c.month == 0 || c.day == 0:
		return 0, false, errPartialDate
	case !c.realDay():
		return 0, false, errNoDay
	}
	seconds, twice, ok := instantOf(time.Date(c.year, time.Month(c.month), c.day, c.hour, c.minute, c.second, 0, time.UTC).Unix(), zone)
	if !ok {
		return 0, false, errGap
	}
	if seconds < minTimestamp || seconds > maxTimestamp {
		return 0, false, errRange
	}
	return seconds, twice, nil
}

// instantOf looks for the instants whose local reading (seconds since 1970 as if the zone were UTC) is local: those
// that an offset in force within a day of it gives, as offsets are shorter than that. (Time.ZoneBounds would give the
// offsets' ends, but is wrong on the last day of leap years.)
func instantOf(local int64, zone *time.Location) (first int64, twice, ok bool) {
	if zone == time.UTC {
		return local, false, true
	}
	const day = 24 * 60 * 60
	for _, near := range [...]int64{local - day, local, local + day} {
		instant := local - offsetAt(near, zone)
		if offsetAt(instant, zone) != local-instant || ok && instant == first {
			continue
		}
		twice = ok
		if !ok || instant < first {
			first = instant
		}
		ok = true
	}
	return first, twice, ok
}

func offsetAt(seconds int64, zone *time.Location) int64 {
	_, offset := time.Unix(seconds, 0).In(zone).Zone()
	return int64(offset)
}

func (c *Codec) zone() *time.Location {
	if c.Zone == nil {
		return time.UTC
	}
	return c.Zone
}
