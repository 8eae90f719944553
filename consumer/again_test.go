package consumer

import (
	"database/sql"
	"errors"
	"testing"

	"banyan.dev/banyan/protocol"
)

// After a failover events come again with greater versions. What the service has written since must stand, and must still be
// known to be its own.
func TestWhatComesAgainFromAnotherLogIsNoNews(t *testing.T) {
	everywhere(t, func(t *testing.T, empty where) {
		for name, before := range map[string][]protocol.EntityEvent{
			"a call":              {event(1, protocol.OriginLegacy, "c1", "a", "1")},
			"a foreign change":    {event(1, protocol.OriginForeign, "c1", "a", "1")},
			"two foreign changes": {event(1, protocol.OriginForeign, "c1", "a", "1"), event(2, protocol.OriginForeign, "c1", "a", "2")},
			"a foreign deletion":  {event(1, protocol.OriginForeign, "c1", "a", "1"), event(2, protocol.OriginForeign, "c1", "a", "")},
		} {
			t.Run(name, func(t *testing.T) {
				s := newService(t, empty(t), StoreOptions{})
				r := s.runner(t)
				one := func(events ...protocol.EntityEvent) {
					t.Helper()
					for _, e := range events {
						if err := r.one(t.Context(), e); err != nil {
							t.Fatal(err)
						}
					}
				}
				one(before...)
				s.write(t, "w1", 3, "c1", "a", "local")
				back := event(5, protocol.OriginWriteBack, "c1", "a", "local")
				one(back)
				for epoch := 2; epoch <= 3; epoch++ {
					for _, e := range append(before, back) {
						one(elsewhere(e, epoch))
					}
					if parked, err := s.store.Parked(t.Context(), 0); s.body(t, "a") != "local" || len(parked) != 0 || err != nil {
						t.Errorf("thing a has %q, %v are parked, %v", s.body(t, "a"), parked, err)
					}
				}
				one(elsewhere(event(6, protocol.OriginForeign, "c1", "a", "theirs"), 3))
				if parked, err := s.store.Parked(t.Context(), 0); s.body(t, "a") != "local" || len(parked) != 1 || err != nil {
					t.Errorf("a foreign change is a conflict still: thing a has %q, %v are parked, %v", s.body(t, "a"), parked, err)
				}
			})
		}
	})
}

// Another process has taken over and applied an event meanwhile; the old one, which could not, must not park it.
func TestWhatIsAppliedIsNotParked(t *testing.T) {
	everywhere(t, func(t *testing.T, empty where) {
		s := newService(t, empty(t), StoreOptions{})
		r := s.runner(t)
		e := event(1, protocol.OriginLegacy, "c1", "a", "1")
		if err := r.one(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		key, parked, err := s.store.parkFailed(t.Context(), e, errors.New("an older build can't"))
		if err != nil || parked || key != "" {
			t.Errorf("parked: %v, under %q, %v", parked, key, err)
		}
		if keys, err := s.store.ParkedKeys(t.Context(), "", 10); len(keys) > 0 || err != nil {
			t.Errorf("the event is applied, and its key is parked: %v, %v", keys, err)
		}
	})
}

// A database of the first version is brought up to date, with what is in it.
func TestOldTablesAreUpgraded(t *testing.T) {
	at := file(t)
	db, err := sql.Open(at.driver, at.dsn)
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range append(sqlite().create,
		`INSERT INTO banyan_entities VALUES ('test.Thing', 'a', 'c1', '0001-0000000c-000000000005-00000001', 3, 0)`) {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s := newService(t, at, StoreOptions{})
	r := s.runner(t)
	for _, step := range []struct{ n, parked int }{{4, 0}, {6, 1}} { // one that came before, and a conflict
		if err := r.one(t.Context(), event(step.n, protocol.OriginForeign, "c1", "a", "theirs")); err != nil {
			t.Fatal(err)
		}
		if parked, err := s.store.Parked(t.Context(), 0); err != nil || len(parked) != step.parked {
			t.Errorf("after event %d, %v are parked, %v", step.n, parked, err)
		}
	}
}
