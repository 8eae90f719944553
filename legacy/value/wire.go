package value

import (
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// field is what an Encoder needs to know of the field that it fills.
type field struct {
	num  protowire.Number
	name protoreflect.Name
	kind protoreflect.Kind
	// omitZero: the field has implicit presence, so that its zero value is not written.
	omitZero bool
}

func fieldOf(fd protoreflect.FieldDescriptor, omitZero bool) field {
	return field{num: fd.Number(), name: fd.Name(), kind: fd.Kind(), omitZero: omitZero}
}

func (f *field) appendBytes(b, v []byte) []byte {
	if len(v) == 0 && f.omitZero {
		return b
	}
	b = protowire.AppendTag(b, f.num, protowire.BytesType)
	return protowire.AppendBytes(b, v)
}

func (f *field) appendVarint(b []byte, v uint64) []byte {
	if v == 0 && f.omitZero {
		return b
	}
	return appendVarint(b, f.num, v)
}

func appendVarint(b []byte, num protowire.Number, v uint64) []byte {
	b = protowire.AppendTag(b, num, protowire.VarintType)
	return protowire.AppendVarint(b, v)
}

// appendSecondsNanos appends fields that are left out when they are zero, as those of Timestamp and Duration are (1 and
// 2) and the amount of Money (2 and 3).
func appendSecondsNanos(b []byte, num protowire.Number, seconds int64, nanos int32) []byte {
	if seconds != 0 {
		b = appendVarint(b, num, uint64(seconds))
	}
	if nanos != 0 {
		b = appendVarint(b, num+1, uint64(int64(nanos)))
	}
	return b
}

// beginMessage opens a length-delimited record; endMessage writes its length when what is inside has been appended.
// So a message is appended without knowing its size first and without a buffer of its own.
func beginMessage(b []byte, num protowire.Number) (out []byte, start int) {
	b = protowire.AppendTag(b, num, protowire.BytesType)
	b = append(b, 0)
	return b, len(b)
}

func endMessage(b []byte, start int) []byte {
	n := len(b) - start
	if n < 0x80 {
		b[start-1] = byte(n)
		return b
	}
	extra := protowire.SizeVarint(uint64(n)) - 1
	for range extra {
		b = append(b, 0)
	}
	copy(b[start+extra:], b[start:start+n])
	protowire.AppendVarint(b[:start-1], uint64(n))
	return b
}
