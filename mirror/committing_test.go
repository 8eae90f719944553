package mirror

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"banyan.dev/banyan/mirror/change"
)

// What XA transactions have changed is read once the engine has committed them; where there are none, nothing is asked.
func TestEntitiesWaitForXATransactions(t *testing.T) {
	serve(t, func(t *testing.T, l *lab, e *shopEntities) {
		l.log.set(func() { l.log.commits = map[int]string{2: "x", 3: "y", 4: "z"} })
		e.set(func() { e.prepared = map[string]bool{"x": true} })
		l.log.add(inserted(1, 1))
		l.after(time.Millisecond)
		l.log.add(inserted(1, 2))
		l.after(time.Second)
		if diff := cmp.Diff([]string{"100 1"}, e.reads); diff != "" {
			t.Errorf("while it is committed, reads (- want, + got):\n%s", diff)
		}
		if n := len(e.asked); n < 5 || n > 30 {
			t.Errorf("in a second it was asked %d times: %q", n, e.asked)
		}
		l.log.add(inserted(1, 2, 3)) // y
		l.log.add(fenced(change.Insert, "orders", "f", 0, `[]`))
		l.log.add(inserted(1, 4))
		e.set(func() { e.prepared, e.asked = nil, nil })
		l.after(time.Second)
		// z has changed no entity
		if diff := cmp.Diff([]string{"200 x", "400 y"}, e.asked); diff != "" {
			t.Errorf("asked for (- want, + got):\n%s", diff)
		}
		want := []string{"foreign 1 at 0:1", "foreign 2 at 100:1", "foreign 2 at 200:1", "foreign 3 at 200:2", "fence f epoch 0 void [] to q at 300:2", "foreign 4 at 400:1"}
		if diff := cmp.Diff(want, l.broker.told(t)); diff != "" {
			t.Errorf("(- want, + got):\n%s", diff)
		}
	})
}

// A transaction that was prepared under a name of before, and is left so, holds nothing up, once the log has been read to there.
func TestYoungerXATransactionsAreNotWaitedFor(t *testing.T) {
	serve(t, func(t *testing.T, l *lab, e *shopEntities) {
		l.log.set(func() { l.log.commits, l.log.left = map[int]string{1: "x"}, map[int]string{2: " w x", 3: " w x"} })
		e.set(func() { e.prepared = map[string]bool{"w": true, "x": true} })
		l.log.add(inserted(1, 1))
		l.after(time.Second)
		if got := l.broker.told(t); len(got) > 0 {
			t.Errorf("while it may be the older one, %q", got)
		}
		l.log.add()
		l.log.add(inserted(1, 2))
		l.after(time.Second)
		if diff := cmp.Diff([]string{"foreign 1 at 0:1", "foreign 2 at 200:1"}, l.broker.told(t)); diff != "" {
			t.Errorf("(- want, + got):\n%s", diff)
		}
	})
}

// One that the engine never commits, as after a crash in between, is told of. It goes on when somebody has decided it.
func TestAnXATransactionThatIsNeverCommittedStopsTheStream(t *testing.T) {
	serve(t, func(t *testing.T, l *lab, e *shopEntities) {
		l.log.set(func() { l.log.commits = map[int]string{1: "78..1"} })
		e.set(func() { e.prepared = map[string]bool{"78..1": true} })
		l.log.add(inserted(1, 1))
		l.after(15 * time.Second)
		if s := l.mirror.Status(); s.Stop == nil || !strings.Contains(s.Stop.What, "78..1") || !strings.Contains(s.Stop.Fix, "XA RECOVER") || len(e.reads) > 0 {
			t.Errorf("status %+v, reads %q", s, e.reads)
		}
		e.set(func() { e.prepared = nil })
		l.after(time.Minute)
		if diff := cmp.Diff([]string{"foreign 1 at 0:1"}, l.broker.told(t)); diff != "" || l.mirror.Status().Stop != nil {
			t.Errorf("status %+v (- want, + got):\n%s", l.mirror.Status(), diff)
		}
	})
}

// Of a large one, parts are read before its end is. It is undecided where it begins, and waited for all the same.
func TestPartsOfALargeXATransactionWaitForIt(t *testing.T) {
	serve(t, func(t *testing.T, l *lab, e *shopEntities) {
		l.log.set(func() { l.log.commits, l.log.left = map[int]string{2: "x"}, map[int]string{1: " x"} })
		e.set(func() { e.prepared = map[string]bool{"x": true} })
		l.log.add() // its XA PREPARE
		ids := make([]int64, mostWaiting)
		for i := range ids {
			ids[i] = int64(i + 1)
		}
		l.log.add(inserted(1, ids...), inserted(mostWaiting+1, ids...), inserted(2*mostWaiting+1, 1))
		l.after(time.Second)
		if len(e.reads) > 0 || len(e.asked) < 5 {
			t.Errorf("while it is committed, reads %q, asked for %q", e.reads, e.asked)
		}
		e.set(func() { e.prepared = nil })
		l.after(time.Minute)
		if got := l.broker.told(t); len(got) != 2*mostWaiting+1 || slices.ContainsFunc(e.asked, func(s string) bool { return s != "200 x" }) {
			t.Errorf("%d events, asked for %q", len(got), slices.Compact(e.asked))
		}
	})
}
