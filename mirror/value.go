package mirror

import (
	"bytes"
	"encoding/base64"
	"math"
	"strconv"
	"unicode/utf8"

	"banyan.dev/banyan/mirror/change"
)

// appendValue appends a value as JSON, as docs/types.md says. Numbers that a reader's doubles could not hold are strings.
func appendValue(dst []byte, v *change.Value) []byte {
	switch v.Kind {
	case change.Null, change.Absent: // rows with absent columns are refused before
		return append(dst, "null"...)
	case change.Int:
		return strconv.AppendInt(dst, int64(v.Num), 10)
	case change.Uint:
		return strconv.AppendUint(dst, v.Num, 10)
	case change.BigInt:
		dst = append(dst, '"')
		dst = strconv.AppendInt(dst, int64(v.Num), 10)
		return append(dst, '"')
	case change.BigUint:
		dst = append(dst, '"')
		dst = strconv.AppendUint(dst, v.Num, 10)
		return append(dst, '"')
	case change.Float:
		return appendFloat(dst, float64(math.Float32frombits(uint32(v.Num))), 32)
	case change.Double:
		return appendFloat(dst, math.Float64frombits(v.Num), 64)
	case change.Decimal, change.Temporal, change.Instant:
		dst = append(dst, '"')
		dst = append(dst, v.Text...)
		return append(dst, '"')
	case change.String:
		return appendString(dst, v.Text)
	case change.Bytes:
		return appendBase64(dst, v.Text)
	case change.JSON:
		return appendJSON(dst, v.Text)
	default: // Garbled
		dst = append(dst, `{"$bytes":`...)
		dst = appendBase64(dst, v.Text)
		return append(dst, '}')
	}
}

// appendJSON appends a document as it is, but wraps those that would be taken for NULL, for bytes that are no text, or for
// a wrapped one.
func appendJSON(dst, document []byte) []byte {
	if string(document) != "null" && !bytes.HasPrefix(document, []byte(`{"$bytes":`)) && !bytes.HasPrefix(document, []byte(`{"$json":`)) {
		return append(dst, document...)
	}
	dst = append(dst, `{"$json":`...)
	dst = append(dst, document...)
	return append(dst, '}')
}

// appendFloat appends the shortest digits that give the same number again (ECMA-262, Number::toString). No database of
// ours stores infinities or NaN; a stream that has one gives text, since JSON has no number for it.
func appendFloat(dst []byte, f float64, bits int) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		dst = append(dst, '"')
		dst = strconv.AppendFloat(dst, f, 'g', -1, bits)
		return append(dst, '"')
	}
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(dst, f, format, -1, bits)
}

func appendBase64(dst, raw []byte) []byte {
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, raw)
	return append(dst, '"')
}

// plain says which bytes stand for themselves in a JSON string (RFC 8259, section 7).
var plain = func() (table [256]bool) {
	for i := range table {
		table[i] = i >= 0x20 && i != '"' && i != '\\'
	}
	return table
}()

// appendString appends text as a JSON string. Bytes that are no UTF-8, which a source does not give, become U+FFFD.
func appendString[T string | []byte](dst []byte, text T) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf {
			if !plain[c] {
				dst = append(dst, text[start:i]...)
				dst = appendEscaped(dst, c)
				start = i + 1
			}
			i++
			continue
		}
		r, size := decodeRune(text[i:])
		if r == utf8.RuneError && size == 1 {
			dst = append(dst, text[start:i]...)
			dst = append(dst, "\ufffd"...)
			start = i + 1
		}
		i += size
	}
	dst = append(dst, text[start:]...)
	return append(dst, '"')
}

func decodeRune[T string | []byte](text T) (rune, int) {
	n := min(len(text), utf8.UTFMax)
	var head [utf8.UTFMax]byte
	copy(head[:], text[:n])
	return utf8.DecodeRune(head[:n])
}

func appendEscaped(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	default:
		const hex = "0123456789abcdef"
		return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
	}
}
