package mirror

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"banyan.dev/banyan/mirror/change"
)

// lab is a mirror between doubles, in a bubble where time passes only when all wait.
type lab struct {
	log    *script
	broker *inbox
	store  *keeper
	mirror *Mirror
}

func run(t *testing.T, test func(t *testing.T, l *lab)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := &lab{log: newScript(), broker: &inbox{}, store: &keeper{state: State{Epoch: 1}}}
		l.mirror = New(Options{Name: "main", Source: l.log, Sink: l.broker, Store: l.store, Ledger: "banyan"})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			l.mirror.Run(ctx)
		}()
		synctest.Wait()
		test(t, l)
		cancel()
		<-ended
	})
}

func (l *lab) after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func (l *lab) saved() change.Position {
	s, _ := l.store.State(context.Background())
	return s.Position
}

func inserted(first uint32, ids ...int64) *change.Rows {
	r := &change.Rows{Table: orders(), Op: change.Insert, First: first}
	for _, id := range ids {
		r.Rows = append(r.Rows, change.Row{After: []change.Value{big(id), null()}})
	}
	return r
}

func TestAPositionIsSavedOnceAllBeforeItIsConfirmed(t *testing.T) {
	run(t, func(t *testing.T, l *lab) {
		l.log.add(inserted(1, 1, 2))
		l.log.add() // nothing in scope
		l.log.add(inserted(1, 3))
		l.after(3 * time.Second)
		if got := l.saved(); got != l.log.at(0) {
			t.Fatalf("nothing is confirmed, and %s is saved", got)
		}
		l.broker.confirm(1, nil)
		l.after(3 * time.Second)
		if got := l.saved(); got != l.log.at(0) {
			t.Fatalf("half a transaction is confirmed, and %s is saved", got)
		}
		l.broker.confirm(2, nil)
		l.after(3 * time.Second)
		if got := l.saved(); got != l.log.at(2) {
			t.Fatalf("two transactions are safe, and %s is saved", got)
		}
		l.broker.confirm(3, nil)
		l.after(3 * time.Second)
		if got := l.saved(); got != l.log.at(3) {
			t.Fatalf("all is confirmed, and %s is saved", got)
		}
		if s := l.mirror.Status(); s.Phase != PhaseLeading || s.Confirmed != 3 || s.InFlight != 0 || s.Events[change.Insert] != 3 {
			t.Errorf("the status is %+v", s)
		}
	})
}

func TestAfterAFailureItBeginsAtTheSavedPosition(t *testing.T) {
	run(t, func(t *testing.T, l *lab) {
		l.log.add(inserted(1, 1))
		l.log.add(inserted(1, 2))
		l.broker.confirm(1, nil)
		l.after(2 * time.Second)
		l.broker.confirm(1, errCut)
		l.after(time.Second)
		l.broker.confirm(1, nil)
		l.after(2 * time.Second)
		if diff := cmp.Diff([]string{"0-1-1:1", "0-1-2:1", "0-1-2:1"}, l.broker.ids()); diff != "" {
			t.Error(diff)
		}
		if got := l.saved(); got != l.log.at(2) {
			t.Errorf("%s is saved", got)
		}
		if s := l.mirror.Status(); s.Restarts != 1 || !strings.Contains(s.LastError, "cut") || s.Confirmed != 2 {
			t.Errorf("the status is %+v", s)
		}
	})
}

func TestADeposedLeaderSavesNothing(t *testing.T) {
	run(t, func(t *testing.T, l *lab) {
		l.log.add(inserted(1, 1))
		l.after(time.Second)
		if _, err := l.store.Reset(t.Context(), l.log.at(1)); err != nil { // as an operator, while it leads
			t.Fatal(err)
		}
		l.broker.confirm(1, nil)
		l.after(3 * time.Second)
		l.log.add(inserted(1, 2))
		l.after(time.Second)
		if diff := cmp.Diff([]string{"0-1-1:1", "0-1-2:1"}, l.broker.ids()); diff != "" {
			t.Error(diff)
		}
		if last := l.broker.got[len(l.broker.got)-1]; !strings.HasPrefix(last.Version, "0002-") || last.Term == l.broker.got[0].Term {
			t.Errorf("after the reset it sends %+v", last)
		}
	})
}

func TestLeadershipThatIsLostEndsSending(t *testing.T) {
	run(t, func(t *testing.T, l *lab) {
		l.broker.automatic = true
		close(l.store.lost)
		l.after(time.Second)
		if l.broker.opened != 2 || len(l.log.opened) != 2 {
			t.Errorf("it was begun %d times", l.broker.opened)
		}
	})
}

func TestAStopLastsUntilSomebodyActs(t *testing.T) {
	run(t, func(t *testing.T, l *lab) {
		l.log.mu.Lock()
		l.log.openErr = &change.StopError{What: "the log is gone", Fix: "banyan mirror reset"}
		l.log.mu.Unlock()
		l.after(time.Second)
		l.broker.confirm(0, errCut)
		l.after(20 * time.Second)
		s := l.mirror.Status()
		if s.Phase != PhaseStopped || s.Stop == nil || s.Stop.Fix != "banyan mirror reset" {
			t.Fatalf("the status is %+v", s)
		}
		l.log.mu.Lock()
		l.log.openErr = nil
		l.log.mu.Unlock()
		if _, err := l.store.Reset(t.Context(), l.log.at(0)); err != nil {
			t.Fatal(err)
		}
		l.after(2 * time.Second)
		if s := l.mirror.Status(); s.Phase != PhaseLeading || s.Stop != nil {
			t.Errorf("the status is %+v", s)
		}
	})
}

