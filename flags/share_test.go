package flags_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"banyan.dev/banyan/flags"
)

func parse(t interface {
	Helper()
	Fatal(args ...any)
}, raw json.RawMessage,
) *flags.Definition {
	t.Helper()
	d, err := flags.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDescribe(t *testing.T) {
	for _, test := range []struct {
		definition json.RawMessage
		want       string
	}{
		{flags.Uniform(flags.Shadow), "shadow"},
		{flags.Share(flags.Live, 25), "live 25%, shadow 75%"},
		{flags.Share(flags.Live, 100), "live"},
		{flags.Share(flags.Live, 0), "shadow"},
		{flags.Share(flags.Off, 50), "off"},
		{flags.Share(flags.Mirrored, 1), "mirrored 1%, off 99%"},
		{flags.Share(flags.Complete, 99), "complete 99%, live 1%"},
		{json.RawMessage(definition(`{"if":[{"var":"targetingKey"},"live"]}`)), "live, shadow by targeting"},
		{json.RawMessage(definition(`{"fractional":[["live",1],["off",1],["live",1]]}`)), "live 66.67%, off 33.33%"},
		{json.RawMessage(`{`), "not readable"},
	} {
		if got := flags.Describe(test.definition); got != test.want {
			t.Errorf("%q, want %q, of %s", got, test.want, test.definition)
		}
	}
}

func TestSharesGrow(t *testing.T) {
	var at [101]*flags.Definition
	for percent := range at {
		at[percent] = parse(t, flags.Share(flags.Live, percent))
	}
	for i := range 2000 {
		key, came := fmt.Sprintf("customer-%d", i), false
		for percent, d := range at {
			got := d.Evaluate("orders", key, nil)
			if got.Err != nil || got.Stage != flags.Live && (came || percent == 100) || got.Stage == flags.Live && percent == 0 {
				t.Fatalf("%s at %d%%: %+v", key, percent, got)
			}
			came = got.Stage == flags.Live
		}
	}
}

func TestMoves(t *testing.T) {
	share := func(percent int) json.RawMessage { return flags.Share(flags.Live, percent) }
	byKey := json.RawMessage(definition(`{"if":[{"==":[{"var":"targetingKey"},"a"]},"live"]}`))
	for _, test := range []struct {
		from, to          json.RawMessage
		forward, backward bool
	}{
		{flags.Uniform(flags.Off), flags.Uniform(flags.Shadow), false, false},
		{flags.Uniform(flags.Shadow), flags.Uniform(flags.Live), true, false},
		{flags.Uniform(flags.Complete), flags.Uniform(flags.Off), false, true},
		{flags.Uniform(flags.Live), flags.Uniform(flags.Complete), false, false},
		{share(25), share(25), false, false},
		{share(25), share(26), true, false},
		{share(26), share(25), false, true},
		{share(25), share(100), true, false},
		{share(0), share(1), true, false},
		{share(1), share(0), false, true},
		{share(100), share(99), false, true},
		{share(50), flags.Uniform(flags.Off), false, true},
		{share(50), flags.Share(flags.Shadow, 50), false, true},
		{flags.Share(flags.Mirrored, 50), flags.Share(flags.Shadow, 70), false, false},
		{share(99), flags.Share(flags.Complete, 1), true, false},
		{byKey, byKey, false, false},
		{byKey, flags.Uniform(flags.Shadow), false, true},
		{byKey, flags.Uniform(flags.Live), true, false},
		{byKey, share(50), true, true}, // can't be told
		{share(25), json.RawMessage(definition(`{"fractional":["other",["live",25],["shadow",75]]}`)), true, true},
	} {
		forward, backward := flags.Moves(parse(t, test.from), parse(t, test.to))
		if forward != test.forward || backward != test.backward {
			t.Errorf("%s to %s: forward %t, backward %t", flags.Describe(test.from), flags.Describe(test.to), forward, backward)
		}
	}
}

// TestMovesLeavesNothingOut holds Moves to what becomes of keys.
func TestMovesLeavesNothingOut(t *testing.T) {
	keys := make([]string, 300)
	for i := range keys {
		keys[i] = fmt.Sprintf("customer-%d", i)
	}
	rapid.Check(t, func(t *rapid.T) {
		from, to := parse(t, anyDefinition(t, "from")), parse(t, anyDefinition(t, "to"))
		forward, backward := flags.Moves(from, to)
		for _, key := range keys {
			was, is := from.Evaluate("orders", key, nil).Stage.Authority(), to.Evaluate("orders", key, nil).Stage.Authority()
			if was == flags.Legacy && is == flags.Modern && !forward || was == flags.Modern && is == flags.Legacy && !backward {
				t.Fatalf("%s moves from %s to %s: not told", key, was, is)
			}
		}
	})
}

func anyDefinition(t *rapid.T, label string) json.RawMessage {
	stage := rapid.SampledFrom([]flags.Stage{flags.Off, flags.Mirrored, flags.Shadow, flags.Live, flags.Complete})
	weight := rapid.IntRange(0, 5)
	bucket := rapid.SampledFrom([]string{`null,`, ``, `{"var":"targetingKey"},`}).Draw(t, label+" bucket")
	shares := fmt.Sprintf(`{"fractional":[%s["live",%d],["shadow",%d],["off",%d],["live",1]]}`, bucket,
		weight.Draw(t, label+" live"), weight.Draw(t, label+" shadow"), weight.Draw(t, label+" off"))
	switch rapid.IntRange(0, 3).Draw(t, label) {
	case 0:
		return flags.Uniform(stage.Draw(t, label+" stage"))
	case 1:
		return flags.Share(stage.Draw(t, label+" stage"), rapid.IntRange(0, 100).Draw(t, label+" percent"))
	case 2:
		return json.RawMessage(definition(shares))
	default:
		return json.RawMessage(definition(`{"if":[{"ends_with":[{"var":"targetingKey"},"7"]},"live",` + shares + `]}`))
	}
}

func TestEqual(t *testing.T) {
	a := parse(t, json.RawMessage(`{"state":"ENABLED","variants":{"a":"live","b":"off"},"defaultVariant":"a","targeting":{},"metadata":{"team":"x"}}`))
	b := parse(t, json.RawMessage(`{"defaultVariant":"a", "variants":{"b":"off","a":"live"},"state":"ENABLED"}`))
	if !a.Equal(b) || a.Equal(parse(t, flags.Uniform(flags.Live))) {
		t.Error("what says the same is equal, and nothing else")
	}
	c := parse(t, json.RawMessage(definition(`{"fractional":[["live",25],["off",75.0]]}`)))
	d := parse(t, json.RawMessage(definition(` {"fractional": [["live", 2.5e1], ["off", 75]] } `)))
	if !c.Equal(d) {
		t.Error("numbers are equal however they are written")
	}
}
