package legacy

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// element is where an each= statement is at: an element of a repeated field, an entry of a map, or a row.
type element struct {
	msg    protoreflect.Message // a message element
	scalar protoreflect.Value   // a scalar element, or a map entry's value
	key    protoreflect.Value   // a map entry's key; invalid elsewhere
	row    int                  // a row of an earlier statement
	number int                  // its place in the list, from 1
}

// elementNumber is the name under which an element's place in its list is a parameter: :line._number.
const elementNumber = "_number"

// value gives a field of the element, or the element itself when path is empty. The descriptors of a map entry's key
// and value lead to the entry's two halves.
func (e *element) value(path []protoreflect.FieldDescriptor) protoreflect.Value {
	if e.key.IsValid() && len(path) > 0 {
		if path[0].Number() == 1 {
			return e.key
		}
		if len(path) == 1 {
			return e.scalar
		}
		return fieldValue(e.scalar.Message(), path[1:])
	}
	if len(path) == 0 {
		if e.msg != nil {
			return protoreflect.ValueOfMessage(e.msg)
		}
		return e.scalar
	}
	return fieldValue(e.msg, path)
}

// elements lists what e runs over in this run.
func (e *each) elements(r *run) []element {
	out := e.list(r)
	for i := range out {
		out[i].number = i + 1
	}
	return out
}

func (e *each) list(r *run) []element {
	if e.rows != nil {
		out := make([]element, r.results[e.rows.index].rows)
		for i := range out {
			out[i].row = i
		}
		return out
	}
	v := fieldValue(r.request, e.path)
	if !v.IsValid() {
		return nil
	}
	if e.field.IsMap() {
		return mapEntries(v.Map())
	}
	list := v.List()
	out := make([]element, list.Len())
	for i := range out {
		if e.field.Message() != nil {
			out[i].msg = list.Get(i).Message()
		} else {
			out[i].scalar = list.Get(i)
		}
	}
	return out
}

// mapEntries gives a map's entries by key, so that statements run, and lock rows, in the same order every time.
func mapEntries(m protoreflect.Map) []element {
	out := make([]element, 0, m.Len())
	m.Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
		out = append(out, element{key: k.Value(), scalar: v})
		return true
	})
	slices.SortFunc(out, func(a, b element) int { return compareKeys(a.key, b.key) })
	return out
}

func compareKeys(a, b protoreflect.Value) int {
	switch x := a.Interface().(type) {
	case string:
		return strings.Compare(x, b.String())
	case bool:
		return cmp.Compare(strconv.FormatBool(x), strconv.FormatBool(b.Bool()))
	case int32, int64:
		return cmp.Compare(a.Int(), b.Int())
	default:
		return cmp.Compare(a.Uint(), b.Uint())
	}
}
