package mirror

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"banyan.dev/banyan/mirror/change"
)

// hooked are entities of which a test says what each value leads to. follow may change the log on the way.
type hooked struct {
	shelfEntities
	follow func(steps []Step) []string
	most   int // steps at once
}

func (e *hooked) Follow(_ context.Context, _ change.Position, steps []Step) ([]string, error) {
	e.most = max(e.most, len(steps))
	return e.follow(steps), nil
}

func (e *hooked) Read(_ context.Context, _ change.Position, all []EntityName) (out []EntityState, err error) {
	for _, of := range all {
		out = append(out, EntityState{ID: of.ID, Key: "k" + of.ID, Data: []byte(`{}`)})
	}
	return out, nil
}

// shelved is a change of a row of a shelf, from hanging on a row to hanging on another; 0 for none.
func shelved(table string, first uint32, from, to int64) *change.Rows {
	r := &change.Rows{Op: change.Update, First: first, Table: &change.Table{Schema: "shop", Name: table, Columns: []change.Column{{Name: "id"}, {Name: "above"}}}, Rows: []change.Row{{}}}
	if from != 0 {
		r.Rows[0].Before = []change.Value{big(1), big(from)}
	}
	if to != 0 {
		r.Rows[0].After = []change.Value{big(1), big(to)}
	}
	return r
}

func serveHooked(t *testing.T, follow func(l *lab, steps []Step) []string, test func(t *testing.T, l *lab, e *hooked)) {
	t.Helper()
	e := &hooked{}
	serveWith(t, func(l *lab) Entities {
		e.follow = func(steps []Step) []string { return follow(l, steps) }
		return e
	}, func(t *testing.T, l *lab) { test(t, l, e) })
}

// Each row on the way is changed right before it is looked up: the fence comes behind the change that has the id.
func TestAFenceWaitsForEachStep(t *testing.T) {
	serveHooked(t, func(l *lab, steps []Step) []string {
		switch steps[0].Value {
		case "5":
			l.log.add(shelved("options", 1, 9, 0))
		case "9":
			l.log.add(shelved("positions", 1, 3, 0))
		}
		return make([]string, len(steps))
	}, func(t *testing.T, l *lab, _ *hooked) {
		l.log.add(shelved("notes", 1, 0, 5))
		l.log.add(marked(), fenced(change.Insert, "orders", "f", 0, `[]`))
		l.after(3 * time.Second)
		if diff := cmp.Diff([]string{"foreign 3 at 300:1", "fence f epoch 0 void [] to q at 100:2"}, l.broker.told(t)); diff != "" {
			t.Errorf("(- want, + got):\n%s", diff)
		}
		if l.saved() != l.log.at(4) {
			t.Errorf("saved at %s", l.saved())
		}
	})
}

// What the leader before has looked up too early, a fence of the next one waits for, too; and it is not lost with a leader.
func TestAFenceWaitsForWhatAnotherLeaderHasFollowed(t *testing.T) {
	serveHooked(t, func(_ *lab, steps []Step) []string { return make([]string, len(steps)) }, func(t *testing.T, l *lab, _ *hooked) {
		l.log.add(shelved("notes", 1, 0, 5))
		l.after(3 * time.Second)
		l.broker.cut()
		l.log.add(marked(), fenced(change.Insert, "orders", "f", 0, `[]`))
		l.log.add(shelved("positions", 1, 3, 0))
		l.after(3 * time.Second)
		if diff := cmp.Diff([]string{"foreign 3 at 200:1", "fence f epoch 0 void [] to q at 100:2"}, l.broker.told(t)); diff != "" {
			t.Errorf("(- want, + got):\n%s", diff)
		}
	})
}

// The origin is that of the row's transaction for the entity that it turns out to be part of; what several rows lead to is told once.
func TestWhatPathsLeadToIsToldOnceWithItsOrigin(t *testing.T) {
	serveHooked(t, func(_ *lab, steps []Step) (ids []string) {
		for _, step := range steps {
			ids = append(ids, strings.TrimPrefix(step.Value, "90"))
		}
		return ids
	}, func(t *testing.T, l *lab, e *hooked) {
		l.log.add(marked(), locked(4), shelved("options", 3, 904, 906), shelved("options", 4, 0, 904), shelved("positions", 5, 0, 6))
		l.after(time.Second)
		l.log.add(shelved("notes", 1, 907, 0), shelved("options", 2, 907, 908), shelved("positions", 3, 8, 7))
		none := shelved("notes", 1, 0, 1)
		none.Rows[0].After[1] = null()
		l.log.add(none)
		l.after(time.Second)
		want := []string{"writeback 4 at 0:4", "legacy 6 at 0:5", "foreign 7 at 100:3", "foreign 8 at 100:3"}
		got := l.broker.told(t)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(- want, + got):\n%s", diff)
		}
		if s := l.mirror.Status(); s.Skipped != 1 {
			t.Errorf("skipped %d", s.Skipped)
		}
	})
}

// However many rows a transaction changes, what waits and what is looked up at once is bounded.
func TestPathsOfALargeTransactionAreBounded(t *testing.T) {
	const rows = 100_000
	serveHooked(t, func(_ *lab, steps []Step) []string {
		ids := make([]string, len(steps))
		for i := range ids {
			ids[i] = "7"
		}
		return ids
	}, func(t *testing.T, l *lab, e *hooked) {
		var events []change.Event
		for first := 0; first < rows; first += 1000 { // as the log has them
			r := shelved("options", uint32(1+first), 0, 1)
			r.Rows = nil
			for i := range 1000 {
				r.Rows = append(r.Rows, change.Row{After: []change.Value{big(1), big(int64(1 + first + i))}})
			}
			events = append(events, r)
		}
		l.log.add(events...)
		l.after(3 * time.Second)
		got := l.broker.told(t)
		if e.most > mostWaiting+1000 || len(got) == 0 || len(got) > rows/mostWaiting+1 || got[len(got)-1] != "foreign 7 at 0:100000" {
			t.Errorf("%d were looked up at once, and %v was told", e.most, got)
		}
	})
}

// What leads nowhere is gone; what can't be looked up is tried again.
func TestPathsThatCantBeFollowed(t *testing.T) {
	for name, ids := range map[string][]string{"too few": nil, "a long id": {strings.Repeat("x", mostID+1)}} {
		t.Run(name, func(t *testing.T) {
			serveHooked(t, func(*lab, []Step) []string { return ids }, func(t *testing.T, l *lab, _ *hooked) {
				l.log.add(shelved("options", 1, 0, 5))
				l.after(time.Second)
				if s := l.mirror.Status(); (s.Stop != nil) != (len(ids) > 0) || (s.LastError == "") != (len(ids) > 0) {
					t.Errorf("status %+v", s)
				}
				if len(l.broker.told(t)) > 0 {
					t.Error("something was told")
				}
			})
		})
	}
}
