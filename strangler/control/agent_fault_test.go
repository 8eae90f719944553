package control_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"banyan.dev/banyan/strangler/control"
)

var errAway = errors.New("the store is away")

func TestAColdStartWaitsForTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeStore()
		s.away = errAway
		s.publish("orders", 1)
		r, a := agent(t, s)
		started := make(chan error, 1)
		go func() { started <- a.Start(t.Context()) }()
		pass(time.Minute)
		select {
		case err := <-started:
			t.Fatalf("started without a store: %v", err)
		default:
		}
		if n := strings.Count(r.said(), "level=WARN"); n != 1 || r.leased() || a.Status().Silent != -1 {
			t.Errorf("%d warnings: %s", n, r.said())
		}
		s.set(func(s *fakeStore) { s.away = nil })
		pass(time.Second)
		if err := <-started; err != nil || !r.leased() {
			t.Errorf("started: %v", err)
		}

		s.set(func(s *fakeStore) { s.away = errAway })
		_, other := agent(t, s)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := other.Start(ctx); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, errAway) {
			t.Errorf("got %v", err)
		}
	})
}

// The store may only fence who can't have a lease any more by its own clock, whatever gets lost or late.
func never(t *testing.T, s *fakeStore, r *replica, a *control.Agent, d time.Duration, disturb func(step int)) (leased, unleased int) {
	t.Helper()
	const step = 10 * time.Millisecond
	for n := range int(d / step) {
		disturb(n)
		pass(step)
		if s.fence() && r.leased() {
			t.Fatalf("fenced with a lease after %s", time.Duration(n)*step)
		}
		if r.leased() {
			leased++
		} else {
			unleased++
		}
		if a.Status().Leased != r.leased() {
			t.Fatalf("the status says %+v", a.Status())
		}
	}
	return leased, unleased
}

func TestLostRepliesEndTheLeaseInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeStore()
		s.publish("orders", 1)
		r, a := agent(t, s)
		defer start(t, a)()
		// Every answer is lost: the store believes that the lease goes on, the replica doesn't.
		_, without := never(t, s, r, a, 10*time.Second, func(n int) {
			s.set(func(s *fakeStore) { s.lost = errors.New("connection reset") })
		})
		if without < 600 {
			t.Errorf("it had no lease for only %d steps", without)
		}
		if n := strings.Count(r.said(), "has no lease any more"); n != 1 {
			t.Errorf("told %d times: %s", n, r.said())
		}
		s.publish("orders", 2)
		s.set(func(s *fakeStore) { s.lost = nil })
		pass(time.Second)
		if !r.leased() || s.ack("orders").Applied != 2 || a.Status().Trouble != "" {
			t.Errorf("got %+v", a.Status())
		}
	})
}

func TestASlowStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeStore()
		s.publish("orders", 1)
		r, a := agent(t, s)
		defer start(t, a)()
		if _, without := never(t, s, r, a, 20*time.Second, func(n int) {
			s.set(func(s *fakeStore) { s.slow = time.Duration(n%97) * 10 * time.Millisecond })
		}); without > 0 {
			t.Errorf("no lease for %d steps with answers within a second", without)
		}
		if _, without := never(t, s, r, a, 20*time.Second, func(n int) {
			s.set(func(s *fakeStore) { s.slow = 2 * time.Second })
		}); without == 0 {
			t.Error("a lease with answers that come too late to be of use")
		}
		s.set(func(s *fakeStore) { s.slow = 0 })
		pass(5 * time.Second)
		if !r.leased() {
			t.Errorf("no lease: %+v", a.Status())
		}
	})
}

func TestAFencedReplicaJoinsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeStore()
		s.publish("orders", 1)
		r, a := agent(t, s)
		defer start(t, a)()
		pass(time.Second)
		s.set(func(s *fakeStore) { s.away = errAway })
		r.write("orders", 1) // and it hangs
		pass(4 * time.Second)
		if r.leased() || !s.fence() {
			t.Fatal("a silent replica has a lease, or can't be fenced")
		}
		s.publish("orders", 2)
		s.publish("orders", 3)
		s.set(func(s *fakeStore) { s.away, s.log = nil, nil })
		pass(5 * time.Second)
		if r.leased() || len(s.steps()) > 0 {
			t.Errorf("it has joined with a write on its way: %q", s.steps())
		}
		r.write("orders", 0)
		pass(time.Second)
		if !kept(s.steps(), "marks", "join one", "read all") || len(s.steps()) != 3 || !r.leased() || s.ack("orders") != (control.Ack{Applied: 3, Settled: 3, Digest: "d"}) {
			t.Errorf("got %q, acknowledged %+v", s.steps(), s.ack("orders"))
		}
		if strings.Count(r.said(), "was fenced") != 1 {
			t.Errorf("got %s", r.said())
		}
	})
}

// Whoever fences may be late: the marks go when the replica has joined again.
func TestMarksThatWereTakenLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeStore()
		s.publish("orders", 1)
		var r *replica
		r, a := agent(t, s, func(o *control.AgentOptions) {
			o.Registered = func(context.Context) (bool, error) {
				r.mu.Lock()
				defer r.mu.Unlock()
				return r.marks, nil
			}
		})
		defer start(t, a)()
		pass(10 * time.Second)
		if len(s.steps()) != 3 {
			t.Errorf("got %q", s.steps())
		}
		r.mu.Lock()
		r.marks = false
		r.mu.Unlock()
		pass(2 * time.Second)
		if len(s.steps()) != 6 || !r.leased() {
			t.Errorf("got %q", s.steps())
		}
		pass(10 * time.Second)
		if len(s.steps()) != 6 {
			t.Errorf("got %q", s.steps())
		}
	})
}

func TestWhoIsStillWritingDoesNotLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeStore()
		s.publish("orders", 1)
		r, a := agent(t, s)
		stop := start(t, a)
		r.write("orders", 1)
		stop()
		if !s.there() || r.leased() {
			t.Error("it has left, or goes on")
		}
		if !strings.Contains(r.said(), "could not leave") {
			t.Errorf("got %s", r.said())
		}
	})
}
