package strangler_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/flags"
	"banyan.dev/banyan/strangler"
)

// repeat calls a write with a key on any replica, again and again until there is an answer that is no reason to repeat it.
func (w *world) repeat(key, id, line string) (replayed bool, err error) {
	op := operation("AddLine")
	for range 1000 {
		r := w.replicas[rand.IntN(len(w.replicas))]
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond+rand.N(3*time.Second))
		var lines []string
		call := &strangler.Call{
			Operation: op, Request: message(op.Input, map[string]string{"id": id, "customer": id, "line": line}),
			Header:    func(string) []string { return []string{key} },
			SetHeader: func(string, string) { replayed = true },
		}
		err = r.once.Call(ctx, call, func(reply *strangler.Reply) error {
			lines = linesOf(w.t, reply.Message)
			return nil
		})
		cancel()
		if err == nil {
			if count(lines, line) != 1 {
				w.t.Errorf("the answer to %s has it %d times: %v", line, count(lines, line), lines)
			}
			return replayed, nil
		}
		switch strangler.AsError(err).Code {
		case codes.Unavailable, codes.DeadlineExceeded, codes.Aborted, codes.Canceled:
		default:
			return false, err
		}
		linger(500 * time.Millisecond)
	}
	return false, err
}

// retrier writes lines by keys until each is answered. Others write the same beside it.
func (w *world) retrier(n int) {
	for i := range 40 {
		id, line := w.keys[rand.IntN(len(w.keys))], fmt.Sprintf("%d.%d", n, i)
		var twice sync.WaitGroup
		for range 1 + rand.IntN(2) {
			twice.Go(func() {
				_, err := w.repeat(line, id, line)
				w.mu.Lock()
				defer w.mu.Unlock()
				switch e := strangler.AsError(err); {
				case err == nil:
					w.acked[id] = append(w.acked[id], line)
				case e.Code == codes.DataLoss && e.Reason == strangler.ReasonOutcomeUnknown:
					w.unknown++
				default:
					w.t.Errorf("%s: %v", line, err)
				}
			})
		}
		twice.Wait()
	}
}

// Clients that repeat their writes by the same key, at any replica, through shifts, rollbacks, lost answers and lost
// COMMITs: what one of them was told is done is in legacy once, and nothing is there twice.
func TestKeysThroughShifts(t *testing.T) {
	for round := range 3 {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorldOf(t, func(w *world) strangler.Backend { return newKeyed(w.legacy, w.ledger) })
				w.legacy.after = func(ctx context.Context, call *strangler.Call) error {
					if err := w.checkBarred(ctx, call); err != nil || call.Operation.Read || !maybe(5) {
						return err
					}
					return errCommit
				}
				sweeping, stop := context.WithCancel(t.Context())
				done := make(chan struct{})
				var clients, others sync.WaitGroup
				for n := range 10 {
					clients.Go(func() { w.retrier(n) })
				}
				others.Go(func() { w.coordinate(done) })
				others.Go(func() {
					strangler.NewSweeper(strangler.SweeperOptions{
						Capabilities: []*strangler.Capability{orders(w.modern)}, Ledger: w.ledger, Stale: w.stale,
					}).Run(sweeping)
				})
				clients.Wait()
				close(done)
				<-time.After(5 * time.Minute)
				stop()
				others.Wait()
				for _, r := range w.replicas {
					r.router.Close()
				}
				for id, lines := range w.acked { // a pair was told the same
					w.acked[id] = slices.Compact(slices.Sorted(slices.Values(lines)))
				}
				t.Logf("of %d nobody knows", w.unknown)
				w.judgeAtLeast(250, 5)
			})
		})
	}
}

// keyedBed is a bed with a gate for keys.
type keyedBed struct {
	*bed
	once     *strangler.Idempotent
	replayed bool
}

func newKeyedBed(t *testing.T) *keyedBed {
	b := &keyedBed{}
	b.bed = newBed(t, func(o *strangler.RouterOptions) {
		legacy := o.Legacy.(*side) //nolint:errcheck // it is one
		o.Legacy = newKeyed(legacy, o.Ledger.(*ledger))
	})
	b.once = strangler.NewIdempotent(strangler.IdempotentOptions{Next: b.router, Refuse: func(call *strangler.Call) string {
		if call.Operation.ServerStreaming {
			return "it streams"
		}
		return ""
	}})
	return b
}

