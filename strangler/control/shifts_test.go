package control_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"banyan.dev/banyan/flags"
	"banyan.dev/banyan/strangler"
	"banyan.dev/banyan/strangler/control"
)

var orders = control.Coordinated{Name: "orders", Service: "shop", Entity: "shop.v2.Order"}

// coordinator runs one; stop ends it and waits.
func (m *memory) coordinator(t *testing.T, queue string, with ...control.Coordinated) (stop func()) {
	t.Helper()
	return m.coordinatorOf(t, queue, append([]control.Coordinated{orders}, with...)...)
}

// coordinatorOf runs one of some capabilities.
func (m *memory) coordinatorOf(t *testing.T, queue string, known ...control.Coordinated) (stop func()) {
	t.Helper()
	if err := control.Ensure(t.Context(), m, m, known); err != nil {
		t.Fatal(err)
	}
	var log logged
	c := control.NewCoordinator(control.CoordinatorOptions{
		Store: m, Ledger: m, Answers: m.mailbox(queue), Backfill: m, Capabilities: known, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), coordinating{}, true))
	var wg sync.WaitGroup
	wg.Go(func() { c.Run(ctx) })
	var once sync.Once
	stop = func() {
		once.Do(func() { cancel(); wg.Wait() })
	}
	t.Cleanup(stop)
	return stop
}

func (m *memory) facts() control.Facts {
	return control.Facts{
		Coordinated: orders,
		Healthy:     func() (bool, string) { return true, "" },
		Compared:    func() strangler.Comparisons { return strangler.Comparisons{Same: 3} },
	}
}

func (m *memory) operator(with ...func(*control.Facts)) control.Operator {
	f := m.facts()
	for _, w := range with {
		w(&f)
	}
	return control.NewOperator(control.OperatorOptions{Store: m, Ledger: m, Capabilities: []control.Facts{f}})
}

func to(stage flags.Stage, percent int) control.Change {
	return control.Change{Capability: "orders", Stage: stage, Percent: percent, Who: "ann", Reason: "it is time"}
}

var back = control.Change{Capability: "orders", Who: "bob", Reason: "it smells"}

// must wants an outcome that is done.
func must(t *testing.T, o control.Outcome, err error) control.Outcome {
	t.Helper()
	if err != nil || !o.Done {
		t.Fatalf("got %+v, %v", o, err)
	}
	return o
}

// advance goes through stages.
func (m *memory) advance(t *testing.T, stages ...flags.Stage) {
	t.Helper()
	for _, stage := range stages {
		o, err := m.operator().Advance(t.Context(), to(stage, 0))
		must(t, o, err)
		pass(time.Second) // for what goes on in the background
	}
}

func TestThereAndBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory("a", "b")
		for i := range 2500 {
			m.ids = append(m.ids, fmt.Sprintf("%05d", i))
		}
		m.run(t)
		defer m.coordinator(t, "q")()
		op := m.operator()
		m.advance(t, flags.Mirrored)
		status, err := op.Status(t.Context(), "orders")
		if err != nil || status[0].Backfill != "done" || status[0].Backfilled != 2500 || status[0].Next != "banyan advance orders --to shadow" || !status[0].RollbackSafe {
			t.Fatalf("got %+v, %v", status, err)
		}
		told := map[string]bool{}
		for _, a := range m.announced {
			for _, id := range a.IDs {
				told[id] = true
			}
			if len(a.IDs) > 200 || a.Service != "shop" || a.Entity != "shop.v2.Order" || a.Capability != "orders" {
				t.Errorf("announced is %+v", a)
			}
		}
		if len(told) != 2500 {
			t.Errorf("%d entities are announced", len(told))
		}
		m.advance(t, flags.Shadow)
		if status, _ = op.Status(t.Context(), ""); status[0].Next != "banyan advance orders --to live --percent 10" || len(status[0].Blockers) > 0 {
			t.Errorf("got %+v", status)
		}

		o, err := op.Advance(t.Context(), to(flags.Live, 25))
		o = must(t, o, err)
		if o.From != "shadow" || o.To != "live 25%, shadow 75%" || o.Version != 6 || o.Replicas != 2 || o.Of != 2 || o.Took > 400*time.Millisecond || o.Paused == 0 || o.Paused > 250*time.Millisecond {
			t.Errorf("the outcome is %+v", o)
		}
		m.advance(t, flags.Live)
		if status, _ = op.Status(t.Context(), ""); status[0].Next != "banyan rollback orders" || status[0].Last == "" {
			t.Errorf("got %+v", status)
		}
		o, err = op.Rollback(t.Context(), back)
		o = must(t, o, err)
		if o.From != "live" || o.To != "shadow" || o.Took > 60*time.Millisecond || o.Paused > 250*time.Millisecond || o.Voided > 0 {
			t.Errorf("the outcome is %+v", o)
		}
		// Each replica has seen each version, in order.
		for name, r := range m.replicas {
			if !slices.Equal(r.versions["orders"], []uint64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}) && !slices.Equal(r.versions["orders"], []uint64{2, 3, 4, 5, 6, 7, 8, 9, 10, 11}) {
				t.Errorf("%s has seen %v", name, r.versions)
			}
		}
		history, err := op.History(t.Context(), "orders", 100)
		var lines []string
		for _, a := range slices.Backward(history) {
			lines = append(lines, fmt.Sprintf("%s: %s, %s to %s", a.Who, a.What, a.From, a.To))
		}
		text := strings.Join(lines, "\n")
		for _, want := range []string{"ann: shift begun, off to mirrored", "ann: filled", "ann: shift done, shadow to live 25%, shadow 75%", "bob: rollback begun, live to shadow", "bob: rollback done, live to shadow"} {
			if err != nil || !strings.Contains(text, want) {
				t.Errorf("the history doesn't say %q:\n%s", want, text)
			}
		}
	})
}

