package consumer

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"banyan.dev/banyan/protocol"
)

// counted is a log's handler that tells of each record.
type counted struct {
	slog.Handler
	records chan slog.Record
}

func (c counted) Handle(_ context.Context, r slog.Record) error {
	c.records <- r
	return nil
}

func (c counted) Enabled(context.Context, slog.Level) bool { return true }

// While the database fails, no event is at fault: none is parked, however often it is tried.
func TestAFailingDatabaseParksNothing(t *testing.T) {
	everywhere(t, func(t *testing.T, empty where) {
		s := newService(t, empty(t), StoreOptions{})
		r := s.runner(t)
		records := make(chan slog.Record)
		r.Logger = slog.New(counted{slog.DiscardHandler, records})
		rename := func(from, to string) {
			t.Helper()
			if _, err := s.db.ExecContext(t.Context(), "ALTER TABLE "+from+" RENAME TO "+to); err != nil {
				t.Fatal(err)
			}
		}
		rename("banyan_entities", "away")
		done := make(chan error, 1)
		go func() { done <- r.one(t.Context(), event(1, protocol.OriginLegacy, "c1", "a", "1")) }()
		for range 3 * r.Attempts {
			if record := <-records; record.Level != slog.LevelWarn {
				t.Fatalf("%s: %s", record.Level, record.Message)
			}
		}
		rename("away", "banyan_entities")
		for waiting := true; waiting; {
			select {
			case <-records:
			case err := <-done:
				if waiting = false; err != nil {
					t.Fatal(err)
				}
			}
		}
		if parked, err := s.store.Parked(t.Context(), 0); s.body(t, "a") != "1" || len(parked) != 0 || err != nil {
			t.Errorf("thing a has %q, %v are parked, %v", s.body(t, "a"), parked, err)
		}
	})
}

// coded is an error as drivers of SQLite give it.
type coded int

func (c coded) Error() string { return "an error" }
func (c coded) Code() int     { return int(c) }

// shaped and fielded are errors as other drivers of SQLite give them: with a type of their own, and in a field.
type (
	kind    uint8
	shaped  struct{ kind kind }
	fielded struct{ Code, ExtendedCode kind }
)

func (s *shaped) Error() string { return "an error" }
func (s *shaped) Code() kind    { return s.kind }
func (f fielded) Error() string { return "an error" }

// Whatever the driver, it is seen that a database is full, or taken by another.
func TestErrorsOfEachDriver(t *testing.T) {
	s := NewStore(nil, StoreOptions{})
	const busy, full, constraint = 5, 13, 19
	for name, of := range map[string]func(code int) error{
		"words": func(code int) error {
			return fmt.Errorf("sqlite: %s", map[int]string{busy: "database is locked", full: "database or disk is full", constraint: "UNIQUE constraint failed: t.x"}[code])
		},
		"a number":             func(code int) error { return coded(code | 0x100) },
		"a number of its own":  func(code int) error { return &shaped{kind(code)} },
		"a field":              func(code int) error { return fielded{Code: kind(code)} },
		"a pointer to a field": func(code int) error { return errors.Join(errors.New("x"), pointed{&fielded{Code: kind(code)}}) },
	} {
		if !s.ask.busy(of(busy)) || s.ask.busy(of(full)) {
			t.Errorf("%s: it is not seen whether another has the database", name)
		}
		if s.blames(&applyError{of(full)}) || !s.blames(&applyError{of(constraint)}) {
			t.Errorf("%s: a full database is the event's fault, or a broken constraint is not", name)
		}
	}
	for _, other := range []error{errors.New("x"), (*nothing)(nil), &nothing{}, (*shaped)(nil)} {
		if code, ok := sqliteCode(other); ok {
			t.Errorf("%T has code %d", other, code)
		}
		if code, ok := mysqlCode(other); ok {
			t.Errorf("%T has number %d", other, code)
		}
	}
}

// pointed wraps an error.
type pointed struct{ error }

func (p pointed) Unwrap() error { return p.error }

// nothing is an error that has neither.
type nothing struct{ Code, Number string }

func (*nothing) Error() string { return "" }

func TestWhoIsToBlame(t *testing.T) {
	s := newService(t, file(t), StoreOptions{})
	if _, err := s.db.ExecContext(t.Context(), "CREATE TABLE strict (id TEXT REFERENCES things (id) DEFERRABLE INITIALLY DEFERRED)"); err != nil {
		t.Fatal(err)
	}
	s.db.SetMaxOpenConns(1)
	if _, err := s.db.ExecContext(t.Context(), "PRAGMA foreign_keys = ON"); err != nil {
		t.Fatal(err)
	}
	deferred := s.store.within(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), "INSERT INTO strict VALUES ('none')")
		return err
	})
	const full, ioRead, unique = 13, 266, 2067
	for name, test := range map[string]struct {
		err  error
		want bool
	}{
		"Apply refuses":                         {&applyError{errors.New("no")}, true},
		"Apply breaks a constraint":             {&applyError{coded(unique)}, true},
		"a constraint at the commit":            {deferred, true},
		"a constraint, by a driver of words":    {errors.New("UNIQUE constraint failed: t.x"), true},
		"Apply finds the disk full":             {&applyError{coded(full)}, false},
		"Apply can't read":                      {&applyError{coded(ioRead)}, false},
		"the commit fails":                      {coded(full), false},
		"something else of the kit's own fails": {errors.New("no such table"), false},
	} {
		if got := s.store.blames(test.err); got != test.want {
			t.Errorf("%s (%v): %v, want %v", name, test.err, got, test.want)
		}
	}
}

// A second process starts while the first one writes.
func TestTablesAreMadeBesideAWriter(t *testing.T) {
	everywhere(t, func(t *testing.T, empty where) {
		path := empty(t)
		first, second := newService(t, path, StoreOptions{}), newService(t, path, StoreOptions{})
		stop, ended := make(chan struct{}), make(chan error, 1)
		go func() {
			for {
				select {
				case <-stop:
					ended <- nil
					return
				default:
					if _, err := first.db.ExecContext(t.Context(), "UPDATE banyan_schema SET silent = silent + 0"); err != nil {
						ended <- err
						return
					}
				}
			}
		}()
		for i := range 100 {
			if err := second.store.Migrate(t.Context()); err != nil {
				t.Errorf("start %d: %v", i, err)
				break
			}
		}
		close(stop)
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
