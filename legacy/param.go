package legacy

import (
	"database/sql/driver"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/legacy/annotated"
	"banyan.dev/banyan/legacy/value"
	"banyan.dev/banyan/strangler"
)

// origin says where a parameter's value comes from.
type origin int

const (
	fromRequest  origin = iota // a field of the operation's input
	fromElement                // the element that each= is at, or a field of it
	fromColumn                 // a column of an earlier statement
	fromInsertID               // an earlier statement's .last_insert_id
	fromMatched                // an earlier statement's .rows
	fromClaim                  // a claim of the caller
	fromPage                   // :page
	fromNumber                 // the place of the element that each= is at
)

// param is a parameter bound to where its value comes from.
type param struct {
	ast    *annotated.Param
	origin origin

	// path leads through messages to the field (fromRequest, fromElement); empty when the element itself is meant.
	path []protoreflect.FieldDescriptor
	// leaf is the field that decides the conversion.
	leaf protoreflect.FieldDescriptor
	bind value.Binder
	// targeted says that bind knows the column that the value is stored in.
	targeted bool
	list     bool // a repeated field or a whole column: stands in IN (…)

	from *statement // fromColumn, fromInsertID, fromMatched, and elements that are rows
	slot int        // the column's capture slot in from

	// place is where a run has the value, when it has no message (fromRequest).
	place int
	meta  []string // the claim's path

	// maskPath is the parameter's path below the resource that an update_mask is about; "" when it is not below it.
	maskPath string
}

// value gives the field's value in m, invalid when the field, or a message on the way, is unset.
func fieldValue(m protoreflect.Message, path []protoreflect.FieldDescriptor) protoreflect.Value {
	last := len(path) - 1
	for _, fd := range path[:last] {
		if !m.Has(fd) {
			return protoreflect.Value{}
		}
		m = m.Get(fd).Message()
	}
	fd := path[last]
	if fd.HasPresence() && !m.Has(fd) {
		return protoreflect.Value{}
	}
	return m.Get(fd)
}

// fieldGiven tells whether the field at path is set: present, not empty, or not its kind's zero.
func fieldGiven(m protoreflect.Message, path []protoreflect.FieldDescriptor) bool {
	for _, fd := range path {
		if !m.Has(fd) {
			return false
		}
		if fd.Message() != nil && !fd.IsList() && !fd.IsMap() {
			m = m.Get(fd).Message()
		}
	}
	return true
}

// scalar gives the argument of a parameter that stands for one value.
func (p *param) scalar(r *run) (driver.Value, error) {
	switch p.origin {
	case fromRequest:
		if r.values != nil {
			return p.bound(r.values[p.place])
		}
		return p.bound(fieldValue(r.request, p.path))
	case fromElement:
		if p.from != nil {
			return r.results[p.from.index].captured(r.element.row, p.slot), nil
		}
		return p.bound(r.element.value(p.path))
	case fromColumn:
		res := &r.results[p.from.index]
		if res.rows == 0 {
			return nil, nil
		}
		return res.captured(0, p.slot), nil
	case fromNumber:
		return int64(r.element.number), nil
	case fromInsertID:
		id := r.results[p.from.index].insertID
		if id < 0 { // a BIGINT UNSIGNED above the largest int64
			return uint64(id), nil
		}
		return id, nil
	case fromMatched:
		return r.results[p.from.index].matched, nil
	default:
		return claimValue(r.call.Claims, p.meta), nil
	}
}

// bound converts a field's value, naming the field when it can't be.
func (p *param) bound(v protoreflect.Value) (driver.Value, error) {
	out, err := p.bind(v)
	if err != nil {
		return nil, strangler.Invalid(strings.Join(p.ast.Path, "."), "%s", err.Error())
	}
	return out, nil
}

// size gives how many values a list parameter stands for.
func (p *param) size(r *run) int {
	if p.origin == fromColumn {
		return r.results[p.from.index].rows
	}
	v := p.listValue(r)
	if !v.IsValid() {
		return 0
	}
	return v.List().Len()
}

func (p *param) listValue(r *run) protoreflect.Value {
	if p.origin == fromElement {
		return r.element.value(p.path)
	}
	return fieldValue(r.request, p.path)
}

// appendList appends size arguments, and repeats the last up to padded, so that few statement texts are prepared.
func (p *param) appendList(r *run, size, padded int) error {
	if p.origin == fromColumn {
		res := &r.results[p.from.index]
		for i := range padded {
			r.arg(res.captured(min(i, size-1), p.slot))
		}
		return nil
	}
	list := p.listValue(r).List()
	for i := range padded {
		v, err := p.bound(list.Get(min(i, size-1)))
		if err != nil {
			return err
		}
		r.arg(v)
	}
	return nil
}

// given tells whether the parameter counts as given for a `-- ?` line.
func (p *param) given(r *run) bool {
	if p.maskPath != "" && r.mask != nil {
		return r.mask.covers(p.maskPath)
	}
	switch p.origin {
	case fromRequest:
		return fieldGiven(r.request, p.path)
	case fromElement:
		if p.from == nil && len(p.path) > 0 && r.element.msg != nil {
			return fieldGiven(r.element.msg, p.path)
		}
		return true
	case fromColumn:
		res := &r.results[p.from.index]
		return res.rows > 0 && (p.list || res.captured(0, p.slot) != nil)
	case fromClaim:
		return claimValue(r.call.Claims, p.meta) != nil
	default:
		return true
	}
}

// claimValue finds a claim by path: text, number or truth as a driver value; nil when it is absent or of another kind.
func claimValue(claims map[string]any, path []string) driver.Value {
	var cur any = claims
	for _, name := range path {
		m, ok := cur.(map[string]any)
		if !ok {
			return nil
		}
		cur = m[name]
	}
	switch v := cur.(type) {
	case string, int64, uint64, float64, bool:
		return v
	default:
		return nil
	}
}
