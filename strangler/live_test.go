package strangler_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/flags"
	"banyan.dev/banyan/strangler"
)

// liveBed is a bed whose keys are live.
func liveBed(t testing.TB, change ...func(*strangler.RouterOptions)) *bed {
	b := newBed(t, change...)
	b.all(flags.Live)
	return b
}

func (b *bed) wantRows(t testing.TB, want ...strangler.WriteState) {
	t.Helper()
	if got := b.ledger.states(); !slices.Equal(got, want) {
		t.Errorf("the ledger has %v, want %v", got, want)
	}
}

func (b *bed) wantLines(t testing.TB, s *side, want ...string) {
	t.Helper()
	if got := s.lines("1"); !slices.Equal(got, want) {
		t.Errorf("%s has %q, want %q", s.name, got, want)
	}
}

// The steps, in their order, and what Settled says between them. Any step that is left out, or out of its order, shows.
func TestLiveWriteStepByStep(t *testing.T) {
	b := liveBed(t)
	next := b.version + 1
	settled := func(when string, want bool) {
		t.Helper()
		if got := b.router.Settled("orders", next); got != want {
			t.Errorf("%s: settled is %t", when, got)
		}
	}
	b.ledger.onOpen = func(w *strangler.Write) error {
		settled("before the row is committed", false)
		return nil
	}
	b.modern.before = func(_ context.Context, call *strangler.Call) error {
		settled("once the row is committed", true)
		switch {
		case call.Operation.Read && call.Write != strangler.WriteTag{}:
			t.Errorf("the entity is read as a write: %+v", call.Write)
		case !call.Operation.Read && (call.Write.ID != b.ledger.writes()[0].ID || call.Write.Epoch != b.version):
			t.Errorf("modern is told %+v", call.Write)
		}
		return nil
	}
	b.ledger.onWriteBack = func(*strangler.Write) error {
		b.wantLines(t, b.legacy) // nothing yet
		return nil
	}
	reply, err := b.add(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	if got := linesOf(t, reply); !slices.Equal(got, []string{"x"}) {
		t.Errorf("the reply is %q", got)
	}
	want := []string{"open", "modern AddLine", "lock", "modern GetOrder", "close", "reply"}
	if got := b.trace.all(); !slices.Equal(got, want) {
		t.Errorf("it went %q, want %q", got, want)
	}
	b.wantLines(t, b.legacy, "x")
	w := b.ledger.writes()[0]
	if w.Capability != "orders" || w.Operation != "shop.v1.Orders.AddLine" || w.Key != "c" || !w.Keyed || w.Entity != "1" ||
		w.Epoch != b.version || w.Replica != "r1" || w.State != strangler.WriteClosed || len(w.Request) == 0 {
		t.Errorf("the row is %+v", w)
	}
}

func TestLiveWriteEntities(t *testing.T) {
	b := liveBed(t)
	reply, err := b.call(t.Context(), "PlaceOrder", map[string]string{"customer": "c", "line": "x"})
	if err != nil || text(reply, "id") != "modern-1" || !slices.Equal(b.legacy.lines("modern-1"), []string{"x"}) {
		t.Errorf("a new entity, whose id the reply has: %v, %v, legacy has %q", reply, err, b.legacy.lines("modern-1"))
	}
	if _, err = b.call(t.Context(), "DeleteOrder", get("c")); err != nil || b.legacy.has("1") {
		t.Errorf("a deleted entity: %v, legacy has it: %t", err, b.legacy.has("1"))
	}
	_, err = b.call(t.Context(), "CountOrders", get("c"))
	e := wantError(t, err, codes.Internal, strangler.ReasonInDoubt)
	if w := b.ledger.writes()[2]; w.State != strangler.WriteDoubt || e.Metadata["write"] != w.ID || !strings.Contains(w.Reason, "shop.v1.Counted") {
		t.Errorf("an entity that nobody names: %+v", w)
	}
}

func TestLiveWriteBacks(t *testing.T) {
	differ := &strangler.DifferError{What: "lines: 2 of 3"}
	for _, test := range []struct {
		name    string
		arrange func(b *bed)
		code    codes.Code
		reason  string
		row     strangler.WriteState
		legacy  int // lines
	}{
		{name: "conflicts", arrange: func(b *bed) {
			b.ledger.onWriteBack = first(3, strangler.Fail(codes.Aborted, "CONFLICT", "a deadlock"))
		}, row: strangler.WriteClosed, legacy: 1},
		{name: "modern can't be read for a while", arrange: func(b *bed) {
			b.modern.before = func(ctx context.Context, call *strangler.Call) error {
				if !call.Operation.Read {
					return nil
				}
				b.modern.before = nil
				return hang(ctx, call)
			}
		}, row: strangler.WriteClosed, legacy: 1},
		{name: "modern can't be read", arrange: func(b *bed) {
			b.modern.before = func(_ context.Context, call *strangler.Call) error {
				if call.Operation.Read {
					return strangler.Fail(codes.InvalidArgument, "X", "not like that") // not a word about what legacy takes
				}
				return nil
			}
		}, code: codes.DeadlineExceeded, reason: strangler.ReasonOutcomeUnknown, row: strangler.WriteOpen},
		{
			name: "the commit is lost, and has happened", arrange: func(b *bed) { b.ledger.writtenBack = first(1, errCommit) },
			row: strangler.WriteClosed, legacy: 1,
		},
		{
			name: "the commit is lost, and has not happened", arrange: func(b *bed) { b.ledger.onWriteBack = first(2, errCommit) },
			row: strangler.WriteClosed, legacy: 1,
		},
		{name: "the commit is lost, and legacy with it for a while", arrange: func(b *bed) {
			b.ledger.writtenBack, b.ledger.onFind = first(1, errCommit), first(4, errLegacy)
		}, row: strangler.WriteClosed, legacy: 1},
		{
			name: "legacy is away", arrange: func(b *bed) { b.ledger.onWriteBack = always(errLegacy) },
			code: codes.DeadlineExceeded, reason: strangler.ReasonOutcomeUnknown, row: strangler.WriteOpen,
		},
		{
			name: "legacy differs", arrange: func(b *bed) { b.ledger.onWriteBack = always(fmt.Errorf("put: %w", differ)) },
			code: codes.Internal, reason: strangler.ReasonInDoubt, row: strangler.WriteDoubt,
		},
		{
			name: "legacy can't hold it", arrange: func(b *bed) { b.ledger.onWriteBack = always(errUntakable) },
			code: codes.Internal, reason: strangler.ReasonInDoubt, row: strangler.WriteDoubt,
		},
		{name: "legacy differs, and can't be told", arrange: func(b *bed) {
			b.ledger.onWriteBack, b.ledger.onFinish = always(differ), first(3, errLegacy)
		}, code: codes.Internal, reason: strangler.ReasonInDoubt, row: strangler.WriteDoubt},
		{name: "the sweeper was quicker", arrange: func(b *bed) {
			b.ledger.onWriteBack = func(w *strangler.Write) error {
				b.ledger.onWriteBack = nil
				<-sweepOnce(b, w.ID)
				return nil
			}
		}, row: strangler.WriteClosed, legacy: 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := liveBed(t)
				test.arrange(b)
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				reply, err := b.add(ctx, "x")
				if test.reason != "" {
					e := wantError(t, err, test.code, test.reason)
					if e.RetryAfter != 0 || e.Metadata["write"] != b.ledger.writes()[0].ID || strings.Contains(e.Message, "2 of 3") {
						t.Errorf("the caller is told %+v", e)
					}
				} else if err != nil || !slices.Equal(linesOf(t, reply), []string{"x"}) {
					t.Errorf("%v, %v", reply, err)
				}
				b.wantRows(t, test.row)
				b.wantLines(t, b.modern, "x")
				if got := b.legacy.lines("1"); len(got) != test.legacy {
					t.Errorf("legacy has %q", got)
				}
			})
		})
	}
}

