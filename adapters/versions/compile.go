package versions

import (
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/contract/expression"
	"banyan.dev/banyan/internal/fault"
)

// Versions are the operations that are translations of others. It is safe for concurrent use.
type Versions struct {
	translations map[*contract.Operation]*translation
}

// translation is how an older operation is answered by a newer one.
type translation struct {
	older, newer *contract.Operation
	request      *plan
	reply        *plan
	// resource and newerResource are the messages that requests are about, and changed how the one is made of the other; nil
	// where there is none.
	resource, newerResource protoreflect.FieldDescriptor
	changed                 *plan
	// names has the older full names of what errors may name.
	names map[string]string
}

// Compile binds definitions to the contract and reports all that is wrong with them. Operations for which unserved is
// true are left out.
func Compile(c *contract.Contract, definitions []Definition, unserved func(*contract.Operation) bool) (*Versions, fault.List) {
	v := &Versions{translations: map[*contract.Operation]*translation{}}
	b := &binder{
		contract: c, rules: map[planKey]*boundRule{}, enumRules: map[enumKey]*boundEnum{},
		made: map[planKey]*plan{}, masks: map[planKey]*maskPlan{}, enums: map[enumKey]*enumMap{},
	}
	if len(definitions) == 0 {
		return v, b.faults
	}
	var files []protoreflect.FileDescriptor
	for _, op := range c.Operations() {
		files = append(files, op.Descriptor.ParentFile())
	}
	var err error
	if b.compiler, err = expression.NewCompiler(files, expression.Whole(whole), expression.TextFunctions()); err != nil {
		b.faults.Add(definitions[0].Version.At, "", "the contract can't be used in CEL: %v", err)
		return v, b.faults
	}
	for _, d := range definitions {
		for _, rule := range d.Enums {
			b.bindEnum(rule)
		}
		for _, rule := range d.Messages {
			b.bindMessage(rule)
		}
	}
	if !b.cycles(definitions) {
		for _, d := range definitions {
			b.version(v, d, unserved)
		}
	}
	if !b.faults.Failed() {
		b.unusedRules()
		b.settle()
		for _, t := range v.translations {
			t.nameAll()
		}
	}
	return v, b.faults
}

// cycles finds versions that are translations of themselves.
func (b *binder) cycles(definitions []Definition) (found bool) {
	of := map[string]string{}
	for _, d := range definitions {
		of[d.Version.Name] = d.Of.Name
	}
	for _, d := range definitions {
		at := d.Of.Name
		for range definitions {
			if at == d.Version.Name {
				found = true
				b.faults.Add(d.Of.At, "name a newer version, which SQL or a service answers in the end", "%s is a translation of itself", d.Version.Name)
				break
			}
			at = of[at]
		}
	}
	return found
}

// version pairs the operations of a version with those of the one that it is a translation of.
func (b *binder) version(v *Versions, d Definition, unserved func(*contract.Operation) bool) {
	older, newer := b.versionNamed(d.Version), b.versionNamed(d.Of)
	if older == nil || newer == nil {
		return
	}
	rules := map[*contract.Operation]OperationRule{}
	for _, rule := range d.Operations {
		if op := b.operation(rule.Operation, older); op != nil {
			rules[op] = rule
		}
	}
	apart := map[*contract.Operation]bool{}
	for _, n := range d.Untranslated {
		if op := b.operation(n, older); op != nil {
			apart[op] = true
			if rule, twice := rules[op]; twice {
				b.faults.Add(rule.Operation.At, "keep one of the two", "%s is listed as untranslated", op.Name)
			}
		}
	}
	for _, s := range older.Services {
		for _, op := range s.Operations {
			rule, explicit := rules[op]
			switch {
			case apart[op]:
			case explicit:
				if to := b.operation(rule.To, newer); to != nil {
					b.pair(v, op, to, rule.Operation.At)
				}
			case unserved(op):
			default:
				if to := b.contract.Operation(newer.Package.Append(s.Descriptor.Name()).Append(op.Descriptor.Name())); to != nil {
					b.pair(v, op, to, d.Version.At)
				}
			}
		}
	}
}

