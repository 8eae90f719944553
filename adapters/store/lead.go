package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"banyan.dev/banyan/mirror"
)

// Lead waits until this process holds the leader's lock, and begins a term. The lock's connection is its own; when
// anything fails on it, it is closed, and Lead returns.
func (s *Store) Lead(ctx context.Context) (mirror.Term, error) {
	term, err := s.lead(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, s.told(ctx, "become the mirror's leader", err)
	}
	return term, nil
}

func (s *Store) lead(ctx context.Context) (*term, error) {
	h, err := s.seat.win(ctx)
	if err != nil {
		return nil, err
	}
	// On the lock's own connection: once that is closed, this can't happen any more.
	const upsert = "INSERT INTO %s (name, epoch, term, leader) VALUES (?, 1, 1, ?) ON DUPLICATE KEY UPDATE term = term + 1, leader = ?"
	state, err := s.change(ctx, h.conn, fmt.Sprintf(upsert, s.options.table("mirrors")), s.options.Mirror, s.options.Leader, s.options.Leader)
	if err != nil {
		return nil, errors.Join(err, h.drop())
	}
	return s.begin(h, state), nil
}

// stillOurs asks whether the mirror's row is of a term.
func (s *Store) stillOurs(ctx context.Context, conn *sql.Conn, term uint64) error {
	var now uint64
	err := conn.QueryRowContext(ctx, "SELECT term FROM "+s.options.table("mirrors")+" WHERE name = ?", s.options.Mirror).Scan(&now)
	if errors.Is(err, sql.ErrNoRows) || err == nil && now != term {
		return mirror.ErrDeposed
	}
	return err
}

// writable reads the server's read_only, which super_read_only sets, too: 0, 1, or a word on new MariaDB.
func writable(mode string) bool { return mode == "0" || strings.EqualFold(mode, "OFF") }
