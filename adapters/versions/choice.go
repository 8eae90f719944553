package versions

import (
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// choice is a oneof of the target whose members are made of fields that may be set together: decoders would take one of
// them, and drop the others in silence.
type choice struct {
	group int
	one   protoreflect.OneofDescriptor
	// path leads to the group.
	path []string
}

// member notes that a field of a group is filled, and which oneof of the source the value is a member of, if it is. here is
// the target's path.
func (f *filling) member(group int, here []protoreflect.FieldDescriptor, source protoreflect.FieldDescriptor) {
	one := here[len(here)-1].ContainingOneof()
	if one == nil || one.IsSynthetic() {
		return
	}
	var from protoreflect.OneofDescriptor
	if source != nil {
		from = source.ContainingOneof()
	}
	i := slices.IndexFunc(f.members, func(m members) bool { return m.group == group && m.one == one })
	if i < 0 {
		f.members = append(f.members, members{choice: choice{group: group, one: one, path: names(here[:len(here)-1])}, from: from, apart: from == nil || from.IsSynthetic()})
		return
	}
	m := &f.members[i]
	if m.apart || m.from != from {
		m.several = true
	}
}

// members are the filled members of a oneof.
type members struct {
	choice
	from  protoreflect.OneofDescriptor
	apart bool // the first is no member of a oneof of the source
	// several says that more than one may be set.
	several bool
}

// check refuses to fill several members of a oneof. b is what is in the group.
func (c *choice) check(p *plan, b []byte) error {
	var first protoreflect.FieldDescriptor
	for len(b) > 0 {
		num, _, n := protowire.ConsumeField(b)
		if n < 0 {
			return &malformedError{protowire.ParseError(n)}
		}
		b = b[n:]
		fd := c.one.Fields().ByNumber(num)
		switch {
		case fd == nil || fd == first:
		case first == nil:
			first = fd
		default:
			e := &fieldError{text: "only one of these can be given"}
			if fd.Number() < first.Number() {
				first, fd = fd, first
			}
			for _, member := range []protoreflect.FieldDescriptor{first, fd} {
				path := append(slices.Clone(c.path), string(member.Name()))
				segs := make([]segment, len(path))
				for i, name := range path {
					segs[i].name = name
				}
				if source, ok := p.backward(segs); ok {
					e.paths = append(e.paths, join(source))
				}
			}
			return e
		}
	}
	return nil
}
