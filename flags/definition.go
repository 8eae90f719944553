package flags

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"

	"github.com/open-feature/go-sdk/openfeature"
)

// Definition is a flagd flag definition, compiled. It does not change, and is safe for concurrent use.
type Definition struct {
	disabled bool
	variants []variant
	// fallback is the place of the default variant.
	fallback int
	// targeting is nil where there is none.
	targeting expression
	// reachable says which variants can be given.
	reachable []bool
	// bucket is what the targeting distributes keys by, where it is a fractional.
	bucket string
	// attributes are those that the targeting looks at.
	attributes []string
	// canonical is the same for definitions that say the same.
	canonical []byte
}

type variant struct {
	name  string
	stage Stage
}

// Evaluation is what a definition gives.
type Evaluation struct {
	Stage Stage
	// Variant is its name; empty of a disabled flag, which is Off.
	Variant string
	Reason  openfeature.Reason
	// Err says why the targeting gave nothing that could be used; the stage is that of the default variant then.
	Err error
}

// What targeting can fail at. A key whose targeting fails is at the default variant's stage, always.
var (
	ErrTargeting = errors.New("the targeting could not be evaluated: an operator got a value of a type that it doesn't take")
	ErrVariant   = errors.New("the targeting gave what is no variant's name")
)

// Parse reads a flag's definition in flagd's format: what stands under a flag's key in flagd's JSON. Its variants are
// stages. What is wrong, or not supported, is an error that names the place; all such places are named together.
func Parse(def json.RawMessage) (*Definition, error) {
	t, err := readTree(def)
	if err != nil {
		return nil, err
	}
	if t.kind != object {
		return nil, at("", "is %s, not an object with state, variants, defaultVariant and targeting", t.kind)
	}
	p := parser{}
	d := p.definition(t)
	if err := errors.Join(p.faults...); err != nil {
		return nil, err
	}
	d.canonical = canonical(t)
	return d, nil
}

// canonical writes what counts of a definition in one form: members in the order of their names, numbers alike.
func canonical(t tree) []byte {
	counting := tree{kind: object}
	for i, name := range t.names {
		empty := t.items[i].kind == null || t.items[i].kind == object && len(t.items[i].items) == 0
		if name == "metadata" || name == "targeting" && empty {
			continue
		}
		counting.names, counting.items = append(counting.names, name), append(counting.items, t.items[i])
	}
	return write(counting.plain())
}

// Equal says whether two definitions say the same. Metadata does not count.
func (d *Definition) Equal(other *Definition) bool { return bytes.Equal(d.canonical, other.canonical) }

// Evaluate gives what flagd gives for a context of a targeting key and attributes, which may be nil. Where flagd gives an
// error, so that its caller's default counts, Evaluate gives the default variant and the error; a disabled flag is Off.
func (d *Definition) Evaluate(flagKey, targetingKey string, attributes map[string]any) Evaluation {
	if d.disabled {
		return Evaluation{Stage: Off, Reason: openfeature.DisabledReason}
	}
	if d.targeting == nil {
		return d.given(d.fallback, openfeature.StaticReason, nil)
	}
	v := d.targeting.eval(input{flag: flagKey, key: targetingKey, attrs: attributes})
	switch v.kind {
	case null:
		return d.given(d.fallback, openfeature.DefaultReason, nil)
	case failed:
		return d.given(d.fallback, openfeature.ErrorReason, ErrTargeting)
	}
	if i := d.place(v); i >= 0 {
		return d.given(i, openfeature.TargetingMatchReason, nil)
	}
	return d.given(d.fallback, openfeature.ErrorReason, ErrVariant)
}

func (d *Definition) given(i int, reason openfeature.Reason, err error) Evaluation {
	return Evaluation{Stage: d.variants[i].stage, Variant: d.variants[i].name, Reason: reason, Err: err}
}

// place finds the variant that targeting names; -1: none.
func (d *Definition) place(v value) int {
	name := v.text
	switch v.kind {
	case text:
	case boolean, number:
		name = variantName(v)
	default:
		return -1
	}
	return slices.IndexFunc(d.variants, func(v variant) bool { return v.name == name })
}

// variantName is the variant that a boolean or a number stands for: its JSON.
func variantName(v value) string {
	var b []byte
	if v.kind == boolean {
		b, _ = json.Marshal(v.bool)
	} else {
		b, _ = json.Marshal(v.num)
	}
	return string(b)
}

// Attributes gives the names of the context's attributes that the targeting looks at, in the order of the text.
func (d *Definition) Attributes() []string { return slices.Clone(d.attributes) }

// Stages gives all stages that the definition can give, in their order. It may have one that no key gets, but none is
// missing.
func (d *Definition) Stages() []Stage {
	if d.disabled {
		return []Stage{Off}
	}
	var stages []Stage
	for i, v := range d.variants {
		if d.reachable[i] {
			stages = append(stages, v.stage)
		}
	}
	slices.SortFunc(stages, func(a, b Stage) int { return a.Rank() - b.Rank() })
	return slices.Compact(stages)
}

// Whole gives the stage that all keys are at; ok is false where there may be several.
func (d *Definition) Whole() (stage Stage, ok bool) {
	stages := d.Stages()
	if len(stages) != 1 {
		return "", false
	}
	return stages[0], true
}
