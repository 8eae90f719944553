package strangler_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/flags"
	"banyan.dev/banyan/strangler"
)

// owned makes order 1 d's, in a bed where c's keys are live and d's are not.
func owned(t *testing.T) (b *bed, asked *int) {
	b = newBed(t)
	asked = new(int)
	for op, route := range b.capability.Routes {
		if route.EntityID == nil {
			continue
		}
		route.Owner = func(_ context.Context, call *strangler.Call) (string, bool, error) {
			*asked++
			if op.Descriptor.Name() == "DeleteOrder" {
				return "", false, strangler.Fail(codes.NotFound, "NO_ORDER", "no such order")
			}
			return "d", true, nil
		}
	}
	b.turn(func(key string) flags.Decision {
		stage := flags.Shadow
		if key == "c" {
			stage = flags.Live
		}
		return flags.Decision{Stage: stage, Reads: stage.Authority(), Mixed: key == ""}
	})
	return b, asked
}

// A request that names another owner than the entity's would go to the wrong side, and bring an older state home from it.
func TestARequestNamesTheOwner(t *testing.T) {
	b, asked := owned(t)
	line := func(customer, text string) error {
		_, err := b.call(t.Context(), "AddLine", map[string]string{"id": "1", "customer": customer, "line": text})
		return err
	}
	if err := line("d", "acknowledged"); err != nil {
		t.Fatal(err)
	}
	wantError(t, line("c", "y"), codes.InvalidArgument, strangler.ReasonKeyMismatch)
	wantError(t, line("e", "y"), codes.InvalidArgument, strangler.ReasonKeyMismatch)
	if got := b.legacy.lines("1"); !slices.Equal(got, []string{"acknowledged"}) || len(b.modern.lines("1")) > 0 {
		t.Errorf("legacy has %q, modern %q", got, b.modern.lines("1"))
	}
	// Where all keys are on one side nothing is looked up, unless the ledger is to say whose a write is.
	before := *asked
	b.all(flags.Shadow)
	if err := line("c", "z"); err != nil || *asked != before {
		t.Errorf("%v, looked up %d times", err, *asked-before)
	}
	b.all(flags.Live)
	wantError(t, line("c", "y"), codes.InvalidArgument, strangler.ReasonKeyMismatch)
	// Whose there is none yet is its maker's.
	if _, err := b.call(t.Context(), "DeleteOrder", map[string]string{"id": "1", "customer": "c"}); err != nil {
		t.Error(err)
	}
}

// What comes home is the entity of the key that the write was routed by, or nothing.
func TestWhatComesHomeHasTheWritesKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := liveBed(t)
		b.capability.Entity.Key = func(protoreflect.Message) (string, bool, error) { return "d", true, nil }
		_, err := b.add(t.Context(), "x")
		wantError(t, err, codes.Internal, strangler.ReasonInDoubt)
		b.wantRows(t, strangler.WriteDoubt)
		if got := b.legacy.lines("1"); len(got) > 0 {
			t.Errorf("legacy has %q", got)
		}
	})
}

// What has never left here has not happened: the caller is told so, and nobody does it later.
func TestWhatNeverLeft(t *testing.T) {
	away := func(context.Context, *strangler.Call) error {
		e := strangler.Fail(codes.Unavailable, "UPSTREAM_UNAVAILABLE", "nothing was changed: try again")
		e.Unsent = true
		return e
	}
	synctest.Test(t, func(t *testing.T) {
		b := liveBed(t)
		b.modern.before = onWrites(away)
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := b.add(short, "x")
		wantError(t, err, codes.Unavailable, "UPSTREAM_UNAVAILABLE")
		b.wantRows(t, strangler.WriteFailed)
	})
	synctest.Test(t, func(t *testing.T) { // a refusal behind it is one
		b := liveBed(t)
		tries := 0
		b.modern.before = onWrites(func(ctx context.Context, call *strangler.Call) error {
			if tries++; tries < 3 {
				return away(ctx, call)
			}
			return strangler.Fail(codes.InvalidArgument, "NO", "no")
		})
		_, err := b.add(t.Context(), "x")
		wantError(t, err, codes.InvalidArgument, "NO")
		b.wantRows(t, strangler.WriteFailed)
	})
	synctest.Test(t, func(t *testing.T) { // but one try that may have arrived makes it unclear
		b := liveBed(t)
		tries := 0
		b.modern.before = onWrites(func(ctx context.Context, call *strangler.Call) error {
			if tries++; tries == 1 {
				return strangler.Fail(codes.Unavailable, "UPSTREAM_UNAVAILABLE", "it may have made the change")
			}
			return away(ctx, call)
		})
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := b.add(short, "x")
		wantError(t, err, codes.DeadlineExceeded, strangler.ReasonOutcomeUnknown)
		b.wantRows(t, strangler.WriteOpen)
	})
}
