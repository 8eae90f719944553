package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"banyan.dev/banyan/mirror"
	"banyan.dev/banyan/mirror/change"
)

// Store is a mirror.Store over the table mirrors. It is safe for concurrent use.
type Store struct {
	options Options
	db      *sql.DB
	seat    *seat
}

var _ mirror.Store = (*Store)(nil)

// New makes a Store without connecting. Its errors are about the options; none shows a password. Migrate makes the tables.
func New(options Options) (*Store, error) {
	o, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	cfg, err := o.config()
	if err != nil {
		return nil, err
	}
	db, err := open(cfg, 4)
	if err != nil {
		return nil, err
	}
	leads := &seat{options: o, config: cfg, lock: lockName(o.Schema, o.Mirror), title: "leads the mirror", about: []any{"mirror", o.Mirror}}
	return &Store{options: o, db: db, seat: leads}, nil
}

// Close closes the connections. Terms have one of their own, which their Close closes.
func (s *Store) Close() error { return s.db.Close() }

// State gives what is saved, whoever leads. Before the first leader, that is epoch 1 without a position.
func (s *Store) State(ctx context.Context) (mirror.State, error) {
	ctx, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	state, err := s.read(ctx, s.db)
	if errors.Is(err, sql.ErrNoRows) {
		return mirror.State{Epoch: 1}, nil
	}
	if err != nil {
		return mirror.State{}, s.told(ctx, "read the mirror's position", err)
	}
	return state, nil
}

// Reset gives the mirror another position, or none for the log's end, and raises the epoch. The term is raised with it, so
// that a leader who runs can't save over it; he notices within Options.KeepAlive.
func (s *Store) Reset(ctx context.Context, to change.Position) (mirror.State, error) {
	position, err := encode(to)
	if err != nil {
		return mirror.State{}, err
	}
	// Nothing was sent before there is a row, but epoch 1 is what State says then: a reset raises that, too.
	const upsert = "INSERT INTO %s (name, epoch, term, position, saved_at) VALUES (?, 2, 1, ?, NOW(6)) " +
		"ON DUPLICATE KEY UPDATE epoch = epoch + 1, term = term + 1, position = ?, saved_at = NOW(6)"
	state, err := s.change(ctx, s.db, fmt.Sprintf(upsert, s.options.table("mirrors")), s.options.Mirror, position, position)
	if err != nil {
		return mirror.State{}, s.told(ctx, "reset the mirror's position", err)
	}
	return state, nil
}

// handle is a database or one connection of it.
type handle interface {
	reader
	BeginTx(ctx context.Context, opts *sql.TxOptions) (*sql.Tx, error)
}

type reader interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// change changes the row and gives what it is then, in one transaction: no other change can come between.
func (s *Store) change(ctx context.Context, on handle, statement string, args ...any) (mirror.State, error) {
	ctx, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	tx, err := on.BeginTx(ctx, nil)
	if err != nil {
		return mirror.State{}, err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, statement, args...); err != nil {
		return mirror.State{}, err
	}
	state, err := s.read(ctx, tx)
	if err != nil {
		return mirror.State{}, err
	}
	return state, tx.Commit()
}

// read gives the mirror's row, or sql.ErrNoRows.
func (s *Store) read(ctx context.Context, from reader) (mirror.State, error) {
	var state mirror.State
	var position sql.NullString
	var saved sql.NullTime
	query := "SELECT epoch, term, position, leader, saved_at FROM " + s.options.table("mirrors") + " WHERE name = ?"
	err := from.QueryRowContext(ctx, query, s.options.Mirror).Scan(&state.Epoch, &state.Term, &position, &state.Leader, &saved)
	if err != nil {
		return mirror.State{}, err
	}
	if state.Position, err = decode(position); err != nil {
		return mirror.State{}, &change.StopError{
			What:  fmt.Sprintf("the saved position of the mirror %s can't be understood: %.200q", s.options.Mirror, position.String),
			Fix:   "if a newer Banyan saved it, run that one; else give the mirror another position: banyan mirror reset",
			Cause: err,
		}
	}
	state.Saved = saved.Time
	return state, nil
}
