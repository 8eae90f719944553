package strangler_test

import (
	"context"
	"errors"
	"testing"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/strangler"
)

func TestRouter(t *testing.T) {
	served, unserved := &contract.Operation{Name: "a.B.Served"}, &contract.Operation{Name: "a.B.Unserved"}
	answer := errors.New("answered by legacy")
	router := strangler.NewRouter(strangler.BackendFunc(func(context.Context, *strangler.Call, func(*strangler.Reply) error) error {
		return answer
	}), []*contract.Operation{unserved})

	if err := router.Call(t.Context(), &strangler.Call{Operation: served}, nil); !errors.Is(err, answer) {
		t.Errorf("served: %v", err)
	}
	err := strangler.AsError(router.Call(t.Context(), &strangler.Call{Operation: unserved}, nil))
	if err == nil || err.Code != codes.Unimplemented || err.Reason != "UNSERVED" {
		t.Errorf("unserved: %v", err)
	}
}