func (b *binder) versionNamed(n Named) *contract.Version {
	var known []string
	for _, v := range b.contract.Versions {
		if string(v.Package) == n.Name {
			return v
		}
		known = append(known, string(v.Package))
	}
	b.faults.Add(n.At, suggest(n.Name, known), "the contract has no version %s", n.Name)
	return nil
}

// operation finds an operation of a version by its full name.
func (b *binder) operation(n Named, of *contract.Version) *contract.Operation {
	var known []string
	for _, s := range of.Services {
		for _, op := range s.Operations {
			if string(op.Name) == n.Name {
				return op
			}
			known = append(known, string(op.Name))
		}
	}
	b.faults.Add(n.At, suggest(n.Name, known), "%s has no operation %s", of.Package, n.Name)
	return nil
}

// pair makes an older operation a translation of a newer one.
func (b *binder) pair(v *Versions, older, newer *contract.Operation, at fault.Pos) {
	if older.ServerStreaming != newer.ServerStreaming {
		b.faults.Add(at, "name one that answers alike", "%s and %s: one answers by a stream, the other doesn't", older.Name, newer.Name)
		return
	}
	if older.Read && !newer.Read {
		b.faults.Add(at, "name a read, or make "+string(older.Name)+" a write", "%s is a read, and %s changes something", older.Name, newer.Name)
		return
	}
	t := &translation{older: older, newer: newer}
	v.translations[older] = t
	up := use{up: true, op: older, at: at}
	oldMask, resource := findUpdate(older.Input, older.Rules)
	newMask, newerResource := findUpdate(newer.Input, newer.Rules)
	t.resource, t.newerResource = resource, newerResource
	var mask *maskPlan
	if newMask != nil && older.Input.FullName() != newer.Input.FullName() {
		mask = &maskPlan{field: oldMask, target: newMask, resource: t.resource, targetResource: t.newerResource}
		for _, rule := range newer.Rules {
			if tmpl, err := contract.ParseTemplate(rule.Template); err == nil { // Load has refused others
				mask.keys = append(mask.keys, mask.ofResource(tmpl.Fields())...)
			}
		}
	}
	if key := (planKey{newer.Input.FullName(), older.Input.FullName(), true}); mask != nil && b.made[key] == nil {
		b.masks[key] = mask
	}
	t.request = b.planOrSame(older.Input, newer.Input, up)
	b.keepsValidating(t, at)
	t.reply = b.planOrSame(newer.Output, older.Output, use{op: older, at: at})
	if t.resource != nil && t.newerResource != nil && t.resource.Message().FullName() != t.newerResource.Message().FullName() {
		t.changed = b.made[planKey{t.newerResource.Message().FullName(), t.resource.Message().FullName(), true}]
	}
}

// keepsValidating holds that what a caller only validates is not done: however the rule makes the request, the field by
// which he says so has to arrive.
func (b *binder) keepsValidating(t *translation, at fault.Pos) {
	asks, arrives := t.older.ValidateOnly, t.newer.ValidateOnly
	if asks == nil || t.request == nil || t.newer.Read {
		return
	}
	if arrives != nil && slices.ContainsFunc(t.request.links, func(l link) bool {
		return !l.expression && slices.Equal(l.target, []string{string(arrives.Name())}) && slices.Equal(l.reads[0], []string{string(asks.Name())})
	}) {
		return
	}
	if rule := b.ruleFor(t.newer.Input, t.older.Input); rule != nil {
		at = rule.Pair.At
	}
	b.faults.Add(at, "let "+string(t.newer.Input.FullName())+" have validate_only, and make it of nothing but "+string(asks.Name()),
		"%s can be asked to validate only, and %s would do it all the same", t.older.Name, t.newer.Name)
}

// planOrSame gives the plan from one message to another; nil when they are the same.
func (b *binder) planOrSame(source, target protoreflect.MessageDescriptor, u use) *plan {
	if source.FullName() == target.FullName() {
		return nil
	}
	return b.planOf(target, source, u)
}

// Translated says which operation answers an older one; nil when it is no translation.
func (v *Versions) Translated(op *contract.Operation) *contract.Operation {
	if t := v.translations[op]; t != nil {
		return t.newer
	}
	return nil
}
