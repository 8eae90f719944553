package control_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/flags"
	"banyan.dev/banyan/strangler"
	"banyan.dev/banyan/strangler/control"
)

// losing is a store that loses what it has to say to the next Save, before or after it was done.
type losing struct {
	*memory
	done bool
	lost bool
}

func (l *losing) Save(ctx context.Context, r control.Record, audits ...control.Audit) error {
	if l.lost {
		return l.memory.Save(ctx, r, audits...)
	}
	l.lost = true
	if !l.done {
		return errors.New("connection refused")
	}
	return errors.Join(l.memory.Save(ctx, r, audits...), errors.New("connection reset"))
}

// A command of which the store doesn't say whether it has it is looked for, before anybody gives it again.
func TestTheStoreGoesAwayWhileACommandIsKept(t *testing.T) {
	for _, done := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			m := toLive(t, "a", "b")
			defer m.coordinator(t, "q")()
			op := control.NewOperator(control.OperatorOptions{Store: &losing{memory: m, done: done}, Ledger: m, Capabilities: []control.Facts{m.facts()}})
			o, err := op.Rollback(t.Context(), back)
			if done {
				if must(t, o, err); m.stage("orders") != "shadow" {
					t.Errorf("got %+v", o)
				}
				return
			}
			if e := strangler.AsError(err); err == nil || e.Code != codes.Unavailable || e.Reason != "COMMAND_UNKNOWN" || m.stage("orders") != string(flags.Live) {
				t.Errorf("got %+v, %v", o, err)
			}
		})
	}
}
