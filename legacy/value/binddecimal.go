package value

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// maxDigits is how many digits a DECIMAL has at most.
const maxDigits = 65

var (
	errDecimal = errors.New("must be a decimal number, such as 12.50 or -3e2")
	errDigits  = fmt.Errorf("must have at most %d digits", maxDigits)
)

// canonicalDecimal reads google.type.Decimal's grammar ([+-]digits[.digits][e[+-]digits], digits on either side of the
// point at least) and gives plain digits: no plus, no exponent, no needless zeros before the point. Zeros at the end
// of the fraction stay: they may mean something.
func canonicalDecimal(s string) (string, error) {
	rest := strings.TrimPrefix(s, "+")
	neg := false
	if rest == s {
		rest, neg = strings.CutPrefix(s, "-")
	}
	mantissa, exponentText, hasExponent := cutExponent(rest)
	whole, frac, _ := strings.Cut(mantissa, ".")
	if whole == "" && frac == "" || !allDigits([]byte(whole)) || !allDigits([]byte(frac)) {
		return "", errDecimal
	}
	exponent := 0
	if hasExponent {
		if !allDigits([]byte(strings.TrimLeft(exponentText[:min(1, len(exponentText))], "+-")+exponentText[min(1, len(exponentText)):])) ||
			strings.Trim(exponentText, "+-") == "" {
			return "", errDecimal
		}
		var err error
		exponent, err = strconv.Atoi(exponentText)
		if err != nil || exponent > maxExponent || exponent < -maxExponent {
			return zeroOr(whole+frac, errDigits)
		}
	}
	whole, frac = shift(whole, frac, exponent)
	whole = strings.TrimLeft(whole, "0")
	if len(whole)+len(strings.TrimRight(frac, "0")) > maxDigits {
		return "", errDigits
	}
	if len(whole)+len(frac) > maxDigits {
		frac = strings.TrimRight(frac, "0")
	}
	if whole == "" {
		whole = "0"
	}
	out := whole
	if frac != "" {
		out += "." + frac
	}
	if neg && strings.Trim(out, "0.") != "" {
		out = "-" + out
	}
	return out, nil
}

// maxExponent bounds what is expanded: no number of maxDigits digits and more zeros than that is of use.
const maxExponent = 1000

func zeroOr(digits string, err error) (string, error) {
	if strings.Trim(digits, "0") == "" {
		return "0", nil
	}
	return "", err
}

func cutExponent(s string) (mantissa, exponent string, found bool) {
	if at := strings.IndexAny(s, "eE"); at >= 0 {
		return s[:at], s[at+1:], true
	}
	return s, "", false
}

// shift moves the point to the right (or, below zero, to the left).
func shift(whole, frac string, by int) (string, string) {
	if by > 0 {
		frac += strings.Repeat("0", max(0, by-len(frac)))
		return whole + frac[:by], frac[by:]
	}
	whole = strings.Repeat("0", max(0, -by-len(whole))) + whole
	at := len(whole) + by
	return whole[:at], whole[at:] + frac
}

// checkDecimal refuses a number that a DECIMAL(p,s) would round, and one that is too large for it.
func (t *target) checkDecimal(d plainDecimal) error {
	if t.class != classDecimal || !t.Known {
		return nil
	}
	if int64(d.scale()) > t.Scale {
		return fmt.Errorf("must have at most %d decimals", t.Scale)
	}
	if whole := t.Precision - t.Scale; int64(d.wholeDigits()) > whole {
		return fmt.Errorf("must have at most %d digits before the point", whole)
	}
	return nil
}

// writeDecimal gives plain digits as the argument for the column.
func (t *target) writeDecimal(text string) (driver.Value, error) {
	d, ok := parsePlain([]byte(text))
	if !ok {
		return nil, errDecimal
	}
	if t.class == classInt {
		n, whole := d.integer()
		if d.scale() > 0 || !whole {
			lo, hi := intRange(t.Type)
			return nil, fmt.Errorf("must be a whole number from %d to %d", lo, hi)
		}
		return n.driverValue(), t.checkInteger(n)
	}
	return text, t.checkDecimal(d)
}

// driverValue gives int64, or uint64 beyond its range.
func (n integer) driverValue() driver.Value {
	if !n.neg && n.bits > 1<<63-1 {
		return n.bits
	}
	return int64(n.bits)
}

func decimalBinder(fd protoreflect.FieldDescriptor, to target) (Binder, error) {
	if err := decimalTarget(fd, to); err != nil {
		return nil, err
	}
	return func(v protoreflect.Value) (driver.Value, error) {
		text, err := canonicalDecimal(part(v, 1).String())
		if err != nil {
			return nil, err
		}
		return to.writeDecimal(text)
	}, nil
}

func decimalTarget(fd protoreflect.FieldDescriptor, to target) error {
	name := ":" + string(fd.Name())
	switch {
	case to.is(classDecimal):
		return nil
	case to.is(classInt) && shapeOf(fd) == shapeDecimal:
		return nil
	case to.is(classInt):
		return refuseWrite(fd, to, "say what the column counts: CAST("+name+" AS DECIMAL(20,2)) * 100 for cents")
	case to.is(classFloat, classDouble):
		return refuseWrite(fd, to, "it loses digits there: write CAST("+name+" AS DOUBLE) where that is meant")
	case to.is(classText):
		return refuseWrite(fd, to, "say how it is written: CAST("+name+" AS CHAR)")
	}
	return refuseWrite(fd, to, "use a field of the column's own kind, or say in SQL how it is converted")
}

// moneyBinder gives the amount as decimal text. The currency is a parameter of its own: :field.currency_code.
func moneyBinder(fd protoreflect.FieldDescriptor, to target) (Binder, error) {
	if err := decimalTarget(fd, to); err != nil {
		return nil, err
	}
	return func(v protoreflect.Value) (driver.Value, error) {
		units, nanos := part(v, 2).Int(), part(v, 3).Int()
		if nanos < -999999999 || nanos > 999999999 {
			return nil, errors.New("nanos must be from -999999999 to 999999999")
		}
		if units > 0 && nanos < 0 || units < 0 && nanos > 0 {
			return nil, errors.New("units and nanos must have the same sign")
		}
		return to.writeDecimal(decimalText(units, nanos))
	}, nil
}

// decimalText writes units and nanos of the same sign, without zeros at the end of the fraction.
func decimalText(units, nanos int64) string {
	n := signed(units)
	neg := n.neg || nanos < 0
	if n.neg {
		n = integer{bits: -n.bits}
	}
	if nanos < 0 {
		nanos = -nanos
	}
	text := n.String()
	if nanos != 0 {
		text += strings.TrimRight(fmt.Sprintf(".%09d", nanos), "0")
	}
	if neg {
		text = "-" + text
	}
	return text
}
