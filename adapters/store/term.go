package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"banyan.dev/banyan/mirror"
	"banyan.dev/banyan/mirror/change"
)

// term is the time that this process holds the leader's lock. It is safe for concurrent use.
type term struct {
	store *Store
	state mirror.State // when it began
	// readOnly says that the server was read-only when the term began, and our account may write all the same.
	readOnly bool
	lost     chan struct{}
	lose     func()

	stop   context.CancelFunc
	kept   chan struct{} // closed when the connection is given back
	closed error         // of giving it back; to be read after kept

	mu    sync.Mutex
	epoch uint32
	// unsure says that raising the epoch ended with an error that leaves open whether it happened.
	unsure bool
	over   atomic.Bool
}

// begin starts the term of a connection that has the lock.
func (s *Store) begin(db *sql.DB, conn *sql.Conn, state mirror.State, readOnly bool) *term {
	t := &term{store: s, state: state, readOnly: readOnly, epoch: state.Epoch, lost: make(chan struct{}), kept: make(chan struct{})}
	t.lose = sync.OnceFunc(func() { close(t.lost) })
	ctx, stop := context.WithCancel(context.Background())
	t.stop = stop
	go func() {
		defer close(t.kept)
		if t.keep(ctx, conn) {
			t.closed = s.release(db, conn)
		} else {
			t.closed = s.drop(db, conn)
		}
	}()
	return t
}

func (t *term) State() mirror.State { return t.state }

func (t *term) Lost() <-chan struct{} { return t.lost }

// Close gives the lock back.
func (t *term) Close() error {
	t.over.Store(true)
	t.stop()
	<-t.kept
	t.lose()
	return t.closed
}

// keep makes sure, again and again, that this process still leads. It tells whether it did when ctx ended.
func (t *term) keep(ctx context.Context, conn *sql.Conn) bool {
	tick := time.NewTicker(t.store.options.KeepAlive)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return true
		case <-tick.C:
		}
		if err := t.check(ctx, conn); err != nil {
			if ctx.Err() == nil {
				t.store.options.Logger.Warn("this process leads the mirror no more", "mirror", t.store.options.Mirror, "term", t.state.Term, "error", err)
			}
			t.depose()
			return false
		}
	}
}

// check asks on the lock's connection whether it has the lock, and whether the row is still of this term, and whether the server
// has become read-only: who may write there all the same would lead on, beside the leader on the server that took its place.
// A server that does not answer is given up at about the time at which it gives us up.
func (t *term) check(ctx context.Context, conn *sql.Conn) error {
	o := t.store.options
	ctx, cancel := context.WithTimeout(ctx, max(o.WaitTimeout-o.KeepAlive, o.WaitTimeout/2))
	defer cancel()
	var held sql.NullBool
	var now sql.NullInt64
	var mode string
	query := "SELECT IS_USED_LOCK(?) = CONNECTION_ID(), @@GLOBAL.read_only, (SELECT term FROM " + o.table("mirrors") + " WHERE name = ?)"
	if err := conn.QueryRowContext(ctx, query, t.store.lock, o.Mirror).Scan(&held, &mode, &now); err != nil {
		return fmt.Errorf("the connection that holds the leader's lock is of no more use: %w", err)
	}
	if !held.Bool {
		return errors.New("the server gave the leader's lock to somebody else")
	}
	if !t.readOnly && !writable(mode) {
		return ErrReadOnly
	}
	if !now.Valid || uint64(now.Int64) != t.state.Term { //nolint:gosec // a term can't be negative
		return mirror.ErrDeposed
	}
	return nil
}

func (t *term) depose() {
	t.over.Store(true)
	t.lose()
}

// Save keeps a position, on a connection apart from the lock's.
func (t *term) Save(ctx context.Context, p change.Position) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, err := t.write(ctx, p, false)
	if err != nil {
		return t.ended(ctx, "save the mirror's position", err)
	}
	return nil
}

// NewEpoch raises the epoch and keeps a position in it.
func (t *term) NewEpoch(ctx context.Context, p change.Position) (uint32, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	epoch, err := t.write(ctx, p, true)
	if err != nil {
		return 0, t.ended(ctx, "raise the mirror's epoch", err)
	}
	return epoch, nil
}

// ended notes that the term is over, if err says so. t.mu is held.
func (t *term) ended(ctx context.Context, what string, err error) error {
	if errors.Is(err, mirror.ErrDeposed) {
		t.depose()
		return err
	}
	return t.store.told(ctx, what, err)
}

// write changes the row of this term and epoch, if there is one. t.mu is held.
func (t *term) write(ctx context.Context, p change.Position, raise bool) (epoch uint32, err error) {
	if t.over.Load() {
		return 0, mirror.ErrDeposed
	}
	position, err := encode(p)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, t.store.options.Timeout)
	defer cancel()
	if t.unsure {
		if err := t.learn(ctx); err != nil {
			return 0, err
		}
	}
	epoch = t.epoch
	if raise {
		epoch++
		t.unsure = true
	}
	o := t.store.options
	update := "UPDATE " + o.table("mirrors") + " SET epoch = ?, position = ?, saved_at = NOW(6) WHERE name = ? AND term = ? AND epoch = ?"
	done, err := t.store.db.ExecContext(ctx, update, epoch, position, o.Mirror, t.state.Term, t.epoch)
	if err != nil {
		return 0, err
	}
	n, err := done.RowsAffected() // those found: clientFoundRows
	if err != nil {
		return 0, err
	}
	if n == 0 {
		return 0, mirror.ErrDeposed
	}
	t.epoch, t.unsure = epoch, false
	return epoch, nil
}

// learn reads the epoch: only this term can have raised it without raising the term. t.mu is held.
func (t *term) learn(ctx context.Context) error {
	o := t.store.options
	query := "SELECT epoch FROM " + o.table("mirrors") + " WHERE name = ? AND term = ?"
	err := t.store.db.QueryRowContext(ctx, query, o.Mirror, t.state.Term).Scan(&t.epoch)
	if errors.Is(err, sql.ErrNoRows) {
		return mirror.ErrDeposed
	}
	if err == nil {
		t.unsure = false
	}
	return err
}
