package store

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"sync/atomic"

	"banyan.dev/banyan/mirror"
	"banyan.dev/banyan/mirror/change"
)

// term is the time that this process holds the leader's lock. It is safe for concurrent use.
type term struct {
	*holder
	store *Store
	state mirror.State // when it began

	mu    sync.Mutex
	epoch uint32
	// unsure says that raising the epoch ended with an error that leaves open whether it happened.
	unsure bool
	over   atomic.Bool
}

// begin starts the term of who has the lock.
func (s *Store) begin(h *holder, state mirror.State) *term {
	t := &term{holder: h, store: s, state: state, epoch: state.Epoch}
	ours := func(ctx context.Context, conn *sql.Conn) error { return s.stillOurs(ctx, conn, state.Term) }
	h.keep(ours, func() { t.over.Store(true) })
	return t
}

func (t *term) State() mirror.State { return t.state }

// Close gives the lock back.
func (t *term) Close() error {
	t.over.Store(true)
	return t.holder.Close()
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
