package value

import (
	"database/sql/driver"
	"unicode/utf8"
)

// textOf reads what the driver gives for text, binary, DECIMAL and temporal columns. The bytes belong to the driver.
func textOf(v driver.Value) ([]byte, bool) {
	switch v := v.(type) {
	case []byte:
		return v, true
	case string:
		return []byte(v), true
	}
	return nil, false
}

// stringEncoder is for string fields: what other kinds of columns have as text is carried as MySQL writes it.
func (c *Codec) stringEncoder(col Column, cl class, f field) Encoder {
	if cl == classTimestamp {
		return c.timestampTextEncoder(col, f)
	}
	return stringEncoder(col, cl, f)
}

func stringEncoder(col Column, cl class, f field) Encoder {
	switch cl {
	case classInt:
		return intTextEncoder(col, f)
	case classDecimal:
		return eachText(col, func(b, s []byte) ([]byte, error) { return f.appendBytes(b, withoutFill(s)), nil })
	case classText, classEnum, classSet, classJSON, classDateTime, classDate, classTime:
	default:
		return nil
	}
	return eachText(col, validText(col, f))
}

// withoutFill takes off the zeros that ZEROFILL puts before a DECIMAL, which are no part of the value.
func withoutFill(s []byte) []byte {
	for len(s) > 1 && s[0] == '0' && s[1] != '.' {
		s = s[1:]
	}
	return s
}

// textAppender appends what a text stands for. The text belongs to the driver.
type textAppender func(b, s []byte) ([]byte, error)

// eachText makes an Encoder of an appender of text.
func eachText(col Column, appendText textAppender) Encoder {
	return func(b []byte, v driver.Value) ([]byte, error) {
		if v == nil {
			return b, nil
		}
		s, ok := textOf(v)
		if !ok {
			return b, unexpected(col, v)
		}
		return appendText(b, s)
	}
}

func validText(col Column, f field) textAppender {
	return func(b, s []byte) ([]byte, error) {
		if !utf8.Valid(s) {
			return b, misfit(col, f, "the text is not valid UTF-8: its bytes are not in the character set that the column claims; "+
				"use a bytes field, or CONVERT(CAST(col AS BINARY) USING latin1)")
		}
		return f.appendBytes(b, s), nil
	}
}

// intTextEncoder writes integers as decimal text, for ids whose type the contract hides.
func intTextEncoder(col Column, f field) Encoder {
	return func(b []byte, v driver.Value) ([]byte, error) {
		if v == nil {
			return b, nil
		}
		n, ok := integerOf(v)
		if !ok {
			return b, unexpected(col, v)
		}
		var buf [20]byte
		return f.appendBytes(b, n.appendTo(buf[:0])), nil
	}
}

func bytesEncoder(col Column, cl class, f field) Encoder {
	switch cl {
	case classText, classEnum, classSet, classJSON, classBinary, classBit, classGeometry, classVector:
	default:
		return nil
	}
	return eachText(col, func(b, s []byte) ([]byte, error) { return f.appendBytes(b, s), nil })
}
