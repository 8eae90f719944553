package breaking

import (
	"google.golang.org/protobuf/reflect/protoreflect"
)

// message compares the fields of a message, by number.
func (c *comparison) message(was, is protoreflect.MessageDescriptor) {
	for i := range was.Fields().Len() {
		old := was.Fields().Get(i)
		if now := is.Fields().ByNumber(old.Number()); now != nil {
			c.field(old, now)
			continue
		}
		c.changed(is, nil, "FIELD_NO_DELETE", "the field %d (%s) of %s is gone", old.Number(), old.Name(), was.FullName())
	}
	for i := range was.Oneofs().Len() {
		old := was.Oneofs().Get(i)
		if !old.IsSynthetic() && is.Oneofs().ByName(old.Name()) == nil {
			c.changed(is, nil, "ONEOF_NO_DELETE", "the oneof %s of %s is gone", old.Name(), was.FullName())
		}
	}
	for i := range was.ReservedRanges().Len() {
		first, end := was.ReservedRanges().Get(i)[0], was.ReservedRanges().Get(i)[1]
		if !reserves(first, end, is.ReservedRanges().Len(), func(j int) (least, after protoreflect.FieldNumber) {
			r := is.ReservedRanges().Get(j)
			return r[0], r[1]
		}) {
			c.changed(is, nil, "RESERVED_MESSAGE_NO_DELETE", "the numbers %d to %d of %s are reserved no more", first, end-1, was.FullName())
		}
	}
	for i := range was.ReservedNames().Len() {
		if name := was.ReservedNames().Get(i); !is.ReservedNames().Has(name) {
			c.changed(is, nil, "RESERVED_MESSAGE_NO_DELETE", "the name %s of %s is reserved no more", name, was.FullName())
		}
	}
}

// reserves tells whether ranges (first number, number behind the last) have all of first to end.
func reserves[N ~int32 | ~int64](first, end N, count int, at func(int) (first, end N)) bool {
	for first < end {
		moved := false
		for j := range count {
			if least, after := at(j); least <= first && first < after {
				first, moved = after, true
			}
		}
		if !moved {
			return false
		}
	}
	return true
}

// field compares two fields of one number.
func (c *comparison) field(was, is protoreflect.FieldDescriptor) {
	if was.Name() != is.Name() {
		c.changed(is, []int32{fieldName}, "FIELD_SAME_NAME", "the field %s was called %s", is.FullName(), was.Name())
	}
	if was.JSONName() != is.JSONName() {
		c.changed(is, []int32{fieldJSONName}, "FIELD_SAME_JSON_NAME", "the field %s was %q in JSON and is %q", is.FullName(), was.JSONName(), is.JSONName())
	}
	if old, now := cardinality(was), cardinality(is); old != now {
		c.changed(is, nil, "FIELD_SAME_CARDINALITY", "the field %s was %s and is %s", is.FullName(), old, now)
	}
	if old, now := oneof(was), oneof(is); old != now {
		c.changed(is, nil, "FIELD_SAME_ONEOF", "the field %s was %s and is %s", is.FullName(), inside(old), inside(now))
	}
	switch {
	case was.IsMap() && is.IsMap():
		c.kind(is, was.MapKey(), is.MapKey())
		c.kind(is, was.MapValue(), is.MapValue())
	default:
		c.kind(is, was, is)
		if was.HasDefault() || is.HasDefault() {
			c.preset(was, is)
		}
	}
}

// preset compares defaults of a field of which at least one is written down.
func (c *comparison) preset(was, is protoreflect.FieldDescriptor) {
	if was.IsList() || is.IsList() || was.Message() != nil || is.Message() != nil {
		return
	}
	if old, now := was.Default(), is.Default(); !old.Equal(now) {
		c.changed(is, nil, "FIELD_SAME_DEFAULT", "the field %s was %v by default and is %v", is.FullName(), old, now)
	}
}

// kind compares the type of a value of a field; at is the field to show.
func (c *comparison) kind(at, was, is protoreflect.FieldDescriptor) {
	if old, now := typeName(was), typeName(is); old != now {
		further := []int32{fieldTypeName}
		if is.Message() == nil && is.Enum() == nil && at == is {
			further = []int32{fieldType}
		}
		c.changed(at, further, "FIELD_SAME_TYPE", "the field %s was of type %s and is of %s", at.FullName(), old, now)
	}
}

func typeName(fd protoreflect.FieldDescriptor) string {
	switch {
	case fd.IsMap():
		return "map"
	case fd.Message() != nil:
		return string(fd.Message().FullName())
	case fd.Enum() != nil:
		return string(fd.Enum().FullName())
	}
	return fd.Kind().String()
}

func cardinality(fd protoreflect.FieldDescriptor) string {
	switch {
	case fd.IsMap():
		return "a map"
	case fd.IsList():
		return "repeated"
	case fd.HasPresence():
		return "unset or a value"
	}
	return "always a value"
}

// oneof gives the name of a field's oneof; "" when it is in none.
func oneof(fd protoreflect.FieldDescriptor) protoreflect.Name {
	if o := fd.ContainingOneof(); o != nil && !o.IsSynthetic() {
		return o.Name()
	}
	return ""
}

func inside(oneof protoreflect.Name) string {
	if oneof == "" {
		return "in no oneof"
	}
	return "in the oneof " + string(oneof)
}
