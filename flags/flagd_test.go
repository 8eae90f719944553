package flags_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/open-feature/flagd/core/pkg/evaluator"
	"github.com/open-feature/flagd/core/pkg/logger"
	"github.com/open-feature/flagd/core/pkg/store"
	"github.com/open-feature/flagd/core/pkg/sync"
	"go.uber.org/zap"

	"banyan.dev/banyan/flags"
)

// flagd evaluates definitions, by flag key, with flagd itself.
func flagd(t testing.TB, definitions map[string]json.RawMessage) *evaluator.JSON {
	t.Helper()
	log := logger.NewLogger(zap.NewNop(), false)
	kept, err := store.NewStore(log, []string{"test"})
	if err != nil {
		t.Fatal(err)
	}
	e := evaluator.NewJSON(log, kept)
	document, err := json.Marshal(map[string]any{"flags": definitions})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.SetState(sync.DataSync{FlagData: string(document), Source: "test"}); err != nil {
		t.Fatal(err)
	}
	return e
}

// sameAsFlagd evaluates one definition for one context by both.
func sameAsFlagd(t *testing.T, e *evaluator.JSON, name string, raw json.RawMessage, d *flags.Definition, key string, attributes map[string]any) (failed bool) {
	t.Helper()
	about := map[string]any{}
	maps.Copy(about, attributes)
	about["targetingKey"] = key
	stage, variant, _, _, err := e.ResolveStringValue(t.Context(), "", name, about)
	got := d.Evaluate(name, key, attributes)
	if err != nil {
		var fallback struct{ DefaultVariant string }
		if json.Unmarshal(raw, &fallback); got.Err == nil || got.Variant != fallback.DefaultVariant {
			t.Errorf("%s for %q, %v: flagd fails (%v), we give %+v\n%s", name, key, attributes, err, got, raw)
		}
		return true
	}
	if got.Err != nil || got.Variant != variant || string(got.Stage) != stage {
		t.Errorf("%s for %q, %v: flagd gives %s (%s), we give %+v\n%s", name, key, attributes, variant, stage, got, raw)
	}
	if !slices.Contains(d.Stages(), got.Stage) {
		t.Errorf("%s is not among the stages %v that the definition can give\n%s", got.Stage, d.Stages(), raw)
	}
	return false
}

// TestSameAsFlagd compares random definitions and contexts with flagd.
func TestSameAsFlagd(t *testing.T) {
	seed := rand.Uint64()
	g := generator{rand.New(rand.NewPCG(seed, 0))}
	defer func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	}()
	definitions, compiled, refused := map[string]json.RawMessage{}, map[string]*flags.Definition{}, 0
	for i := range 1500 {
		raw, err := json.Marshal(g.definition())
		if err != nil {
			t.Fatal(err)
		}
		d, err := flags.Parse(raw)
		if err != nil { // such as a result that is no variant
			refused++
			continue
		}
		name := fmt.Sprintf("flag%d", i)
		definitions[name], compiled[name] = raw, d
	}
	if len(compiled) < 800 {
		t.Fatalf("%d of 1500 random definitions were refused: they are not random enough", refused)
	}
	e, failed, results := flagd(t, definitions), 0, map[flags.Stage]int{}
	for name, d := range compiled {
		for range 5 {
			key, attributes := g.key(), g.attributes()
			if sameAsFlagd(t, e, name, definitions[name], d, key, attributes) {
				failed++
			}
			results[d.Evaluate(name, key, attributes).Stage]++
		}
	}
	if failed > len(compiled)*5/10 {
		t.Errorf("%d of %d evaluations failed in both: too many to learn from", failed, len(compiled)*5)
	}
	t.Logf("%d definitions, %d refused, %d evaluations failed in both; results: %v", len(compiled), refused, failed, results)
}

// TestSharesSameAsFlagd compares shares, and the edges of their buckets, on many keys.
func TestSharesSameAsFlagd(t *testing.T) {
	definitions, compiled := map[string]json.RawMessage{}, map[string]*flags.Definition{}
	for percent := range 101 {
		name := fmt.Sprintf("share%d", percent)
		definitions[name] = flags.Share(flags.Live, percent)
		d, err := flags.Parse(definitions[name])
		if err != nil {
			t.Fatal(err)
		}
		compiled[name] = d
	}
	e, counts := flagd(t, definitions), map[string]int{}
	for i := range 40 {
		for name, d := range compiled {
			key := fmt.Sprintf("customer %d", i)
			sameAsFlagd(t, e, name, definitions[name], d, key, nil)
		}
	}
	for i := range 10000 {
		for name, d := range compiled {
			if d.Evaluate("orders", fmt.Sprintf("customer %d", i), nil).Stage == flags.Live {
				counts[name]++
			}
		}
	}
	for percent := range 101 {
		if got := counts[fmt.Sprintf("share%d", percent)]; got < percent*100-300 || got > percent*100+300 {
			t.Errorf("a share of %d%% has %d of 10000 keys", percent, got)
		}
	}
}

type generator struct{ *rand.Rand }

func pick[T any](g generator, from ...T) T { return from[g.IntN(len(from))] }

func (g generator) definition() map[string]any {
	variants := map[string]string{"off": "off", "on": "live", "live": "live", "shadow": "shadow"}
	if g.IntN(3) == 0 {
		variants["true"], variants["false"], variants["1"], variants["2.5"] = "live", "mirrored", "complete", "off"
	}
	d := map[string]any{
		"state": "ENABLED", "variants": variants, "defaultVariant": pick(g, slices.Sorted(maps.Keys(variants))...),
	}
	if g.IntN(20) > 0 {
		d["targeting"] = g.result(3)
	}
	return d
}

