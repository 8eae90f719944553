package mirror

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"banyan.dev/banyan/mirror/change"
	"banyan.dev/banyan/protocol"
)

func (b *inbox) manual() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.automatic = false
}

// Behind an answered fence keys are the service's own. What was before it must not be told again in the epoch of another log,
// where it would be newer than all.
func TestNothingBeforeAFenceComesAgainInAnotherLog(t *testing.T) {
	serve(t, func(t *testing.T, l *lab, _ *shopEntities) {
		l.broker.manual()
		l.log.add(marked(), inserted(2, 1))
		l.log.add(marked(), fenced(change.Insert, "orders", "early", 0, `[]`))
		l.log.add(marked(), inserted(2, 2))
		l.log.add(marked(), fenced(change.Insert, "orders", "f", 7, `[]`))
		l.log.add(marked(), locked(1), inserted(3, 1))
		const moment = time.Millisecond // saves are a second apart
		l.after(moment)
		want := []string{"legacy 1 at 0:2", "fence early epoch 0 void [] to q at 100:2", "legacy 2 at 200:2"}
		if diff := cmp.Diff(want, l.broker.told(t)); diff != "" {
			t.Fatalf("while it is not confirmed (- want, + got):\n%s", diff)
		}
		l.broker.confirm(2+protocol.Partitions, nil)
		l.after(moment)
		if at := l.saved(); at != l.log.at(3) {
			t.Errorf("the fence was sent, and %s is saved", at)
		}
		want = append(want, "fence f epoch 7 void [] to q at 300:2", "writeback 1 at 400:3")
		if diff := cmp.Diff(want, l.broker.told(t)); diff != "" {
			t.Fatalf("(- want, + got):\n%s", diff)
		}

		l.log.set(func() { l.log.server = "b" })
		l.broker.cut()
		l.after(moment + 200*time.Millisecond)
		if s := l.mirror.Status(); s.Epoch != 2 {
			t.Fatalf("status %+v", s)
		}
		again := l.broker.told(t)[len(want):]
		if diff := cmp.Diff(want[3:], again); diff != "" {
			t.Errorf("after the failover (- want, + got):\n%s", diff)
		}
	})
}

func TestFencesThatFollowEachOtherCostOneSave(t *testing.T) {
	serve(t, func(t *testing.T, l *lab, _ *shopEntities) {
		l.log.add(inserted(1, 1))
		for range 3 {
			l.log.add(fenced(change.Insert, "orders", "f", 7, `[]`))
		}
		l.after(time.Millisecond)
		if n := len(l.store.saves); n != 2 || l.store.saves[1] != l.log.at(1) { // the first is that of the beginning
			t.Errorf("saved %v", l.store.saves)
		}
		if n := l.mirror.Status().Fences; n != 3 {
			t.Errorf("%d fences were sent", n)
		}
	})
}

// While a prepared XA transaction is undecided, a leader that begins anew reads again what came behind it.
func TestAFenceWaitsUntilThePositionCanPassWhatIsBeforeIt(t *testing.T) {
	serve(t, func(t *testing.T, l *lab, _ *shopEntities) {
		l.log.set(func() { l.log.xa = 1 })
		l.log.add(inserted(1, 1))
		l.log.add(fenced(change.Insert, "orders", "early", 0, `[]`))
		l.log.add(fenced(change.Insert, "orders", "f", 7, `[]`))
		l.log.add(inserted(1, 2))
		l.after(3 * time.Second)
		want := []string{"foreign 1 at 0:1", "fence early epoch 0 void [] to q at 100:2", "foreign 2 at 300:1"}
		if diff := cmp.Diff(want, l.broker.told(t)); diff != "" {
			t.Errorf("while it is undecided (- want, + got):\n%s", diff)
		}
		l.log.set(func() { l.log.xa = 0 })
		l.log.add()
		l.after(time.Millisecond)
		want = append(want, "fence f epoch 7 void [] to q at 200:2")
		if diff := cmp.Diff(want, l.broker.told(t)); diff != "" {
			t.Errorf("(- want, + got):\n%s", diff)
		}
		if at := l.saved(); at != l.log.at(5) {
			t.Errorf("the fence was sent, and %s is saved", at)
		}
	})
}

// returned is what is kept before a fence of a way back in its transaction.
func returned(id string) *change.Rows {
	return ledgerRows("epochs", change.Update, 1, "capability epoch back", str("orders"), big(7), str(id))
}

// A fence tells that keys are legacy's again where its own transaction says so.
func TestAFenceOfAWayBackSaysSo(t *testing.T) {
	serve(t, func(t *testing.T, l *lab, _ *shopEntities) {
		l.log.add(marked(), returned(""), returned("f"), fenced(change.Insert, "orders", "f", 7, `[]`))
		l.log.add(marked(), returned("f"), fenced(change.Insert, "orders", "g", 8, `[]`))
		l.log.add(marked(), returned("h"))
		l.log.add(marked(), fenced(change.Insert, "orders", "h", 9, `[]`))
		l.after(time.Millisecond)
		want := []string{"fence f epoch 7 void [] back to q at 0:2", "fence g epoch 8 void [] to q at 100:2", "fence h epoch 9 void [] to q at 300:2"}
		if diff := cmp.Diff(want, l.broker.told(t)); diff != "" {
			t.Errorf("(- want, + got):\n%s", diff)
		}
	})
}
