package consumer

import (
	"context"
	"database/sql"
	"testing"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"banyan.dev/banyan/protocol"
)

// deadlock makes InnoDB undo a transaction: it and one that has done more wait for each other.
func (s *service) deadlock(t *testing.T, tx *sql.Tx) {
	t.Helper()
	ctx := t.Context()
	other, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.ExecContext(ctx, "INSERT INTO things WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 500) SELECT CONCAT('more ', n), '' FROM n"); err != nil {
		t.Fatal(err)
	}
	update := func(tx *sql.Tx, id string) error {
		_, err := tx.ExecContext(ctx, "UPDATE things SET body = CONCAT(body, 'x') WHERE id = ?", id)
		return err
	}
	if err := update(tx, "x"); err != nil {
		t.Fatal(err)
	}
	if err := update(other, "y"); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- update(other, "x") }()
	if code, _ := mysqlCode(update(tx, "y")); code != 1213 {
		t.Errorf("there is no deadlock: %d", code)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := other.Rollback(); err != nil {
		t.Error(err)
	}
}

// InnoDB undoes the whole transaction that meets a deadlock, and what is asked behind it is committed at once. Where Apply, or a
// write, passes over that, nothing is lost: neither what it has done nor what was done before it in the same transaction.
func TestATransactionThatWasUndoneIsNoticed(t *testing.T) {
	everywhere(t, func(t *testing.T, empty where) {
		s := newService(t, empty(t), StoreOptions{})
		if s.at.dialect != MySQL {
			t.Skip("the transaction can't be committed there")
		}
		if _, err := s.db.ExecContext(t.Context(), "INSERT INTO things VALUES ('x', ''), ('y', '')"); err != nil {
			t.Fatal(err)
		}
		r, met := s.runner(t), false
		r.Apply = func(ctx context.Context, tx *sql.Tx, e protocol.EntityEvent) error {
			if err := s.apply(ctx, tx, e); err != nil {
				return err
			}
			if e.ID == "b" && !met {
				met = true
				s.deadlock(t, tx)
			}
			return nil
		}
		if err := r.take(t.Context(), []protocol.EntityEvent{
			event(1, protocol.OriginLegacy, "c1", "a", "1"), event(2, protocol.OriginLegacy, "c2", "b", "2"), event(3, protocol.OriginLegacy, "c3", "c", "3"),
		}); err != nil {
			t.Fatal(err)
		}
		if s.body(t, "a") != "1" || s.body(t, "b") != "2" || s.body(t, "c") != "3" || s.parkedKeys(t) != 0 {
			t.Errorf("things have %q, %q and %q, %d keys are parked", s.body(t, "a"), s.body(t, "b"), s.body(t, "c"), s.parkedKeys(t))
		}
		met = false
		for try := range 2 {
			_, err := s.store.Write(t.Context(), "things", Tag{"w", 1}, wrapperspb.String("d"), func(tx *sql.Tx) ([]EntityRef, error) {
				if err := s.set(t.Context(), tx, "d", "4", false); err != nil {
					return nil, err
				}
				if !met {
					met = true
					s.deadlock(t, tx)
				}
				return []EntityRef{{Entity: "test.Thing", ID: "d", Key: "c"}}, nil
			})
			if (err == nil) != (try == 1) {
				t.Errorf("try %d: %v", try, err)
			}
		}
		if s.body(t, "d") != "4" {
			t.Errorf("the thing that was written has %q", s.body(t, "d"))
		}
	})
}
