package strangler_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/flags"
	"banyan.dev/banyan/strangler"
)

// rollBack does to open writes what a coordinator does: it holds, voids after a grace, and puts the keys back to shadow.
func (b *bed) rollBack() {
	held := b.hold(flags.Legacy)
	<-time.After(300 * time.Millisecond)
	b.ledger.void(held)
	b.all(flags.Shadow)
}

// A modern that hangs holds no caller up whose write was voided: it is decided anew, and no error is seen.
func TestVoidedWhileModernHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := liveBed(t)
		hung := make(chan error, 1)
		b.modern.before = func(ctx context.Context, call *strangler.Call) error {
			if call.Operation.Read {
				return nil
			}
			hung <- hang(ctx, call)
			return ctx.Err()
		}
		done := b.adding(t.Context(), "x")
		synctest.Wait()
		b.rollBack()
		got := <-done
		if got.err != nil || got.took > 310*time.Millisecond {
			t.Errorf("%v after %s", got.err, got.took)
		}
		select {
		case <-hung:
		default:
			t.Error("modern is still being asked")
		}
		b.wantRows(t, strangler.WriteVoid)
		b.wantLines(t, b.legacy, "x")
	})
}

// What modern does after all for a write that was voided, it does in vain.
func TestVoidedWhileWritingBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := liveBed(t)
		b.ledger.onWriteBack = func(*strangler.Write) error {
			b.rollBack()
			return nil
		}
		got := <-b.adding(t.Context(), "x")
		if got.err != nil {
			t.Error(got.err)
		}
		b.wantRows(t, strangler.WriteVoid)
		b.wantLines(t, b.legacy, "x")
		if got := b.trace.all(); slices.Contains(got, "close") {
			t.Errorf("it was written back: %q", got)
		}
	})
}

// At hold there is a grace: what comes home within is acknowledged as it was decided.
func TestAnsweredWithinTheGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := liveBed(t)
		b.modern.after = onWrites(func(context.Context, *strangler.Call) error { <-time.After(200 * time.Millisecond); return nil })
		done := b.adding(t.Context(), "x")
		synctest.Wait()
		b.rollBack()
		if got := <-done; got.err != nil || got.took != 200*time.Millisecond {
			t.Errorf("%v after %s", got.err, got.took)
		}
		b.wantRows(t, strangler.WriteClosed)
		b.wantLines(t, b.legacy, "x")
	})
}

// Shifts of other keys don't touch a write.
func TestOtherKeysShiftMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := liveBed(t)
		b.modern.after = onWrites(func(context.Context, *strangler.Call) error { <-time.After(time.Second); return nil })
		done := b.adding(t.Context(), "x")
		for range 4 {
			time.Sleep(100 * time.Millisecond)
			b.all(flags.Live)
		}
		if got := <-done; got.err != nil || got.took != time.Second {
			t.Errorf("%v after %s", got.err, got.took)
		}
		b.wantRows(t, strangler.WriteClosed)
	})
}

// What another write of the same entity has brought to legacy must not be done again.
func TestVoidedButCarried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := liveBed(t)
		b.modern.after = onWrites(times(1, hang)) // the first has been done, and nobody hears of it
		first := b.adding(t.Context(), "x")
		synctest.Wait()
		if _, err := b.add(t.Context(), "y"); err != nil {
			t.Fatal(err)
		}
		b.wantLines(t, b.legacy, "x", "y")
		b.rollBack()
		got := <-first
		wantError(t, got.err, codes.Unavailable, strangler.ReasonOutcomeUnknown)
		b.wantRows(t, strangler.WriteVoid, strangler.WriteClosed)
		b.wantLines(t, b.legacy, "x", "y")
	})
}

// A write is looked after while its row can't be found out, and while it is open though the key is legacy's.
func TestVoidedLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := liveBed(t)
		b.modern.before = onWrites(hang)
		done := b.adding(t.Context(), "x")
		synctest.Wait()
		b.ledger.onFind = first(3, errLegacy)
		b.setLease(false)
		held := b.hold(flags.Legacy)
		time.Sleep(time.Second)
		b.setLease(true)
		b.all(flags.Shadow)
		time.Sleep(time.Second)
		b.ledger.void(held)
		if got := <-done; got.err != nil || got.took > 4*time.Second {
			t.Errorf("%v after %s", got.err, got.took)
		}
		b.wantLines(t, b.legacy, "x")
	})
}

// A write that the sweeper has ended otherwise than this process has seen.
func TestFailedBehindItsBack(t *testing.T) {
	fail := func(b *bed) {
		_ = b.ledger.Finish(context.Background(), b.ledger.writes()[0].ID, strangler.WriteFailed, "refused")
	}
	synctest.Test(t, func(t *testing.T) {
		b := liveBed(t)
		b.modern.before = onWrites(hang)
		done := b.adding(t.Context(), "x")
		synctest.Wait()
		fail(b)
		b.all(flags.Live)
		wantError(t, (<-done).err, codes.Unavailable, strangler.ReasonOutcomeUnknown)

		b = liveBed(t)
		b.ledger.onWriteBack = func(*strangler.Write) error { fail(b); return nil }
		wantError(t, (<-b.adding(t.Context(), "x")).err, codes.Internal, strangler.ReasonInDoubt)
		b.wantLines(t, b.legacy)
	})
}

// A rollback finds rows finished, whatever their own process does then.
func TestVoidedBehindARefusal(t *testing.T) {
	b := liveBed(t)
	b.modern.before = onWrites(func(context.Context, *strangler.Call) error {
		b.ledger.void(b.hold(flags.Legacy))
		return strangler.Fail(codes.OutOfRange, "NO", "no")
	})
	_, err := b.add(t.Context(), "x")
	wantError(t, err, codes.OutOfRange, "NO")
	b.wantRows(t, strangler.WriteVoid)
}