// sweepOnce closes a row behind the Router's back, as another process's sweeper does.
func sweepOnce(b *bed, id string) <-chan struct{} {
	b.ledger.mu.Lock()
	r := b.ledger.rows[id]
	b.ledger.legacy.put(r.Entity, b.modern.lines(r.Entity), true)
	r.State, r.reply = strangler.WriteClosed, wireOf(order(r.Entity, b.modern.lines(r.Entity)))
	b.ledger.mu.Unlock()
	done := make(chan struct{})
	close(done)
	return done
}

func TestLiveWritesThatCantBeOpened(t *testing.T) {
	t.Run("fenced", func(t *testing.T) {
		b := liveBed(t)
		b.ledger.onOpen = always(errFenced)
		_, err := b.add(t.Context(), "x")
		wantError(t, err, codes.Unavailable, "WRITES_FENCED")
		b.wantLines(t, b.modern)
	})
	t.Run("unreadable", func(t *testing.T) {
		b := liveBed(t)
		b.capability.Routes[operation("AddLine")].Key = nil
		op := operation("AddLine")
		err := b.router.Call(t.Context(), &strangler.Call{Operation: op, Request: contract.FromWire(op.Input, []byte{0xff})}, nil)
		wantError(t, err, codes.InvalidArgument, "INVALID_FIELD")
		b.wantRows(t)
	})
	t.Run("the commit is lost, and has happened", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := liveBed(t)
			b.ledger.opened, b.ledger.onFind = first(1, errCommit), first(2, errLegacy)
			if _, err := b.add(t.Context(), "x"); err != nil {
				t.Error(err)
			}
			b.wantRows(t, strangler.WriteClosed)
		})
	})
	t.Run("the commit is lost, and voided", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := liveBed(t)
			b.ledger.opened = func(*strangler.Write) error {
				b.ledger.opened = nil
				b.ledger.void(b.version + 1)
				b.all(flags.Shadow)
				return errCommit
			}
			if _, err := b.add(t.Context(), "x"); err != nil {
				t.Error(err)
			}
			b.wantRows(t, strangler.WriteVoid)
			b.wantLines(t, b.legacy, "x")
			b.wantLines(t, b.modern)
		})
	})
	t.Run("the commit is lost, and comes later", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			drained := make(chan struct{})
			b := liveBed(t, func(o *strangler.RouterOptions) {
				o.Drained = func(context.Context) error { <-drained; return nil }
			})
			b.ledger.onOpen = always(errCommit)
			_, err := b.add(t.Context(), "x")
			wantError(t, err, codes.Unavailable, strangler.ReasonOutcomeUnknown)
			b.wantLines(t, b.modern)
			next := b.hold(flags.Legacy)
			if b.router.Settled("orders", next) {
				t.Error("settled, with a row that may yet be committed")
			}
			close(drained)
			synctest.Wait()
			if !b.router.Settled("orders", next) {
				t.Error("not settled")
			}
		})
	})
}

