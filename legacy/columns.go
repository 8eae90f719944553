package legacy

import (
	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/legacy/value"
)

// planColumns binds a result's columns to what the statement fills.
func (s *statement) planColumns(codec *value.Codec, cols []value.Column) (*rowPlan, []*columnFault) {
	p := &planner{codec: codec}
	var md protoreflect.MessageDescriptor
	if s.into != nil {
		md = s.into.message
	}
	plan, faults := p.plan(cols, md, s.captures)
	if s.into != nil && s.into.message == nil {
		faults = append(faults, p.scalars(plan, s.into.field, cols)...)
	}
	if len(faults) > 0 {
		return plan, faults
	}
	kept := make([]value.Column, len(plan.captures))
	for slot, col := range plan.captures {
		kept[slot] = cols[col]
	}
	s.captured.Store(&kept)
	return plan, nil
}

// captureColumn describes a kept column; empty before the server has described a result.
func (s *statement) captureColumn(slot int) value.Column {
	if kept := s.captured.Load(); kept != nil && slot < len(*kept) {
		return (*kept)[slot]
	}
	return value.Column{}
}

// scalars plans rows that are elements of a repeated scalar: one column, named like the field, fills it.
func (p *planner) scalars(plan *rowPlan, fd protoreflect.FieldDescriptor, cols []value.Column) []*columnFault {
	for i, c := range cols {
		if c.Name != string(fd.Name()) {
			continue
		}
		enc, err := p.codec.ElementEncoder(c, fd)
		if err != nil {
			return []*columnFault{{Column: c.Name, Message: err.Error()}}
		}
		plan.root = &node{columns: []int{i}, members: []member{{number: fd.Number(), column: i, encode: enc, name: c.Name}}}
		return nil
	}
	return []*columnFault{{Column: string(fd.Name()), Message: "no column has this name, and the rows fill a list of single values", Fix: "give the column the field's name as its alias"}}
}
