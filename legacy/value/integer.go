package value

import (
	"database/sql/driver"
	"encoding/binary"
	"math"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// integer is a whole number of 64 bits, signed or not: bits hold a negative one in two's complement.
type integer struct {
	bits uint64
	neg  bool
}

func signed(v int64) integer { return integer{bits: uint64(v), neg: v < 0} }

// String gives decimal text.
func (n integer) String() string { return string(n.appendTo(nil)) }

func (n integer) appendTo(b []byte) []byte {
	if n.neg {
		return strconv.AppendInt(b, int64(n.bits), 10)
	}
	return strconv.AppendUint(b, n.bits, 10)
}

// integerOf reads what the driver gives for integer columns: int64; uint64 (text protocol) or decimal text (binary
// protocol) for UNSIGNED BIGINT.
func integerOf(v driver.Value) (integer, bool) {
	switch v := v.(type) {
	case int64:
		return signed(v), true
	case uint64:
		return integer{bits: v}, true
	case []byte:
		return parseInteger(v)
	case string:
		return parseInteger([]byte(v))
	}
	return integer{}, false
}

// parseInteger reads decimal digits with an optional minus.
func parseInteger(s []byte) (integer, bool) {
	neg := len(s) > 0 && s[0] == '-'
	if neg {
		s = s[1:]
	}
	if len(s) == 0 {
		return integer{}, false
	}
	var u uint64
	for _, ch := range s {
		if ch < '0' || ch > '9' {
			return integer{}, false
		}
		d := uint64(ch - '0')
		if u > (math.MaxUint64-d)/10 {
			return integer{}, false
		}
		u = u*10 + d
	}
	if !neg || u == 0 {
		return integer{bits: u}, true
	}
	if u > 1<<63 {
		return integer{}, false
	}
	return integer{bits: -u, neg: true}, true
}

// fits tells whether a field of this kind can hold n.
func (n integer) fits(kind protoreflect.Kind) bool {
	switch kind {
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return n.within(math.MinInt32, math.MaxInt32)
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return n.within(0, math.MaxUint32)
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return !n.neg
	default:
		return n.neg || n.bits <= math.MaxInt64
	}
}

func (n integer) within(lo int64, hi uint64) bool {
	if n.neg {
		return int64(n.bits) >= lo
	}
	return n.bits <= hi
}

func (f *field) appendInteger(b []byte, n integer) []byte {
	if n.bits == 0 && f.omitZero {
		return b
	}
	switch f.kind {
	case protoreflect.Sint32Kind, protoreflect.Sint64Kind:
		return appendVarint(b, f.num, protowire.EncodeZigZag(int64(n.bits)))
	case protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind:
		b = protowire.AppendTag(b, f.num, protowire.Fixed32Type)
		return protowire.AppendFixed32(b, uint32(n.bits))
	case protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind:
		b = protowire.AppendTag(b, f.num, protowire.Fixed64Type)
		return protowire.AppendFixed64(b, n.bits)
	default:
		return appendVarint(b, f.num, n.bits)
	}
}

func intEncoder(col Column, cl class, f field) Encoder {
	var read func(driver.Value) (integer, bool)
	switch cl {
	case classInt, classYear:
		read = integerOf
	case classBit:
		read = bitsOf
	case classDecimal:
		return decimalIntEncoder(col, f)
	default:
		return nil
	}
	return func(b []byte, v driver.Value) ([]byte, error) {
		if v == nil {
			return b, nil
		}
		n, ok := read(v)
		if !ok {
			return b, unexpected(col, v)
		}
		if !n.fits(f.kind) {
			return b, misfit(col, f, "%s does not fit %s", n, f.kind)
		}
		if cl == classYear && !n.neg && n.bits >= 1 && n.bits <= 99 { // no YEAR of four digits
			return b, misfit(col, f, "%s is the year of a YEAR(2), which shows two digits; make the column a YEAR", n)
		}
		return f.appendInteger(b, n), nil
	}
}

func boolEncoder(col Column, cl class, f field) Encoder {
	var read func(driver.Value) (integer, bool)
	switch {
	case cl == classInt:
		read = integerOf
	case cl == classBit && col.Length <= 1:
		read = bitsOf
	default:
		return nil
	}
	return func(b []byte, v driver.Value) ([]byte, error) {
		if v == nil {
			return b, nil
		}
		n, ok := read(v)
		if !ok {
			return b, unexpected(col, v)
		}
		if n.bits > 1 {
			return b, misfit(col, f, "%s is neither 0 nor 1; write col <> 0 if every other number means true", n)
		}
		return f.appendVarint(b, n.bits), nil
	}
}

// bitsOf reads a BIT column: up to eight bytes, the highest first; or the number that ArgOf makes of them.
func bitsOf(v driver.Value) (integer, bool) {
	var raw []byte
	switch v := v.(type) {
	case []byte:
		raw = v
	case string:
		raw = []byte(v)
	case int64:
		return signed(v), v >= 0
	case uint64:
		return integer{bits: v}, true
	default:
		return integer{}, false
	}
	if len(raw) == 0 || len(raw) > 8 {
		return integer{}, false
	}
	var full [8]byte
	copy(full[8-len(raw):], raw)
	return integer{bits: binary.BigEndian.Uint64(full[:])}, true
}
