package rig

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Writers is how many connections write at a pace: enough that commits share the disk's syncs.
const Writers = 16

// Pace is a steady rate of writing.
type Pace struct {
	// DB gives connections that take several statements at once; Schema is where they write.
	DB     *sql.DB
	Schema string
	// Transactions are started, each Gap after the one before, by the clock: whether those before have ended or not, as long as there
	// are connections.
	Transactions int
	Gap          time.Duration
	// Text gives the SQL of transaction number i, from 0 on.
	Text func(i int) string
}

// Write writes. It gives when each transaction's COMMIT had returned, Unix time in nanoseconds, and how long all took. When ctx
// ends early, so does it, with ctx's cause.
func (p Pace) Write(ctx context.Context) (committed []int64, took time.Duration, err error) {
	committed = make([]int64, p.Transactions)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var running sync.WaitGroup
	var started atomic.Int64
	began := time.Now()
	for range Writers {
		running.Go(func() {
			if err := p.some(ctx, &started, began, committed); err != nil {
				cancel(err)
			}
		})
	}
	running.Wait()
	return committed, time.Since(began), context.Cause(ctx)
}

// some is one connection's part: it takes the next transaction that nobody has started, and waits until it is due.
func (p Pace) some(ctx context.Context, started *atomic.Int64, began time.Time, committed []int64) (err error) {
	connection, err := p.DB.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, connection.Close()) }()
	if _, err := connection.ExecContext(ctx, "USE "+p.Schema); err != nil {
		return err
	}
	for {
		i := int(started.Add(1)) - 1
		if i >= p.Transactions {
			return nil
		}
		if err := Sleep(ctx, time.Until(began.Add(time.Duration(i)*p.Gap))); err != nil {
			return err
		}
		if _, err := connection.ExecContext(ctx, p.Text(i)); err != nil {
			return fmt.Errorf("write rows: %w", err)
		}
		committed[i] = time.Now().UnixNano()
	}
}

// Sleep waits, or until ctx ends, and gives its cause then.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
