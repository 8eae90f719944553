package strangler

import (
	"bytes"
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// differsAt gives the path of the first field, by number, in which two messages of one type differ, as proto.Equal sees
// it; "" where they are equal. There are no values in it.
func differsAt(a, b protoreflect.Message) string {
	if proto.Equal(a.Interface(), b.Interface()) {
		return ""
	}
	fields := a.Descriptor().Fields()
	others := b.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		other := others.ByNumber(field.Number())
		name := string(field.Name())
		if other == nil || a.Has(field) != b.Has(other) {
			return name
		}
		if !a.Has(field) {
			continue
		}
		x, y := a.Get(field), b.Get(other)
		switch {
		case field.IsList():
			if at := listDiffersAt(x.List(), y.List()); at != "" {
				return name + at
			}
		case field.IsMap():
			if !x.Equal(y) {
				return name
			}
		default:
			if at, differs := valueDiffersAt(x, y); differs {
				return name + at
			}
		}
	}
	if !bytes.Equal(a.GetUnknown(), b.GetUnknown()) {
		return "a field that the contract does not have"
	}
	return "its type"
}

func listDiffersAt(a, b protoreflect.List) string {
	for i := range min(a.Len(), b.Len()) {
		if at, differs := valueDiffersAt(a.Get(i), b.Get(i)); differs {
			return fmt.Sprintf("[%d]%s", i, at)
		}
	}
	if a.Len() != b.Len() {
		return fmt.Sprintf("[%d]", min(a.Len(), b.Len()))
	}
	return ""
}

// valueDiffersAt says whether two values differ, and where below themselves.
func valueDiffersAt(a, b protoreflect.Value) (at string, differs bool) {
	x, ok := a.Interface().(protoreflect.Message)
	y, too := b.Interface().(protoreflect.Message)
	if !ok || !too {
		return "", !a.Equal(b)
	}
	below := differsAt(x, y)
	if below == "" {
		return "", false
	}
	return "." + below, true
}
