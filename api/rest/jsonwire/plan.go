package jsonwire

import (
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// Message is the plan of a message type. It does not change once made and is safe for concurrent use.
type Message struct {
	owner *Transcoder
	desc  protoreflect.MessageDescriptor
	// write replaces the plain form of an object, for well-known types and those that go by way of a message.
	write  func(m *Message, st *state, b, wire []byte) ([]byte, error)
	fields []field // in the order of declaration, which is the order of writing
	byNum  []int16 // field number → index in fields + 1, for small numbers
	large  map[protowire.Number]int16
	oneofs int
}

// field is the plan of a field.
type field struct {
	name   string // in JSON
	key    []byte // quoted name and colon
	zero   string // JSON of the unset field
	number protowire.Number
	kind   protoreflect.Kind
	wire   protowire.Type // of one value
	list   bool
	isMap  bool
	unset  bool // the field is written when it is unset
	sparse bool // a value equal to zero is left out
	oneof  int16
	enum   *enum
	msg    *Message
	mapKey *field
	mapVal *field
}

// maxDense bounds the tables by number; beyond, fields are found in maps.
const maxDense = 1024

// plan makes the plans of a message and of those in it; t.mu is held.
func (t *Transcoder) plan(md protoreflect.MessageDescriptor) *Message {
	if m := t.plans[md]; m != nil {
		return m
	}
	m := &Message{owner: t, desc: md}
	t.plans[md] = m // before its fields: types may hold themselves
	fields := md.Fields()
	m.fields = make([]field, fields.Len())
	m.oneofs = md.Oneofs().Len()
	ordinary := md.ExtensionRanges().Len() == 0
	for i := range m.fields {
		fd := fields.Get(i)
		m.fields[i] = t.field(fd)
		m.index(fd.Number(), int16(i+1))
		ordinary = ordinary && isOrdinary(fd) && !(m.fields[i].sparse && isNull(fd))
	}
	m.write = special(md)
	if m.write == nil && !ordinary {
		m.write = (*Message).writeByWay
	}
	return m
}

func (m *Message) index(n protowire.Number, i int16) {
	if n >= maxDense {
		if m.large == nil {
			m.large = map[protowire.Number]int16{}
		}
		m.large[n] = i
		return
	}
	for len(m.byNum) <= int(n) {
		m.byNum = append(m.byNum, 0)
	}
	m.byNum[n] = i
}

// find gives the index of the field with a number; -1 when there is none.
func (m *Message) find(n protowire.Number) int {
	if int(n) < len(m.byNum) {
		return int(m.byNum[n]) - 1
	}
	return int(m.large[n]) - 1
}

// isOrdinary tells whether a field follows proto3's rules: proto2's closed enums, groups and required fields don't.
func isOrdinary(fd protoreflect.FieldDescriptor) bool {
	if fd.IsMap() {
		return isOrdinary(fd.MapValue())
	}
	return fd.Kind() != protoreflect.GroupKind && fd.Cardinality() != protoreflect.Required &&
		(fd.Enum() == nil || !fd.Enum().IsClosed() && !hasCustomOptions(fd.Enum()))
}

// isNull tells whether the field is a google.protobuf.NullValue, which looks the same whether it is zero or not.
func isNull(fd protoreflect.FieldDescriptor) bool {
	return fd.Enum() != nil && fd.Enum().FullName() == nullValue
}

// hasCustomOptions tells whether a value of the enum has custom options: one of them renames the value in JSON.
func hasCustomOptions(ed protoreflect.EnumDescriptor) bool {
	values := ed.Values()
	for i := range values.Len() {
		options, _ := values.Get(i).Options().(*descriptorpb.EnumValueOptions)
		if options == nil {
			continue
		}
		found := len(options.ProtoReflect().GetUnknown()) > 0
		options.ProtoReflect().Range(func(fd protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
			found = found || fd.IsExtension()
			return !found
		})
		if found {
			return true
		}
	}
	return false
}

func (t *Transcoder) field(fd protoreflect.FieldDescriptor) field {
	f := field{
		number: fd.Number(), kind: fd.Kind(), wire: wireType(fd.Kind()), list: fd.IsList(), isMap: fd.IsMap(), oneof: -1,
		name: fd.JSONName(),
	}
	if t.opts.UseProtoNames {
		f.name = fd.TextName()
	}
	f.key, _ = appendString(nil, []byte(f.name))
	f.key = append(f.key, ':')
	f.zero = zero(fd)
	f.unset = !t.opts.OmitUnpopulated && fd.ContainingOneof() == nil
	f.sparse = t.opts.OmitUnpopulated && !fd.HasPresence()
	if o := fd.ContainingOneof(); o != nil && !o.IsSynthetic() {
		f.oneof = int16(o.Index())
	}
	switch {
	case fd.IsMap():
		key, val := t.field(fd.MapKey()), t.field(fd.MapValue())
		f.mapKey, f.mapVal = &key, &val
	case fd.Message() != nil:
		f.msg = t.plan(fd.Message())
	case fd.Enum() != nil:
		f.enum = newEnum(fd.Enum())
	}
	return f
}

// zero gives the JSON of an unset field.
func zero(fd protoreflect.FieldDescriptor) string {
	switch {
	case fd.IsMap():
		return "{}"
	case fd.IsList():
		return "[]"
	case fd.HasPresence() && !fd.ContainingMessage().IsMapEntry(), fd.Message() != nil:
		return "null"
	}
	switch fd.Kind() {
	case protoreflect.BoolKind:
		return "false"
	case protoreflect.StringKind, protoreflect.BytesKind:
		return `""`
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Uint64Kind, protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind:
		return `"0"`
	case protoreflect.EnumKind:
		return string(newEnum(fd.Enum()).append(nil, fd.Default().Enum()))
	default:
		return "0"
	}
}

// wireType gives how one value of a kind is encoded.
func wireType(k protoreflect.Kind) protowire.Type {
	switch k {
	case protoreflect.StringKind, protoreflect.BytesKind, protoreflect.MessageKind:
		return protowire.BytesType
	case protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind, protoreflect.FloatKind:
		return protowire.Fixed32Type
	case protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind, protoreflect.DoubleKind:
		return protowire.Fixed64Type
	case protoreflect.GroupKind:
		return protowire.StartGroupType
	default:
		return protowire.VarintType
	}
}
