package versions

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/internal/fault"
)

// planOf gives the plan for a message, and makes it first where there is none yet.
func (b *binder) planOf(target, source protoreflect.MessageDescriptor, u use) *plan {
	key := planKey{target.FullName(), source.FullName(), u.up}
	if p := b.made[key]; p != nil {
		return p
	}
	p := &plan{target: target, source: source, up: u.up, root: newLevel(""), groups: make([]group, 1)}
	if p.mask = b.masks[key]; p.mask != nil {
		p.mask.request = p
	}
	b.made[key] = p
	b.plans = append(b.plans, p)
	f := &filling{binder: b, plan: p, use: u, rule: b.ruleFor(target, source), other: b.rules[planKey{target: source.FullName(), source: target.FullName()}], at: u.at}
	if f.rule != nil {
		f.rule.used, f.at = true, f.rule.Pair.At
	}
	f.level(target, source, nil, nil, 0)
	for _, m := range f.members {
		if m.several {
			p.choices = append(p.choices, m.choice)
		}
	}
	if p.mask != nil && p.mask.field == nil && slices.ContainsFunc(p.fillers, func(fill *filler) bool { return fill.target == p.mask.target }) {
		p.mask = nil // the rule says what is changed, whatever is set
	}
	f.leftOver()
	return p
}

func (b *binder) ruleFor(target, source protoreflect.MessageDescriptor) *boundRule {
	return b.rules[planKey{target: target.FullName(), source: source.FullName()}]
}

// filling makes one plan.
type filling struct {
	*binder
	plan *plan
	use  use
	// rule is the plan's own, other that of the other direction, whose renames hold here too. Both may be nil.
	rule, other *boundRule
	at          fault.Pos
	// used are paths of the source that something is made of.
	used []string
	// members are the oneofs of the target that are filled.
	members []members
}

// level finds, for each field of a message of the target, what it is made of. source is the message that has the fields
// of the same names; nil where there is none. The fields go to a group.
func (f *filling) level(target, source protoreflect.MessageDescriptor, path, sourcePath []protoreflect.FieldDescriptor, into int) {
	fields := target.Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		here := extend(path, fd)
		name := dotted(here)
		var namesake protoreflect.FieldDescriptor
		if source != nil {
			namesake = source.Fields().ByName(fd.Name())
		}
		explicit := f.rule != nil && f.rule.fields[name] != nil
		switch {
		case explicit && f.unset(name):
			f.faults.Add(f.rule.fields[name].Target.At, "keep one of the two", "%s is listed as unset, and has a source", name)
		case explicit:
			f.explicit(f.rule.fields[name], into)
		case f.unset(name):
			f.plan.partial = f.plan.partial || !outputOnly(fd)
		case single(fd) && f.deeper(name):
			f.nested(fd, namesake, here, sourcePath, into)
		default:
			f.implicit(fd, namesake, here, sourcePath, into)
		}
	}
}

// explicit fills a field as its rule says.
func (f *filling) explicit(rule *boundField, into int) {
	fd := rule.target[len(rule.target)-1]
	if rule.source != nil {
		f.copy(rule.target, rule.source, into, rule.Source.At)
		return
	}
	f.expression(fd, rule, into)
}

// implicit fills a field that the rule doesn't name.
func (f *filling) implicit(fd, namesake protoreflect.FieldDescriptor, here, sourcePath []protoreflect.FieldDescriptor, into int) {
	var from []protoreflect.FieldDescriptor
	switch renamed := f.renamed(dotted(here)); {
	case len(renamed) == 1:
		from = renamed[0]
	case len(renamed) > 1:
		f.missing(fd, here, "several fields of "+string(f.plan.source.FullName())+" are made of it")
		return
	case namesake != nil && !f.redefined(sourcePath, namesake):
		from = extend(sourcePath, namesake)
	}
	if from != nil {
		if f.use.up && outputOnly(fd) && !alike(fd, from[len(from)-1]) {
			f.used = append(f.used, dotted(from))
			return // nobody reads it in a request; ids, which find things, are alike
		}
		f.copy(here, from, into, f.at)
		return
	}
	if f.use.up && outputOnly(fd) && namesake == nil || len(here) > 1 && fd.ContainingMessage().ParentFile().Package() == "google.protobuf" {
		return
	}
	f.missing(fd, here, "nothing of "+string(f.plan.source.FullName())+" has that name")
}

func (f *filling) missing(fd protoreflect.FieldDescriptor, here []protoreflect.FieldDescriptor, because string) {
	f.faults.Add(f.at, "write, below messages, \""+string(f.plan.target.FullName())+" from "+string(f.plan.source.FullName())+"\": {fields: {"+dotted(here)+": …}}, or list it in unset",
		"%s has no source%s: %s", fd.FullName(), f.use.why(), because)
}

// renamed gives what the other direction's rule makes of nothing but this path.
func (f *filling) renamed(path string) (out [][]protoreflect.FieldDescriptor) {
	for _, r := range f.other.byPath() {
		if r.source != nil && dotted(r.source) == path {
			out = append(out, r.target)
		}
	}
	return out
}

