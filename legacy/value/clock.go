package value

import (
	"bytes"
	"database/sql/driver"

	"google.golang.org/protobuf/encoding/protowire"
)

// maxTimeSeconds is 838:59:59, the end of TIME's range to both sides.
const maxTimeSeconds = 838*3600 + 59*60 + 59

// clock is a TIME: hours may go beyond a day and below zero.
type clock struct {
	neg     bool
	seconds int64 // without the sign
	nanos   int32 // without the sign
}

// parseClock reads -?H{2,3}:MM:SS and up to six decimals.
func parseClock(s []byte) (c clock, decimals int, ok bool) {
	if len(s) > 0 && s[0] == '-' {
		c.neg = true
		s = s[1:]
	}
	at := bytes.IndexByte(s, ':')
	if at < 2 || at > 3 || len(s) < at+6 || s[at+3] != ':' {
		return c, 0, false
	}
	hour, good := digits(s[:at])
	minute, goodMinute := digits(s[at+1 : at+3])
	second, goodSecond := digits(s[at+4 : at+6])
	if !good || !goodMinute || !goodSecond || minute > 59 || second > 59 {
		return c, 0, false
	}
	c.seconds = int64(hour)*3600 + int64(minute)*60 + int64(second)
	c.nanos, decimals, ok = fraction(s[at+6:])
	return c, decimals, ok && c.seconds <= maxTimeSeconds
}

func clockOf(v driver.Value) (clock, bool) {
	s, ok := textOf(v)
	if !ok {
		return clock{}, false
	}
	c, _, ok := parseClock(s)
	return c, ok
}

func durationEncoder(col Column, cl class, f field) Encoder {
	if cl != classTime {
		return nil
	}
	return func(b []byte, v driver.Value) ([]byte, error) {
		if v == nil {
			return b, nil
		}
		c, ok := clockOf(v)
		if !ok {
			return b, unexpected(col, v)
		}
		seconds, nanos := c.seconds, c.nanos
		if c.neg {
			seconds, nanos = -seconds, -nanos
		}
		b, start := beginMessage(b, f.num)
		b = appendSecondsNanos(b, 1, seconds, nanos)
		return endMessage(b, start), nil
	}
}

const daySeconds = 24 * 3600

// timeOfDayEncoder fills google.type.TimeOfDay, 24:00:00 (the end of a day) too.
func timeOfDayEncoder(col Column, cl class, f field) Encoder {
	if cl != classTime {
		return nil
	}
	return func(b []byte, v driver.Value) ([]byte, error) {
		if v == nil {
			return b, nil
		}
		c, ok := clockOf(v)
		if !ok {
			return b, unexpected(col, v)
		}
		if c.neg || c.seconds > daySeconds || c.seconds == daySeconds && c.nanos > 0 {
			return b, misfit(col, f, "%s is no time of a day; use google.protobuf.Duration", show(v))
		}
		b, start := beginMessage(b, f.num)
		b = appendPart(b, 1, int(c.seconds/3600))
		b = appendPart(b, 2, int(c.seconds/60%60))
		b = appendPart(b, 3, int(c.seconds%60))
		b = appendPart(b, 4, int(c.nanos))
		return endMessage(b, start), nil
	}
}

// appendPart appends an int32 field that is left out when it is zero.
func appendPart(b []byte, num protowire.Number, v int) []byte {
	if v == 0 {
		return b
	}
	return appendVarint(b, num, uint64(int64(v)))
}
