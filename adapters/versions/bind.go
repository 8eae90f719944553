package versions

import (
	"cmp"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/contract/expression"
	"banyan.dev/banyan/internal/fault"
)

// binder makes plans of definitions. It lives while Compile runs.
type binder struct {
	contract  *contract.Contract
	compiler  *expression.Compiler
	faults    fault.List
	rules     map[planKey]*boundRule // up is false in the keys
	enumRules map[enumKey]*boundEnum
	made      map[planKey]*plan
	masks     map[planKey]*maskPlan // of requests that are updates
	plans     []*plan
	enums     map[enumKey]*enumMap
}

type planKey struct {
	target, source protoreflect.FullName
	up             bool
}

// boundRule is a MessageRule with its messages resolved.
type boundRule struct {
	MessageRule
	target, source protoreflect.MessageDescriptor
	fields         map[string]*boundField // by the target's path
	used           bool
}

// boundField is a FieldRule with its paths resolved.
type boundField struct {
	FieldRule
	target []protoreflect.FieldDescriptor
	// source is the path that the field is copied from; nil when it is an expression.
	source []protoreflect.FieldDescriptor
}

// use says what a plan is needed for, for faults.
type use struct {
	up bool
	op *contract.Operation
	at fault.Pos
}

func (u use) why() string {
	if u.up {
		return " in requests of " + string(u.op.Name)
	}
	return " in replies of " + string(u.op.Name)
}

// bindMessage resolves the names of a rule.
func (b *binder) bindMessage(rule MessageRule) {
	target, source := b.contract.Message(rule.Pair.Target), b.contract.Message(rule.Pair.Source)
	for _, end := range []struct {
		name    protoreflect.FullName
		message protoreflect.MessageDescriptor
	}{{rule.Pair.Target, target}, {rule.Pair.Source, source}} {
		if end.message == nil {
			b.faults.Add(rule.Pair.At, "write full names, such as shop.v1.Order from shop.v2.Order", "the contract has no message %s", end.name)
		}
	}
	if target == nil || source == nil {
		return
	}
	if first := b.ruleFor(target, source); first != nil {
		b.faults.Add(rule.Pair.At, "keep one: it holds wherever that message is made of that one", "%s from %s has a rule already, at %s", rule.Pair.Target, rule.Pair.Source, first.Pair.At)
		return
	}
	bound := &boundRule{MessageRule: rule, target: target, source: source, fields: map[string]*boundField{}}
	for _, f := range rule.Fields {
		path := b.path(target, f.Target)
		if path == nil {
			continue
		}
		field := &boundField{FieldRule: f, target: path}
		if plainPath(f.Source.Name) {
			var isPath bool
			if field.source, isPath = b.sourcePath(source, f.Source); isPath && field.source == nil {
				continue
			}
		}
		bound.fields[f.Target.Name] = field
	}
	b.rules[planKey{target: target.FullName(), source: source.FullName()}] = bound
}

// plainPath tells a path from other expressions.
func plainPath(text string) bool {
	for name := range strings.SplitSeq(text, ".") {
		if !protoreflect.Name(name).IsValid() {
			return false
		}
	}
	return text != "true" && text != "false" && text != "null" && text != whole
}

// whole is the name by which expressions have the source as a whole.
const whole = "source"

// path resolves a path of fields and reports what is wrong with it: then it is nil.
func (b *binder) path(md protoreflect.MessageDescriptor, named Named) []protoreflect.FieldDescriptor {
	var out []protoreflect.FieldDescriptor
	for i, name := range strings.Split(named.Name, ".") {
		if i > 0 {
			last := out[i-1]
			if md = last.Message(); md == nil || last.IsList() || last.IsMap() {
				b.faults.Add(named.At, "name the field itself, or give its message a rule of its own", "%s of %s has no fields to name here", last.Name(), last.ContainingMessage().FullName())
				return nil
			}
		}
		fd := md.Fields().ByName(protoreflect.Name(name))
		if fd == nil {
			b.faults.Add(named.At, suggest(name, fieldNames(md)), "%s has no field %s", md.FullName(), name)
			return nil
		}
		out = append(out, fd)
	}
	return out
}

