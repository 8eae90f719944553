package versions

import (
	"strings"
	"unicode"

	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/internal/fault"
)

// enumMap has the target's number for each number of a source enum.
type enumMap struct {
	target, source protoreflect.EnumDescriptor
	numbers        map[protoreflect.EnumNumber]protoreflect.EnumNumber
	// same says that every number stands for itself.
	same bool
}

// enumOf gives the map from one enum to another, and reports what is wrong with it once.
func (b *binder) enumOf(target, source protoreflect.EnumDescriptor, use use) *enumMap {
	key := enumKey{target.FullName(), source.FullName()}
	if m := b.enums[key]; m != nil {
		return m
	}
	m := &enumMap{target: target, source: source, numbers: map[protoreflect.EnumNumber]protoreflect.EnumNumber{}, same: true}
	b.enums[key] = m
	rule := b.enumRules[key]
	at := use.at
	if rule != nil {
		rule.used, at = true, rule.Pair.At
	}
	inverse := b.inverseValues(key)
	values := source.Values()
	for i := range values.Len() {
		v := values.Get(i)
		to, found := b.valueOf(m, rule, inverse, v)
		if !found {
			b.faults.Add(at, "write, below enums, \""+string(target.FullName())+" from "+string(source.FullName())+"\": {values: {"+string(v.Name())+": …}}",
				"%s of %s, which may be%s, has no value in %s", v.Name(), source.FullName(), use.why(), target.FullName())
			continue
		}
		m.numbers[v.Number()] = to
		m.same = m.same && to == v.Number()
	}
	for i := range target.Values().Len() { // a number that only the target has would come to mean something
		_, known := m.numbers[target.Values().Get(i).Number()]
		m.same = m.same && known
	}
	return m
}

// valueOf finds the target value of a source value: by the rule, as the only one that the other direction's rule turns
// into it, or by its name.
func (b *binder) valueOf(m *enumMap, rule *boundEnum, inverse map[protoreflect.Name]protoreflect.Name, v protoreflect.EnumValueDescriptor) (protoreflect.EnumNumber, bool) {
	if rule != nil {
		if to, ok := rule.values[v.Name()]; ok {
			return to, true
		}
	}
	if name, ok := inverse[v.Name()]; ok {
		if to := m.target.Values().ByName(name); name != "" && to != nil {
			return to.Number(), true
		}
		return 0, false // several values become it: which one is meant has to be said
	}
	if to := namesake(m.target, m.source, v.Name()); to != nil {
		return to.Number(), true
	}
	return 0, false
}

// inverseValues gives, from the rule of the other direction, the value that each of its targets came from; "" where there
// are several, those with the same name included.
func (b *binder) inverseValues(key enumKey) map[protoreflect.Name]protoreflect.Name {
	other := b.enumRules[enumKey{key.source, key.target}]
	if other == nil {
		return nil
	}
	out := map[protoreflect.Name]protoreflect.Name{}
	add := func(target, source protoreflect.Name) {
		if _, twice := out[target]; twice {
			source = ""
		}
		out[target] = source
	}
	values := other.source.Values()
	for i := range values.Len() {
		v := values.Get(i)
		if to, ok := other.values[v.Name()]; ok {
			add(other.target.Values().ByNumber(to).Name(), v.Name())
		} else if to := namesake(other.target, other.source, v.Name()); to != nil {
			add(to.Name(), v.Name())
		}
	}
	return out
}

// namesake finds the value of target with the name that a value of source has, also when each begins with its own enum's
// name, as style guides want it: ORDER_STATE_OPEN of OrderState and ORDER_STATUS_OPEN of OrderStatus.
func namesake(target, source protoreflect.EnumDescriptor, name protoreflect.Name) protoreflect.EnumValueDescriptor {
	if v := target.Values().ByName(name); v != nil {
		return v
	}
	short := strings.TrimPrefix(string(name), prefixOf(source))
	if v := target.Values().ByName(protoreflect.Name(prefixOf(target) + short)); v != nil {
		return v
	}
	return target.Values().ByName(protoreflect.Name(short))
}

// prefixOf gives what an enum's values begin with: ORDER_STATE_ for OrderState.
func prefixOf(e protoreflect.EnumDescriptor) string {
	var b strings.Builder
	name := []rune(string(e.Name()))
	for i, r := range name {
		if i > 0 && unicode.IsUpper(r) && (!unicode.IsUpper(name[i-1]) || i+1 < len(name) && unicode.IsLower(name[i+1])) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToUpper(r))
	}
	return b.String() + "_"
}

// boundEnum is an EnumRule with its names resolved.
type boundEnum struct {
	EnumRule
	target, source protoreflect.EnumDescriptor
	values         map[protoreflect.Name]protoreflect.EnumNumber
	used           bool
}

type enumKey struct{ target, source protoreflect.FullName }

// bindEnum resolves the names of a rule.
func (b *binder) bindEnum(rule EnumRule) {
	target, source := b.contract.Enum(rule.Pair.Target), b.contract.Enum(rule.Pair.Source)
	for _, end := range []struct {
		name protoreflect.FullName
		enum protoreflect.EnumDescriptor
	}{{rule.Pair.Target, target}, {rule.Pair.Source, source}} {
		if end.enum == nil {
			b.faults.Add(rule.Pair.At, "write full names, such as shop.v1.Status from shop.v2.State", "the contract has no enum %s", end.name)
		}
	}
	if target == nil || source == nil {
		return
	}
	if first := b.enumRules[enumKey{target.FullName(), source.FullName()}]; first != nil {
		b.faults.Add(rule.Pair.At, "keep one: it holds wherever that enum is made of that one", "%s from %s has a rule already, at %s", rule.Pair.Target, rule.Pair.Source, first.Pair.At)
		return
	}
	bound := &boundEnum{EnumRule: rule, target: target, source: source, values: map[protoreflect.Name]protoreflect.EnumNumber{}}
	for _, v := range rule.Values {
		from, to := valueNamed(source, v.Source.Name), valueNamed(target, v.Target.Name)
		if from == nil {
			b.faults.Add(v.Source.At, suggest(v.Source.Name, valueNames(source)), "%s has no value %s", source.FullName(), v.Source.Name)
		}
		if to == nil {
			b.faults.Add(v.Target.At, suggest(v.Target.Name, valueNames(target)), "%s has no value %s", target.FullName(), v.Target.Name)
		}
		if from != nil && to != nil {
			bound.values[from.Name()] = to.Number()
		}
	}
	b.enumRules[enumKey{target.FullName(), source.FullName()}] = bound
}

func valueNamed(e protoreflect.EnumDescriptor, name string) protoreflect.EnumValueDescriptor {
	return e.Values().ByName(protoreflect.Name(name))
}

func valueNames(e protoreflect.EnumDescriptor) []string {
	out := make([]string, e.Values().Len())
	for i := range out {
		out[i] = string(e.Values().Get(i).Name())
	}
	return out
}

// suggest gives the fix for a name that is not among the known ones.
func suggest(name string, known []string) string {
	if near := fault.Nearest(name, known); near != "" {
		return "did you mean " + near + "?"
	}
	return "there are " + strings.Join(known, ", ")
}
