package breaking

import (
	"maps"
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// enum compares the values of an enum, by number.
func (c *comparison) enum(was, is protoreflect.EnumDescriptor) {
	if was.IsClosed() != is.IsClosed() {
		c.changed(is, nil, "ENUM_SAME_TYPE", "the enum %s was %s and is %s", is.FullName(), openness(was), openness(is))
	}
	before, after := byNumber(was), byNumber(is)
	for _, number := range slices.Sorted(maps.Keys(before)) {
		old, now := before[number], after[number]
		if len(now) == 0 {
			c.changed(is, nil, "ENUM_VALUE_NO_DELETE", "the value %d (%s) of %s is gone", number, old[0].Name(), was.FullName())
			continue
		}
		for _, v := range old {
			if !slices.ContainsFunc(now, func(n protoreflect.EnumValueDescriptor) bool { return n.Name() == v.Name() }) {
				c.changed(now[0], []int32{valueName}, "ENUM_VALUE_SAME_NAME", "the value %d of %s was called %s", number, is.FullName(), v.Name())
			}
		}
	}
	for i := range was.ReservedRanges().Len() {
		first, last := was.ReservedRanges().Get(i)[0], was.ReservedRanges().Get(i)[1]
		if !reserves(int64(first), int64(last)+1, is.ReservedRanges().Len(), func(j int) (least, after int64) {
			r := is.ReservedRanges().Get(j)
			return int64(r[0]), int64(r[1]) + 1
		}) {
			c.changed(is, nil, "RESERVED_ENUM_NO_DELETE", "the numbers %d to %d of %s are reserved no more", first, last, was.FullName())
		}
	}
	for i := range was.ReservedNames().Len() {
		if name := was.ReservedNames().Get(i); !is.ReservedNames().Has(name) {
			c.changed(is, nil, "RESERVED_ENUM_NO_DELETE", "the name %s of %s is reserved no more", name, was.FullName())
		}
	}
}

func openness(ed protoreflect.EnumDescriptor) string {
	if ed.IsClosed() {
		return "closed"
	}
	return "open"
}

// byNumber gives an enum's values, aliases together.
func byNumber(ed protoreflect.EnumDescriptor) map[protoreflect.EnumNumber][]protoreflect.EnumValueDescriptor {
	out := map[protoreflect.EnumNumber][]protoreflect.EnumValueDescriptor{}
	for i := range ed.Values().Len() {
		v := ed.Values().Get(i)
		out[v.Number()] = append(out[v.Number()], v)
	}
	return out
}
