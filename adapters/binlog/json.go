package binlog

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"

	"banyan.dev/banyan/mirror/change"
)

// MySQL's binary JSON (sql-common/json_binary.h in its source). An object or array begins with the number of its members
// and its size; entries of keys and values follow, which have offsets from the object's or array's beginning.
const (
	jsonSmallObject = 0x0
	jsonLargeObject = 0x1
	jsonSmallArray  = 0x2
	jsonLargeArray  = 0x3
	jsonLiteral     = 0x4
	jsonInt16       = 0x5
	jsonUint16      = 0x6
	jsonInt32       = 0x7
	jsonUint32      = 0x8
	jsonInt64       = 0x9
	jsonUint64      = 0xa
	jsonDouble      = 0xb
	jsonString      = 0xc
	jsonOpaque      = 0xf
)

// maxJSONDepth is more than the server allows: 100.
const maxJSONDepth = 200

// maxJSONGrowth bounds the text: members of malformed values may all be the same bytes.
const maxJSONGrowth = 64

var (
	errJSON      = errors.New("it is no JSON value")
	errJSONDepth = errors.New("it is a JSON value that is too deep")
)

// readJSON gives a JSON column's value as MySQL prints it. Without any bytes, which old servers may leave where a value was
// invalid, it is null.
func readJSON(value []byte, a *arena) (change.Value, error) {
	n := len(a.buf)
	w := jsonWriter{dst: a.buf, limit: len(a.buf) + maxJSONGrowth*(len(value)+64)}
	err := error(nil)
	if len(value) == 0 {
		w.dst = append(w.dst, "null"...)
	} else {
		err = w.value(value[0], value[1:], 0)
	}
	a.buf = w.dst
	if err != nil {
		a.buf = a.buf[:n]
		return change.Value{}, err
	}
	return change.Value{Kind: change.JSON, Text: a.since(n)}, nil
}

type jsonWriter struct {
	dst   []byte
	limit int
}

func (w *jsonWriter) value(typ byte, data []byte, depth int) error {
	if depth > maxJSONDepth {
		return errJSONDepth
	}
	if len(w.dst) > w.limit {
		return errJSON
	}
	c := cursor{rest: data}
	switch typ {
	case jsonSmallObject:
		return w.container(data, true, 2, depth)
	case jsonLargeObject:
		return w.container(data, true, 4, depth)
	case jsonSmallArray:
		return w.container(data, false, 2, depth)
	case jsonLargeArray:
		return w.container(data, false, 4, depth)
	case jsonLiteral:
		return w.literal(c.u8(), c.failed)
	case jsonInt16:
		w.dst = strconv.AppendInt(w.dst, int64(int16(c.little(2))), 10)
	case jsonUint16:
		w.dst = strconv.AppendUint(w.dst, c.little(2), 10)
	case jsonInt32:
		w.dst = strconv.AppendInt(w.dst, int64(int32(c.little(4))), 10)
	case jsonUint32:
		w.dst = strconv.AppendUint(w.dst, c.little(4), 10)
	case jsonInt64:
		w.dst = strconv.AppendInt(w.dst, int64(c.little(8)), 10)
	case jsonUint64:
		w.dst = strconv.AppendUint(w.dst, c.little(8), 10)
	case jsonDouble:
		return w.double(math.Float64frombits(c.little(8)), c.failed)
	case jsonString:
		text := c.bytes(jsonLength(&c))
		if c.failed || !utf8.Valid(text) {
			return errJSON
		}
		w.dst = appendQuoted(w.dst, text)
	case jsonOpaque:
		kind := c.u8()
		return w.opaque(kind, c.bytes(jsonLength(&c)), c.failed)
	default:
		return errJSON
	}
	return c.err()
}

// container writes an object or array. Small ones have numbers of 2 bytes, large ones of 4.
func (w *jsonWriter) container(data []byte, object bool, size, depth int) error {
	c := cursor{rest: data}
	count, total := c.little(size), c.little(size)
	if c.failed || total > uint64(len(data)) {
		return errJSON
	}
	data = data[:total]
	keys, values := 2*size, 2*size
	entry := uint64(1 + size)
	need := uint64(2*size) + count*entry
	if object {
		values += int(count) * (size + 2)
		need += count * uint64(size+2)
	}
	if count > total || need > total {
		return errJSON
	}
	brackets := "[]"
	if object {
		brackets = "{}"
	}
	w.dst = append(w.dst, brackets[0])
	for i := range int(count) {
		if i > 0 {
			w.dst = append(w.dst, ", "...)
		}
		if object {
			e := cursor{rest: data[keys+i*(size+2):]}
			key, ok := part(data, e.little(size), e.little(2))
			if !ok || !utf8.Valid(key) {
				return errJSON
			}
			w.dst = append(appendQuoted(w.dst, key), ": "...)
		}
		if err := w.member(data, values+i*int(entry), size, depth); err != nil {
			return err
		}
	}
	w.dst = append(w.dst, brackets[1])
	return nil
}

// member writes a value whose entry is at a place: its type, and itself if it fits, else where it is.
func (w *jsonWriter) member(data []byte, at, size, depth int) error {
	e := cursor{rest: data[at:]}
	typ := e.u8()
	inline := e.rest
	switch {
	case typ == jsonLiteral, typ == jsonInt16, typ == jsonUint16:
	case size == 4 && (typ == jsonInt32 || typ == jsonUint32):
	default:
		offset := e.little(size)
		if e.failed || offset >= uint64(len(data)) || offset < uint64(2*size) {
			return errJSON
		}
		return w.value(typ, data[offset:], depth+1)
	}
	return w.value(typ, inline, depth+1)
}

