package strangler_test

import (
	"context"
	"errors"
	"math"
	"testing"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/strangler"
)

func TestRouterWithoutCapabilities(t *testing.T) {
	served, unserved := &contract.Operation{Name: "a.B.Served"}, &contract.Operation{Name: "a.B.Unserved"}
	answer := errors.New("answered by legacy")
	router := strangler.NewRouter(strangler.RouterOptions{
		Legacy: strangler.BackendFunc(func(context.Context, *strangler.Call, func(*strangler.Reply) error) error {
			return answer
		}),
		Unserved: []*contract.Operation{unserved},
	})
	defer router.Close()

	if err := router.Call(t.Context(), &strangler.Call{Operation: served}, nil); !errors.Is(err, answer) {
		t.Errorf("served: %v", err)
	}
	wantError(t, router.Call(t.Context(), &strangler.Call{Operation: unserved}, nil), codes.Unimplemented, "UNSERVED")
	if router.Settled("unknown", math.MaxUint64) {
		t.Error("an unknown capability is settled, whose writes nobody knows")
	}
	if got := router.Comparisons("unknown"); got != (strangler.Comparisons{}) {
		t.Errorf("comparisons: %v", got)
	}
}
