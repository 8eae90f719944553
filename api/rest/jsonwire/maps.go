package jsonwire

import (
	"bytes"
	"cmp"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// entry is an entry of a map.
type entry struct {
	key   uint64 // of a number, so that entries sort as keys do
	text  []byte // of a string
	value []byte
	has   bool // the value is there
}

// appendMap writes a map from its records, by key. A key that stands there twice is left to proto's own rules.
func (f *field) appendMap(st *state, b, records []byte) ([]byte, error) {
	base := len(st.entries)
	for i := 0; i < len(records); {
		_, typ, n := tag(records[i:])
		start, end := value(typ, records, i+n)
		i = end
		e, err := f.entry(records[start:end])
		if err != nil {
			return b, err
		}
		st.entries = append(st.entries, e)
	}
	own := st.entries[base:]
	slices.SortFunc(own, compareEntries)
	for i := 1; i < len(own); i++ {
		if compareEntries(own[i-1], own[i]) == 0 {
			return b, errOdd
		}
	}
	b = append(b, '{')
	for i := range own {
		if i > 0 {
			b = append(b, ',')
		}
		// Values may add entries of their own, and move the slice: own stays what it was.
		var err error
		if b, err = f.appendMapKey(b, own[i]); err != nil {
			return b, err
		}
		if b, err = f.appendMapValue(st, b, own[i]); err != nil {
			return b, err
		}
	}
	st.entries = st.entries[:base]
	return append(b, '}'), nil
}

func compareEntries(a, b entry) int {
	return cmp.Or(cmp.Compare(a.key, b.key), bytes.Compare(a.text, b.text))
}

// entry reads one entry.
func (f *field) entry(raw []byte) (entry, error) {
	var e entry
	key, keySeen := uint64(0), false
	for i := 0; i < len(raw); {
		num, typ, n := tag(raw[i:])
		if n < 0 {
			return e, errMalformed
		}
		isKey := num == 1 && typ == f.mapKey.wire
		isValue := num == 2 && typ == f.mapVal.wire
		if !isKey && !isValue {
			size := protowire.ConsumeFieldValue(num, typ, raw[i+n:])
			if size < 0 {
				return e, errMalformed
			}
			i += n + size
			continue
		}
		start, end := value(typ, raw, i+n)
		switch {
		case end < 0:
			return e, errMalformed
		case isKey && keySeen, isValue && e.has:
			return e, errOdd
		case isKey && typ == protowire.BytesType:
			e.text, keySeen = raw[start:end], true
		case isKey:
			key, keySeen = number(typ, raw[start:end]), true
		default:
			e.value, e.has = raw[start:end], true
		}
		i = end
	}
	e.key = sortable(f.mapKey.kind, key)
	return e, nil
}

// signBit makes signed numbers sort as unsigned ones.
const signBit = 1 << 63

// sortable gives a key as a number that sorts as keys of its kind do, and is the same for equal keys.
func sortable(kind protoreflect.Kind, v uint64) uint64 {
	switch kind {
	case protoreflect.BoolKind:
		if v != 0 {
			return 1
		}
		return 0
	case protoreflect.Int32Kind, protoreflect.Sfixed32Kind:
		return uint64(int64(int32(v))) ^ signBit
	case protoreflect.Sint32Kind:
		return uint64(int64(int32(protowire.DecodeZigZag(v&0xffffffff)))) ^ signBit
	case protoreflect.Int64Kind, protoreflect.Sfixed64Kind:
		return v ^ signBit
	case protoreflect.Sint64Kind:
		return uint64(protowire.DecodeZigZag(v)) ^ signBit
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return uint64(uint32(v))
	default:
		return v
	}
}

// appendMapKey writes the key as a member's name.
func (f *field) appendMapKey(b []byte, e entry) ([]byte, error) {
	switch f.mapKey.kind {
	case protoreflect.StringKind:
		b, err := appendString(b, e.text)
		return append(b, ':'), err
	case protoreflect.BoolKind:
		if e.key != 0 {
			return append(b, `"true":`...), nil
		}
		return append(b, `"false":`...), nil
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind, protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return append(appendNumber(b, protoreflect.Uint64Kind, e.key), ':'), nil
	default:
		return append(appendNumber(b, protoreflect.Int64Kind, e.key^signBit), ':'), nil
	}
}

func (f *field) appendMapValue(st *state, b []byte, e entry) ([]byte, error) {
	switch {
	case e.has:
		return f.mapVal.appendValue(st, b, e.value)
	case f.mapVal.msg != nil:
		return f.mapVal.msg.append(st, b, nil)
	}
	return append(b, f.mapVal.zero...), nil
}