// result makes an expression that mostly gives a variant.
func (g generator) result(depth int) any {
	if depth == 0 {
		return pick[any](g, "off", "on", "live", "shadow", "shadow", nil)
	}
	switch g.IntN(9) {
	case 0:
		return pick[any](g, "off", "on", "live", "shadow", nil)
	case 1, 2, 3:
		return g.shares()
	case 4:
		return g.value(depth)
	default:
		var clauses []any
		for range 1 + g.IntN(3) {
			clauses = append(clauses, g.condition(depth-1), g.result(depth-1))
		}
		if g.IntN(4) > 0 {
			clauses = append(clauses, g.result(depth-1))
		}
		return map[string]any{"if": clauses}
	}
}

func (g generator) shares() any {
	var list []any
	switch g.IntN(5) {
	case 0, 1:
		list = append(list, g.bucket())
	case 2:
		list = append(list, nil)
	case 3:
		list = append(list, map[string]any{"cat": []any{map[string]any{"var": "$flagd.flagKey"}, map[string]any{"var": "targetingKey"}}})
	}
	for range 2 + g.IntN(3) {
		share := []any{pick(g, "off", "on", "live", "shadow")}
		if g.IntN(4) > 0 {
			share = append(share, pick(g, 0, 1, 3, 25, 50, 75, g.IntN(1000)))
		}
		list = append(list, share)
	}
	return map[string]any{"fractional": list}
}

// bucket gives no list: flagd takes one for a share.
func (g generator) bucket() any {
	switch g.IntN(4) {
	case 0:
		return map[string]any{"cat": []any{g.value(0), g.variable()}}
	case 1:
		return pick(g, "a", "", "seed")
	case 2:
		return map[string]any{"if": []any{g.condition(1), map[string]any{"var": pick(g, "tier", "country")}}}
	default:
		return map[string]any{"var": pick(g, "tier", "country", "targetingKey", "none")}
	}
}

func (g generator) condition(depth int) any {
	if depth <= 0 {
		return pick[any](g, true, false, g.variable(), g.variable())
	}
	op := pick(g, "==", "!=", "===", "!==", "<", "<=", ">", ">=", "in", "in", "starts_with", "ends_with", "and", "or", "!")
	switch op {
	case "and", "or":
		var args []any
		for range 1 + g.IntN(3) {
			args = append(args, pick(g, g.condition(depth-1), g.value(depth-1)))
		}
		return map[string]any{op: args}
	case "!":
		return map[string]any{op: pick[any](g, g.condition(depth-1), []any{g.condition(depth - 1)}, []any{g.value(depth - 1)})}
	case "in":
		return map[string]any{op: []any{g.value(depth - 1), pick[any](g, g.text(1), g.variable(), []any{}, []any{"a", "bob", 1, "2"}, []any{1, 2.5, true, nil})}}
	case "starts_with", "ends_with":
		return map[string]any{op: []any{g.text(depth - 1), g.text(depth - 1)}}
	}
	args := []any{g.value(depth - 1), g.value(depth - 1)}
	if (op[0] == '<' || op[0] == '>') && g.IntN(3) == 0 {
		args = append(args, g.value(depth-1))
	}
	return map[string]any{op: args}
}

func (g generator) value(depth int) any {
	if depth > 0 && g.IntN(3) == 0 {
		return pick(g, g.condition(depth-1), g.shares(), g.text(depth))
	}
	return pick[any](g, g.variable(), g.variable(), "a", "bob", "", " ", "2", "2.5", "x1", 0, 1, 2.5, -3, 1e21, true, false, nil)
}

func (g generator) text(depth int) any {
	if depth > 0 && g.IntN(3) == 0 {
		var args []any
		for range 1 + g.IntN(3) {
			args = append(args, g.value(0))
		}
		return map[string]any{"cat": args}
	}
	if g.IntN(10) == 0 {
		return map[string]any{"cat": g.variable()}
	}
	return pick[any](g, "a", "bob", "", "2", g.variable())
}

func (g generator) variable() any {
	name := pick(g, "targetingKey", "$flagd.flagKey", "tier", "country", "count", "some.deep.part", "roles", "roles.1", "roles.x", "none", ".tier.")
	switch g.IntN(4) {
	case 0:
		return map[string]any{"var": []any{name}}
	case 1:
		return map[string]any{"var": []any{name, pick[any](g, "a", 3, true, nil)}}
	default:
		return map[string]any{"var": name}
	}
}

func (g generator) key() string {
	return pick(g, "", "a", "bob", "2", " padded ", "Zürich", "2.5", fmt.Sprintf("customer-%d", g.IntN(100000)), fmt.Sprint(g.IntN(1000)))
}

func (g generator) attributes() map[string]any {
	a := map[string]any{}
	if g.IntN(5) == 0 {
		return nil
	}
	for _, name := range []string{"tier", "country", "count", "some", "roles", "targetingKey", "$flagd"} {
		if g.IntN(3) == 0 {
			continue
		}
		if name == "tier" || name == "country" {
			a[name] = pick[any](g, "a", "bob", "live", "off", "", " x ", "2", 2, 2.5, true, nil, map[string]any{}, map[string]any{"a": 1, "b": 2})
			continue
		}
		a[name] = pick[any](g, "a", "bob", "live", "", " x ", "2", 2, 2.5, int8(3), float32(0.1), true, false, nil,
			[]any{"bob", 1}, []string{"a", "live"}, []any{[]any{1, 3}}, []any{nil, true}, map[string]any{"deep": map[string]any{"part": "bob"}},
			map[string]string{"deep": "x"}, struct{ Deep string }{"x"}, uint64(1<<63))
	}
	return a
}
