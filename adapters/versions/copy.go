package versions

import (
	"slices"
	"strconv"

	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/internal/fault"
)

// fieldMask is the message of field masks.
const fieldMask = "google.protobuf.FieldMask"

// copy lets a field of the target be a field of the source.
func (f *filling) copy(target, source []protoreflect.FieldDescriptor, into int, at fault.Pos) {
	to, from := target[len(target)-1], source[len(source)-1]
	f.used = append(f.used, dotted(source))
	f.member(into, target, from)
	c := copyStep{group: into, target: to, number: to.Number()}
	if why := f.match(&c, to, from); why != "" {
		f.faults.Add(at, "write an expression for "+dotted(target)+" in \""+string(f.plan.target.FullName())+" from "+string(f.plan.source.FullName())+"\"",
			"%s can't be copied from %s%s: %s", to.FullName(), from.FullName(), f.use.why(), why)
		return
	}
	// A zero that can't be told from unset makes no message for it to stand in.
	apart := from.HasPresence() != to.HasPresence() || into != 0 && !from.HasPresence()
	c.dropZero = apart && !from.IsList() && !from.IsMap() && (c.enum == nil || c.enum.numbers[0] == 0)
	level, parent := f.plan.root, -1
	if len(source) > 1 {
		above := f.descend(source[:len(source)-1])
		if into != 0 {
			parent = f.ownBit(above)
		}
		level = above.below
	}
	s := f.step(level, from)
	s.copies = append(s.copies, c)
	if c.enum != nil && !from.HasPresence() && !from.IsList() {
		if zero := c.enum.numbers[0]; zero != 0 {
			f.plan.absent = append(f.plan.absent, absentEnum{s.bit, dotted(source), into, to.Number(), uint64(int64(zero)), parent}) //nolint:gosec // as enums are encoded
		}
	}
	f.plan.links = append(f.plan.links, link{target: names(target), fixed: slices.ContainsFunc(target, fixed), reads: [][]string{names(source)}, list: to.IsList() || to.IsMap(), sub: c.sub})
}

// match decides how a field is copied, and says why it can't be.
func (f *filling) match(c *copyStep, to, from protoreflect.FieldDescriptor) (why string) {
	switch {
	case to.IsMap() != from.IsMap(), to.IsList() != from.IsList():
		return "one is " + shape(to) + ", the other " + shape(from)
	case to.Message() != nil && from.Message() != nil:
		return f.matchMessages(c, to, from)
	case to.Enum() != nil && from.Enum() != nil:
		if to.Enum().FullName() != from.Enum().FullName() {
			if m := f.enumOf(to.Enum(), from.Enum(), f.use); !m.same {
				c.how, c.enum = value, m
			}
		}
		return presets(c, to, from)
	case to.Message() != nil, from.Message() != nil, to.Enum() != nil, from.Enum() != nil, !widens(to.Kind(), from.Kind()):
		return "one is " + kindOf(to) + ", the other " + kindOf(from)
	}
	if to.Kind() != from.Kind() {
		c.how = number
	}
	return presets(c, to, from)
}

// presets says why unset fields of the two don't mean the same: they have different defaults.
func presets(c *copyStep, to, from protoreflect.FieldDescriptor) (why string) {
	if !to.HasDefault() && !from.HasDefault() || to.IsList() {
		return ""
	}
	one, other := preset(to), preset(from)
	same := one == other
	if from.Enum() != nil {
		number := from.Default().Enum()
		if c.enum != nil {
			number = c.enum.numbers[number]
		}
		same = number == to.Default().Enum()
	}
	if same {
		return ""
	}
	return "one is " + one + " when it is not set, the other " + other
}

// preset gives a field's default as text, which is the same for equal values of kinds that copy themselves.
func preset(fd protoreflect.FieldDescriptor) string {
	if fd.Enum() != nil {
		if v := fd.Enum().Values().ByNumber(fd.Default().Enum()); v != nil {
			return string(v.Name())
		}
	}
	return strconv.Quote(fd.Default().String())
}

func (f *filling) matchMessages(c *copyStep, to, from protoreflect.FieldDescriptor) (why string) {
	one, other := to.Message(), from.Message()
	switch {
	case one.FullName() == fieldMask && other.FullName() == fieldMask:
		if f.plan.mask == nil || f.plan.mask.field != from || f.plan.mask.target != to {
			return "what its paths are about is known of update_mask only, beside a message that it changes"
		}
		c.how = mask
	case one.FullName() == other.FullName():
	case one.ParentFile().Package() == "google.protobuf", other.ParentFile().Package() == "google.protobuf":
		return "one is " + kindOf(to) + ", the other " + kindOf(from)
	default:
		c.how, c.sub = message, f.planOf(one, other, f.use)
	}
	return ""
}

func shape(fd protoreflect.FieldDescriptor) string {
	switch {
	case fd.IsMap():
		return "a map"
	case fd.IsList():
		return "a list"
	default:
		return "a single value"
	}
}

func kindOf(fd protoreflect.FieldDescriptor) string {
	switch {
	case fd.Message() != nil:
		return "the message " + string(fd.Message().FullName())
	case fd.Enum() != nil:
		return "the enum " + string(fd.Enum().FullName())
	default:
		return "of kind " + fd.Kind().String()
	}
}

// alike says whether a field can be copied without a look at its message or enum.
func alike(to, from protoreflect.FieldDescriptor) bool {
	switch {
	case to.IsMap() || from.IsMap() || to.IsList() != from.IsList():
		return false
	case to.Message() != nil && from.Message() != nil:
		return to.Message().FullName() == from.Message().FullName()
	case to.Enum() != nil && from.Enum() != nil:
		return to.Enum().FullName() == from.Enum().FullName()
	}
	return to.Message() == nil && from.Message() == nil && to.Enum() == nil && from.Enum() == nil && widens(to.Kind(), from.Kind())
}