// cycle has a write given up by a rollback, modern told of it, and all keys shifted again.
func (m *memory) cycle(t *testing.T) {
	op := m.operator()
	m.set(func(m *memory) {
		m.writes["w1"] = strangler.Write{ID: "w1", Capability: "orders", Key: "k", Keyed: true, Epoch: 1, State: strangler.WriteOpen}
		m.writes["w2"] = strangler.Write{ID: "w2", Capability: "orders", Key: "k", Keyed: true, Epoch: 1, State: strangler.WriteDoubt}
		m.committed["w1"] = []string{"7"}
	})
	o, err := op.Rollback(t.Context(), back)
	if o = must(t, o, err); o.To != "shadow" || o.Voided != 2 || !slices.Equal(o.Fenced, []string{"c"}) || o.Of != 2 {
		t.Errorf("the outcome is %+v", o)
	}
	o, err = op.Advance(t.Context(), to(flags.Live, 0))
	must(t, o, err)
	m.set(func(m *memory) {
		for id, w := range m.writes {
			if w.State != strangler.WriteVoid || !w.Settled || w.Carried != (id == "w1") {
				t.Errorf("the write %s is %s, settled %t, carried %t", id, w.State, w.Settled, w.Carried)
			}
		}
		if !slices.ContainsFunc(m.announced, func(a control.Announcement) bool { return slices.Equal(a.IDs, []string{"7"}) }) {
			t.Error("modern isn't told of the entity")
		}
		// Before it is, a fence keeps modern from committing what is void.
		first := slices.IndexFunc(m.fences, func(f control.FenceRow) bool { return len(f.Void) == 2 && f.Epoch > 0 })
		if first < 0 {
			t.Errorf("the fences are %+v", m.fences)
		}
	})
	if got := m.stage("orders"); got != "live" {
		t.Errorf("it is %s", got)
	}
}

// toLive makes a memory whose capability is live.
func toLive(t *testing.T, replicas ...string) *memory {
	m := newMemory(replicas...)
	m.run(t)
	stop := m.coordinator(t, "at first")
	m.advance(t, flags.Mirrored, flags.Shadow, flags.Live)
	stop()
	return m
}

// A coordinator dies before or after each thing that it does, and another takes over.
func TestACoordinatorDiesAnywhere(t *testing.T) {
	kills := 0
	for _, before := range []bool{true, false} {
		for at, died := 1, true; died; at++ {
			synctest.Test(t, func(t *testing.T) {
				m := toLive(t, "a", "b", "c")
				m.replicas["c"].silent = true // so that all actions are needed
				var done atomic.Int64
				var once sync.Once
				dying := make(chan struct{})
				m.set(func(m *memory) {
					m.on = func(_ string, now bool) error {
						if now != before || done.Add(1) != int64(at) {
							return nil
						}
						once.Do(func() { close(dying) })
						return errors.New("killed")
					}
				})
				stop := m.coordinator(t, "the first")
				var heir sync.WaitGroup
				heir.Go(func() {
					select {
					case <-dying:
						stop()
						m.coordinator(t, "the second")
					case <-t.Context().Done():
					}
				})
				m.cycle(t)
				if died = done.Load() >= int64(at); died {
					kills++
				} else {
					once.Do(func() { close(dying) })
				}
				heir.Wait()
			})
		}
	}
	if kills < 40 {
		t.Errorf("only %d times one has died", kills)
	}
}

// A service that is not told of everything gets no keys; it may lose some, and it may be filled.
func TestNoKeyMovesByAFenceThatHasPassedWhatCantBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory("a", "b")
		m.run(t)
		m.coordinator(t, "the one")
		m.set(func(m *memory) { m.passed = true })
		m.advance(t, flags.Mirrored, flags.Shadow) // no key changes sides
		op := m.operator()
		o, err := op.Advance(t.Context(), to(flags.Live, 0))
		if err != nil || o.Done || !strings.Contains(o.Why, "can't be read") || m.stage("orders") != "shadow" {
			t.Errorf("the outcome is %+v, %v", o, err)
		}
		all, err := op.Status(t.Context(), "orders")
		if err != nil || !slices.ContainsFunc(all[0].Blockers, func(why string) bool { return strings.Contains(why, "2 ") && strings.Contains(why, "can't be read") }) {
			t.Errorf("the status is %+v, %v", all, err)
		}
		m.set(func(m *memory) { m.passed = false })
		o, err = op.Advance(t.Context(), to(flags.Live, 0))
		must(t, o, err)
		m.set(func(m *memory) { m.passed = true })
		o, err = op.Rollback(t.Context(), back)
		if o = must(t, o, err); m.stage("orders") != "shadow" {
			t.Errorf("the outcome is %+v", o)
		}
	})
}
