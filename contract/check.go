package contract

import (
	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/internal/fault"
)

// routeTable finds HTTP rules that match the same requests: method and shape of the template → the first with it.
type routeTable map[string]*Operation

func (t routeTable) add(files sources, op *Operation, faults *fault.List) {
	for _, rule := range op.Rules {
		parsed, err := ParseTemplate(rule.Template)
		if err != nil {
			continue
		}
		key := rule.Method + " " + parsed.Shape()
		first, taken := t[key]
		if !taken {
			t[key] = op
			continue
		}
		faults.Add(files.pos(op.Descriptor, methodOptions, httpOption), "give one of them a path of its own",
			"%s %s is taken already, by %s at %s", rule.Method, rule.Template, first.Name, first.Pos)
	}
}

// shapeCheck refuses what requests and replies can't hold: groups, because rows go out as length-delimited messages, and
// required fields, because a row can't promise them.
type shapeCheck struct {
	files  sources
	faults *fault.List
	seen   map[protoreflect.FullName]bool
}

func (c *shapeCheck) message(md protoreflect.MessageDescriptor) {
	if c.seen[md.FullName()] {
		return
	}
	c.seen[md.FullName()] = true
	fields := md.Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if fd.Kind() == protoreflect.GroupKind {
			c.faults.Add(c.files.pos(fd), "declare a message and a field of it (in editions: no message_encoding = DELIMITED)",
				"field %s is a group, which Banyan does not serve", fd.FullName())
		}
		if fd.Cardinality() == protoreflect.Required {
			c.faults.Add(c.files.pos(fd), "make it optional, and say with (google.api.field_behavior) = REQUIRED that it is needed",
				"field %s is required, which Banyan does not serve", fd.FullName())
		}
		if m := fd.Message(); m != nil {
			c.message(m)
		}
	}
}