func TestAnotherServersLogIsAnotherEpoch(t *testing.T) {
	run(t, func(t *testing.T, l *lab) {
		l.log.mu.Lock()
		l.log.server = "b"
		l.log.mu.Unlock()
		l.broker.confirm(0, errCut)
		l.after(time.Second)
		l.log.add(inserted(1, 1))
		l.after(time.Second)
		if got := l.broker.got[0].Version; !strings.HasPrefix(got, "0002-") {
			t.Errorf("the version is %s", got)
		}
	})
}

func TestTheEndSavesWhatIsConfirmed(t *testing.T) {
	l := &lab{}
	run(t, func(_ *testing.T, inner *lab) {
		*l = lab{log: inner.log, broker: inner.broker, store: inner.store}
		inner.broker.automatic = true
		inner.log.add(inserted(1, 1))
		synctest.Wait()
	})
	if got := l.saved(); got != l.log.at(1) {
		t.Errorf("%s is saved", got)
	}
}

func TestWhoseATransactionIs(t *testing.T) {
	run(t, func(t *testing.T, l *lab) {
		writers := &change.Table{Schema: "banyan", Name: "writers", Columns: []change.Column{{Name: "replica"}, {Name: "n"}}}
		mark := func(first uint32) *change.Rows {
			row := []change.Value{str("host-1"), num(1)}
			return &change.Rows{Table: writers, Op: change.Update, First: first, Rows: []change.Row{{Before: row, After: row}}}
		}
		l.log.add(mark(1), inserted(2, 1))
		l.log.add(inserted(1, 2), mark(2)) // a mark that comes later is none
		l.log.add(inserted(1, 3))
		l.after(time.Second)
		var got []string
		for _, m := range l.broker.got {
			_, origin, _ := strings.Cut(string(m.Body), `"origin":"`)
			origin, _, _ = strings.Cut(origin, `"`)
			got = append(got, m.ID+" "+origin)
		}
		if diff := cmp.Diff([]string{"0-1-1:2 banyan", "0-1-2:1 foreign", "0-1-3:1 foreign"}, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestLagGrowsWhileNothingIsRead(t *testing.T) {
	var b beats
	start := time.Unix(1000, 0)
	if _, known := b.lag(start); known {
		t.Error("the lag is known before any beat")
	}
	b.sent(1, start)
	b.seen(1, start.Add(20*time.Millisecond))
	b.sent(2, start.Add(time.Second))
	b.sent(3, start.Add(2*time.Second))
	if lag, _ := b.lag(start.Add(5 * time.Second)); lag != 4*time.Second {
		t.Errorf("the lag is %s", lag)
	}
	b.seen(3, start.Add(5*time.Second))
	if lag, _ := b.lag(start.Add(6 * time.Second)); lag != 3*time.Second {
		t.Errorf("the lag is %s", lag)
	}
	b.missed()
	if lag, known := b.lag(start.Add(6 * time.Second)); known {
		t.Errorf("no beat is written, and the lag is %s", lag)
	}
	b.seen(4, start.Add(6*time.Second+time.Millisecond)) // read before its writer was told
	b.sent(4, start.Add(6*time.Second))
	if lag, _ := b.lag(start.Add(7 * time.Second)); lag != time.Millisecond {
		t.Errorf("the lag is %s", lag)
	}
}

// Versions of two logs must never meet in one epoch: not even when the mirror comes back before it has saved anything.
func TestComingBackFromAnotherServerIsAnotherEpoch(t *testing.T) {
	run(t, func(t *testing.T, l *lab) {
		l.log.set(func() { l.log.server = "b" })
		l.broker.confirm(0, errCut)
		l.after(time.Second)
		if s := l.mirror.Status(); s.Epoch != 2 {
			t.Fatalf("the epoch is %d", s.Epoch)
		}
		if at := l.saved(); at.Server == "a" || at.Server == "b" || at.IsZero() {
			t.Errorf("on the way, %+v is saved", at)
		}
		l.log.set(func() { l.log.server = "a" })
		l.broker.confirm(0, errCut)
		l.after(time.Second)
		if s := l.mirror.Status(); s.Epoch != 3 {
			t.Errorf("the epoch is %d", s.Epoch)
		}
	})
}

// A server that was demoted and lives on keeps its links: reading it would look like having nothing to read.
func TestAnAddressThatLeadsElsewhereEndsReading(t *testing.T) {
	run(t, func(t *testing.T, l *lab) {
		l.log.add(inserted(1, 1))
		l.after(2 * time.Second)
		if s := l.mirror.Status(); s.LagBytes == nil || *s.LagBytes != 7 {
			t.Fatalf("the status is %+v", s)
		}
		l.log.set(func() { l.log.behind = errCut })
		l.after(2 * time.Second)
		if s := l.mirror.Status(); s.LagBytes != nil || s.Restarts != 0 {
			t.Errorf("nobody answers, and the status is %+v", s)
		}
		l.log.set(func() { l.log.behind = change.ErrServers })
		l.after(2 * time.Second)
		if s := l.mirror.Status(); s.Restarts == 0 || !strings.Contains(s.LastError, "another server") {
			t.Errorf("the status is %+v", s)
		}
	})
}

func TestAReturnedMessageIsCounted(t *testing.T) {
	run(t, func(t *testing.T, l *lab) {
		l.log.add(inserted(1, 1))
		synctest.Wait()
		l.broker.confirm(0, &change.StopError{What: "nobody takes row.orders.insert"})
		synctest.Wait()
		if s := l.mirror.Status(); s.Phase != PhaseStopped || s.Returned != 1 || s.Sent != 1 {
			t.Errorf("the status is %+v", s)
		}
	})
}
