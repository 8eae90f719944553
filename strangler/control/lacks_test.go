package control_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/flags"
	"banyan.dev/banyan/strangler"
	"banyan.dev/banyan/strangler/control"
)

// A replica says which capabilities of the store its config has not, and acknowledges nothing of them.
func TestUnknownCapabilitiesAreNotAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeStore()
		s.publish("orders", 3)
		s.publish("elsewhere", 7)
		r, a := agent(t, s)
		defer start(t, a)()
		pass(100 * time.Millisecond)
		if got := s.ack("elsewhere"); got != (control.Ack{Lacks: true}) {
			t.Errorf("acknowledged %+v of a capability that it hasn't", got)
		}
		if got := s.ack("orders"); got != (control.Ack{Applied: 3, Settled: 3, Digest: "d"}) || r.Versions()["elsewhere"] > 0 {
			t.Errorf("acknowledged %+v, has %v", got, r.Versions())
		}
		if !r.leased() || !r.writes() {
			t.Error("it does not write")
		}
		s.publish("elsewhere", 8, flags.Mirrored)
		pass(time.Second)
		if n := strings.Count(r.said(), "has left off"); n != 1 || s.ack("elsewhere").Applied > 0 {
			t.Errorf("told %d times: %s", n, r.said())
		}
	})
}

// A replica whose config lacks a capability that is past off would take its calls past the new service: it doesn't start.
func TestAReplicaWithoutAMovedCapabilityDoesNotStart(t *testing.T) {
	for _, publish := range []func(s *fakeStore){
		func(s *fakeStore) { s.publish("elsewhere", 7, flags.Live) },
		func(s *fakeStore) { s.publish("elsewhere", 7, flags.Mirrored) },
		func(s *fakeStore) { // on its way there
			s.publish("elsewhere", 7)
			f := s.flags["elsewhere"]
			f.From = flags.Uniform(flags.Live)
			s.flags["elsewhere"] = f
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newFakeStore()
			s.publish("orders", 3)
			publish(s)
			r, a := agent(t, s)
			var lacks *control.LacksError
			if err := a.Start(t.Context()); !errors.As(err, &lacks) || lacks.Capability != "elsewhere" || !strings.Contains(err.Error(), "banyan rollback elsewhere") {
				t.Fatalf("got %v", err)
			}
			if s.there() || r.leased() || r.writes() {
				t.Error("it is there all the same")
			}
		})
	}
}

// One that was away while a capability moved that it hasn't can't come back: neither leased, nor with marks that it uses, nor
// waited for.
func TestAReplicaWithoutAMovedCapabilityStaysAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeStore()
		s.publish("elsewhere", 1)
		r, a := agent(t, s)
		defer start(t, a)()
		pass(time.Second)
		s.set(func(s *fakeStore) { s.replica.fenced = true })
		s.publish("elsewhere", 2, flags.Live)
		pass(time.Minute)
		if r.leased() || r.writes() || s.there() || !strings.Contains(a.Status().Trouble, "elsewhere is at live") {
			t.Errorf("leased %t, writes %t, there %t: %+v", r.leased(), r.writes(), s.there(), a.Status())
		}
		if joins := strings.Count(strings.Join(s.steps(), ","), "join one"); joins > 30 {
			t.Errorf("it has tried %d times in a minute", joins)
		}
		s.publish("elsewhere", 3)
		pass(5 * time.Second)
		if !r.leased() || !r.writes() || !s.there() || a.Status().Trouble != "" {
			t.Errorf("it doesn't come back: %+v", a.Status())
		}
	})
}

func TestReplicasThatDifferAreNamed(t *testing.T) {
	for name, c := range map[string]struct {
		odd  func(r *member)
		want string
	}{
		"lacks it": {func(r *member) { r.lacks = true }, "this capability in the config of b"},
		"differs":  {func(r *member) { r.digest = "e" }, "in the configs of a and of b"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMemory("a", "b")
				m.run(t)
				defer m.coordinator(t, "q")()
				m.advance(t, flags.Mirrored, flags.Shadow)
				m.set(func(m *memory) { c.odd(m.replicas["b"]) })
				pass(time.Second)
				status, err := m.operator().Status(t.Context(), "orders")
				if err != nil || !slices.ContainsFunc(status[0].Blockers, func(s string) bool { return strings.Contains(s, c.want) }) {
					t.Errorf("got %+v, %v", status, err)
				}
				_, err = m.operator().Advance(t.Context(), to(flags.Live, 10))
				if e := strangler.AsError(err); err == nil || e.Code != codes.FailedPrecondition || e.Reason != "REPLICAS_DIFFER" || !strings.Contains(e.Message, c.want) {
					t.Errorf("got %v", err)
				}
				o, err := m.operator().Advance(t.Context(), to(flags.Mirrored, 0)) // back is no matter
				if must(t, o, err); m.stage("orders") != "mirrored" {
					t.Errorf("got %+v", o)
				}
			})
		})
	}
}

// A rollback is not held up by a coordinator whose config hasn't the capability.
func TestACoordinatorWithoutTheCapability(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := toLive(t, "a", "b")
		other := control.Coordinated{Name: "stock", Service: "shop"}
		first := m.coordinatorOf(t, "other", other)
		pass(time.Second) // it has the seat
		defer m.coordinator(t, "q")()
		pass(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		o, err := m.operator().Rollback(ctx, back)
		if o = must(t, o, err); o.Paused > 2*time.Second {
			t.Errorf("got %+v", o)
		}
		first()
	})
}

// Nor by one that can't do its work: somebody else gets a turn.
func TestACoordinatorThatCantDoItsWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := toLive(t, "a", "b")
		leads := 0
		failing := true
		m.set(func(m *memory) {
			m.on = func(what string, before bool) error {
				if what == "save" && before && failing {
					leads++
					return errors.New("access denied")
				}
				return nil
			}
		})
		stop := m.coordinator(t, "a broken one")
		pass(100 * time.Millisecond)
		seat := m.lead
		var rolled control.Outcome
		var err error
		done := make(chan struct{})
		go func() {
			defer close(done)
			rolled, err = m.operator().Rollback(t.Context(), back)
		}()
		pass(2 * time.Second)
		m.set(func(m *memory) {
			if m.lead != seat {
				t.Error("it has given the seat up at once")
			}
		})
		pass(2 * time.Second)
		m.set(func(m *memory) {
			if leads == 0 {
				t.Error("nothing has failed")
			}
			select {
			case <-seat.lost:
			default:
				t.Error("it keeps the seat that it is of no use in")
			}
		})
		m.set(func(*memory) { failing = false })
		<-done
		must(t, rolled, err)
		stop()
	})
}
