package value

import "database/sql/driver"

// Arg copies a value that a row gave out of the driver's buffer, so that it can be an argument of a later statement.
// It keeps the value, not what its column's type knows: where the column is known, ArgOf is right in comparisons too.
func Arg(v driver.Value) driver.Value {
	switch v := v.(type) {
	case []byte:
		return append(make([]byte, 0, len(v)), v...) // never nil, which the driver takes for NULL
	case float32:
		return float64(v) // the driver sends no float32; a double holds it exactly
	}
	return v
}

// ArgOf is Arg for a value of a known column: integers as integers, BIT as the number that it is, text as string, bytes
// as bytes. A value that its column's type never gives is copied as it is.
func ArgOf(col Column, v driver.Value) driver.Value {
	switch cl := classOf(col.Type); cl {
	case classInt, classYear:
		if n, ok := integerOf(v); ok {
			return n.driverValue()
		}
	case classBit:
		if n, ok := bitsOf(v); ok {
			return n.driverValue()
		}
	case classText, classEnum, classSet, classJSON, classDecimal, classDateTime, classTimestamp, classDate, classTime:
		if s, ok := v.([]byte); ok {
			return string(s)
		}
	}
	return Arg(v)
}
