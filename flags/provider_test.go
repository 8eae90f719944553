package flags_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/open-feature/go-sdk/openfeature"
	"go.uber.org/goleak"

	"banyan.dev/banyan/flags"
)

func steady(capability string, version uint64, to json.RawMessage) flags.Flag {
	return flags.Flag{Capability: capability, Version: version, Phase: flags.Steady, From: to, To: to}
}

// client makes an OpenFeature client of a provider, in a domain of the test's own.
func client(t testing.TB, p *flags.Provider) *openfeature.Client {
	t.Helper()
	if err := openfeature.SetNamedProviderAndWait(t.Name(), p); err != nil {
		t.Fatal(err)
	}
	return openfeature.NewClient(t.Name())
}

func provider(t testing.TB, given ...flags.Flag) *flags.Provider {
	t.Helper()
	p := flags.NewProvider(nil)
	p.SetLease(time.Now().Add(time.Hour))
	if err := p.Set(given); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestEvaluationsByOpenFeature(t *testing.T) {
	byKey := json.RawMessage(definition(`{"if":[{"==":[{"var":"targetingKey"},"a"]},"live"]}`))
	p := provider(t, steady("orders", 7, byKey),
		flags.Flag{Capability: "carts", Version: 9, Phase: flags.HoldTarget, From: flags.Uniform(flags.Shadow), To: flags.Uniform(flags.Live)})
	c := client(t, p)
	for _, test := range []struct {
		flag, key, want string
	}{
		{"orders", "a", "live live TARGETING_MATCH 7 modern false"},
		{"orders", "b", "shadow shadow DEFAULT 7 legacy false"},
		{"orders", "", "shadow shadow DEFAULT 7 legacy true"},
		{"carts", "a", "hold hold MOVING 9 modern false"},
		{"carts", "", "hold hold MOVING 9 modern false"},
	} {
		about := openfeature.NewEvaluationContext(test.key, map[string]any{"tier": "gold"})
		d, err := c.StringValueDetails(t.Context(), test.flag, "off", about)
		if err != nil {
			t.Fatal(err)
		}
		version, _ := d.FlagMetadata.GetInt("version")
		reads, _ := d.FlagMetadata.GetString("reads")
		mixed, err := d.FlagMetadata.GetBool("mixed")
		if got := fmt.Sprint(d.Value, " ", d.Variant, " ", d.Reason, " ", version, " ", reads, " ", mixed); got != test.want || err != nil {
			t.Errorf("%s for %q: %s (%v), want %s", test.flag, test.key, got, err, test.want)
		}
	}
}

func TestRefusedEvaluations(t *testing.T) {
	p := provider(t, steady("orders", 1, flags.Uniform(flags.Live)))
	c := client(t, p)
	about := openfeature.NewEvaluationContext("a", nil)
	code := func(d openfeature.ResolutionDetail, err error) openfeature.ErrorCode {
		if err == nil {
			t.Error("no error")
		}
		return d.ErrorCode
	}
	unknown, err := c.StringValueDetails(t.Context(), "carts", "off", about)
	if got := code(unknown.ResolutionDetail, err); got != openfeature.FlagNotFoundCode || unknown.Value != "off" {
		t.Errorf("unknown: %s, %s", got, unknown.Value)
	}
	noText, err := c.StringValueDetails(t.Context(), "orders", "off", openfeature.NewTargetlessEvaluationContext(map[string]any{"targetingKey": 5}))
	if got := code(noText.ResolutionDetail, err); got != openfeature.InvalidContextCode {
		t.Errorf("a key that is no string: %s", got)
	}
	boolean, err := c.BooleanValueDetails(t.Context(), "orders", true, about)
	float, floatErr := c.FloatValueDetails(t.Context(), "orders", 1, about)
	integer, intErr := c.IntValueDetails(t.Context(), "orders", 1, about)
	anything, anyErr := c.ObjectValueDetails(t.Context(), "orders", "x", about)
	for _, got := range []openfeature.ErrorCode{
		code(boolean.ResolutionDetail, err), code(float.ResolutionDetail, floatErr),
		code(integer.ResolutionDetail, intErr), code(anything.ResolutionDetail, anyErr),
	} {
		if got != openfeature.TypeMismatchCode {
			t.Errorf("another type: %s", got)
		}
	}
	p.SetLease(time.Now())
	late, err := c.StringValueDetails(t.Context(), "orders", "off", about)
	if got := code(late.ResolutionDetail, err); got != openfeature.ProviderNotReadyCode || late.Value != "off" {
		t.Errorf("without a lease: %s, %s", got, late.Value)
	}
}

func TestLease(t *testing.T) {
	now := time.Now()
	p := flags.NewProvider(func() time.Time { return now })
	if p.LeaseValid() {
		t.Error("there is a lease at first")
	}
	p.SetLease(now.Add(3 * time.Second))
	now = now.Add(3*time.Second - 1)
	if !p.LeaseValid() {
		t.Error("the lease is over too early")
	}
	now = now.Add(1)
	if p.LeaseValid() {
		t.Error("the lease is over too late")
	}
}

func TestSet(t *testing.T) {
	shadow, live := flags.Uniform(flags.Shadow), flags.Uniform(flags.Live)
	p := provider(t, steady("orders", 5, shadow), steady("carts", 2, shadow))
	for _, test := range []struct {
		name  string
		given []flags.Flag
		older bool
	}{
		{"lower", []flags.Flag{steady("carts", 3, live), steady("orders", 4, live)}, true},
		{"other content", []flags.Flag{steady("carts", 3, live), steady("orders", 5, live)}, true},
		{"lower in one go", []flags.Flag{steady("carts", 4, live), steady("carts", 3, live)}, true},
		{"bad", []flags.Flag{steady("carts", 3, live), steady("orders", 6, json.RawMessage(`{}`))}, false},
	} {
		err := p.Set(test.given)
		if err == nil || errors.Is(err, flags.ErrOlder) != test.older {
			t.Errorf("%s: %v", test.name, err)
		}
		if v := p.Versions(); len(v) != 2 || v["orders"] != 5 || v["carts"] != 2 || p.Flag("carts").Decide("a").Stage != flags.Shadow {
			t.Errorf("%s: it has changed something: %v", test.name, v)
		}
	}
	again := steady("orders", 5, json.RawMessage(`{"defaultVariant":"shadow", "variants":{"shadow":"shadow"}, "state":"ENABLED"}`))
	if err := p.Set([]flags.Flag{again, steady("carts", 9, live)}); err != nil {
		t.Fatal(err)
	}
	if v := p.Versions(); v["orders"] != 5 || v["carts"] != 9 || p.Flag("carts").Decide("a").Stage != flags.Live || p.Flag("none") != nil {
		t.Errorf("it has not taken over: %v", v)
	}
}

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := flags.NewProvider(nil)
		applied, leased := make(chan error, 1), make(chan error, 1)
		go func() { applied <- p.Wait(t.Context(), "orders", 5) }()
		go func() { leased <- p.WaitLease(t.Context()) }()
		for _, version := range []uint64{4, 5} {
			if err := p.Set([]flags.Flag{steady("orders", version, flags.Uniform(flags.Off)), steady("carts", 9, flags.Uniform(flags.Off))}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		p.SetLease(time.Now()) // over already
		synctest.Wait()
		if len(applied)+len(leased) > 0 {
			t.Fatal("it has not waited")
		}
		p.SetLease(time.Now().Add(time.Second))
		if err := <-leased; err != nil {
			t.Error(err)
		}
		if err := p.Set([]flags.Flag{steady("orders", 7, flags.Uniform(flags.Off))}); err != nil {
			t.Fatal(err)
		}
		if err := <-applied; err != nil {
			t.Error(err)
		}
		if err := p.Wait(t.Context(), "orders", 6); err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := p.Wait(ctx, "orders", 7); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if err := p.WaitLease(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

// TestProviderAtOnce lets readers see only whole flags, in the order of their versions, while they change.
func TestProviderAtOnce(t *testing.T) {
	p := provider(t, steady("orders", 1, flags.Uniform(flags.Shadow)))
	const last = 300
	var readers sync.WaitGroup
	var stop atomic.Bool
	for range 4 {
		readers.Go(func() {
			before := int64(0)
			for !stop.Load() {
				d := p.StringEvaluation(t.Context(), "orders", "none", openfeature.FlattenedContext{"targetingKey": "a"})
				version, _ := d.FlagMetadata.GetInt("version")
				want := "shadow"
				if version%2 == 0 {
					want = "live"
				}
				if d.Value != want || version < before {
					t.Errorf("version %d after %d says %s", version, before, d.Value)
					return
				}
				before = version
			}
		})
	}
	readers.Go(func() {
		if err := p.Wait(t.Context(), "orders", last-1); err != nil {
			t.Error(err)
		}
	})
	for version := uint64(2); version <= last; version++ {
		stage := flags.Shadow
		if version%2 == 0 {
			stage = flags.Live
		}
		if err := p.Set([]flags.Flag{steady("orders", version, flags.Uniform(stage))}); err != nil {
			t.Fatal(err)
		}
		p.SetLease(time.Now().Add(time.Hour))
	}
	stop.Store(true)
	readers.Wait()
}

func BenchmarkClient(b *testing.B) {
	p := provider(b, steady("orders", 7, flags.Share(flags.Live, 25)))
	c := client(b, p)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.StringValueDetails(b.Context(), "orders", "off", openfeature.NewEvaluationContext("customer-4711", nil)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkProvider(b *testing.B) {
	p := provider(b, steady("orders", 7, flags.Share(flags.Live, 25)))
	about := openfeature.FlattenedContext{"targetingKey": "customer-4711"}
	b.ReportAllocs()
	for b.Loop() {
		p.StringEvaluation(b.Context(), "orders", "off", about)
	}
}

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}
