package consumer

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
)

// A process that always has something to do leaves turns to another one of the same database.
func TestProcessesOfOneDatabaseHaveTurns(t *testing.T) {
	path := file(t)
	busy, other := newService(t, path, StoreOptions{}), newService(t, path, StoreOptions{})
	work := func(s *service, n int) error {
		return s.store.within(t.Context(), func(tx *sql.Tx) error {
			for range n {
				if err := s.set(t.Context(), tx, "busy", "body", false); err != nil {
					return err
				}
			}
			return nil
		})
	}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	var turns atomic.Int64
	running.Go(func() {
		for ctx.Err() == nil {
			if err := work(busy, 50); err != nil {
				t.Error(err)
				return
			}
			turns.Add(1)
		}
	})
	eventually(t, func() error {
		if turns.Load() == 0 {
			return errors.New("the busy process has had no turn")
		}
		return nil
	})
	const enough = 30
	before := turns.Load()
	for range enough {
		if err := work(other, 1); err != nil {
			t.Fatal(err)
		}
	}
	if most, n := int64(5*enough), turns.Load()-before; n > most {
		t.Errorf("the busy process had %d turns while the other had %d", n, enough)
	}
}
