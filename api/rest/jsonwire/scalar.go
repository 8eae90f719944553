package jsonwire

import (
	"encoding/base64"
	"errors"
	"math"
	"strconv"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

var errUTF8 = errors.New("a string is not valid UTF-8")

// nullValue is the enum that stands for JSON's null.
const nullValue = "google.protobuf.NullValue"

// enum has the JSON of an enum's values: their names, or null for google.protobuf.NullValue.
type enum struct {
	null  bool
	dense []string // by number, from 0
	other map[protoreflect.EnumNumber]string
}

func newEnum(ed protoreflect.EnumDescriptor) *enum {
	e := &enum{null: ed.FullName() == nullValue, other: map[protoreflect.EnumNumber]string{}}
	values := ed.Values()
	for i := range values.Len() {
		n := values.Get(i).Number()
		name := strconv.Quote(string(values.ByNumber(n).Name())) // of aliases the first
		if int(n) == len(e.dense) && n >= 0 {
			e.dense = append(e.dense, name)
		} else {
			e.other[n] = name
		}
	}
	return e
}

// append writes a value: by name, or as a number when it has none.
func (e *enum) append(b []byte, n protoreflect.EnumNumber) []byte {
	if e.null {
		return append(b, "null"...)
	}
	if n >= 0 && int(n) < len(e.dense) {
		return append(b, e.dense[n]...)
	}
	if name, ok := e.other[n]; ok {
		return append(b, name...)
	}
	return strconv.AppendInt(b, int64(n), 10)
}

// appendNumber writes a number or bool from its bits on the wire. 64-bit integers are strings.
func appendNumber(b []byte, kind protoreflect.Kind, v uint64) []byte {
	switch kind {
	case protoreflect.BoolKind:
		return strconv.AppendBool(b, v != 0)
	case protoreflect.Int32Kind, protoreflect.Sfixed32Kind:
		return strconv.AppendInt(b, int64(int32(v)), 10)
	case protoreflect.Sint32Kind:
		return strconv.AppendInt(b, int64(int32(protowire.DecodeZigZag(v&math.MaxUint32))), 10)
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return strconv.AppendUint(b, uint64(uint32(v)), 10)
	case protoreflect.Int64Kind, protoreflect.Sfixed64Kind:
		return append(strconv.AppendInt(append(b, '"'), int64(v), 10), '"')
	case protoreflect.Sint64Kind:
		return append(strconv.AppendInt(append(b, '"'), protowire.DecodeZigZag(v), 10), '"')
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return append(strconv.AppendUint(append(b, '"'), v, 10), '"')
	case protoreflect.FloatKind:
		return appendFloat(b, float64(math.Float32frombits(uint32(v))), 32)
	default:
		return appendFloat(b, math.Float64frombits(v), 64)
	}
}

// appendFloat writes a float as ECMAScript does (shortest form that reads back the same), and what JSON numbers can't
// say as strings.
func appendFloat(b []byte, v float64, bits int) []byte {
	switch {
	case math.IsNaN(v):
		return append(b, `"NaN"`...)
	case math.IsInf(v, 1):
		return append(b, `"Infinity"`...)
	case math.IsInf(v, -1):
		return append(b, `"-Infinity"`...)
	}
	form := byte('f')
	a := math.Abs(v)
	if bits == 64 && a != 0 && (a < 1e-6 || a >= 1e21) || bits == 32 && a != 0 && (float32(a) < 1e-6 || float32(a) >= 1e21) {
		form = 'e'
	}
	b = strconv.AppendFloat(b, v, form, -1, bits)
	if n := len(b); form == 'e' && n >= 4 && b[n-4] == 'e' && b[n-3] == '-' && b[n-2] == '0' {
		b[n-2] = b[n-1] // e-09 is written e-9
		b = b[:n-1]
	}
	return b
}

// appendBytes writes bytes in padded standard base64.
func appendBytes(b, raw []byte) []byte {
	b = append(b, '"')
	b = base64.StdEncoding.AppendEncode(b, raw)
	return append(b, '"')
}

const hex = "0123456789abcdef"

// appendString writes a string, which must be valid UTF-8.
func appendString(b, s []byte) ([]byte, error) {
	b = append(b, '"')
	done := 0
	wide := false
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			wide = wide || c >= utf8.RuneSelf
			continue
		}
		b = append(b, s[done:i]...)
		done = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\b':
			b = append(b, '\\', 'b')
		case '\f':
			b = append(b, '\\', 'f')
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	if wide && !utf8.Valid(s) {
		return b, errUTF8
	}
	b = append(b, s[done:]...)
	return append(b, '"'), nil
}