func part(data []byte, offset, length uint64) ([]byte, bool) {
	if offset > uint64(len(data)) || length > uint64(len(data))-offset {
		return nil, false
	}
	return data[offset : offset+length], true
}

// jsonLength reads a length in groups of 7 bits, of at most 5 bytes, lowest first.
func jsonLength(c *cursor) int {
	n := uint64(0)
	for shift := 0; shift < 35; shift += 7 {
		b := c.u8()
		n |= uint64(b&0x7f) << shift
		if b&0x80 == 0 {
			return int(n)
		}
	}
	c.failed = true
	return 0
}

func (w *jsonWriter) literal(which byte, failed bool) error {
	if failed {
		return errShort
	}
	switch which {
	case 0:
		w.dst = append(w.dst, "null"...)
	case 1:
		w.dst = append(w.dst, "true"...)
	case 2:
		w.dst = append(w.dst, "false"...)
	default:
		return errJSON
	}
	return nil
}

// double writes a number that is read back as the same one. MySQL marks those without a fraction as doubles by .0.
func (w *jsonWriter) double(f float64, failed bool) error {
	if failed || math.IsNaN(f) || math.IsInf(f, 0) {
		return errJSON
	}
	n := len(w.dst)
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-15 || abs >= 1e15) {
		format = 'e'
	}
	w.dst = strconv.AppendFloat(w.dst, f, format, -1, 64)
	if format == 'e' {
		w.dst = shortExponent(w.dst, n)
		return nil
	}
	for _, b := range w.dst[n:] {
		if b == '.' {
			return nil
		}
	}
	w.dst = append(w.dst, ".0"...)
	return nil
}

// shortExponent makes 1e15 of 1e+15, and 1e-7 of 1e-07.
func shortExponent(text []byte, from int) []byte {
	for i := from; i+2 < len(text); i++ {
		if text[i] != 'e' {
			continue
		}
		out := text[:i+1]
		rest := text[i+1:]
		if rest[0] == '-' {
			out = append(out, '-')
		}
		rest = rest[1:]
		for len(rest) > 1 && rest[0] == '0' {
			rest = rest[1:]
		}
		return append(out, rest...)
	}
	return text
}

// opaque writes what JSON has no type for: decimals as numbers, times as MySQL prints them, and bytes as
// "base64:type251:…".
func (w *jsonWriter) opaque(kind byte, data []byte, failed bool) error {
	if failed {
		return errShort
	}
	switch kind {
	case typeDecimal:
		c := cursor{rest: data}
		precision, scale := int(c.u8()), int(c.u8())
		if c.failed || precision == 0 || precision > maxDigits || scale > precision || len(c.rest) != decimalSize(precision, scale) {
			return errJSON
		}
		w.dst = readDecimal(w.dst, &c, precision, scale)
		return nil
	case typeDate, typeDatetime, typeTimestamp, typeTime:
		if len(data) != 8 {
			return errJSON
		}
		w.dst = append(w.dst, '"')
		w.dst = appendPackedTime(w.dst, kind, int64(binary.LittleEndian.Uint64(data)))
		w.dst = append(w.dst, '"')
		return nil
	}
	w.dst = append(w.dst, fmt.Sprintf(`"base64:type%d:`, kind)...)
	w.dst = base64.StdEncoding.AppendEncode(w.dst, data)
	w.dst = append(w.dst, '"')
	return nil
}

// appendPackedTime writes a time in its packed form: 24 bits of microseconds below the rest (sql-common/my_time.cc).
func appendPackedTime(dst []byte, kind byte, packed int64) []byte {
	if packed < 0 {
		packed = -packed
		dst = append(dst, '-')
	}
	micro, whole := uint64(packed)&0xffffff, uint64(packed)>>24
	if kind == typeTime {
		dst = appendClock(dst, whole>>12&0x3ff, whole>>6&63, whole&63)
		return appendFraction(dst, micro, 6)
	}
	date, clock := whole>>17, whole&(1<<17-1)
	dst = appendDate(dst, date>>5/13, date>>5%13, date&31)
	if kind == typeDate {
		return dst
	}
	dst = appendClock(append(dst, ' '), clock>>12, clock>>6&63, clock&63)
	return appendFraction(dst, micro, 6)
}

// appendQuoted writes a string as MySQL does: escaped is only what has to be.
func appendQuoted(dst, text []byte) []byte {
	dst = append(dst, '"')
	from := 0
	for i, b := range text {
		if b >= 0x20 && b != '"' && b != '\\' {
			continue
		}
		dst = append(dst, text[from:i]...)
		from = i + 1
		switch b {
		case '"', '\\':
			dst = append(dst, '\\', b)
		case '\b':
			dst = append(dst, `\b`...)
		case '\t':
			dst = append(dst, `\t`...)
		case '\n':
			dst = append(dst, `\n`...)
		case '\f':
			dst = append(dst, `\f`...)
		case '\r':
			dst = append(dst, `\r`...)
		default:
			dst = append(dst, `\u00`...)
			dst = append(dst, "0123456789abcdef"[b>>4], "0123456789abcdef"[b&15])
		}
	}
	return append(append(dst, text[from:]...), '"')
}