// sourcePath resolves what may be a path. It is none where it leads through a map, which CEL can read.
func (b *binder) sourcePath(md protoreflect.MessageDescriptor, named Named) (path []protoreflect.FieldDescriptor, isPath bool) {
	if rest, ok := strings.CutPrefix(named.Name, whole+"."); ok && md.Fields().ByName(whole) == nil {
		named.Name = rest
	}
	at := md
	for name := range strings.SplitSeq(named.Name, ".") {
		fd := at.Fields().ByName(protoreflect.Name(name))
		if fd == nil {
			break
		}
		if fd.IsMap() && !strings.HasSuffix(named.Name, name) {
			return nil, false
		}
		if at = fd.Message(); at == nil {
			break
		}
	}
	return b.path(md, named), true
}

func fieldNames(md protoreflect.MessageDescriptor) []string {
	out := make([]string, md.Fields().Len())
	for i := range out {
		out[i] = string(md.Fields().Get(i).Name())
	}
	return out
}

// dotted writes a path.
func dotted(path []protoreflect.FieldDescriptor) string { return strings.Join(names(path), ".") }

func names(path []protoreflect.FieldDescriptor) []string {
	out := make([]string, len(path))
	for i, fd := range path {
		out[i] = string(fd.Name())
	}
	return out
}

// extend gives a path that is one field longer. It leaves the other as it is.
func extend(path []protoreflect.FieldDescriptor, fd protoreflect.FieldDescriptor) []protoreflect.FieldDescriptor {
	return slices.Concat(path, []protoreflect.FieldDescriptor{fd})
}

// within says whether a path is another, or leads below it. Every path is within the empty one.
func within(path, other string) bool {
	return other == "" || path == other || strings.HasPrefix(path, other) && path[len(other)] == '.'
}

// outputOnly says that callers can't set a field (AIP-203).
func outputOnly(fd protoreflect.FieldDescriptor) bool {
	const only = 3
	return behaves(fd, only)
}

// fixed says that callers can't change a field once it is there, or ever.
func fixed(fd protoreflect.FieldDescriptor) bool {
	const immutable, identifier = 5, 8
	return outputOnly(fd) || behaves(fd, immutable) || behaves(fd, identifier)
}

// behaves says whether a field has a behavior. The option is looked for by its number: its type depends on whose
// annotations.proto the contract brings.
func behaves(fd protoreflect.FieldDescriptor, behavior protoreflect.EnumNumber) (found bool) {
	const fieldBehavior = 1052
	opts := fd.Options()
	if opts == nil || !opts.ProtoReflect().IsValid() {
		return false
	}
	proto.RangeExtensions(opts, func(t protoreflect.ExtensionType, _ any) bool {
		if t.TypeDescriptor().Number() != fieldBehavior {
			return true
		}
		list := opts.ProtoReflect().Get(t.TypeDescriptor()).List()
		for i := range list.Len() {
			found = found || list.Get(i).Enum() == behavior
		}
		return false
	})
	return found
}

// unusedRules warns of rules that no operation needs: most likely one of their names is not the one that was meant.
func (b *binder) unusedRules() {
	warn := func(p Pair) {
		b.faults.Warn(p.At, "remove it, or look for a mistake in its names", "no operation needs %s from %s", p.Target, p.Source)
	}
	for _, r := range b.rules {
		if !r.used {
			warn(r.Pair)
		}
	}
	for _, r := range b.enumRules {
		if !r.used {
			warn(r.Pair)
		}
	}
}

// byPath gives a rule's fields in the order of their paths.
func (r *boundRule) byPath() []*boundField {
	if r == nil {
		return nil
	}
	out := make([]*boundField, 0, len(r.fields))
	for _, f := range r.fields {
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b *boundField) int { return cmp.Compare(a.Target.Name, b.Target.Name) })
	return out
}