// A caller that goes away, or whose time is over, leaves no half a write behind where it can be brought home soon.
func TestLiveWritesOutliveTheirCallers(t *testing.T) {
	slow := func(d time.Duration) func(ctx context.Context, call *strangler.Call) error {
		return onWrites(func(ctx context.Context, _ *strangler.Call) error {
			select {
			case <-time.After(d):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}
	for _, test := range []struct {
		name    string
		arrange func(b *bed)
		cancel  bool // else the deadline
		state   strangler.WriteState
		took    time.Duration
	}{
		{"cancelled while modern works", func(b *bed) { b.modern.after = slow(3 * time.Second) }, true, strangler.WriteClosed, 3 * time.Second},
		{"cancelled while modern works for long", func(b *bed) { b.modern.after = slow(9 * time.Second) }, true, strangler.WriteOpen, 4 * time.Second},
		{"deadline while modern works", func(b *bed) { b.modern.after = slow(2 * time.Second) }, false, strangler.WriteOpen, time.Second},
		{"deadline while writing back", func(b *bed) {
			b.ledger.onWriteBack = func(*strangler.Write) error { <-time.After(2 * time.Second); return nil }
		}, false, strangler.WriteClosed, 2 * time.Second},
		{"deadline before modern was asked", func(b *bed) {
			b.ledger.opened = func(*strangler.Write) error { <-time.After(2 * time.Second); return nil }
		}, false, strangler.WriteFailed, 2 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := liveBed(t)
				test.arrange(b)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				if test.cancel {
					ctx, cancel = context.WithCancel(t.Context())
					time.AfterFunc(time.Second, cancel)
				}
				defer cancel()
				got := <-b.adding(ctx, "x")
				b.wantRows(t, test.state)
				if got.took != test.took {
					t.Errorf("it took %s, want %s", got.took, test.took)
				}
				switch test.state {
				case strangler.WriteClosed:
					if got.err != nil {
						t.Error(got.err)
					}
				case strangler.WriteFailed:
					wantError(t, got.err, codes.DeadlineExceeded, "DEADLINE_EXCEEDED")
					b.wantLines(t, b.modern)
				default:
					code := codes.DeadlineExceeded
					if test.cancel {
						code = codes.Canceled
					}
					wantError(t, got.err, code, strangler.ReasonOutcomeUnknown)
				}
			})
		})
	}
}
