package versions

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// append appends the field with the value that the expression gives over a message of the source.
func (f *filler) append(dst []byte, m protoreflect.Message, depth int) ([]byte, error) {
	v, err := f.expression.Value(m)
	if err != nil {
		return dst, err
	}
	if optional, ok := v.(*types.Optional); ok {
		if !optional.HasValue() {
			return dst, nil
		}
		v = optional.GetValue()
	}
	fd := f.target
	switch {
	case fd.IsMap():
		return f.appendMap(dst, fd, v, depth)
	case fd.IsList():
		return f.appendList(dst, fd, v, depth)
	case v == types.NullValue && fd.Message() != nil:
		return dst, nil
	default:
		return f.appendOne(dst, fd, v, !fd.HasPresence(), depth)
	}
}

func (f *filler) appendList(dst []byte, fd protoreflect.FieldDescriptor, v ref.Val, depth int) ([]byte, error) {
	list, ok := v.(traits.Lister)
	if !ok {
		return dst, wrongType(v, "a list")
	}
	if fd.IsPacked() {
		return appendPacked(dst, fd, list)
	}
	var err error
	for it := list.Iterator(); it.HasNext() == types.True; {
		if dst, err = f.appendOne(dst, fd, it.Next(), false, depth); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

func appendPacked(dst []byte, fd protoreflect.FieldDescriptor, list traits.Lister) ([]byte, error) {
	if list.Size() == types.IntZero {
		return dst, nil
	}
	enc := encodingOf(fd.Kind())
	dst, begin, room := open(dst, fd.Number(), 0)
	for it := list.Iterator(); it.HasNext() == types.True; {
		bits, err := scalarBits(fd, it.Next())
		if err != nil {
			return dst, err
		}
		dst = enc.write(dst, bits)
	}
	return closeAt(dst, begin, room), nil
}

// appendMap appends entries in the order of their bytes, so that the same map always gives the same message.
func (f *filler) appendMap(dst []byte, fd protoreflect.FieldDescriptor, v ref.Val, depth int) ([]byte, error) {
	m, ok := v.(traits.Mapper)
	if !ok {
		return dst, wrongType(v, "a map")
	}
	var entries []string
	for it := m.Iterator(); it.HasNext() == types.True; {
		key := it.Next()
		entry, err := f.appendOne(nil, fd.MapKey(), key, true, depth)
		if err != nil {
			return dst, err
		}
		if entry, err = f.appendOne(entry, fd.MapValue(), m.Get(key), true, depth); err != nil {
			return dst, err
		}
		entries = append(entries, string(entry))
	}
	slices.SortFunc(entries, cmp.Compare[string])
	for _, entry := range entries {
		dst = protowire.AppendString(protowire.AppendTag(dst, fd.Number(), protowire.BytesType), entry)
	}
	return dst, nil
}

// appendOne appends one value with its tag. Zero is left out where it can't be told from unset.
func (f *filler) appendOne(dst []byte, fd protoreflect.FieldDescriptor, v ref.Val, dropZero bool, depth int) ([]byte, error) {
	enc := encodingOf(fd.Kind())
	if enc != lengthed {
		bits, err := scalarBits(fd, v)
		if err != nil || dropZero && bits == 0 {
			return dst, err
		}
		return enc.write(protowire.AppendTag(dst, fd.Number(), enc.wireType()), bits), nil
	}
	bytes, err := f.lengthedBytes(fd, v, depth)
	if err != nil || dropZero && len(bytes) == 0 && fd.Message() == nil {
		return dst, err
	}
	return protowire.AppendBytes(protowire.AppendTag(dst, fd.Number(), protowire.BytesType), bytes), nil
}

// errRange says that a number doesn't fit its field.
var errRange = errors.New("the number is out of the field's range")

// scalarBits gives a value as the bits that encoding.write takes.
func scalarBits(fd protoreflect.FieldDescriptor, v ref.Val) (uint64, error) {
	switch fd.Kind() {
	case protoreflect.EnumKind:
		name, ok := v.(types.String)
		if !ok {
			return 0, wrongType(v, "the name of an enum's value")
		}
		known := valueNamed(fd.Enum(), string(name))
		if known == nil {
			return 0, fmt.Errorf("%s has no value %q", fd.Enum().FullName(), string(name))
		}
		return uint64(int64(known.Number())), nil //nolint:gosec // as enums are encoded
	case protoreflect.BoolKind:
		b, ok := v.(types.Bool)
		if !ok {
			return 0, wrongType(v, "a bool")
		}
		if b {
			return 1, nil
		}
		return 0, nil
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		d, ok := v.(types.Double)
		if !ok {
			return 0, wrongType(v, "a double")
		}
		if fd.Kind() == protoreflect.FloatKind {
			if math.IsInf(float64(float32(d)), 0) && !math.IsInf(float64(d), 0) {
				return 0, errRange
			}
			return uint64(math.Float32bits(float32(d))), nil
		}
		return math.Float64bits(float64(d)), nil
	}
	return integerBits(familyOf(fd.Kind()), v)
}

func integerBits(to family, v ref.Val) (uint64, error) {
	switch v := v.(type) {
	case types.Int:
		n := int64(v)
		fits := to == signed64 || to == signed32 && n >= math.MinInt32 && n <= math.MaxInt32 ||
			to == unsigned64 && n >= 0 || to == unsigned32 && n >= 0 && n <= math.MaxUint32
		if !fits {
			return 0, errRange
		}
		return uint64(n), nil //nolint:gosec // bits
	case types.Uint:
		n := uint64(v)
		fits := to == unsigned64 || to == signed64 && n <= math.MaxInt64 || to == unsigned32 && n <= math.MaxUint32 || to == signed32 && n <= math.MaxInt32
		if !fits {
			return 0, errRange
		}
		return n, nil
	default:
		return 0, wrongType(v, "a whole number")
	}
}

// lengthedBytes gives a text, bytes or a message as they stand on the wire.
func (f *filler) lengthedBytes(fd protoreflect.FieldDescriptor, v ref.Val, depth int) ([]byte, error) {
	switch fd.Kind() {
	case protoreflect.StringKind:
		if s, ok := v.(types.String); ok {
			return []byte(s), nil
		}
		return nil, wrongType(v, "a string")
	case protoreflect.BytesKind:
		if b, ok := v.(types.Bytes); ok {
			return b, nil
		}
		return nil, wrongType(v, "bytes")
	}
	md := fd.Message()
	switch v := v.(type) {
	case types.Timestamp:
		return knownBytes(md, timestamppb.New(v.Time))
	case types.Duration:
		return knownBytes(md, durationpb.New(v.Duration))
	case types.Null:
		return nil, wrongType(v, "a "+string(md.FullName()))
	}
	if inner := wrapped(md); inner != nil {
		return f.appendOne(nil, inner, v, true, depth)
	}
	m, ok := v.Value().(proto.Message)
	if !ok {
		return nil, wrongType(v, "a "+string(md.FullName()))
	}
	bytes, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return nil, err
	}
	name := m.ProtoReflect().Descriptor().FullName()
	if name == md.FullName() {
		return bytes, nil
	}
	if sub := f.subs[name]; sub != nil {
		return sub.run(nil, bytes, nil, depth+1)
	}
	return nil, wrongType(v, "a "+string(md.FullName()))
}

// knownBytes encodes a time or a duration, which have ranges.
func knownBytes(md protoreflect.MessageDescriptor, m interface {
	proto.Message
	CheckValid() error
},
) ([]byte, error) {
	if name := m.ProtoReflect().Descriptor().FullName(); name != md.FullName() {
		return nil, fmt.Errorf("gave a %s where a %s is needed", name, md.FullName())
	}
	if err := m.CheckValid(); err != nil {
		return nil, err
	}
	return proto.MarshalOptions{Deterministic: true}.Marshal(m)
}

func wrongType(v ref.Val, needed string) error {
	return fmt.Errorf("gave a %s where %s is needed", v.Type().TypeName(), needed)
}
