package binlog

import "strconv"

// maxDigits of a DECIMAL.
const maxDigits = 81

// decimalBytes is the size of 0 to 9 digits in a DECIMAL's binary form (strings/decimal.c, decimal2bin).
var decimalBytes = [10]int{0, 1, 1, 2, 2, 3, 3, 4, 4, 4}

func decimalSize(precision, scale int) int {
	whole := precision - scale
	return whole/9*4 + decimalBytes[whole%9] + scale/9*4 + decimalBytes[scale%9]
}

// readDecimal appends a DECIMAL as text, with all digits of its scale.
func readDecimal(dst []byte, c *cursor, precision, scale int) []byte {
	whole := precision - scale
	size := decimalSize(precision, scale)
	raw := c.bytes(size)
	if len(raw) == 0 {
		return append(dst, '0')
	}
	var own [64]byte
	copy(own[:], raw)
	bits := own[:size]
	// The first bit is the sign, inverted; of a negative number all others are inverted.
	negative := bits[0]&0x80 == 0
	bits[0] ^= 0x80
	if negative {
		for i := range bits {
			bits[i] = ^bits[i]
		}
	}
	start := len(dst)
	if negative {
		dst = append(dst, '-')
	}
	first := len(dst)
	d := cursor{rest: bits}
	if n := whole % 9; n > 0 {
		dst = appendDigits(dst, d.big(decimalBytes[n]), 0, first)
	}
	for range whole / 9 {
		dst = appendDigits(dst, d.big(4), 9, first)
	}
	if len(dst) == first {
		dst = append(dst, '0')
	}
	if scale > 0 {
		dst = append(dst, '.')
		for range scale / 9 {
			dst = appendDigits(dst, d.big(4), 9, -1)
		}
		if n := scale % 9; n > 0 {
			dst = appendDigits(dst, d.big(decimalBytes[n]), n, -1)
		}
	}
	if negative && allZero(dst[first:]) {
		dst = append(dst[:start], dst[first:]...)
	}
	return dst
}

// appendDigits appends a number with leading zeros to a width, but none where the whole number begins, at first.
func appendDigits(dst []byte, n uint64, width, first int) []byte {
	if len(dst) == first {
		if n == 0 {
			return dst
		}
		return strconv.AppendUint(dst, n, 10)
	}
	return appendInt(dst, n, width)
}

func allZero(text []byte) bool {
	for _, b := range text {
		if b != '0' && b != '.' {
			return false
		}
	}
	return true
}
