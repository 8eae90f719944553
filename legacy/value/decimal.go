package value

import (
	"bytes"
	"database/sql/driver"
	"errors"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// plainDecimal is a decimal number without exponent, as MySQL writes DECIMAL: digits before and after the point.
type plainDecimal struct {
	neg         bool
	whole, frac []byte
}

// parsePlain reads -?digits[.digits]. The parts point into s.
func parsePlain(s []byte) (plainDecimal, bool) {
	var d plainDecimal
	if len(s) > 0 && s[0] == '-' {
		d.neg = true
		s = s[1:]
	}
	var point bool
	d.whole, d.frac, point = bytes.Cut(s, []byte{'.'})
	if len(d.whole) == 0 || point && len(d.frac) == 0 || !allDigits(d.whole) || !allDigits(d.frac) {
		return plainDecimal{}, false
	}
	return d, true
}

func allDigits(s []byte) bool {
	for _, ch := range s {
		if ch < '0' || ch > '9' {
			return false
		}
	}
	return true
}

// scale counts the decimals that are not trailing zeros.
func (d plainDecimal) scale() int { return len(bytes.TrimRight(d.frac, "0")) }

// wholeDigits counts the digits before the point that are not leading zeros.
func (d plainDecimal) wholeDigits() int { return len(bytes.TrimLeft(d.whole, "0")) }

func (d plainDecimal) integer() (integer, bool) {
	n, ok := parseInteger(d.whole)
	if !ok || !d.neg || n.bits == 0 {
		return n, ok
	}
	if n.bits > 1<<63 {
		return integer{}, false
	}
	return integer{bits: -n.bits, neg: true}, true
}

var (
	errNanos = errors.New("it has more than 9 decimals")
	errUnits = errors.New("it is beyond 64 bits")
)

// unitsNanos splits the number as Money does: both parts have its sign.
func (d plainDecimal) unitsNanos() (units int64, nanos int32, err error) {
	n, ok := d.integer()
	if !ok || !n.neg && n.bits > math.MaxInt64 {
		return 0, 0, errUnits
	}
	if d.scale() > 9 {
		return 0, 0, errNanos
	}
	for i := range 9 {
		nanos *= 10
		if i < len(d.frac) {
			nanos += int32(d.frac[i] - '0')
		}
	}
	if d.neg {
		nanos = -nanos
	}
	return int64(n.bits), nanos, nil
}

func decimalOf(v driver.Value) (plainDecimal, bool) {
	s, ok := textOf(v)
	if !ok {
		return plainDecimal{}, false
	}
	return parsePlain(s)
}

// decimalIntEncoder carries whole DECIMALs, which SUM of an integer column gives.
func decimalIntEncoder(col Column, f field) Encoder {
	return func(b []byte, v driver.Value) ([]byte, error) {
		if v == nil {
			return b, nil
		}
		d, ok := decimalOf(v)
		if !ok {
			return b, unexpected(col, v)
		}
		if d.scale() > 0 {
			return b, misfit(col, f, "%s has a fraction; use string or google.type.Decimal, or CAST(ROUND(col) AS SIGNED)", show(v))
		}
		n, ok := d.integer()
		if !ok || !n.fits(f.kind) {
			return b, misfit(col, f, "%s does not fit %s", show(v), f.kind)
		}
		return f.appendInteger(b, n), nil
	}
}

// decimalEncoder fills google.type.Decimal with the number as MySQL writes it, its trailing zeros too.
func decimalEncoder(col Column, cl class, f field) Encoder {
	if cl != classDecimal && cl != classInt {
		return nil
	}
	inner := stringEncoder(col, cl, field{num: 1, name: "value"})
	return func(b []byte, v driver.Value) ([]byte, error) {
		if v == nil {
			return b, nil
		}
		at := len(b)
		b, start := beginMessage(b, f.num)
		b, err := inner(b, v)
		if err != nil {
			return b[:at], err
		}
		return endMessage(b, start), nil
	}
}

// moneyEncoder fills units and nanos of a google.type.Money that has no currency.
func moneyEncoder(col Column, cl class, f field) Encoder {
	if cl != classDecimal {
		return nil
	}
	return func(b []byte, v driver.Value) ([]byte, error) {
		if v == nil {
			return b, nil
		}
		at := len(b)
		b, start := beginMessage(b, f.num)
		b, err := appendMoneyAmount(b, col, f, v)
		if err != nil {
			return b[:at], err
		}
		return endMessage(b, start), nil
	}
}

const moneyUnits protowire.Number = 2 // google.type.Money: currency_code = 1, units = 2, nanos = 3

// MoneyAmount makes the Encoder that appends the fields of a google.type.Money from a DECIMAL column: units and nanos,
// without the record around them, so that the caller can put a currency_code from another column beside them. An
// amount of zero appends nothing, as NULL does: look at the driver value to tell them apart.
func (c *Codec) MoneyAmount(col Column) (Encoder, error) {
	cl := classOf(col.Type)
	if cl == classNull {
		return nullEncoder(col), nil
	}
	if cl != classDecimal {
		return nil, refuse(col.Type+" column "+col.Name+" is no amount for google.type.Money", insteadForMoney(cl))
	}
	f := field{name: "units"}
	return func(b []byte, v driver.Value) ([]byte, error) {
		if v == nil {
			return b, nil
		}
		return appendMoneyAmount(b, col, f, v)
	}, nil
}

func appendMoneyAmount(b []byte, col Column, f field, v driver.Value) ([]byte, error) {
	d, ok := decimalOf(v)
	if !ok {
		return b, unexpected(col, v)
	}
	units, nanos, err := d.unitsNanos()
	if err != nil {
		return b, misfit(col, f, "google.type.Money can't hold %s: %w", show(v), err)
	}
	return appendSecondsNanos(b, moneyUnits, units, nanos), nil
}
