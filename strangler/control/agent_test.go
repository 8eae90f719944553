package control_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"banyan.dev/banyan/strangler/control"
)

func TestJoiningIsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeStore()
		s.publish("orders", 3)
		r, a := agent(t, s)
		r.behind = func() {
			if time.Now().Before(r.until) && r.versions["orders"] != 3 {
				t.Error("a lease before the flags")
			}
		}
		stop := start(t, a)
		if got := strings.Join(s.steps(), ", "); got != "marks, join one, read all" {
			t.Errorf("got %s", got)
		}
		if !r.leased() {
			t.Error("no lease after the start")
		}
		pass(30 * time.Millisecond)
		if got := s.ack("orders"); got != (control.Ack{Applied: 3, Settled: 3, Digest: "d"}) {
			t.Errorf("acknowledged %+v", got)
		}
		if st := a.Status(); !st.Leased || st.Silent > 30*time.Millisecond || st.Change != 1 || st.Replica != "one" || st.Trouble != "" {
			t.Errorf("got %+v", st)
		}
		stop()
		if r.leased() || s.there() {
			t.Error("who has left has a lease")
		}
	})
}

func TestNewsAreAcknowledgedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeStore()
		s.publish("orders", 1)
		r, a := agent(t, s)
		defer start(t, a)()
		pass(100 * time.Millisecond)

		r.write("orders", 1) // begun under version 1, and it takes a while
		s.publish("orders", 2)
		pass(25 * time.Millisecond)
		if got := s.ack("orders"); got != (control.Ack{Applied: 2, Settled: 1, Digest: "d"}) {
			t.Errorf("acknowledged %+v while a write is on its way", got)
		}
		pass(400 * time.Millisecond)
		r.write("orders", 0)
		pass(25 * time.Millisecond)
		if got := s.ack("orders"); got != (control.Ack{Applied: 2, Settled: 2, Digest: "d"}) {
			t.Errorf("acknowledged %+v", got)
		}

		polls, renewals := s.counts()
		pass(10 * time.Second)
		p, n := s.counts()
		if p, n := p-polls, n-renewals; p < 390 || p > 410 || n < 9 || n > 11 {
			t.Errorf("%d polls and %d renewals in 10 s without news", p, n)
		}
	})
}

func TestFlagsOutOfOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeStore()
		s.publish("orders", 5)
		s.publish("stock", 1)
		r, a := agent(t, s)
		defer start(t, a)()
		s.publish("orders", 4)
		s.publish("stock", 2)
		pass(100 * time.Millisecond)
		if got := r.Versions(); got["orders"] != 5 || got["stock"] != 2 {
			t.Errorf("got %v", got)
		}
		if n := strings.Count(r.said(), "the store has an older flag"); n != 1 || r.leased() {
			t.Errorf("told %d times: %s", n, r.said())
		}
		s.publish("orders", 6)
		pass(100 * time.Millisecond)
		if got := s.ack("orders"); got.Applied != 6 || len(a.Status().Refused) != 0 {
			t.Errorf("acknowledged %+v, %+v", got, a.Status())
		}
	})
}

func TestABadFlagIsNotAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeStore()
		s.publish("orders", 1)
		s.publish("stock", 1)
		r, a := agent(t, s)
		defer start(t, a)()
		r.spoil(7)
		s.publish("orders", 7)
		s.publish("stock", 2)
		pass(10 * time.Second)
		if o, st := s.ack("orders"), s.ack("stock"); o.Applied != 1 || st.Applied != 2 || !r.leased() {
			t.Errorf("acknowledged %+v and %+v", o, st)
		}
		if n := strings.Count(r.said(), "can't be taken over"); n != 1 || a.Status().Refused["orders"] != 7 {
			t.Errorf("told %d times: %s", n, r.said())
		}
		// Others may go on without a replica that was fenced: by the old flag it must not decide any more.
		s.set(func(s *fakeStore) { s.replica.fenced = true })
		pass(10 * time.Second)
		if r.leased() || !strings.Contains(a.Status().Trouble, "orders") {
			t.Errorf("it has a lease by a flag that is overtaken: %+v", a.Status())
		}
		s.publish("orders", 8)
		pass(time.Second)
		if o := s.ack("orders"); o.Applied != 8 || !r.leased() || a.Status().Trouble != "" {
			t.Errorf("acknowledged %+v, %+v", o, a.Status())
		}
	})
}

func TestBadAgents(t *testing.T) {
	good := control.AgentOptions{Membership: newFakeStore(), Flags: &replica{}, Settled: func(string, uint64) bool { return true }, Replica: "one"}
	for name, change := range map[string]func(*control.AgentOptions){
		"no membership":     func(o *control.AgentOptions) { o.Membership = nil },
		"no flags":          func(o *control.AgentOptions) { o.Flags = nil },
		"no replica":        func(o *control.AgentOptions) { o.Replica = "" },
		"nothing settles":   func(o *control.AgentOptions) { o.Settled = nil },
		"a long lease":      func(o *control.AgentOptions) { o.Lease = time.Minute },
		"a short lease":     func(o *control.AgentOptions) { o.Lease = time.Second },
		"a lazy poll":       func(o *control.AgentOptions) { o.Poll = 2 * time.Second },
		"a poll backwards":  func(o *control.AgentOptions) { o.Poll = -1 },
		"a renewal too few": func(o *control.AgentOptions) { o.Renew = 2 * time.Second },
	} {
		o := good
		change(&o)
		if _, err := control.NewAgent(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := control.NewAgent(good); err != nil {
		t.Error(err)
	}
}
