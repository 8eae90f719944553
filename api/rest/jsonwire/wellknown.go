package jsonwire

import (
	"errors"
	"math"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// special gives how a message that has a JSON form of its own is written; nil for all others.
func special(md protoreflect.MessageDescriptor) func(*Message, *state, []byte, []byte) ([]byte, error) {
	if md.FullName().Parent() != "google.protobuf" {
		return nil
	}
	switch md.Name() {
	case "Timestamp":
		return (*Message).writeTimestamp
	case "Duration":
		return (*Message).writeDuration
	case "BoolValue", "Int32Value", "Int64Value", "UInt32Value", "UInt64Value", "FloatValue", "DoubleValue", "StringValue", "BytesValue":
		return (*Message).writeWrapper
	case "Struct", "ListValue":
		return (*Message).writeOnlyField
	case "Value":
		return (*Message).writeValue
	case "Any", "FieldMask": // they need the registry, and rules about names
		return (*Message).writeByWay
	}
	return nil
}

// writeOnlyField writes a message as the value of its only field: Struct and ListValue.
func (m *Message) writeOnlyField(st *state, b, wire []byte) ([]byte, error) {
	base, err := m.scan(st, wire)
	if err != nil {
		return b, err
	}
	f, sp := &m.fields[0], st.spans[base]
	if !sp.seen {
		return append(b, f.zero...), nil
	}
	return f.append(st, b, wire[sp.start:sp.end])
}

// writeWrapper writes a wrapper as its value; an unset one is the type's zero.
func (m *Message) writeWrapper(st *state, b, wire []byte) ([]byte, error) {
	return m.writeOnlyField(st, b, wire)
}

var (
	errNoKind = errors.New("a google.protobuf.Value has no kind")
	errNumber = errors.New("a google.protobuf.Value can't be NaN or infinite")
)

// writeValue writes google.protobuf.Value as the JSON value that it is.
func (m *Message) writeValue(st *state, b, wire []byte) ([]byte, error) {
	base, err := m.scan(st, wire)
	if err != nil {
		return b, err
	}
	for i := range m.fields {
		f, sp := &m.fields[i], st.spans[base+i]
		if !sp.seen {
			continue
		}
		raw := wire[sp.start:sp.end]
		if f.kind == protoreflect.DoubleKind {
			if v := math.Float64frombits(number(f.wire, raw)); math.IsNaN(v) || math.IsInf(v, 0) {
				return b, errNumber
			}
		}
		return f.append(st, b, raw)
	}
	return b, errNoKind
}

// secondsAndNanos reads the two fields of Timestamp and Duration.
func (m *Message) secondsAndNanos(st *state, wire []byte) (seconds int64, nanos int32, err error) {
	base, err := m.scan(st, wire)
	if err != nil {
		return 0, 0, err
	}
	for i := range m.fields {
		sp := st.spans[base+i]
		if !sp.seen {
			continue
		}
		v := number(m.fields[i].wire, wire[sp.start:sp.end])
		if m.fields[i].number == 1 {
			seconds = int64(v)
		} else {
			nanos = int32(v)
		}
	}
	return seconds, nanos, nil
}
