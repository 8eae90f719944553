package strangler_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/strangler"
)

// stale gives open writes of all capabilities, as a ledger without an index would.
func (l *ledger) stale(_ context.Context, _ string, _ time.Duration, after strangler.Write, most int) ([]strangler.Write, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []strangler.Write
	for _, id := range l.order[slices.Index(l.order, after.ID)+1:] {
		if w := l.rows[id].Write; w.State == strangler.WriteOpen && len(out) < most {
			out = append(out, w)
		}
	}
	return out, nil
}

// leave puts an open row into the ledger, as a process that crashed does.
func (b *bed) leave(id, op string, fields map[string]string) {
	request := message(operation(op).Input, fields)
	w := strangler.Write{
		ID: id, Capability: "orders", Operation: "shop.v1.Orders." + op, Key: "c", Keyed: true,
		Entity: fields["id"], Epoch: 1, Replica: "crashed", Request: wireOf(request), State: strangler.WriteOpen,
	}
	if err := b.ledger.Open(context.Background(), &w); err != nil {
		panic(err)
	}
}

// did has modern do what a row says, unbeknownst to anyone.
func (b *bed) did(id string) {
	w := b.ledger.rows[id]
	op := operation(strings.TrimPrefix(w.Operation, "shop.v1.Orders."))
	_, err := b.modern.do(&strangler.Call{Operation: op, Request: payload(op.Input, w.Request), Write: strangler.WriteTag{ID: id, Epoch: w.Epoch}})
	if err != nil {
		panic(err)
	}
}

// sweeping runs a Sweeper until the test stops it.
func (b *bed) sweeping(t *testing.T, log *bytes.Buffer, change ...func(*strangler.SweeperOptions)) (stop func()) {
	opts := strangler.SweeperOptions{
		Capabilities: []*strangler.Capability{b.capability, {Name: "without entity"}}, Ledger: b.ledger, Stale: b.ledger.stale,
	}
	if log != nil {
		opts.Logger = slog.New(slog.NewTextHandler(log, nil))
	}
	for _, c := range change {
		c(&opts)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		strangler.NewSweeper(opts).Run(ctx)
	}()
	return func() { cancel(); <-done }
}

func TestSweeper(t *testing.T) {
	line := map[string]string{"id": "1", "customer": "c", "line": "x"}
	for _, test := range []struct {
		name           string
		arrange        func(b *bed)
		state          strangler.WriteState
		legacy, modern int // lines of order 1
	}{
		{"modern never heard of it", func(*bed) {}, strangler.WriteClosed, 1, 1},
		{"modern has done it", func(b *bed) { b.did("w") }, strangler.WriteClosed, 1, 1},
		{"its epoch has passed", func(b *bed) { b.modern.epoch = 2 }, strangler.WriteVoid, 0, 0},
		{"its epoch has passed, but modern had done it", func(b *bed) { b.did("w"); b.modern.epoch = 2 }, strangler.WriteClosed, 1, 1},
		{"modern refuses it", func(b *bed) { b.modern.put("1", nil, false) }, strangler.WriteFailed, 0, 0},
		{"modern is away for a while", func(b *bed) { b.modern.before = times(4, fails(codes.Unavailable)) }, strangler.WriteClosed, 1, 1},
		{"modern hangs for a while", func(b *bed) { b.modern.before = times(3, hang) }, strangler.WriteClosed, 1, 1},
		{"legacy is away for a while", func(b *bed) { b.ledger.onWriteBack = first(4, errLegacy) }, strangler.WriteClosed, 1, 1},
		{"legacy differs", func(b *bed) { b.ledger.onWriteBack = always(&strangler.DifferError{What: "x"}) }, strangler.WriteDoubt, 0, 1},
		{"voided meanwhile", func(b *bed) {
			b.ledger.onWriteBack = func(*strangler.Write) error { b.ledger.void(9); return nil }
		}, strangler.WriteVoid, 0, 1},
		{"the commit is lost", func(b *bed) { b.ledger.writtenBack = first(1, errCommit) }, strangler.WriteClosed, 1, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t)
				b.leave("w", "AddLine", line)
				test.arrange(b)
				stop := b.sweeping(t, nil)
				time.Sleep(5 * time.Minute)
				stop()
				b.wantRows(t, test.state)
				if l, m := b.legacy.lines("1"), b.modern.lines("1"); len(l) != test.legacy || len(m) != test.modern {
					t.Errorf("legacy has %q, modern %q", l, m)
				}
			})
		})
	}
}

// A new entity's id is in the reply that modern has stored.
func TestSweeperFindsNewEntities(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		b.leave("w", "PlaceOrder", map[string]string{"customer": "c", "line": "x"})
		b.did("w")
		stop := b.sweeping(t, nil)
		synctest.Wait()
		stop()
		b.wantRows(t, strangler.WriteClosed)
		if got := b.legacy.lines("modern-1"); len(got) != 1 {
			t.Errorf("legacy has %q", got)
		}
	})
}

