package jsonwire

import (
	"errors"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// append writes the message.
func (m *Message) append(st *state, b, wire []byte) ([]byte, error) {
	if st.depth++; st.depth > maxDepth {
		return b, errTooDeep
	}
	mark, spans, entries := len(b), len(st.spans), len(st.entries)
	write := m.write
	if write == nil {
		write = (*Message).writeObject
	}
	b, err := write(m, st, b, wire)
	st.depth--
	st.spans, st.entries = st.spans[:spans], st.entries[:entries]
	if errors.Is(err, errOdd) {
		return m.viaMessage(b[:mark], wire)
	}
	return b, err
}

func (m *Message) writeByWay(_ *state, b, wire []byte) ([]byte, error) { return m.viaMessage(b, wire) }

// writeObject writes the message as an object of its fields.
func (m *Message) writeObject(st *state, b, wire []byte) ([]byte, error) {
	base, err := m.scan(st, wire)
	if err != nil {
		return b, err
	}
	b = append(b, '{')
	open := len(b)
	for i := range m.fields {
		f, sp := &m.fields[i], st.spans[base+i]
		if !sp.seen {
			if f.unset {
				b = f.appendKey(b, open)
				b = append(b, f.zero...)
			}
			continue
		}
		mark := len(b)
		b = f.appendKey(b, open)
		start := len(b)
		b, err = f.append(st, b, wire[sp.start:sp.end])
		if err != nil {
			return b, err
		}
		if f.sparse && string(b[start:]) == f.zero {
			b = b[:mark]
		}
	}
	return append(b, '}'), nil
}

// appendKey writes the name of a member, after a comma where it is not the first one.
func (f *field) appendKey(b []byte, open int) []byte {
	if len(b) > open {
		b = append(b, ',')
	}
	return append(b, f.key...)
}

// append writes the field's value from its span.
func (f *field) append(st *state, b, raw []byte) ([]byte, error) {
	switch {
	case f.isMap:
		return f.appendMap(st, b, raw)
	case f.list:
		return f.appendList(st, b, raw)
	}
	return f.appendValue(st, b, raw)
}

// appendValue writes one value; raw is exactly it.
func (f *field) appendValue(st *state, b, raw []byte) ([]byte, error) {
	switch f.kind {
	case protoreflect.StringKind:
		return appendString(b, raw)
	case protoreflect.BytesKind:
		return appendBytes(b, raw), nil
	case protoreflect.MessageKind:
		return f.msg.append(st, b, raw)
	case protoreflect.EnumKind:
		v, _ := varint(raw)
		return f.enum.append(b, protoreflect.EnumNumber(int32(v))), nil
	default:
		return appendNumber(b, f.kind, number(f.wire, raw)), nil
	}
}

// number gives the bits of a numeric value; raw is exactly it.
func number(typ protowire.Type, raw []byte) uint64 {
	switch typ {
	case protowire.Fixed32Type:
		v, _ := protowire.ConsumeFixed32(raw)
		return uint64(v)
	case protowire.Fixed64Type:
		v, _ := protowire.ConsumeFixed64(raw)
		return v
	default:
		v, _ := varint(raw)
		return v
	}
}

// appendList writes a list from its records, packed or not.
func (f *field) appendList(st *state, b, records []byte) ([]byte, error) {
	b = append(b, '[')
	open := len(b)
	var err error
	for i := 0; i < len(records); {
		_, typ, n := tag(records[i:])
		start, end := value(typ, records, i+n)
		i = end
		raw := records[start:end]
		if typ == f.wire {
			b, err = f.appendElement(st, b, open, raw)
			if err != nil {
				return b, err
			}
			continue
		}
		for p := 0; p < len(raw); { // packed
			first, last := value(f.wire, raw, p)
			if last < 0 {
				return b, errMalformed
			}
			b, err = f.appendElement(st, b, open, raw[first:last])
			if err != nil {
				return b, err
			}
			p = last
		}
	}
	return append(b, ']'), nil
}

func (f *field) appendElement(st *state, b []byte, open int, raw []byte) ([]byte, error) {
	if len(b) > open {
		b = append(b, ',')
	}
	return f.appendValue(st, b, raw)
}
