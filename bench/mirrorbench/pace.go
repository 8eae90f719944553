package mirrorbench

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// writers is how many connections write at a pace: enough that commits share the disk's syncs.
const writers = 16

// written is what was written at a pace.
type written struct {
	first int
	// committed has, for each row from first on, when its transaction's COMMIT had returned: Unix time in nanoseconds.
	committed []int64
	// rate is rows a second, as it came out.
	rate float64
}

// write inserts rows at a pace. Transactions start by the clock, whether those before have ended or not, as long as there
// are connections.
func write(ctx context.Context, db *sql.DB, pace Pace, first int, d time.Duration) (written, error) {
	transactions := max(1, int(d.Seconds()*float64(pace.Rate))/pace.Transaction)
	w := written{first: first, committed: make([]int64, transactions*pace.Transaction)}
	gap := time.Second * time.Duration(pace.Transaction) / time.Duration(pace.Rate)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var running sync.WaitGroup
	var started atomic.Int64
	began := time.Now()
	for range writers {
		running.Go(func() {
			if err := writeSome(ctx, db, &started, transactions, func(i int) time.Time { return began.Add(time.Duration(i) * gap) }, pace, w); err != nil {
				cancel(err)
			}
		})
	}
	running.Wait()
	w.rate = float64(len(w.committed)) / time.Since(began).Seconds()
	return w, context.Cause(ctx)
}

// writeSome is one connection's part: it takes the next transaction that nobody has started, and waits until it is due.
func writeSome(ctx context.Context, db *sql.DB, started *atomic.Int64, transactions int, due func(int) time.Time, pace Pace, w written) (err error) {
	connection, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, connection.Close()) }()
	if _, err := connection.ExecContext(ctx, "USE "+schema); err != nil {
		return err
	}
	for {
		i := int(started.Add(1)) - 1
		if i >= transactions {
			return nil
		}
		if err := sleep(ctx, time.Until(due(i))); err != nil {
			return err
		}
		at := i * pace.Transaction
		if _, err := connection.ExecContext(ctx, string(transaction(w.first+at, pace.Transaction, appendInsert))); err != nil {
			return fmt.Errorf("write rows: %w", err)
		}
		now := time.Now().UnixNano()
		for k := range pace.Transaction {
			w.committed[at+k] = now
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