// redefined says whether the other direction makes a field of the source of something else than its namesake: then they
// are not the same.
func (f *filling) redefined(sourcePath []protoreflect.FieldDescriptor, namesake protoreflect.FieldDescriptor) bool {
	if f.other == nil {
		return false
	}
	path := dotted(extend(sourcePath, namesake))
	for name, r := range f.other.fields {
		if within(name, path) && (r.source == nil || dotted(r.source) != name) {
			return true
		}
	}
	return false
}

func (f *filling) unset(path string) bool {
	if f.rule == nil {
		return false
	}
	for _, n := range f.rule.Unset {
		if n.Name == path {
			return true
		}
	}
	return false
}

// deeper says whether fields below a path of the target are filled one by one.
func (f *filling) deeper(path string) bool {
	below := func(other string) bool { return other != path && within(other, path) }
	if f.rule != nil {
		for name := range f.rule.fields {
			if below(name) {
				return true
			}
		}
		for _, n := range f.rule.Unset {
			if below(n.Name) {
				return true
			}
		}
	}
	if len(f.renamed(path)) > 0 {
		return false
	}
	for _, r := range f.other.byPath() {
		if r.source != nil && below(dotted(r.source)) {
			return true
		}
	}
	return false
}

// single says whether a field is one message.
func single(fd protoreflect.FieldDescriptor) bool {
	return fd.Message() != nil && !fd.IsList() && !fd.IsMap()
}

// nested makes a group of a field's message.
func (f *filling) nested(fd, namesake protoreflect.FieldDescriptor, here, sourcePath []protoreflect.FieldDescriptor, into int) {
	f.member(into, here, namesake)
	f.plan.groups = append(f.plan.groups, group{parent: into, number: fd.Number()})
	child := len(f.plan.groups) - 1
	var source protoreflect.MessageDescriptor
	below := extend(sourcePath, namesake)
	if namesake != nil && single(namesake) && !f.redefinedWhole(below) {
		source = namesake.Message()
		s := f.descend(below)
		s.present = append(s.present, child)
	}
	f.level(fd.Message(), source, here, below, child)
}

// redefinedWhole says whether the other direction makes the message itself, not parts of it, of something else.
func (f *filling) redefinedWhole(path []protoreflect.FieldDescriptor) bool {
	return f.other != nil && f.other.fields[dotted(path)] != nil
}

// descend gives the step of a message that parts are taken out of.
func (f *filling) descend(path []protoreflect.FieldDescriptor) *step {
	at := f.plan.root
	var s *step
	for i, fd := range path {
		s = f.step(at, fd)
		if s.below == nil {
			s.below = newLevel(dotted(path[:i+1]) + ".")
		}
		at = s.below
	}
	return s
}

// step gives the step of a field at a level.
func (f *filling) step(at *level, fd protoreflect.FieldDescriptor) *step {
	if s := at.steps[fd.Number()]; s != nil {
		return s
	}
	s := &step{field: fd, enc: encodingOf(fd.Kind()), list: fd.IsList() || fd.IsMap(), own: -1}
	if !s.list {
		s.bit = -1
		if one := fd.ContainingOneof(); one != nil && !one.IsSynthetic() {
			for _, other := range at.steps {
				if other.field.ContainingOneof() == one {
					s.bit = other.bit
				}
			}
		}
		if s.bit < 0 {
			s.bit = f.plan.bits
			f.plan.bits++
		}
	}
	at.steps[fd.Number()] = s
	return s
}

// ownBit gives the bit by which a field is known to be there, members of oneofs apart.
func (f *filling) ownBit(s *step) int {
	if s.own < 0 {
		s.own = f.plan.bits
		f.plan.bits++
	}
	return s.own
}

// leftOver reports what the rule lists wrongly, and fields of a request that nothing is made of.
func (f *filling) leftOver() {
	if f.rule != nil {
		for _, n := range f.rule.Unset {
			f.path(f.plan.target, n)
		}
		for _, n := range f.rule.Ignored {
			path := f.path(f.plan.source, n)
			switch {
			case path == nil:
			case !f.use.up:
				f.faults.Add(n.At, "remove it: what an older reply has no field for is left out anyway", "%s is of a reply", n.Name)
			case f.isUsed(n.Name):
				f.faults.Add(n.At, "remove it", "%s is used, not ignored", n.Name)
			}
			f.used = append(f.used, n.Name)
		}
	}
	if f.use.up {
		f.unused(f.plan.source, "")
	}
}

func (f *filling) isUsed(path string) bool {
	for _, u := range f.used {
		if within(path, u) || within(u, path) {
			return true
		}
	}
	return false
}

func (f *filling) unused(md protoreflect.MessageDescriptor, prefix string) {
	fields := md.Fields()
fields:
	for i := range fields.Len() {
		fd := fields.Get(i)
		path, partly := prefix+string(fd.Name()), false
		for _, u := range f.used {
			if within(path, u) {
				continue fields
			}
			partly = partly || within(u, path)
		}
		switch {
		case outputOnly(fd):
		case partly && strings.HasPrefix(string(fd.Message().FullName()), "google.protobuf."):
		case partly:
			f.unused(fd.Message(), path+".")
		default:
			f.faults.Add(f.at, "make something of it, or write, below messages, \""+string(f.plan.target.FullName())+" from "+string(f.plan.source.FullName())+"\": {ignored: ["+path+"]}",
				"%s would be dropped%s: nothing of %s is made of it", fd.FullName(), f.use.why(), f.plan.target.FullName())
		}
	}
}