func (b *keyedBed) add(ctx context.Context, key, line string) error {
	return b.op(ctx, "AddLine", key, map[string]string{"id": "1", "customer": "c", "line": line})
}

func (b *keyedBed) op(ctx context.Context, name, key string, fields map[string]string) error {
	op := operation(name)
	b.replayed = false
	return b.once.Call(ctx, &strangler.Call{
		Operation: op, Request: message(op.Input, fields), RequestID: "q",
		Header:    func(string) []string { return []string{key} },
		SetHeader: func(string, string) { b.replayed = true },
	}, func(*strangler.Reply) error { return nil })
}

func TestAKeyIsKeptThroughEachStage(t *testing.T) {
	for _, path := range [][]flags.Stage{
		{flags.Off, flags.Live}, {flags.Live, flags.Shadow}, {flags.Live, flags.Live}, {flags.Shadow, flags.Live, flags.Mirrored},
	} {
		t.Run(fmt.Sprint(path), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newKeyedBed(t)
				for n, stage := range path {
					b.all(stage)
					if err := b.add(t.Context(), "k", "x"); err != nil || b.replayed != (n > 0) {
						t.Fatalf("at %s: %v, replayed is %t", stage, err, b.replayed)
					}
					wantError(t, b.add(t.Context(), "k", "y"), codes.InvalidArgument, strangler.ReasonKeyReused)
					if got := b.legacy.lines("1"); !slices.Equal(got, []string{"x"}) {
						t.Errorf("at %s legacy has %v", stage, got)
					}
				}
			})
		})
	}
}

// A write that modern hangs with is answered to who repeats it, once a rollback has given it up and legacy has done it.
func TestARepetitionWaitsForTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newKeyedBed(t)
		b.all(flags.Live)
		b.modern.before = onWrites(hang)
		gone, leave := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer leave()
		e := wantError(t, b.add(gone, "k", "x"), codes.DeadlineExceeded, strangler.ReasonOutcomeUnknown)
		if !strings.Contains(e.Message, "repeat it with the same idempotency key") || e.RetryAfter == 0 {
			t.Errorf("the caller is told: %v", e)
		}
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		e = wantError(t, b.add(short, "k", "x"), codes.Aborted, strangler.ReasonInProgress)
		if e.RetryAfter == 0 {
			t.Error("there is no hint to repeat it")
		}
		done := make(chan error, 1)
		go func() { done <- b.add(t.Context(), "k", "x") }()
		<-time.After(time.Second)
		b.rollBack()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if got := b.legacy.lines("1"); !slices.Equal(got, []string{"x"}) {
			t.Errorf("legacy has %v", got)
		}
	})
}

// What modern has refused has not happened: the key is free, for another request, too.
func TestARefusedWriteFreesItsKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newKeyedBed(t)
		b.all(flags.Live)
		b.modern.before = onWrites(times(1, fails(codes.FailedPrecondition)))
		wantError(t, b.add(t.Context(), "k", "x"), codes.FailedPrecondition, "INJECTED")
		if err := b.add(t.Context(), "k", "y"); err != nil || b.replayed {
			t.Errorf("%v, replayed is %t", err, b.replayed)
		}
		if err := b.add(t.Context(), "k", "y"); err != nil || !b.replayed {
			t.Errorf("%v, replayed is %t", err, b.replayed)
		}
	})
}

func TestWhatKeepsNoKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newKeyedBed(t)
		wantError(t, b.op(t.Context(), "ImportOrders", "k", map[string]string{"id": "1", "customer": "c"}), codes.Unimplemented, strangler.ReasonKeyRefused)
		if err := b.op(t.Context(), "GetOrder", "ä", map[string]string{"id": "1", "customer": "c"}); err != nil {
			t.Errorf("a read is refused for a key, which it does not look at: %v", err)
		}
		b.all(flags.Complete)
		wantError(t, b.add(t.Context(), "k", "x"), codes.Unimplemented, strangler.ReasonKeyRefused)
	})
}
