package mirror

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"banyan.dev/banyan/mirror/change"
	"banyan.dev/banyan/strangler/backfill"
)

// The log has a change before it is committed: one that was sent before a backfill began may be missing in its first snapshots.
func TestSnapshotsFromBeforeAChangeOfManyRowsAreNotSentBehindIt(t *testing.T) {
	fills(t, 300, func(t *testing.T, l *fillLab) {
		before, err := l.log.Tail(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		committed := false
		l.ordersTable.set(func() {
			l.ordersTable.at = func() (change.Position, error) {
				if committed {
					return l.log.Tail(context.Background())
				}
				return before, nil
			}
		})
		l.log.add(&change.Statement{Op: change.Truncate, Schema: "shop", Table: "orders", Row: 1})
		l.after(time.Second)
		id := l.ask(t, backfill.Job{})
		l.after(10 * time.Second)
		if n := len(l.read()); n > 0 {
			t.Errorf("%d rows from before the truncation came behind it", n)
		}
		// Meanwhile it can be stopped, and the server is not asked without a pause.
		if _, err := l.book.Stop(t.Context(), id, "stopped by ada"); err != nil {
			t.Fatal(err)
		}
		l.after(10 * time.Second)
		l.ordersTable.set(func() { committed = true })
		if id = l.ask(t, backfill.Job{}); len(l.read()) > 0 {
			t.Errorf("%d rows came after it was stopped", len(l.read()))
		}
		l.after(10 * time.Second)
		if j := l.job(id); j.State != backfill.Done || j.Done != 300 || len(l.read()) != 300 {
			t.Errorf("got %+v and %d rows", j, len(l.read()))
		}
		if n := len(l.ordersTable.reads); n > 2500 {
			t.Errorf("read %d times in 20 s", n)
		}
	})
}

// A rate is kept in each second, not only in the long run.
func TestABackfillWithARateIsNoFlood(t *testing.T) {
	fills(t, 5000, func(t *testing.T, l *fillLab) {
		l.ask(t, backfill.Job{Rate: 100})
		for sec, before := 0, 0; sec < 10; sec++ {
			l.after(time.Second)
			n := len(l.read())
			if n-before > 200 {
				t.Errorf("%d rows in second %d", n-before, sec)
			}
			before = n
		}
		if n := len(l.read()); n < 800 {
			t.Errorf("%d rows in 10 s", n)
		}
	})
}

// One that can't go on lets others come first, and comes again.
func TestABackfillThatCantGoOnKeepsNoOtherBack(t *testing.T) {
	fills(t, 10, func(t *testing.T, l *fillLab) {
		l.ordersTable.set(func() {
			l.ordersTable.failOf = func(table string) error {
				if table == "broken" {
					return errors.New("the table is marked as crashed")
				}
				return nil
			}
		})
		var jobs []backfill.Job
		for _, table := range []string{"broken", "orders", "secrets"} {
			jobs = append(jobs, backfill.Job{Target: backfill.Target{Mirror: "main", Schema: "shop", Name: table}})
		}
		if _, err := l.book.Add(t.Context(), jobs); err != nil {
			t.Fatal(err)
		}
		l.after(10 * time.Second)
		if j := l.job(1); j.State != backfill.Running || j.Note != "tried again: the table is marked as crashed" {
			t.Errorf("got %+v", j)
		}
		if j := l.job(2); j.State != backfill.Done || j.Done != 10 {
			t.Errorf("got %+v", j)
		}
		// What the mirror sends no changes of, the config may have left out since it was asked for.
		if j := l.job(3); j.State != backfill.Failed || !strings.Contains(j.Note, "sends no changes of shop.secrets (see mirror.tables") {
			t.Errorf("got %+v", j)
		}
		l.ordersTable.set(func() { l.ordersTable.failOf = nil })
		l.after(3 * time.Second)
		if j := l.job(1); j.State != backfill.Done || j.Done != 10 {
			t.Errorf("got %+v", j)
		}
	})
}
