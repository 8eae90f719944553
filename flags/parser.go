package flags

import (
	"slices"
	"strings"

	"banyan.dev/banyan/internal/fault"
)

// mostVariants is enough for every stage under several names.
const mostVariants = 64

// parser makes a Definition of a tree.
type parser struct {
	compiler
}

func members() []string {
	return []string{"state", "variants", "defaultVariant", "targeting", "metadata"}
}

func (p *parser) definition(t tree) *Definition {
	for _, name := range t.names {
		if slices.Contains(members(), name) {
			continue
		}
		if near := fault.Nearest(name, members()); near != "" {
			p.fail(name, "there is no such member: do you mean %s?", near)
			continue
		}
		p.fail(name, "there is no such member; there are %s", strings.Join(members(), ", "))
	}
	d := &Definition{disabled: p.state(t)}
	p.variants(d, t)
	p.fallback(d, t)
	if metadata, ok := t.member("metadata"); ok && metadata.kind != object && metadata.kind != null {
		p.fail("metadata", "is an object, not %s", metadata.kind)
	}
	d.reachable = make([]bool, len(d.variants))
	targeting, ok := t.member("targeting")
	switch {
	case !ok, targeting.kind == null, targeting.kind == object && len(targeting.items) == 0:
		if len(d.variants) > 0 {
			d.reachable[d.fallback] = true
		}
		return d
	case targeting.kind == list:
		p.fail("targeting", "is an expression, not a list")
		return d
	}
	before := len(p.faults)
	d.targeting = p.expression(targeting, "targeting")
	d.attributes = p.attributes
	if len(p.faults) == before && len(d.variants) > 0 {
		d.bucket = bucketName(targeting)
		p.results(d, d.targeting, targeting, "targeting")
	}
	return d
}

func (p *parser) state(t tree) (disabled bool) {
	state, ok := t.member("state")
	switch {
	case !ok:
		p.fail("state", "is missing: it is ENABLED or DISABLED")
	case state.kind != text:
		p.fail("state", "is ENABLED or DISABLED, not %s", state.kind)
	case state.text != "ENABLED" && state.text != "DISABLED":
		p.fail("state", "is ENABLED or DISABLED, not %q", state.text)
	}
	return state.text == "DISABLED"
}

func (p *parser) variants(d *Definition, t tree) {
	variants, ok := t.member("variants")
	switch {
	case !ok:
		p.fail("variants", `is missing: it names the stages, such as {"shadow":"shadow","live":"live"}`)
		return
	case variants.kind != object:
		p.fail("variants", "is an object of stages by name, not %s", variants.kind)
		return
	case len(variants.items) == 0, len(variants.items) > mostVariants:
		p.fail("variants", "has %d variants, not 1 to %d", len(variants.items), mostVariants)
		return
	}
	for i, name := range variants.names {
		item, path := variants.items[i], join("variants", name)
		stage := Stage(item.text)
		switch {
		case !nameable(name):
			p.fail(path, "a variant's name is made of letters, digits and _ . : / -")
		case item.kind != text:
			p.fail(path, "is a stage, as a string, not %s", item.kind)
		case stage == Hold:
			p.fail(path, "hold is no stage to be at: a shift makes it of the keys that it moves")
		case !stage.Valid():
			p.fail(path, "%q is no stage; there are off, mirrored, shadow, live, complete", item.text)
		}
		d.variants = append(d.variants, variant{name: name, stage: stage})
	}
}

// nameable says whether a name stays the same on its way through flagd, which writes it as JSON and takes the quotes off.
func nameable(name string) bool {
	return name != "" && strings.IndexFunc(name, func(r rune) bool {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return false
		default:
			return !strings.ContainsRune("_.:/-", r)
		}
	}) < 0
}

func (p *parser) fallback(d *Definition, t tree) {
	name, ok := t.member("defaultVariant")
	switch {
	case !ok || name.kind == null:
		p.fail("defaultVariant", "is missing: it names the variant of keys that the targeting says nothing about")
		return
	case name.kind != text:
		p.fail("defaultVariant", "is a variant's name, not %s", name.kind)
		return
	}
	i := slices.IndexFunc(d.variants, func(v variant) bool { return v.name == name.text })
	if i < 0 && len(d.variants) > 0 {
		p.fail("defaultVariant", "there is no variant %q", name.text)
	}
	d.fallback = max(i, 0)
}

// results marks the variants that an expression can give where the targeting's result comes from, and refuses what is no
// variant.
func (p *parser) results(d *Definition, e expression, t tree, path string) {
	argument, inner := tree{}, path
	if t.kind == object {
		argument, inner = t.items[0], join(path, t.names[0])
	}
	switch e := e.(type) {
	case literal:
		if e.v.kind == null {
			d.reachable[d.fallback] = true
			return
		}
		i := d.place(e.v)
		if i < 0 {
			p.fail(path, "gives %s, which is no variant", describeScalar(e.v))
			return
		}
		d.reachable[i] = true
	case conditional:
		if len(e.clauses)%2 == 0 || e.kinds()&failed != 0 {
			d.reachable[d.fallback] = true
		}
		for i, clause := range e.clauses {
			if i%2 == 1 || i == len(e.clauses)-1 {
				p.results(d, clause, argument.items[i], index(inner, i))
			}
		}
	case fractional:
		// Three of all hashes are in no share.
		d.reachable[d.fallback] = true
		first := len(argument.items) - len(e.shares)
		for i, s := range e.shares {
			v := d.place(textValue(s.text))
			if v < 0 {
				p.fail(index(index(inner, first+i), 0), "there is no variant %q", s.text)
				continue
			}
			d.reachable[v] = d.reachable[v] || i == 0 && s.end > 0 || i > 0 && s.end > e.shares[i-1].end
		}
	case comparison, contains, affix, not:
		p.booleans(d, e, inner)
	default:
		// What it gives shows at evaluation only.
		for i := range d.reachable {
			d.reachable[i] = true
		}
	}
}

// booleans marks what an expression gives that is true or false.
func (p *parser) booleans(d *Definition, e expression, path string) {
	for _, b := range []bool{true, false} {
		i := d.place(boolValue(b))
		if i < 0 {
			p.fail(path, "gives true or false, and there is no variant %t: name the variants by an if", b)
			return
		}
		d.reachable[i] = true
	}
	if e.kinds()&(null|failed) != 0 {
		d.reachable[d.fallback] = true
	}
}

// bucketName gives the text of the expression that a fractional distributes keys by. It is the same for two that find the
// same buckets, if their text is.
func bucketName(targeting tree) string {
	if targeting.kind != object || len(targeting.items[0].items) == 0 {
		return ""
	}
	first := targeting.items[0].items[0]
	if first.kind == list {
		first = tree{kind: null}
	}
	return string(write(first.plain()))
}

func describeScalar(v value) string {
	if v.kind == text {
		return `"` + v.text + `"`
	}
	return variantName(v)
}
