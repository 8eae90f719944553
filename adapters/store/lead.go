package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"banyan.dev/banyan/mirror"
)

// Lead waits until this process holds the leader's lock, and begins a term. The lock's connection is its own; when
// anything fails on it, it is closed, and Lead returns.
func (s *Store) Lead(ctx context.Context) (mirror.Term, error) {
	cfg := s.config.Clone()
	cfg.Params["wait_timeout"] = fmt.Sprint(seconds(s.options.WaitTimeout))
	cfg.ReadTimeout = s.options.LockWait + s.options.WaitTimeout
	db, err := open(cfg, 1)
	if err != nil {
		return nil, err
	}
	term, err := s.lead(ctx, db)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, s.told(ctx, "become the mirror's leader", err)
	}
	return term, nil
}

func (s *Store) lead(ctx context.Context, db *sql.DB) (*term, error) {
	conn, err := s.connect(ctx, db)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	fail := func(err error) (*term, error) { return nil, errors.Join(err, s.drop(db, conn)) }
	if _, err := s.takesChanges(ctx, conn); err != nil {
		return fail(err)
	}
	for {
		won, err := s.ask(ctx, conn)
		if err != nil {
			return fail(err)
		}
		if won {
			break
		}
	}
	takes, err := s.takesChanges(ctx, conn)
	if err == nil && !takes && s.took.Load() {
		err = ErrReadOnly // demoted while we waited, or led
	}
	if err != nil {
		return fail(err)
	}
	// On the lock's own connection: once that is closed, this can't happen any more.
	const upsert = "INSERT INTO %s (name, epoch, term, leader) VALUES (?, 1, 1, ?) ON DUPLICATE KEY UPDATE term = term + 1, leader = ?"
	state, err := s.change(ctx, conn, fmt.Sprintf(upsert, s.options.table("mirrors")), s.options.Mirror, s.options.Leader, s.options.Leader)
	if err != nil {
		return fail(err)
	}
	return s.begin(db, conn, state, !takes), nil
}

// takesChanges asks whether the server takes changes from everybody.
func (s *Store) takesChanges(ctx context.Context, conn *sql.Conn) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	var mode string
	if err := conn.QueryRowContext(ctx, "SELECT @@GLOBAL.read_only").Scan(&mode); err != nil {
		return false, err
	}
	if !writable(mode) {
		return false, nil
	}
	s.took.Store(true)
	return true, nil
}

// writable reads the server's read_only, which super_read_only sets, too: 0, 1, or a word on new MariaDB.
func writable(mode string) bool { return mode == "0" || strings.EqualFold(mode, "OFF") }

func (s *Store) connect(ctx context.Context, db *sql.DB) (*sql.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	return db.Conn(ctx)
}

// ask waits for the lock for one round. Rounds are short, since the server only notices between them that whoever waits
// has gone.
func (s *Store) ask(ctx context.Context, conn *sql.Conn) (won bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.options.LockWait+s.options.WaitTimeout)
	defer cancel()
	var got sql.NullBool
	if err := conn.QueryRowContext(ctx, "SELECT GET_LOCK(?, ?)", s.lock, seconds(s.options.LockWait)).Scan(&got); err != nil {
		return false, err
	}
	if !got.Valid {
		return false, errors.New("the server could not wait for the leader's lock")
	}
	return got.Bool, nil
}

// release gives the lock back and closes its connection. A server that does not answer is not waited for: it frees the
// lock when it sees that the connection is gone.
func (s *Store) release(db *sql.DB, conn *sql.Conn) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, err := conn.ExecContext(ctx, "DO RELEASE_LOCK(?)", s.lock)
	if err != nil {
		err = fmt.Errorf("give the leader's lock back: %w", err)
	}
	return errors.Join(err, s.drop(db, conn))
}

// drop closes the lock's connection.
func (s *Store) drop(db *sql.DB, conn *sql.Conn) error {
	err := conn.Close()
	if errors.Is(err, sql.ErrConnDone) { // it was lost before
		err = nil
	}
	return errors.Join(err, db.Close())
}
