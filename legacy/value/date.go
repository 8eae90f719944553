package value

import (
	"database/sql/driver"
	"errors"
)

var errDateParts = errors.New("google.type.Date has no such form: a year, a year and month, a month and day, or all three; use a string field")

// dateParts checks what google.type.Date allows: a year alone, a year and month, a month and day, or a whole date.
func (c civil) dateParts() error {
	switch {
	case c.year == 0 && c.month == 0 && c.day == 0:
		return errors.New("it is a zero date; write NULLIF(col, '0000-00-00') if it means none")
	case c.day != 0 && c.month != 0:
		if !c.realDay() {
			return errNoDay
		}
	case c.day != 0 || c.year == 0 || c.month > 12:
		return errDateParts
	}
	return nil
}

func dateEncoder(col Column, cl class, f field) Encoder {
	if cl != classDate {
		return nil
	}
	return func(b []byte, v driver.Value) ([]byte, error) {
		if v == nil {
			return b, nil
		}
		s, ok := textOf(v)
		if !ok || len(s) != 10 {
			return b, unexpected(col, v)
		}
		c, _, ok := parseCivil(s)
		if !ok {
			return b, unexpected(col, v)
		}
		if err := c.dateParts(); err != nil {
			return b, misfit(col, f, "%s is no google.type.Date: %w", show(v), err)
		}
		b, start := beginMessage(b, f.num)
		b = appendPart(b, 1, c.year)
		b = appendPart(b, 2, c.month)
		b = appendPart(b, 3, c.day)
		return endMessage(b, start), nil
	}
}
