package value

import (
	"strconv"
	"strings"
)

// significant gives a decimal number's digits without leading and trailing zeros ("" for zero), and the power of ten
// of the point before the first of them: 120.50e3 is "1205" and 6. The sign is left to the caller.
func significant(s string) (digits string, exponent int) {
	s = strings.TrimLeft(s, "+-")
	mantissa := s
	if at := strings.IndexAny(s, "eE"); at >= 0 {
		mantissa = s[:at]
		exponent, _ = strconv.Atoi(s[at+1:])
	}
	whole, frac, _ := strings.Cut(mantissa, ".")
	digits = whole + frac
	exponent += len(whole)
	stripped := strings.TrimLeft(digits, "0")
	exponent -= len(digits) - len(stripped)
	return strings.TrimRight(stripped, "0"), exponent
}