// An outage is told once, and tried less and less; one write that can't be ended doesn't stop the others.
func TestSweeperIsPatient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		b := newBed(t)
		for i := range 10 {
			b.leave(fmt.Sprint("w", i), "AddLine", map[string]string{"id": "1", "customer": "c", "line": fmt.Sprint(i)})
		}
		b.ledger.rows["w0"].Operation = "shop.v1.Orders.Forgotten"
		b.ledger.rows["w9"].Capability = "other"
		outage := time.Now().Add(10 * time.Minute)
		b.modern.before = func(ctx context.Context, call *strangler.Call) error {
			if time.Now().Before(outage) {
				return fails(codes.Unavailable)(ctx, call)
			}
			return nil
		}
		stop := b.sweeping(t, &log)
		time.Sleep(10 * time.Minute)
		if got := len(b.trace.all()); got > 200 {
			t.Errorf("modern was asked %d times", got)
		}
		time.Sleep(2 * time.Minute)
		stop()
		b.wantRows(t, "open", "closed", "closed", "closed", "closed", "closed", "closed", "closed", "closed", "open")
		if got := strings.Count(log.String(), "can't be brought to an end"); got != 1 {
			t.Errorf("an outage is told %d times", got)
		}
		if !strings.Contains(log.String(), "have come to an end") {
			t.Errorf("the end is not told: %s", log.String())
		}
	})
}

func TestSweeperWithoutLegacy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		b := newBed(t)
		b.leave("w", "AddLine", map[string]string{"id": "1", "customer": "c", "line": "x"})
		tries := 0
		stop := b.sweeping(t, &log, func(o *strangler.SweeperOptions) {
			o.Stale = func(ctx context.Context, c string, age time.Duration, after strangler.Write, most int) ([]strangler.Write, error) {
				if tries++; tries < 5 {
					return nil, errLegacy
				}
				if c != "orders" || age != 15*time.Second || most != 200 {
					t.Errorf("asked for %d of %s of %s", most, age, c)
				}
				return b.ledger.stale(ctx, c, age, after, most)
			}
		})
		time.Sleep(time.Minute)
		stop()
		b.wantRows(t, strangler.WriteClosed)
		if got := strings.Count(log.String(), "LEGACY_UNAVAILABLE"); got != 1 {
			t.Errorf("told %d times", got)
		}
	})
}

// A full batch is followed by the next one at once.
func TestSweeperWorksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		for i := range 10 {
			b.leave(fmt.Sprint("w", i), "AddLine", map[string]string{"id": "1", "customer": "c", "line": fmt.Sprint(i)})
		}
		stop := b.sweeping(t, nil, func(o *strangler.SweeperOptions) {
			o.Most = 3
		})
		time.Sleep(time.Second)
		stop()
		if got := b.legacy.lines("1"); len(got) != 10 {
			t.Errorf("legacy has %q", got)
		}
	})
}

// Writes that can't be ended don't keep others from it, however many stand in front.
func TestSweeperGetsPastWhatItCantEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		const poison = 130 // more pages than one look has
		for i := range poison {
			b.leave(fmt.Sprint("p", i), "PlaceOrder", map[string]string{"customer": "c", "line": "poison"})
		}
		b.leave("w", "AddLine", map[string]string{"id": "1", "customer": "c", "line": "x"})
		b.modern.before = onWrites(func(ctx context.Context, call *strangler.Call) error {
			if call.Operation.Descriptor.Name() == "PlaceOrder" {
				return strangler.Fail(codes.Internal, "PANIC", "it can't")
			}
			return nil
		})
		stop := b.sweeping(t, nil, func(o *strangler.SweeperOptions) { o.Most = 5 })
		time.Sleep(10 * time.Minute)
		if got := b.legacy.lines("1"); !slices.Equal(got, []string{"x"}) {
			t.Errorf("legacy has %q", got)
		}
		b.modern.mu.Lock()
		b.modern.before = nil
		b.modern.mu.Unlock()
		time.Sleep(10 * time.Minute)
		stop()
		for _, w := range b.ledger.writes() {
			if w.State != strangler.WriteClosed {
				t.Fatalf("%s is %s", w.ID, w.State)
			}
		}
	})
}

// A refusal is not believed while an earlier try may still be at it.
func TestSweeperDoubtsARefusalBehindAnUnclearTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		b.leave("w", "AddLine", map[string]string{"id": "1", "customer": "c", "line": "x"})
		tries := 0
		b.modern.before = onWrites(func(ctx context.Context, call *strangler.Call) error {
			switch tries++; tries {
			case 1:
				kept := *call
				time.AfterFunc(8*time.Second, func() { _, _ = b.modern.do(&kept) }) // it is done behind the sweeper's back
				return hang(ctx, call)
			case 2:
				return strangler.Fail(codes.FailedPrecondition, "LOCKED", "not now")
			}
			return nil
		})
		stop := b.sweeping(t, nil)
		time.Sleep(5 * time.Minute)
		stop()
		b.wantRows(t, strangler.WriteClosed)
		b.wantLines(t, b.legacy, "x")
	})
}

// What modern has done after all, though it was refused before, waits for a person.
func TestWhatWasRefusedAndIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := liveBed(t)
		b.ledger.onWriteBack = func(w *strangler.Write) error { // another process has taken a refusal for the end
			b.ledger.mu.Lock()
			defer b.ledger.mu.Unlock()
			b.ledger.rows[w.ID].State = strangler.WriteFailed
			return nil
		}
		_, err := b.add(t.Context(), "x")
		wantError(t, err, codes.Internal, strangler.ReasonInDoubt)
		b.wantRows(t, strangler.WriteDoubt)
	})
}
