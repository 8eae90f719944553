package versions

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// encoding is how a scalar stands on the wire.
type encoding uint8

const (
	varint   encoding = iota // int32, int64, uint32, uint64, bool, enum
	zigzag32                 // sint32
	zigzag64                 // sint64
	fixed32                  // fixed32, sfixed32, float
	fixed64                  // fixed64, sfixed64, double
	lengthed                 // string, bytes, message
)

func encodingOf(k protoreflect.Kind) encoding {
	switch k {
	case protoreflect.Sint32Kind:
		return zigzag32
	case protoreflect.Sint64Kind:
		return zigzag64
	case protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind, protoreflect.FloatKind:
		return fixed32
	case protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind, protoreflect.DoubleKind:
		return fixed64
	case protoreflect.StringKind, protoreflect.BytesKind, protoreflect.MessageKind, protoreflect.GroupKind:
		return lengthed
	default:
		return varint
	}
}

func (e encoding) wireType() protowire.Type {
	switch e {
	case fixed32:
		return protowire.Fixed32Type
	case fixed64:
		return protowire.Fixed64Type
	case lengthed:
		return protowire.BytesType
	default:
		return protowire.VarintType
	}
}

// read takes one scalar that is not lengthed off b, as its bits on the wire with zigzag undone. n < 0: it is malformed.
func (e encoding) read(b []byte) (bits uint64, n int) {
	switch e {
	case fixed32:
		v, n := protowire.ConsumeFixed32(b)
		return uint64(v), n
	case fixed64:
		return protowire.ConsumeFixed64(b)
	case zigzag32:
		v, n := protowire.ConsumeVarint(b)
		return uint64(protowire.DecodeZigZag(v & math.MaxUint32)), n //nolint:gosec // bits, not a number
	case zigzag64:
		v, n := protowire.ConsumeVarint(b)
		return uint64(protowire.DecodeZigZag(v)), n //nolint:gosec // the same
	default:
		return protowire.ConsumeVarint(b)
	}
}

// write is the inverse of read.
func (e encoding) write(dst []byte, bits uint64) []byte {
	switch e {
	case fixed32:
		return protowire.AppendFixed32(dst, uint32(bits)) //nolint:gosec // bits of a 32-bit kind
	case fixed64:
		return protowire.AppendFixed64(dst, bits)
	case zigzag32, zigzag64:
		return protowire.AppendVarint(dst, protowire.EncodeZigZag(int64(bits))) //nolint:gosec // bits, not a number
	default:
		return protowire.AppendVarint(dst, bits)
	}
}

// family says which kinds hold the same numbers.
type family uint8

const (
	noNumber family = iota
	signed32
	signed64
	unsigned32
	unsigned64
	float32s
	float64s
)

func familyOf(k protoreflect.Kind) family {
	switch k {
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return signed32
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return signed64
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return unsigned32
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return unsigned64
	case protoreflect.FloatKind:
		return float32s
	case protoreflect.DoubleKind:
		return float64s
	default:
		return noNumber
	}
}

// widens says whether every value of a source kind is one of the target's, too.
func widens(target, source protoreflect.Kind) bool {
	if target == source {
		return true
	}
	switch from, to := familyOf(source), familyOf(target); from {
	case noNumber:
		return false
	case signed32:
		return to == signed32 || to == signed64
	case unsigned32:
		return to == unsigned32 || to == unsigned64 || to == signed64
	case float32s:
		return to == float64s
	default:
		return to == from
	}
}

// widen turns the bits of a source kind into those of a target kind that it widens to.
func widen(target, source protoreflect.Kind, bits uint64) uint64 {
	switch familyOf(source) {
	case signed32:
		return uint64(int64(int32(bits))) //nolint:gosec // what a decoder makes of more bits
	case unsigned32:
		return uint64(uint32(bits)) //nolint:gosec // the same
	case float32s:
		if familyOf(target) == float64s {
			return math.Float64bits(float64(math.Float32frombits(uint32(bits)))) //nolint:gosec // bits of a float
		}
	default:
	}
	return bits
}

// scalars converts one scalar, or a packed list of them.
func (c *copyStep) scalars(out []byte, s *step, typ protowire.Type, val []byte) ([]byte, error) {
	to := encodingOf(c.target.Kind())
	if !s.list || typ != protowire.BytesType {
		bits, _ := s.enc.read(val)
		bits, err := c.convert(s, bits)
		if err != nil || bits == 0 && !s.list && !c.target.HasPresence() {
			return out, err
		}
		return to.write(protowire.AppendTag(out, c.number, to.wireType()), bits), nil
	}
	packed, _ := protowire.ConsumeBytes(val)
	out, begin, room := open(out, c.number, len(packed))
	for i := 0; len(packed) > 0; i++ {
		bits, n := s.enc.read(packed)
		if n < 0 {
			return out, &malformedError{protowire.ParseError(n)}
		}
		packed = packed[n:]
		bits, err := c.convert(s, bits)
		if err != nil {
			return out, &elementError{i, err}
		}
		out = to.write(out, bits)
	}
	return closeAt(out, begin, room), nil
}

func (c *copyStep) convert(s *step, bits uint64) (uint64, error) {
	if c.how == number {
		return widen(c.target.Kind(), s.field.Kind(), bits), nil
	}
	from := protoreflect.EnumNumber(int32(bits)) //nolint:gosec // what a decoder makes of more bits
	to, known := c.enum.numbers[from]
	if !known {
		return 0, &unknownValue{from}
	}
	return uint64(int64(to)), nil //nolint:gosec // as enums are encoded
}

// zero says whether a value, with its length if it has one, is the zero of its kind.
func zero(enc encoding, val []byte) bool {
	if enc == lengthed {
		return len(val) == 1 && val[0] == 0
	}
	bits, _ := enc.read(val)
	return bits == 0
}
