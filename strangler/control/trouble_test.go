package control_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/flags"
	"banyan.dev/banyan/strangler"
	"banyan.dev/banyan/strangler/control"
)

// Commands come between a coordinator's look and what it saves, each time.
func TestCommandsComeInBetween(t *testing.T) {
	for at := 1; at <= 8; at++ {
		synctest.Test(t, func(t *testing.T) {
			m := toLive(t, "a", "b")
			o, err := func() (control.Outcome, error) {
				defer m.coordinator(t, "q")()
				defer pass(time.Second) // the service is told
				return m.operator().Rollback(t.Context(), back)
			}()
			must(t, o, err)
			var rolled sync.WaitGroup
			var once sync.Once
			n := 0
			m.on = func(what string, before bool) error {
				if what != "save" || !before {
					return nil
				}
				if n++; n < at {
					return nil
				}
				once.Do(func() {
					rolled.Go(func() {
						o, err := m.operator().Rollback(t.Context(), back)
						must(t, o, err)
					})
					<-time.After(10 * time.Millisecond) // it is saved meanwhile
				})
				return nil
			}
			stop := m.coordinator(t, "r")
			o, err = m.operator().Advance(t.Context(), to(flags.Live, 0))
			if err != nil || o.Done && n > at || !o.Done && !strings.Contains(o.Why, "a rollback came: by bob") {
				t.Errorf("at %d: got %+v, %v", at, o, err)
			}
			pass(time.Second)
			rolled.Wait()
			if got := m.stage("orders"); n >= at && got != "shadow" {
				t.Errorf("at %d: it is %s", at, got)
			}
			history, err := m.operator().History(t.Context(), "orders", 100)
			off := slices.ContainsFunc(history, func(a control.Audit) bool {
				return a.What == "shift broken off" && a.From == "shadow" && a.To == "live"
			})
			if err != nil || off != (!o.Done) {
				t.Errorf("at %d: done is %t, and the history is %+v, %v", at, o.Done, history, err)
			}
			stop()
		})
	}
}

// One loses its seat in the midst, and another goes on. What the first has still to do is not done.
func TestTwoCoordinators(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := toLive(t, "a", "b")
		saves := 0
		m.on = func(what string, before bool) error {
			if before && what == "save" {
				if saves++; saves%2 == 0 {
					m.lead.end()
					<-time.After(5 * time.Millisecond)
				}
			}
			return nil
		}
		m.coordinator(t, "one")
		m.coordinator(t, "two")
		o, err := m.operator().Rollback(t.Context(), back)
		must(t, o, err)
		o, err = m.operator().Advance(t.Context(), to(flags.Live, 10))
		must(t, o, err)
		if saves < 10 {
			t.Errorf("only %d times one has saved", saves)
		}
	})
}

func TestAServiceThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := toLive(t, "a", "b")
		defer m.coordinator(t, "q")()
		m.writes["w1"] = strangler.Write{ID: "w1", Capability: "orders", Key: "k", Keyed: true, Epoch: 1, State: strangler.WriteOpen}
		answers := m.service
		m.set(func(m *memory) { m.service = func(control.FenceRow) *control.FenceAnswer { return nil } })

		o, err := m.operator().Rollback(t.Context(), back)
		if o = must(t, o, err); o.Took > 60*time.Millisecond || o.Paused > 600*time.Millisecond || o.Voided != 1 {
			t.Errorf("the rollback is %+v", o)
		}
		status, err := m.operator().Status(t.Context(), "orders")
		if err != nil || !slices.Contains(status[0].Blockers, "the new service has to be told of writes that were given up: it has been of 0 so far") ||
			!slices.Contains(status[0].Blockers, "the new service has to be told that keys have come back to legacy") || status[0].Next != "banyan status orders" {
			t.Errorf("got %+v, %v", status, err)
		}
		o, err = m.operator().Advance(t.Context(), to(flags.Live, 0))
		if err != nil || o.Done || !strings.Contains(o.Why, "it took too long") || !strings.Contains(o.Why, "given up") || o.To != "shadow" || o.Paused > 0 {
			t.Errorf("got %+v, %v", o, err)
		}
		m.set(func(m *memory) { m.service = answers })
		pass(time.Minute)
		o, err = m.operator().Advance(t.Context(), to(flags.Live, 0))
		must(t, o, err)

		// It hangs in the hold.
		o, err = m.operator().Rollback(t.Context(), back)
		must(t, o, err)
		m.set(func(m *memory) {
			m.service = func(f control.FenceRow) *control.FenceAnswer {
				if f.Epoch > 0 {
					return nil
				}
				return answers(f)
			}
		})
		var wg sync.WaitGroup
		wg.Go(func() {
			pass(time.Second)
			status, err := m.operator().Status(t.Context(), "")
			if err != nil || !strings.Contains(status[0].Shift, "to live by ann, at fence: waits for the new service to answer a fence") {
				t.Errorf("got %+v, %v", status, err)
			}
		})
		o, err = m.operator().Advance(t.Context(), to(flags.Live, 0))
		if err != nil || o.Done || o.Paused < 5*time.Second || o.Paused > 5200*time.Millisecond || o.To != "shadow" {
			t.Errorf("got %+v, %v", o, err)
		}
		wg.Wait()
		m.set(func(m *memory) {
			m.service = func(control.FenceRow) *control.FenceAnswer { return &control.FenceAnswer{Parked: []string{"k"}} }
		})
		o, err = m.operator().Advance(t.Context(), to(flags.Live, 0))
		if err != nil || o.Done || !strings.Contains(o.Why, `parked events of the key "k"`) {
			t.Errorf("got %+v, %v", o, err)
		}
		m.set(func(m *memory) {
			m.service = func(control.FenceRow) *control.FenceAnswer { return &control.FenceAnswer{Parked: []string{""}} }
		})
		for _, percent := range []int{1, 50, 99} { // by its hash, an empty key is in few of them
			o, err = m.operator().Advance(t.Context(), to(flags.Live, percent))
			if err != nil || o.Done || !strings.Contains(o.Why, "whose key it does not know") {
				t.Errorf("to %d%%: got %+v, %v", percent, o, err)
			}
		}
		m.set(func(m *memory) {
			m.service = func(control.FenceRow) *control.FenceAnswer { return &control.FenceAnswer{Parked: []string{"k"}} }
		})
		_, err = m.operator().Advance(t.Context(), to(flags.Live, 0))
		if err != nil {
			t.Error(err)
		}
		status, err = m.operator().Status(t.Context(), "orders")
		const why = `the new service has parked events of the key "k": banyan parked list shows them and why, as does its log`
		if err != nil || status[0].Last != "shadow to live by ann went back: "+why ||
			!slices.Equal(status[0].Blockers, []string{"the last shift, to live, went back: " + why}) || status[0].Next != "banyan advance orders --to live --percent 10" {
			t.Errorf("got %+v, %v", status, err)
		}
	})
}

// After a long outage of the service there are very many open writes: a rollback ends all the same, and modern is told of each.
func TestARollbackOfVeryManyOpenWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := toLive(t, "a", "b")
		defer m.coordinator(t, "q")()
		const many, others = 4500, 5500
		m.set(func(m *memory) {
			for i := range many + others {
				w := strangler.Write{ID: fmt.Sprintf("w%06d", i), Capability: "orders", Key: "b", Keyed: true, Epoch: 1, State: strangler.WriteOpen}
				if i < others { // the oldest are of keys that stay
					w.Key = "a"
				}
				m.writes[w.ID] = w
			}
		})
		o, err := m.operator().Advance(t.Context(), to(flags.Live, 50))
		if o = must(t, o, err); o.Voided != many || o.Paused > 5*time.Second {
			t.Errorf("got %+v", o)
		}
		pass(time.Minute)
		m.set(func(m *memory) {
			told, bytes := map[string]bool{}, len(m.records["orders"].State)
			for _, f := range m.fences {
				if len(f.Void) > 500 {
					t.Errorf("a fence names %d writes", len(f.Void))
				}
				for _, id := range f.Void {
					told[id] = true
				}
			}
			if len(told) != many || len(m.voids) > 0 || bytes > 10_000 {
				t.Errorf("modern is told of %d, %d are kept yet, the state has %d bytes", len(told), len(m.voids), bytes)
			}
			for _, w := range m.writes {
				if (w.State == strangler.WriteVoid) != (w.Key == "b") {
					t.Fatalf("%+v", w)
				}
			}
		})
	})
}

func TestAReplicaFallsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := toLive(t, "a", "b", "c")
		defer m.coordinator(t, "q")()
		m.set(func(m *memory) { m.replicas["b"].silent = true })
		o, err := m.operator().Rollback(t.Context(), back)
		if o = must(t, o, err); o.Of != 2 || o.Replicas != 2 || !slices.Equal(o.Fenced, []string{"b"}) || o.Paused < control.Lease || o.Paused > control.Lease+500*time.Millisecond {
			t.Errorf("got %+v", o)
		}
		// On a way forward its lease is waited out before the hold.
		m.set(func(m *memory) { m.replicas["c"].silent = true })
		pass(1500 * time.Millisecond)
		status, err := m.operator().Status(t.Context(), "")
		if err != nil || len(status[0].Replicas) != 2 || len(status[0].Blockers) != 0 {
			t.Errorf("got %+v, %v", status, err)
		}
		pass(2 * time.Second)
		if status, err = m.operator().Status(t.Context(), ""); err != nil || !slices.Contains(status[0].Blockers, "the replica c has been silent for 3.5s") {
			t.Errorf("got %+v, %v", status, err)
		}
		o, err = m.operator().Advance(t.Context(), to(flags.Live, 0))
		if o = must(t, o, err); o.Of != 1 || o.Paused > 250*time.Millisecond || !slices.Equal(m.taken, []string{"b", "c"}) {
			t.Errorf("got %+v, marks of %v are taken", o, m.taken)
		}
		// Where no shift waits for one, it is taken away in the end.
		m.set(func(m *memory) { m.replicas["a"].silent = true })
		pass(2 * time.Minute)
		if status, err = m.operator().Status(t.Context(), ""); err != nil || len(status[0].Replicas) != 0 {
			t.Errorf("got %+v, %v", status, err)
		}
	})
}

// What takes long for one capability holds no other up.
func TestCapabilitiesDontWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory("a")
		m.run(t)
		release := make(chan struct{})
		for i := range 20_000 {
			m.ids = append(m.ids, fmt.Sprintf("%05d", i))
		}
		defer m.coordinator(t, "q", control.Coordinated{Name: "stock", Service: "shop"})()
		defer close(release)
		o, err := m.operator().Advance(t.Context(), to(flags.Mirrored, 0))
		must(t, o, err)
		m.set(func(m *memory) {
			m.on = func(what string, before bool) error {
				if what == "announce" && before {
					<-release
				}
				return nil
			}
		})
		pass(time.Second)
		if status, err := m.operator().Status(t.Context(), ""); err != nil || status[0].Backfill != "running" {
			t.Fatalf("got %+v, %v", status, err)
		}
		stock := m.operator(func(f *control.Facts) { f.Name, f.Entity = "stock", "" })
		change := to(flags.Mirrored, 0)
		change.Capability = "stock"
		o, err = stock.Advance(t.Context(), change)
		must(t, o, err)
		change.Stage = flags.Shadow
		o, err = stock.Advance(t.Context(), change)
		if o = must(t, o, err); o.Took > 100*time.Millisecond {
			t.Errorf("got %+v", o)
		}
	})
}

func TestCommandsThatAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory("a")
		m.run(t)
		if _, err := m.operator().Rollback(t.Context(), back); strangler.AsError(err).Reason != "NO_SUCH_CAPABILITY" {
			t.Errorf("before there is a record: %v", err)
		}
		if status, err := m.operator().Status(t.Context(), ""); err != nil || len(status) != 0 {
			t.Errorf("before there is a record: %+v, %v", status, err)
		}
		defer m.coordinator(t, "q")()
		refused := func(code codes.Code, reason string, change control.Change, with ...func(*control.Facts)) {
			t.Helper()
			before := m.records["orders"].Revision
			_, err := m.operator(with...).Advance(t.Context(), change)
			if e := strangler.AsError(err); e == nil || e.Code != code || e.Reason != reason || m.records["orders"].Revision != before {
				t.Errorf("got %v, want %s %s", err, code, reason)
			}
		}
		unlive := func(f *control.Facts) { f.NotLive = []string{"no put"} }
		unshared := func(f *control.Facts) { f.NotShared = []string{"no key"} }
		away := func(f *control.Facts) { f.Healthy = func() (bool, string) { return false, "refused" } }
		unknown := to(flags.Mirrored, 0)
		unknown.Capability = "order"
		refused(codes.NotFound, "NO_SUCH_CAPABILITY", unknown)
		refused(codes.InvalidArgument, "INVALID_FIELD", to("alive", 0))
		refused(codes.InvalidArgument, "INVALID_FIELD", to(flags.Hold, 0))
		refused(codes.InvalidArgument, "INVALID_FIELD", to(flags.Mirrored, 101))
		refused(codes.InvalidArgument, "INVALID_FIELD", to(flags.Mirrored, -1))
		refused(codes.InvalidArgument, "INVALID_FIELD", to(flags.Off, 25))
		refused(codes.FailedPrecondition, "NOT_YET", to(flags.Complete, 0))
		refused(codes.FailedPrecondition, "STAGE_SKIPPED", to(flags.Shadow, 0))
		refused(codes.FailedPrecondition, "STAGE_SKIPPED", to(flags.Live, 10))
		m.advance(t, flags.Mirrored, flags.Shadow)
		refused(codes.FailedPrecondition, "CANT_BE_LIVE", to(flags.Live, 0), unlive)
		refused(codes.FailedPrecondition, "CANT_BE_SHARED", to(flags.Live, 10), unshared)
		refused(codes.FailedPrecondition, "SERVICE_AWAY", to(flags.Live, 10), away)
		status, err := m.operator(unlive, unshared, away).Status(t.Context(), "orders")
		if err != nil || !slices.Equal(status[0].Blockers, []string{"no put", "the new service does not answer: refused"}) {
			t.Errorf("got %+v, %v", status, err)
		}
		if status, err = m.operator(unshared).Status(t.Context(), "orders"); err != nil || status[0].Next != "banyan advance orders --to live" {
			t.Errorf("got %+v, %v", status, err)
		}
		m.set(func(m *memory) {
			m.writes["w1"] = strangler.Write{ID: "w1", Capability: "orders", State: strangler.WriteDoubt, Reason: "too long"}
		})
		refused(codes.FailedPrecondition, "WRITES_IN_DOUBT", to(flags.Live, 10))
		if status, err = m.operator().Status(t.Context(), "orders"); err != nil || status[0].Doubt != 1 || status[0].Next != "banyan writes list orders --state doubt" {
			t.Errorf("got %+v, %v", status, err)
		}
		m.set(func(m *memory) { delete(m.writes, "w1") })

		rehearsed := to(flags.Live, 10)
		rehearsed.DryRun = true
		before := m.records["orders"].Revision
		o, err := m.operator().Advance(t.Context(), rehearsed)
		if err != nil || len(o.Steps) != 5 || o.From != "shadow" || o.To != "live 10%, shadow 90%" || m.records["orders"].Revision != before {
			t.Errorf("got %+v, %v", o, err)
		}
		nothing := back
		nothing.DryRun = true
		if o, err = m.operator().Rollback(t.Context(), nothing); err != nil || o.To != "shadow" || len(o.Steps) != 1 || !strings.HasPrefix(o.Steps[0], "nothing") {
			t.Errorf("got %+v, %v", o, err)
		}
	})
}

// Without a coordinator a rollback's reads are on legacy all the same; its outcome is waited for as long as the caller does.
func TestNobodyCoordinates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := toLive(t, "a", "b")
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		o, err := m.operator().Rollback(ctx, back)
		if !errors.Is(err, context.DeadlineExceeded) || o.Done || o.Took > 60*time.Millisecond || !strings.Contains(o.Why, "still under way") {
			t.Errorf("got %+v, %v", o, err)
		}
		m.set(func(m *memory) {
			if f := m.records["orders"].Flag; f.Phase != flags.HoldLegacy {
				t.Errorf("the flag is %+v", f)
			}
		})
		defer m.coordinator(t, "q")()
		o, err = m.operator().Rollback(t.Context(), back) // it joins the first
		if o = must(t, o, err); o.To != "shadow" {
			t.Errorf("got %+v", o)
		}
	})
}
