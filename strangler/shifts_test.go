package strangler_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/flags"
	"banyan.dev/banyan/strangler"
)

// world is a few replicas over two sides, with a coordinator that shifts keys to and fro, and clients that write and read.
// Delays, lost answers, hangs, lost COMMITs and lost leases come as they may.
type world struct {
	t              testing.TB
	without        string // the safety step that is left out; empty: none
	legacy, modern *side
	ledger         *ledger
	replicas       []*replica
	keys           []string

	mu sync.Mutex
	// barred keys may not be written in legacy: each replica has said that it has settled.
	barred map[string]bool
	// acked has the lines that were acknowledged, by key; nothing those that were certainly not written.
	acked, nothing map[string][]string
	// unknown counts writes of which nobody knows, for good, whether they have happened.
	unknown int
}

type replica struct {
	*switches
	router *strangler.Router
	once   *strangler.Idempotent
}

func maybe(percent int) bool { return rand.IntN(100) < percent }

func linger(most time.Duration) { <-time.After(rand.N(most)) }

func newWorld(t testing.TB) *world {
	t.Helper()
	return newWorldOf(t, func(w *world) strangler.Backend { return w.legacy })
}

func newWorldOf(t testing.TB, legacy func(*world) strangler.Backend) *world {
	tr := &trace{}
	w := &world{t: t, legacy: newSide("legacy", tr), modern: newSide("modern", tr), barred: map[string]bool{}, acked: map[string][]string{}, nothing: map[string][]string{}}
	w.ledger = newLedger(t, w.legacy)
	for i := range 6 {
		key := fmt.Sprint("k", i)
		w.keys = append(w.keys, key)
		w.legacy.put(key, nil, true)
		w.modern.put(key, nil, true)
	}
	flaky := func(lost int) fault {
		return func(ctx context.Context, call *strangler.Call) error {
			linger(3 * time.Millisecond)
			switch {
			case maybe(lost):
				return strangler.Fail(codes.Unavailable, "INJECTED", "a fault")
			case !call.Operation.Read && maybe(lost/2):
				return hang(ctx, call)
			}
			return nil
		}
	}
	w.modern.before, w.modern.after = flaky(4), flaky(4)
	w.legacy.before, w.legacy.after = w.checkBarred, w.checkBarred
	slow := func(*strangler.Write) error { linger(3 * time.Millisecond); return nil }
	lossy := func(*strangler.Write) error {
		linger(3 * time.Millisecond)
		if maybe(3) {
			return errCommit
		}
		return nil
	}
	w.ledger.onOpen, w.ledger.opened, w.ledger.onFinish, w.ledger.onFind = slow, lossy, slow, slow
	w.ledger.onWriteBack, w.ledger.writtenBack, w.ledger.finished = lossy, lossy, lossy
	for i := range 3 {
		r := &replica{switches: newSwitches()}
		r.router = strangler.NewRouter(strangler.RouterOptions{
			Legacy: legacy(w), Capabilities: []*strangler.Capability{orders(w.modern)}, Flags: r, Waiter: r, Ledger: w.ledger, Replica: fmt.Sprint("r", i),
		})
		r.once = strangler.NewIdempotent(strangler.IdempotentOptions{Next: r.router, Refuse: func(*strangler.Call) string { return "" }})
		w.replicas = append(w.replicas, r)
	}
	return w
}

// checkBarred is before and after each call of legacy.
func (w *world) checkBarred(_ context.Context, call *strangler.Call) error {
	linger(3 * time.Millisecond)
	w.mu.Lock()
	defer w.mu.Unlock()
	if !call.Operation.Read && w.barred[text(call.Request, "id")] {
		w.t.Errorf("a write was on its way in legacy when every replica had settled")
	}
	return nil
}

// publish gives a version to all replicas, to each in its own time, and waits until all have settled before it.
func (w *world) publish(version uint64, decide func(key string) flags.Decision) {
	var wg sync.WaitGroup
	for _, r := range w.replicas {
		wg.Go(func() {
			linger(5 * time.Millisecond)
			r.at(version, decide)
			for !r.router.Settled("orders", version) {
				<-time.After(time.Millisecond)
			}
		})
	}
	wg.Wait()
}

