package strangler_test

import (
	"context"
	"testing"

	"github.com/open-feature/go-sdk/openfeature"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/strangler"
)

// steady are flags that say the same of all keys.
type steady struct {
	details openfeature.StringEvaluationDetails
}

func newSteady(stage string) *steady {
	s := &steady{}
	s.details.Value = stage
	s.details.FlagMetadata = openfeature.FlagMetadata{"version": int64(7), "reads": "legacy", "mixed": false}
	return s
}

func (s *steady) StringValueDetails(context.Context, string, string, openfeature.EvaluationContext, ...openfeature.Option) (openfeature.StringEvaluationDetails, error) {
	return s.details, nil
}

func (s *steady) Wait(context.Context, string, uint64) error { return nil }
func (s *steady) WaitLease(context.Context) error            { return nil }

// What the Router itself costs a call that legacy answers at once.
func BenchmarkRouter(b *testing.B) {
	reply := &strangler.Reply{Message: contract.FromWire(operation("GetOrder").Output, nil)}
	legacy := strangler.BackendFunc(func(_ context.Context, _ *strangler.Call, send func(*strangler.Reply) error) error {
		return send(reply)
	})
	for _, bench := range []struct{ name, op, stage string }{
		{"read/outside", "GetShop", "mirrored"},
		{"read/mirrored", "GetOrder", "mirrored"},
		{"write/mirrored", "AddLine", "mirrored"},
	} {
		b.Run(bench.name, func(b *testing.B) {
			capability := orders(legacy)
			for _, route := range capability.Routes {
				route.Key = func(context.Context, *strangler.Call) (string, bool, error) { return "c", true, nil }
			}
			say := newSteady(bench.stage)
			router := strangler.NewRouter(strangler.RouterOptions{Legacy: legacy, Capabilities: []*strangler.Capability{capability}, Flags: say, Waiter: say})
			defer router.Close()
			call := &strangler.Call{Operation: operation(bench.op), Request: contract.FromWire(operation(bench.op).Input, nil)}
			ctx, send := context.Background(), func(*strangler.Reply) error { return nil }
			b.ReportAllocs()
			for b.Loop() {
				if err := router.Call(ctx, call, send); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
