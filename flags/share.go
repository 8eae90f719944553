package flags

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Uniform is the definition that puts all keys at a stage.
func Uniform(stage Stage) json.RawMessage {
	return write(map[string]any{
		"state": "ENABLED", "variants": map[string]Stage{string(stage): stage}, "defaultVariant": stage,
	})
}

// Share is the definition that puts percent of the keys at a stage, and the others at the stage before it. A key that has
// come along stays along when percent grows. 100 or more is all of them, as Uniform has it; 0 or less is none.
func Share(to Stage, percent int) json.RawMessage {
	before := to.Before()
	switch {
	case percent >= 100 || before == to:
		return Uniform(to)
	case percent <= 0:
		return Uniform(before)
	}
	key := map[string]any{"cat": []any{map[string]any{"var": "$flagd.flagKey"}, map[string]any{"var": "targetingKey"}}}
	return write(map[string]any{
		"state":          "ENABLED",
		"variants":       map[string]Stage{string(to): to, string(before): before},
		"defaultVariant": before,
		"targeting":      map[string]any{"fractional": []any{key, []any{to, percent}, []any{before, 100 - percent}}},
	})
}

// write gives JSON of what always can be.
func write(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic("flags: " + err.Error())
	}
	return b
}

// Describe says in words which stages a definition gives, the furthest first: "shadow", "live 25%, shadow 75%", "live,
// shadow by targeting". Of what is no definition it says so.
func Describe(def json.RawMessage) string {
	d, err := Parse(def)
	if err != nil {
		return "not readable"
	}
	return d.Describe()
}

// Describe says in words which stages the definition gives.
func (d *Definition) Describe() string {
	if d.disabled {
		return "off (disabled)"
	}
	if stage, ok := d.Whole(); ok {
		return string(stage)
	}
	s, ok := d.scale()
	var words []string
	stages := d.Stages()
	slices.Reverse(stages)
	for _, stage := range stages {
		if !ok {
			words = append(words, string(stage))
			continue
		}
		if percent := s.percent(stage); percent > 0 {
			words = append(words, fmt.Sprintf("%s %.4g%%", stage, percent))
		}
	}
	if !ok {
		return strings.Join(words, ", ") + " by targeting"
	}
	return strings.Join(words, ", ")
}

// scale is a definition that puts keys at stages by their bucket only: those below a mark's end, and not below the end of
// the mark before. The last mark has no end.
type scale struct {
	// bucket says how a key's bucket is found; keys of two scales can be compared where it is the same. It is empty where
	// all keys are at one stage.
	bucket string
	marks  []mark
}

type mark struct {
	end   float64
	stage Stage
}

// scale gives the definition as a scale; ok is false where it is none.
func (d *Definition) scale() (s scale, ok bool) {
	if stage, ok := d.Whole(); ok {
		return scale{marks: []mark{{math.Inf(1), stage}}}, true
	}
	e, ok := d.targeting.(fractional)
	if !ok || e.bucket != nil && e.bucket.kinds() != text {
		return scale{}, false
	}
	s.bucket = d.bucket
	for _, share := range e.shares {
		s.marks = append(s.marks, mark{share.end, d.variants[d.place(textValue(share.text))].stage})
	}
	s.marks = append(s.marks, mark{math.Inf(1), d.variants[d.fallback].stage})
	return s, true
}

// percent is a stage's part of the buckets up to 100.
func (s scale) percent(stage Stage) float64 {
	var sum, from float64
	for _, m := range s.marks {
		to := min(m.end, 100)
		if m.stage == stage {
			sum += to - from
		}
		from = to
	}
	if sum < 1e-9 { // what is left over between shares by rounding
		return 0
	}
	return sum
}

// Moves says whether a key may change its side when one definition takes another's place: forward from legacy to modern,
// backward from modern to legacy. It is exact where both go by shares of the same buckets, or put all keys at one stage;
// else it says of what can't be excluded that it may be.
func Moves(from, to *Definition) (forward, backward bool) {
	if from.Equal(to) {
		return false, false
	}
	a, aOK := from.scale()
	b, bOK := to.scale()
	if aOK && bOK && (a.bucket == b.bucket || a.bucket == "" || b.bucket == "") {
		return along(a.marks, b.marks)
	}
	legacy, modern := sides(from)
	toLegacy, toModern := sides(to)
	return legacy && toModern, modern && toLegacy
}

// along compares two scales bucket by bucket.
func along(a, b []mark) (forward, backward bool) {
	below := 0.0
	for len(a) > 0 && len(b) > 0 {
		end := min(a[0].end, b[0].end)
		if end > below {
			was, is := a[0].stage.Authority(), b[0].stage.Authority()
			forward = forward || was == Legacy && is == Modern
			backward = backward || was == Modern && is == Legacy
			below = end
		}
		if a[0].end <= end {
			a = a[1:]
		}
		if b[0].end <= end {
			b = b[1:]
		}
	}
	return forward, backward
}

// sides says which sides a definition can give.
func sides(d *Definition) (legacy, modern bool) {
	for _, stage := range d.Stages() {
		if stage.Authority() == Modern {
			modern = true
		} else {
			legacy = true
		}
	}
	return legacy, modern
}