// stagesOf gives the decisions in a state: held keys, and live ones.
func stagesOf(live, held map[string]bool, reads flags.Side) func(key string) flags.Decision {
	live, held = maps.Clone(live), maps.Clone(held)
	return func(key string) flags.Decision {
		switch {
		case held[key]:
			return flags.Decision{Stage: flags.Hold, Reads: reads}
		case live[key]:
			return flags.Decision{Stage: flags.Live, Reads: flags.Modern}
		default:
			return flags.Decision{Stage: flags.Shadow, Reads: flags.Legacy}
		}
	}
}

func (w *world) bar(keys map[string]bool, barred bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for key := range keys {
		w.barred[key] = barred
	}
}

// coordinate shifts keys until done, then leaves all of them live.
func (w *world) coordinate(done <-chan struct{}) {
	live := map[string]bool{}
	for version := uint64(2); ; {
		last := false
		select {
		case <-done:
			last = true
		default:
		}
		linger(30 * time.Millisecond)
		moved := map[string]bool{}
		forward := last || maybe(50)
		for _, key := range w.keys {
			if live[key] != forward && (last || maybe(60)) {
				moved[key] = true
			}
		}
		hold := version
		if w.without == "hold" {
			w.publish(hold, stagesOf(live, nil, flags.Legacy))
		} else {
			w.publish(hold, stagesOf(live, moved, flags.Legacy))
		}
		w.ledger.mu.Lock()
		w.ledger.barred = hold
		w.ledger.mu.Unlock()
		if forward {
			w.bar(moved, true)
			w.fence(hold, moved)
			version++
			w.publish(version, stagesOf(live, moved, flags.Modern))
			for key := range moved {
				live[key] = true
			}
		} else {
			linger(10 * time.Millisecond) // the grace
			w.void(hold, moved)
			w.bar(moved, false)
			for key := range moved {
				delete(live, key)
			}
		}
		version++
		w.publish(version, stagesOf(live, nil, flags.Legacy))
		if !forward {
			w.fence(hold, moved)
			w.settled()
		}
		version++
		if last {
			return
		}
	}
}

// fence raises modern's epoch, and tells it legacy's state of the moved keys: what the mirror's stream does.
func (w *world) fence(epoch uint64, moved map[string]bool) {
	w.modern.mu.Lock()
	defer w.modern.mu.Unlock()
	w.modern.epoch = epoch
	if w.without == "fence" {
		return
	}
	for key := range moved {
		w.modern.orders[key] = w.legacy.lines(key)
	}
}

// settled tells the ledger what modern had done for void writes.
func (w *world) settled() {
	w.modern.mu.Lock()
	about := maps.Clone(w.modern.about)
	w.modern.mu.Unlock()
	w.ledger.settle(about)
}

// void gives up what is open of the moved keys.
func (w *world) void(before uint64, moved map[string]bool) {
	w.ledger.mu.Lock()
	defer w.ledger.mu.Unlock()
	for _, r := range w.ledger.rows {
		if w.without != "void" && r.State == strangler.WriteOpen && r.Epoch < before && moved[r.Key] {
			r.State = strangler.WriteVoid
		}
	}
}

// client writes lines, and looks for what was acknowledged, on any replica.
func (w *world) client(n int) {
	for i := range 80 {
		key := w.keys[rand.IntN(len(w.keys))]
		r := w.replicas[rand.IntN(len(w.replicas))]
		if maybe(2) {
			r.setLease(false)
			time.AfterFunc(rand.N(30*time.Millisecond), func() { r.setLease(true) })
		}
		line := fmt.Sprintf("%d.%d", n, i)
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond+rand.N(3*time.Second))
		err := w.call(ctx, r, "AddLine", map[string]string{"id": key, "customer": key, "line": line}, func([]string) {
			if got := w.legacy.lines(key); count(got, line) != 1 {
				w.t.Errorf("%s is acknowledged, and %d times in legacy", line, count(got, line))
			}
			w.mu.Lock()
			w.acked[key] = append(w.acked[key], line)
			w.mu.Unlock()
		})
		if e := strangler.AsError(err); e != nil && slices.Contains([]string{strangler.ReasonHeld, strangler.ReasonNoLease}, e.Reason) {
			w.mu.Lock()
			w.nothing[key] = append(w.nothing[key], line)
			w.mu.Unlock()
		}
		cancel()

		w.mu.Lock()
		want := slices.Clone(w.acked[key])
		w.mu.Unlock()
		_ = w.call(context.Background(), w.replicas[rand.IntN(len(w.replicas))], "GetOrder", map[string]string{"id": key, "customer": key}, func(got []string) {
			for _, line := range want {
				if count(got, line) != 1 {
					w.t.Errorf("%s was acknowledged, and a read sees it %d times", line, count(got, line))
				}
			}
		})
	}
}

