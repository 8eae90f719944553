package strangler_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/flags"
	"banyan.dev/banyan/strangler"
)

// Whatever modern says, or doesn't: what the caller is told, what the ledger has, and how long it took.
func TestLiveWriteAnswersOfModern(t *testing.T) {
	epochPassed := func(b *bed) fault {
		return func(context.Context, *strangler.Call) error {
			b.modern.mu.Lock()
			defer b.modern.mu.Unlock()
			b.modern.epoch = b.current() + 1
			return nil
		}
	}
	for _, test := range []struct {
		name    string
		arrange func(b *bed)
		// reason of the error; none for an acknowledged write.
		code   codes.Code
		reason string
		rows   []strangler.WriteState
		lines  int // in both
		took   time.Duration
	}{
		{
			name: "away for a while", arrange: func(b *bed) { b.modern.before = onWrites(times(3, fails(codes.Unavailable))) },
			rows: []strangler.WriteState{strangler.WriteClosed}, lines: 1, took: 70 * time.Millisecond,
		},
		{
			name: "answers get lost", arrange: func(b *bed) { b.modern.after = onWrites(times(2, fails(codes.Internal))) },
			rows: []strangler.WriteState{strangler.WriteClosed}, lines: 1, took: 30 * time.Millisecond,
		},
		{
			name: "refuses", arrange: func(b *bed) { b.modern.before = onWrites(fails(codes.OutOfRange)) },
			code: codes.OutOfRange, reason: "INJECTED", rows: []strangler.WriteState{strangler.WriteFailed},
		},
		{name: "refuses after it was away", arrange: func(b *bed) {
			b.modern.before = onWrites(func(ctx context.Context, call *strangler.Call) error {
				b.modern.before = onWrites(fails(codes.OutOfRange))
				return errLegacy
			})
		}, code: codes.Unavailable, reason: strangler.ReasonOutcomeUnknown, rows: []strangler.WriteState{strangler.WriteOpen}, took: 10 * time.Millisecond},
		{name: "says nothing", arrange: func(b *bed) {
			b.capability.Modern = strangler.BackendFunc(func(context.Context, *strangler.Call, func(*strangler.Reply) error) error { return nil })
		}, code: codes.DeadlineExceeded, reason: strangler.ReasonOutcomeUnknown, rows: []strangler.WriteState{strangler.WriteOpen}, took: 5 * time.Second},
		{
			name: "its epoch has passed", arrange: func(b *bed) { b.modern.before = onWrites(times(1, epochPassed(b))) },
			rows: []strangler.WriteState{strangler.WriteVoid, strangler.WriteClosed}, lines: 1, took: time.Second,
		},
		{name: "its epoch has passed after it was away", arrange: func(b *bed) {
			b.modern.before = onWrites(times(1, func(ctx context.Context, call *strangler.Call) error {
				_ = epochPassed(b)(ctx, call)
				return errLegacy
			}))
		}, rows: []strangler.WriteState{strangler.WriteVoid, strangler.WriteClosed}, lines: 1, took: time.Second},
		{name: "its epoch has passed, which can't be written down", arrange: func(b *bed) {
			b.modern.before = onWrites(times(1, epochPassed(b)))
			b.ledger.onFinish = always(errLegacy)
		}, code: codes.DeadlineExceeded, reason: strangler.ReasonHeld, rows: []strangler.WriteState{strangler.WriteOpen}, took: 8 * time.Second},
		{name: "refuses, which can't be written down at once", arrange: func(b *bed) {
			b.modern.before = onWrites(fails(codes.OutOfRange))
			b.ledger.onFinish = first(2, errLegacy)
		}, code: codes.OutOfRange, reason: "INJECTED", rows: []strangler.WriteState{strangler.WriteFailed}, took: 30 * time.Millisecond},
		{name: "refuses, which can't be written down", arrange: func(b *bed) {
			b.modern.before = onWrites(fails(codes.OutOfRange))
			b.ledger.onFinish = always(errLegacy)
		}, code: codes.DeadlineExceeded, reason: strangler.ReasonOutcomeUnknown, rows: []strangler.WriteState{strangler.WriteOpen}, took: 8 * time.Second},
		{name: "refuses, and it is not known whether that was written down", arrange: func(b *bed) {
			b.modern.before = onWrites(fails(codes.OutOfRange))
			b.ledger.finished = first(1, errCommit)
		}, code: codes.OutOfRange, reason: "INJECTED", rows: []strangler.WriteState{strangler.WriteFailed}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := liveBed(t)
				test.arrange(b)
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				done := b.adding(ctx, "x")
				time.Sleep(time.Second)
				b.all(flags.Live) // whatever waits for a newer version has it now
				got := <-done
				if test.reason == "" && got.err != nil {
					t.Fatal(got.err)
				} else if test.reason != "" {
					wantError(t, got.err, test.code, test.reason)
				}
				if got.took.Round(time.Millisecond) != test.took {
					t.Errorf("it took %s, want %s", got.took, test.took)
				}
				b.wantRows(t, test.rows...)
				for _, s := range []*side{b.legacy, b.modern} {
					if got := s.lines("1"); len(got) != test.lines {
						t.Errorf("%s has %q", s.name, got)
					}
				}
			})
		})
	}
}
