package flags_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"banyan.dev/banyan/flags"
)

func compile(t testing.TB, phase flags.Phase, from, to json.RawMessage) *flags.Compiled {
	t.Helper()
	c, err := flags.Compile(flags.Flag{Capability: "orders", Version: 7, Phase: phase, From: from, To: to})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// describe says a decision in short: stage, what it reads, mixed.
func describe(d flags.Decision) string {
	s := string(d.Stage) + " " + d.Reads.String()
	if d.Mixed {
		s += " mixed"
	}
	return s
}

func TestDecide(t *testing.T) {
	shadow, live, complete := flags.Uniform(flags.Shadow), flags.Uniform(flags.Live), flags.Uniform(flags.Complete)
	byKey := json.RawMessage(definition(`{"if":[{"==":[{"var":"targetingKey"},"a"]},"live"]}`))
	both := json.RawMessage(definition(`{"if":[{"in":[{"var":"targetingKey"},["a","b"]]},"live"]}`))
	lower := json.RawMessage(definition(`{"if":[{"==":[{"var":"targetingKey"},"a"]},"live","off"]}`))
	for _, test := range []struct {
		phase            flags.Phase
		from, to         json.RawMessage
		a, b, c, unkeyed string
	}{
		{flags.Steady, shadow, shadow, "shadow legacy", "shadow legacy", "shadow legacy", "shadow legacy"},
		{flags.Steady, live, live, "live modern", "live modern", "live modern", "live modern"},
		{flags.Steady, byKey, byKey, "live modern", "shadow legacy", "shadow legacy", "shadow legacy mixed"},
		{flags.Steady, lower, lower, "live modern", "off legacy", "off legacy", "off legacy mixed"},
		{flags.HoldLegacy, shadow, live, "hold legacy", "hold legacy", "hold legacy", "hold legacy"},
		{flags.HoldTarget, shadow, live, "hold modern", "hold modern", "hold modern", "hold modern"},
		{flags.HoldLegacy, live, shadow, "hold legacy", "hold legacy", "hold legacy", "hold legacy"},
		{flags.HoldTarget, live, shadow, "hold legacy", "hold legacy", "hold legacy", "hold legacy"},
		{flags.HoldLegacy, shadow, byKey, "hold legacy", "shadow legacy", "shadow legacy", "shadow legacy mixed"},
		{flags.HoldTarget, shadow, byKey, "hold modern", "shadow legacy", "shadow legacy", "shadow legacy mixed"},
		{flags.HoldTarget, byKey, both, "live modern", "hold modern", "shadow legacy", "shadow legacy mixed"},
		{flags.HoldLegacy, both, lower, "live modern", "hold legacy", "off legacy", "off legacy mixed"},
		{flags.HoldTarget, byKey, live, "live modern", "hold modern", "hold modern", "hold legacy mixed"},
		{flags.HoldLegacy, live, complete, "complete modern", "complete modern", "complete modern", "complete modern"},
	} {
		c := compile(t, test.phase, test.from, test.to)
		name := fmt.Sprintf("%s, from %s to %s", test.phase, flags.Describe(test.from), flags.Describe(test.to))
		for key, want := range map[string]string{"a": test.a, "b": test.b, "c": test.c} {
			got := c.Decide(key)
			if describe(got) != want || got.Version != 7 {
				t.Errorf("%s: %s is %+v, want %s", name, key, got, want)
			}
		}
		if got := c.DecideUnkeyed(); describe(got) != test.unkeyed || got.Version != 7 {
			t.Errorf("%s: without a key it is %+v, want %s", name, got, test.unkeyed)
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	shadow := flags.Uniform(flags.Shadow)
	good := flags.Flag{Capability: "orders", Version: 3, Phase: flags.Steady, From: shadow, To: shadow}
	for _, test := range []struct {
		change func(*flags.Flag)
		want   string
	}{
		{func(f *flags.Flag) { f.Capability = "" }, "a capability's name is UTF-8"},
		{func(f *flags.Flag) { f.Version = 0 }, "versions count from 1"},
		{func(f *flags.Flag) { f.Version = math.MaxInt64 + 1 }, "have 63 bits"},
		{func(f *flags.Flag) { f.Phase = "hold" }, `there is no phase "hold"; there are steady, hold-legacy, hold-target`},
		{func(f *flags.Flag) { f.From = nil }, "from: the definition is empty"},
		{func(f *flags.Flag) { f.To = json.RawMessage(`{"state":1}`) }, "to: state: is ENABLED or DISABLED"},
		{func(f *flags.Flag) { f.To = flags.Uniform(flags.Live) }, "from and to differ (shadow, live)"},
		{func(f *flags.Flag) {
			f.Phase, f.To = flags.HoldLegacy, json.RawMessage(definition(`{"if":[{"==":[{"var":"tier"},"gold"]},"live"]}`))
		}, `to: the targeting looks at "tier": a capability's flag goes by targetingKey`},
	} {
		f := good
		test.change(&f)
		_, err := flags.Compile(f)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), fmt.Sprintf("flag %q, version %d", f.Capability, f.Version)) {
			t.Errorf("%v\nwant: %s", err, test.want)
		}
	}
	if _, err := flags.Compile(good); err != nil {
		t.Error(err)
	}
}

// TestDecisionsAreFree holds decisions to what their place on each request's path allows.
func TestDecisionsAreFree(t *testing.T) {
	c := compile(t, flags.HoldLegacy, flags.Share(flags.Live, 25), flags.Share(flags.Live, 50))
	if n := testing.AllocsPerRun(100, func() { c.Decide("customer-4711") }); n > 0 {
		t.Errorf("a decision allocates %v times", n)
	}
}

func BenchmarkDecide(b *testing.B) {
	list := json.RawMessage(definition(`{"if":[{"in":[{"var":"targetingKey"},["a","b","c","customer-4711"]]},"live"]}`))
	for _, bench := range []struct {
		name  string
		phase flags.Phase
		from  json.RawMessage
		to    json.RawMessage
	}{
		{"uniform", flags.Steady, flags.Uniform(flags.Live), flags.Uniform(flags.Live)},
		{"share", flags.Steady, flags.Share(flags.Live, 25), flags.Share(flags.Live, 25)},
		{"list", flags.Steady, list, list},
		{"moving", flags.HoldLegacy, flags.Share(flags.Live, 25), flags.Share(flags.Live, 50)},
	} {
		b.Run(bench.name, func(b *testing.B) {
			c := compile(b, bench.phase, bench.from, bench.to)
			b.ReportAllocs()
			for b.Loop() {
				c.Decide("customer-4711")
			}
		})
	}
}
