package consumer

import (
	"database/sql"
	"strings"
	"testing"
	"time"
)

// gaps runs turns until they are enough, and gives the times between the end of each and the beginning of the next.
func gaps(t *testing.T, s *service, enough func(all []time.Duration) bool) (all []time.Duration) {
	t.Helper()
	var left time.Time
	for !enough(all) {
		err := s.store.within(t.Context(), func(*sql.Tx) error {
			if !left.IsZero() {
				all = append(all, time.Since(left))
			}
			return nil
		})
		if left = s.store.contention.left; err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// A process that has met another leaves the database free between its turns for longer than the other one's pause between two
// looks: so the other sees that it is free.
func TestWhoHasMetAnotherLeavesItTurns(t *testing.T) {
	if leaveFree <= 2*lookEvery {
		t.Fatalf("%s is not enough to be seen by who looks every %s", leaveFree, lookEvery)
	}
	s := newService(t, file(t), StoreOptions{})
	s.store.contention.met = time.Now()
	for _, gap := range gaps(t, s, func(all []time.Duration) bool { return len(all) == 20 }) {
		if gap < leaveFree {
			t.Errorf("the database was free for %s between two turns, want at least %s", gap, leaveFree)
		}
	}
}

// One that knows of no other does so now and then, since who is never let in is never met.
func TestWhoKnowsOfNobodyLeavesTurnsNowAndThen(t *testing.T) {
	s := newService(t, file(t), StoreOptions{})
	began := time.Now()
	long := 0
	for _, gap := range gaps(t, s, func([]time.Duration) bool { return time.Since(began) > 3*freeEvery }) {
		if gap >= leaveFree {
			long++
		}
	}
	if long == 0 {
		t.Errorf("the database was never free for %s between two turns in %s", leaveFree, time.Since(began))
	}
}

// Who waits for longer than the database's patience is told so, and remembers whom it met.
func TestWhoFindsTheDatabaseTakenHasMetAnother(t *testing.T) {
	at := file(t)
	owner := newService(t, at, StoreOptions{})
	at.dsn = strings.Replace(at.dsn, "busy_timeout(30000)", "busy_timeout(20)", 1)
	other := newService(t, at, StoreOptions{})
	err := owner.store.within(t.Context(), func(*sql.Tx) error {
		err := other.store.within(t.Context(), func(*sql.Tx) error { return nil })
		if err == nil || !sqliteBusy(err) {
			t.Errorf("two have their turn at once: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if other.store.contention.met.IsZero() {
		t.Error("it has met nobody")
	}
	if err := other.store.within(t.Context(), func(*sql.Tx) error { return nil }); err != nil {
		t.Errorf("when the other has left: %v", err)
	}
}
