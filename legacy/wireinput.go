package legacy

import (
	"math"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/contract"
)

// input is an operation's request: a message, or the values that its parameters take from one.
type input struct {
	message protoreflect.Message
	values  []protoreflect.Value // by a parameter's place; nil when there is a message
}

// read reads a request: its parameters' values straight from the wire form where all that the operation needs are
// single fields, which spares making a message; else, and where anything about the bytes is unusual, the message.
func (op *operation) read(request *contract.Payload) (input, error) {
	if op.wire != nil && request.HasWire() {
		b, err := request.Wire()
		if err != nil {
			return input{}, err
		}
		values := make([]protoreflect.Value, op.wire.places)
		op.wire.root.setDefaults(values)
		if op.wire.root.read(b, values) {
			return input{values: values}, nil
		}
	}
	m, err := request.Message()
	return input{message: m}, err
}

// wirePlan says where in a request's wire form the values of parameters stand.
type wirePlan struct {
	root   *wireMessage
	places int
}

// wireMessage is a message on the way to a parameter's field.
type wireMessage struct{ fields []wireField }

// wireField is a field with parameters (place), or a message with some below it (child).
type wireField struct {
	fd    protoreflect.FieldDescriptor
	place int
	child *wireMessage
}

// mostWireFields is how many fields of one message a plan can tell apart.
const mostWireFields = 64

// planWire makes the plan and gives parameters their places; nil when the operation needs more of its request than
// single fields of plain kinds.
func planWire(op *operation) *wirePlan {
	if op.mask != nil || op.pager != nil {
		return nil
	}
	plan := &wirePlan{root: &wireMessage{}}
	for _, s := range op.statements {
		if s.each != nil || s.call != nil || s.optional > 0 {
			return nil
		}
		for i := range s.fields {
			if s.fields[i].param.origin == fromRequest {
				return nil
			}
		}
		pieces := [][]piece{}
		for i := range s.lines {
			pieces = append(pieces, s.lines[i].pieces)
		}
		if s.expect != nil {
			pieces = append(pieces, s.expect.message)
		}
		for _, some := range pieces {
			for i := range some {
				if p := some[i].param; p != nil && p.origin == fromRequest && !plan.add(p) {
					return nil
				}
			}
		}
	}
	return plan
}

// add gives a parameter its place.
func (w *wirePlan) add(p *param) bool {
	if p.leaf == nil || !plainKind(p.leaf) {
		return false
	}
	m := w.root
	for i, fd := range p.path {
		if fd.ContainingOneof() != nil && !fd.ContainingOneof().IsSynthetic() {
			return false // another member may follow and unset it
		}
		f := m.find(fd.Number())
		if f == nil {
			if len(m.fields) == mostWireFields {
				return false
			}
			m.fields = append(m.fields, wireField{fd: fd})
			f = &m.fields[len(m.fields)-1]
			if i < len(p.path)-1 {
				f.child = &wireMessage{}
			} else {
				f.place = w.places
				w.places++
			}
		}
		p.place, m = f.place, f.child
	}
	return true
}

// plainKind tells whether read knows the field's kind.
func plainKind(fd protoreflect.FieldDescriptor) bool {
	if fd.IsList() || fd.IsMap() {
		return false
	}
	switch fd.Kind() {
	case protoreflect.BoolKind, protoreflect.Int32Kind, protoreflect.Int64Kind, protoreflect.Uint32Kind, protoreflect.Uint64Kind,
		protoreflect.DoubleKind, protoreflect.StringKind, protoreflect.BytesKind:
		return true
	case protoreflect.EnumKind:
		return !fd.Enum().IsClosed()
	default:
		return false
	}
}

func (m *wireMessage) find(number protowire.Number) *wireField {
	for i := range m.fields {
		if m.fields[i].fd.Number() == number {
			return &m.fields[i]
		}
	}
	return nil
}

// setDefaults sets the values that fields without presence have when they are absent.
func (m *wireMessage) setDefaults(values []protoreflect.Value) {
	for i := range m.fields {
		if f := &m.fields[i]; f.child == nil && !f.fd.HasPresence() {
			values[f.place] = f.fd.Default()
		}
	}
}

// read takes the values in; false when it met anything but fields that it knows, each once and in good order.
func (m *wireMessage) read(b []byte, values []protoreflect.Value) bool {
	var seen uint64
	for len(b) > 0 {
		number, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return false
		}
		b = b[n:]
		i := 0
		for i < len(m.fields) && m.fields[i].fd.Number() != number {
			i++
		}
		if i == len(m.fields) || seen&(1<<i) != 0 {
			return false
		}
		seen |= 1 << i
		f := &m.fields[i]
		switch typ {
		case protowire.VarintType:
			v, n := protowire.ConsumeVarint(b)
			if n < 0 || f.child != nil || !f.number(v, values) {
				return false
			}
			b = b[n:]
		case protowire.Fixed64Type:
			v, n := protowire.ConsumeFixed64(b)
			if n < 0 || f.child != nil || f.fd.Kind() != protoreflect.DoubleKind {
				return false
			}
			values[f.place] = protoreflect.ValueOfFloat64(math.Float64frombits(v))
			b = b[n:]
		case protowire.BytesType:
			v, n := protowire.ConsumeBytes(b)
			if n < 0 || !f.text(v, values) {
				return false
			}
			b = b[n:]
		default:
			return false
		}
	}
	return true
}

// number sets a value of a varint.
func (f *wireField) number(v uint64, values []protoreflect.Value) bool {
	to := &values[f.place]
	switch f.fd.Kind() {
	case protoreflect.BoolKind:
		*to = protoreflect.ValueOfBool(protowire.DecodeBool(v))
	case protoreflect.Int32Kind:
		*to = protoreflect.ValueOfInt32(int32(v)) //nolint:gosec // the wire format cuts it so
	case protoreflect.Int64Kind:
		*to = protoreflect.ValueOfInt64(int64(v)) //nolint:gosec // two's complement
	case protoreflect.Uint32Kind:
		*to = protoreflect.ValueOfUint32(uint32(v)) //nolint:gosec // the wire format cuts it so
	case protoreflect.Uint64Kind:
		*to = protoreflect.ValueOfUint64(v)
	case protoreflect.EnumKind:
		*to = protoreflect.ValueOfEnum(protoreflect.EnumNumber(v)) //nolint:gosec // the wire format cuts it so
	default:
		return false
	}
	return true
}

// text sets a value of bytes, or reads a message.
func (f *wireField) text(v []byte, values []protoreflect.Value) bool {
	if f.child != nil {
		f.child.setDefaults(values)
		return f.child.read(v, values)
	}
	switch f.fd.Kind() {
	case protoreflect.StringKind:
		if !utf8.Valid(v) {
			return false
		}
		values[f.place] = protoreflect.ValueOfString(string(v))
	case protoreflect.BytesKind:
		values[f.place] = protoreflect.ValueOfBytes(v)
	default:
		return false
	}
	return true
}
