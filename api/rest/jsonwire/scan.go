package jsonwire

import (
	"errors"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// span is where a field stands in a message's wire form: the value of a singular field (without its tag, and without its
// length if it has one), or all records of a repeated one.
type span struct {
	start, end uint32
	seen       bool
}

var (
	// errOdd says that a wire form is well-formed but not one that is handled here.
	errOdd       = errors.New("unusual wire form")
	errMalformed = errors.New("malformed wire form")
	errTooDeep   = errors.New("messages are nested too deeply")
	errTooLong   = errors.New("message is too long")
)

// maxDepth bounds nesting as proto.Unmarshal does.
const maxDepth = protowire.DefaultRecursionLimit

// scan finds the message's fields in its wire form. Their spans are st.spans[base:], one for each field.
func (m *Message) scan(st *state, wire []byte) (base int, err error) {
	if uint64(len(wire)) > math.MaxUint32 {
		return 0, errTooLong
	}
	base = len(st.spans)
	st.grow(len(m.fields))
	spans := st.spans[base:]
	for i := 0; i < len(wire); {
		num, typ, n := tag(wire[i:])
		if n < 0 {
			return base, errMalformed
		}
		at := m.find(num)
		if at < 0 || !m.fields[at].takes(typ) {
			size := protowire.ConsumeFieldValue(num, typ, wire[i+n:])
			if size < 0 {
				return base, errMalformed
			}
			i += n + size
			continue
		}
		f, sp := &m.fields[at], &spans[at]
		start, end := value(typ, wire, i+n)
		if end < 0 {
			return base, errMalformed
		}
		switch {
		case f.list || f.isMap:
			if !sp.seen {
				*sp = span{start: uint32(i), end: uint32(end), seen: true}
			} else if sp.end == uint32(i) {
				sp.end = uint32(end)
			} else {
				return base, errOdd
			}
		case sp.seen:
			return base, errOdd
		default:
			*sp = span{start: uint32(start), end: uint32(end), seen: true}
		}
		i = end
	}
	if m.oneofs > 0 && m.contested(spans) {
		return base, errOdd
	}
	return base, nil
}

// contested tells whether two members of a oneof are there.
func (m *Message) contested(spans []span) bool {
	last := int16(-1)
	for i := range m.fields {
		o := m.fields[i].oneof
		if o < 0 || !spans[i].seen {
			continue
		}
		if o == last { // members of a oneof are declared together
			return true
		}
		last = o
	}
	return false
}

// grow adds n spans that hold nothing.
func (st *state) grow(n int) {
	old := len(st.spans)
	if cap(st.spans)-old >= n {
		st.spans = st.spans[:old+n]
		clear(st.spans[old:])
		return
	}
	st.spans = append(st.spans, make([]span, n)...)
}

// takes tells whether a record of a wire type belongs to the field; others are unknown fields.
func (f *field) takes(typ protowire.Type) bool {
	return typ == f.wire || f.list && typ == protowire.BytesType && f.wire != protowire.StartGroupType
}

// tag reads a tag; n is negative when there is none.
func tag(b []byte) (num protowire.Number, typ protowire.Type, n int) {
	if len(b) > 0 && b[0] < 0x80 && b[0] >= 1<<3 {
		return protowire.Number(b[0] >> 3), protowire.Type(b[0] & 7), 1
	}
	num, typ, n = protowire.ConsumeTag(b)
	if n < 0 || num > protowire.MaxValidNumber {
		return 0, 0, -1
	}
	return num, typ, n
}

// value gives where the value that starts at i begins and ends, without the length of a length-delimited one; end is
// negative when it is malformed.
func value(typ protowire.Type, wire []byte, i int) (start, end int) {
	switch typ {
	case protowire.VarintType:
		_, n := varint(wire[i:])
		if n < 0 {
			return 0, -1
		}
		return i, i + n
	case protowire.Fixed32Type:
		if len(wire)-i < 4 {
			return 0, -1
		}
		return i, i + 4
	case protowire.Fixed64Type:
		if len(wire)-i < 8 {
			return 0, -1
		}
		return i, i + 8
	case protowire.BytesType:
		size, n := varint(wire[i:])
		if n < 0 || size > uint64(len(wire)-i-n) {
			return 0, -1
		}
		return i + n, i + n + int(size)
	default:
		return 0, -1
	}
}

// varint reads a varint; n is negative when there is none.
func varint(b []byte) (v uint64, n int) {
	if len(b) > 0 && b[0] < 0x80 {
		return uint64(b[0]), 1
	}
	return protowire.ConsumeVarint(b)
}
