package strangler_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/flags"
	"banyan.dev/banyan/strangler"
)

// What modern has made for a write that is void may have come to legacy with another's write-back: it is not made again.
func TestWhatAnotherHasCarriedIsNotDoneAgain(t *testing.T) {
	for _, answered := range []bool{false, true} { // whether modern's reply, which tells the entity, has come
		synctest.Test(t, func(t *testing.T) {
			b := liveBed(t)
			if answered {
				b.ledger.onWriteBack = func() func(w *strangler.Write) error {
					tried := false
					return func(w *strangler.Write) error {
						if first := !tried; first {
							tried = true
							return errLegacy
						}
						if string(operation("PlaceOrder").Name) == w.Operation {
							return errLegacy
						}
						return nil
					}
				}()
			} else {
				b.modern.after = onWrites(times(1, hang))
			}
			placing := make(chan error, 1)
			go func() {
				_, err := b.call(t.Context(), "PlaceOrder", map[string]string{"customer": "c", "line": "x"})
				placing <- err
			}()
			synctest.Wait()
			if _, err := b.call(t.Context(), "AddLine", map[string]string{"id": "modern-1", "customer": "c", "line": "y"}); err != nil {
				t.Fatal(err) // reads are modern's, so somebody can know the order
			}
			b.rollBack()
			wantError(t, <-placing, codes.Unavailable, strangler.ReasonOutcomeUnknown)
			if got := b.legacy.lines("modern-1"); !slices.Equal(got, []string{"x", "y"}) || b.legacy.has("legacy-1") {
				t.Errorf("legacy has %v, and the same again: %t", got, b.legacy.has("legacy-1"))
			}
		})
	}
}

// Another's write of the same customer doesn't hide that a write has come to nothing, once its entity is known.
func TestAnotherEntityCarriesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := liveBed(t)
		b.ledger.onWriteBack = func(w *strangler.Write) error {
			if string(operation("PlaceOrder").Name) == w.Operation {
				return errLegacy
			}
			return nil
		}
		placing := make(chan error, 1)
		go func() {
			_, err := b.call(t.Context(), "PlaceOrder", map[string]string{"customer": "c", "line": "x"})
			placing <- err
		}()
		synctest.Wait()
		if _, err := b.add(t.Context(), "y"); err != nil { // to order 1 of the same customer
			t.Fatal(err)
		}
		b.rollBack()
		if err := <-placing; err != nil {
			t.Error(err)
		}
		if !b.legacy.has("legacy-1") || b.legacy.has("modern-1") {
			t.Error("it was not done anew")
		}
	})
}

// Writes of one rollback become void one after the other: as long as the keys are held, the next may carry what this one
// had done.
func TestACarrierMayComeUntilTheHoldIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := liveBed(t)
		var ids [2]string
		var may [2]atomic.Bool
		b.ledger.onWriteBack = func(w *strangler.Write) error {
			if !may[slices.Index(ids[:], w.ID)].Load() {
				return errLegacy
			}
			return nil
		}
		b.ledger.opened = func(w *strangler.Write) error {
			ids[slices.Index(ids[:], "")] = w.ID
			return nil
		}
		first := b.adding(t.Context(), "x")
		synctest.Wait()
		second := b.adding(t.Context(), "y")
		synctest.Wait()
		held := b.hold(flags.Legacy)
		b.ledger.mu.Lock()
		b.ledger.rows[ids[0]].State = strangler.WriteVoid
		b.ledger.mu.Unlock()
		may[0].Store(true)
		<-time.After(2 * time.Second) // the first sees that it is void, and that nobody has carried it
		may[1].Store(true)
		if got := <-second; got.err != nil {
			t.Error(got.err)
		}
		b.ledger.void(held)
		b.all(flags.Shadow)
		wantError(t, (<-first).err, codes.Unavailable, strangler.ReasonOutcomeUnknown)
		if got := b.legacy.lines("1"); !slices.Equal(got, []string{"x", "y"}) {
			t.Errorf("legacy has %v", got)
		}
	})
}

// A write that modern refuses, since its epoch has passed, has come to nothing, whatever others have written back.
func TestWhatModernHasNeverDoneIsDoneAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := liveBed(t)
		b.modern.before = onWrites(times(1, func(ctx context.Context, call *strangler.Call) error {
			b.modern.mu.Lock()
			b.modern.epoch = call.Write.Epoch + 1
			b.modern.mu.Unlock()
			return nil
		}))
		done := b.adding(t.Context(), "x")
		synctest.Wait()
		b.all(flags.Shadow)
		if got := <-done; got.err != nil {
			t.Error(got.err)
		}
		if got := b.legacy.lines("1"); !slices.Equal(got, []string{"x"}) {
			t.Errorf("legacy has %v", got)
		}
		if w := b.ledger.writes()[0]; w.State != strangler.WriteVoid || !w.Settled {
			t.Errorf("the row is %+v", w)
		}
	})
}