func (w *world) call(ctx context.Context, r *replica, name string, fields map[string]string, answered func(lines []string)) error {
	op := operation(name)
	return r.router.Call(ctx, &strangler.Call{Operation: op, Request: message(op.Input, fields)}, func(reply *strangler.Reply) error {
		answered(linesOf(w.t, reply.Message))
		return nil
	})
}

func count(lines []string, line string) (n int) {
	for _, l := range lines {
		if l == line {
			n++
		}
	}
	return n
}

// Writes and reads run through shifts and rollbacks of their keys. Whatever fails: what was acknowledged is in legacy, once,
// and every read sees it; what was refused for a hold is nowhere; nothing is done twice; and when replicas have settled,
// nothing of before is on its way.
func TestThroughShifts(t *testing.T) {
	for round := range 3 {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				sweeping, stop := context.WithCancel(t.Context())
				done := make(chan struct{})
				var clients, others sync.WaitGroup
				for n := range 10 {
					clients.Go(func() { w.client(n) })
				}
				others.Go(func() { w.coordinate(done) })
				others.Go(func() {
					strangler.NewSweeper(strangler.SweeperOptions{
						Capabilities: []*strangler.Capability{orders(w.modern)}, Ledger: w.ledger, Stale: w.stale,
					}).Run(sweeping)
				})
				clients.Wait()
				close(done)
				<-time.After(5 * time.Minute) // the sweeper ends what is left
				stop()
				others.Wait()
				for _, r := range w.replicas {
					r.router.Close()
				}
				w.judge()
			})
		})
	}
}

// stale leaves writes to their own process for a while.
func (w *world) stale(_ context.Context, _ string, age time.Duration, after strangler.Write, most int) ([]strangler.Write, error) {
	w.ledger.mu.Lock()
	defer w.ledger.mu.Unlock()
	var out []strangler.Write
	for _, id := range w.ledger.order[slices.Index(w.ledger.order, after.ID)+1:] {
		r := w.ledger.rows[id]
		if r.State == strangler.WriteOpen && time.Since(r.Created) > age && len(out) < most {
			out = append(out, r.Write)
		}
	}
	return out, nil
}

func (w *world) judge() { w.judgeAtLeast(400, 50) }

// judgeAtLeast is judge for a run that is worth something if so many writes were acknowledged and closed.
func (w *world) judgeAtLeast(least, closed int) {
	acked, states := 0, map[strangler.WriteState]int{}
	for _, row := range w.ledger.writes() {
		states[row.State]++
	}
	if states[strangler.WriteOpen]+states[strangler.WriteDoubt] > 0 {
		w.t.Errorf("left: %v", states)
	}
	for _, key := range w.keys {
		legacy, modern := w.legacy.lines(key), w.modern.lines(key)
		if !slices.Equal(legacy, modern) {
			w.t.Errorf("%s: legacy has %d lines, modern %d, not the same", key, len(legacy), len(modern))
		}
		for _, line := range w.acked[key] {
			acked++
			if n := count(legacy, line); n != 1 {
				w.t.Errorf("%s was acknowledged, and is %d times in legacy", line, n)
			}
		}
		for _, line := range w.nothing[key] {
			if n := count(legacy, line); n != 0 {
				w.t.Errorf("%s was refused, and is %d times in legacy", line, n)
			}
		}
		for _, line := range legacy {
			if n := count(legacy, line); n != 1 {
				w.t.Errorf("%s is %d times in legacy", line, n)
			}
		}
	}
	w.t.Logf("%d acknowledged, live writes: %v", acked, states)
	if acked < least || states[strangler.WriteClosed] < closed {
		w.t.Errorf("that was no test: %d acknowledged", acked)
	}
}
