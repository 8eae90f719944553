package value

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// jsonWriter appends the JSON value of a field, or of one element of it.
type jsonWriter func(b []byte, c *Codec, fd protoreflect.FieldDescriptor, v protoreflect.Value) ([]byte, error)

// appendJSON appends a whole field: an array for a repeated one, an object (its keys sorted) for a map.
func appendJSON(b []byte, c *Codec, fd protoreflect.FieldDescriptor, v protoreflect.Value) ([]byte, error) {
	switch {
	case fd.IsList():
		return appendJSONList(b, c, fd, v.List())
	case fd.IsMap():
		return appendJSONMap(b, c, fd, v.Map())
	}
	return appendJSONElement(b, c, fd, v)
}

func appendJSONList(b []byte, c *Codec, fd protoreflect.FieldDescriptor, list protoreflect.List) ([]byte, error) {
	b = append(b, '[')
	for i := range list.Len() {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendJSONElement(b, c, fd, list.Get(i)); err != nil {
			return b, err
		}
	}
	return append(b, ']'), nil
}

func appendJSONMap(b []byte, c *Codec, fd protoreflect.FieldDescriptor, m protoreflect.Map) ([]byte, error) {
	keys := make([]protoreflect.MapKey, 0, m.Len())
	m.Range(func(k protoreflect.MapKey, _ protoreflect.Value) bool {
		keys = append(keys, k)
		return true
	})
	slices.SortFunc(keys, func(a, b protoreflect.MapKey) int { return strings.Compare(a.String(), b.String()) })
	b = append(b, '{')
	for i, k := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		name, err := protojson.Marshal(wrapperspb.String(k.String()))
		if err != nil {
			return b, err
		}
		b = append(append(b, name...), ':')
		if b, err = appendJSONElement(b, c, fd.MapValue(), m.Get(k)); err != nil {
			return b, err
		}
	}
	return append(b, '}'), nil
}

// appendJSONElement appends one value. A scalar is written as its wrapper is: as the bare value.
func appendJSONElement(b []byte, c *Codec, fd protoreflect.FieldDescriptor, v protoreflect.Value) ([]byte, error) {
	var m proto.Message
	switch fd.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		m = v.Message().Interface()
	case protoreflect.EnumKind:
		return appendJSONEnum(b, fd.Enum(), v.Enum()), nil
	case protoreflect.BoolKind:
		m = wrapperspb.Bool(v.Bool())
	case protoreflect.StringKind:
		m = wrapperspb.String(v.String())
	case protoreflect.BytesKind:
		m = wrapperspb.Bytes(v.Bytes())
	case protoreflect.FloatKind:
		m = wrapperspb.Float(float32(v.Float()))
	case protoreflect.DoubleKind:
		m = wrapperspb.Double(v.Float())
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		m = wrapperspb.Int32(int32(v.Int()))
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		m = wrapperspb.UInt32(uint32(v.Uint()))
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		m = wrapperspb.UInt64(v.Uint())
	default:
		m = wrapperspb.Int64(v.Int())
	}
	return protojson.MarshalOptions{Resolver: c.Types}.MarshalAppend(b, m)
}

func appendJSONEnum(b []byte, ed protoreflect.EnumDescriptor, n protoreflect.EnumNumber) []byte {
	if ed.FullName() == "google.protobuf.NullValue" {
		return append(b, "null"...)
	}
	if value := ed.Values().ByNumber(n); value != nil {
		return append(append(append(b, '"'), value.Name()...), '"')
	}
	return signed(int64(n)).appendTo(b)
}
