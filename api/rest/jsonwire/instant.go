package jsonwire

import (
	"errors"
	"strconv"
)

const (
	minTimestamp = -62135596800 // 0001-01-01T00:00:00Z
	maxTimestamp = 253402300799 // 9999-12-31T23:59:59Z
	maxDuration  = 315576000000 // 10,000 years
	maxNanos     = 999_999_999
	daySeconds   = 24 * 60 * 60
)

var (
	errTimestamp = errors.New("a google.protobuf.Timestamp is out of range")
	errDuration  = errors.New("a google.protobuf.Duration is out of range")
)

// writeTimestamp writes RFC 3339 in UTC with 0, 3, 6 or 9 digits of fractional seconds.
func (m *Message) writeTimestamp(st *state, b, wire []byte) ([]byte, error) {
	seconds, nanos, err := m.secondsAndNanos(st, wire)
	if err != nil {
		return b, err
	}
	if seconds < minTimestamp || seconds > maxTimestamp || nanos < 0 || nanos > maxNanos {
		return b, errTimestamp
	}
	days := seconds / daySeconds
	rest := int(seconds % daySeconds)
	if rest < 0 {
		rest += daySeconds
		days--
	}
	year, month, day := civil(int(days))
	b = append(b, '"')
	b = appendDigits(b, year, 4)
	b = append(b, '-')
	b = appendDigits(b, month, 2)
	b = append(b, '-')
	b = appendDigits(b, day, 2)
	b = append(b, 'T')
	b = appendDigits(b, rest/3600, 2)
	b = append(b, ':')
	b = appendDigits(b, rest/60%60, 2)
	b = append(b, ':')
	b = appendDigits(b, rest%60, 2)
	b = appendFraction(b, int(nanos))
	return append(b, 'Z', '"'), nil
}

// writeDuration writes seconds with 0, 3, 6 or 9 digits of fraction and an s.
func (m *Message) writeDuration(st *state, b, wire []byte) ([]byte, error) {
	seconds, nanos, err := m.secondsAndNanos(st, wire)
	if err != nil {
		return b, err
	}
	if seconds < -maxDuration || seconds > maxDuration || nanos < -maxNanos || nanos > maxNanos ||
		seconds > 0 && nanos < 0 || seconds < 0 && nanos > 0 {
		return b, errDuration
	}
	b = append(b, '"')
	if seconds < 0 || nanos < 0 {
		b = append(b, '-')
		seconds, nanos = -seconds, -nanos
	}
	b = strconv.AppendInt(b, seconds, 10)
	b = appendFraction(b, int(nanos))
	return append(b, 's', '"'), nil
}

// appendFraction writes nanoseconds as a fraction with as many groups of three digits as are needed.
func appendFraction(b []byte, nanos int) []byte {
	switch {
	case nanos == 0:
		return b
	case nanos%1_000_000 == 0:
		return appendDigits(append(b, '.'), nanos/1_000_000, 3)
	case nanos%1000 == 0:
		return appendDigits(append(b, '.'), nanos/1000, 6)
	default:
		return appendDigits(append(b, '.'), nanos, 9)
	}
}

// appendDigits writes v with exactly n digits.
func appendDigits(b []byte, v, n int) []byte {
	at := len(b)
	b = append(b, "000000000"[:n]...)
	for i := at + n - 1; i >= at; i-- {
		b[i] = byte('0' + v%10)
		v /= 10
	}
	return b
}

// civil gives the date of a day counted from 1970-01-01 in the proleptic Gregorian calendar, by Howard Hinnant's
// "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
func civil(days int) (year, month, day int) {
	const eraDays, eraYears = 146097, 400
	days += 719468 // to 0000-03-01
	era := days / eraDays
	if days < 0 {
		era = (days - eraDays + 1) / eraDays
	}
	doe := days - era*eraDays
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	day = doy - (153*mp+2)/5 + 1
	month = mp + 3
	if mp >= 10 {
		month = mp - 9
	}
	year = yoe + era*eraYears
	if month <= 2 {
		year++
	}
	return year, month, day
}
