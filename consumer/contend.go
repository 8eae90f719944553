package consumer

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// SQLite keeps no line of the processes that wait for a database: each looks now and then whether it is free, the more seldom
// the longer it has waited, and whoever has just had it sees first that it is. So a busy process can keep another one out for
// longer than that one's patience. Here a process that waits looks often, and one that has met another lately leaves the
// database free between two turns for longer than the other's pause between two looks. One that knows of no other does so now and
// then, since who is never let in is never met.
const (
	lookEvery   = 2 * time.Millisecond
	leaveFree   = 5 * time.Millisecond
	metRemember = 10 * time.Second
	freeEvery   = 200 * time.Millisecond
)

// contention is what a process knows of others that use its database. Whoever has the Store's turn has it.
type contention struct {
	patience time.Duration // how long the driver would wait; known once asked is true
	asked    bool
	met      time.Time // when another process was last in the way
	left     time.Time // when this one last left
	freed    time.Time // when it last left the database free for long enough
}

// leave waits until others have had time to see that the database is free.
func (c *contention) leave(ctx context.Context) {
	free := time.Since(c.left)
	if free < leaveFree && (time.Since(c.met) < metRemember || time.Since(c.freed) > freeEvery) {
		rest(ctx, leaveFree-free)
		free = leaveFree
	}
	if free >= leaveFree {
		c.freed = time.Now()
	}
}

// begin begins a transaction that has the lock, in whose way no other is. release is to be called behind its end.
func (s *Store) begin(ctx context.Context) (tx *sql.Tx, release func(), err error) {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return nil, nil, err
	}
	release = func() { _ = conn.Close() } // the pool has it back whatever it says
	if s.ask.patience == "" {
		tx, err = s.locked(ctx, conn)
	} else {
		tx, err = s.lookFor(ctx, conn)
	}
	if err != nil {
		release()
		return nil, nil, err
	}
	return tx, release, nil
}

// locked begins a transaction and takes the lock.
func (s *Store) locked(ctx context.Context, conn *sql.Conn) (*sql.Tx, error) {
	tx, err := conn.BeginTx(ctx, &sql.TxOptions{Isolation: s.ask.isolation})
	if err != nil {
		return nil, err
	}
	s.mark = rand.Int64()
	if _, err := tx.ExecContext(ctx, s.ask.lock, s.marked()...); err != nil {
		_ = tx.Rollback() // what failed says more
		return nil, err
	}
	return tx, nil
}

// lookFor looks again and again whether the database is free, for as long as the driver would.
func (s *Store) lookFor(ctx context.Context, conn *sql.Conn) (tx *sql.Tx, err error) {
	c := &s.contention
	if !c.asked {
		var ms int64
		if err := conn.QueryRowContext(ctx, s.ask.patience).Scan(&ms); err != nil {
			return nil, err
		}
		c.patience, c.asked = time.Duration(ms)*time.Millisecond, true
	}
	if c.patience == 0 {
		return s.locked(ctx, conn)
	}
	c.leave(ctx)
	if _, err := conn.ExecContext(ctx, fmt.Sprintf(s.ask.setPatience, 0)); err != nil {
		return nil, err
	}
	defer func() { // what follows may have to wait for a checkpoint, and the pool's next user for us
		_, back := conn.ExecContext(context.WithoutCancel(ctx), fmt.Sprintf(s.ask.setPatience, c.patience.Milliseconds()))
		if back == nil {
			return
		}
		if tx != nil {
			back = errors.Join(back, tx.Rollback())
		}
		tx, err = nil, errors.Join(err, back)
		_ = conn.Raw(func(any) error { return driver.ErrBadConn }) // nobody is to have it as it is
	}()
	for began := time.Now(); ; {
		tx, err = s.locked(ctx, conn)
		if err == nil || !s.ask.busy(err) {
			return tx, err
		}
		if c.met = time.Now(); c.met.Sub(began) > c.patience {
			return nil, err
		}
		if rest(ctx, lookEvery); ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
}
