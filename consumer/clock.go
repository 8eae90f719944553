package consumer

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Banyan may give a write up and tell so by a fence that comes late: while the service, the broker or the mirror is down, it
// waits, and of many writes it tells some at a time. A write that is forgotten by then would be taken for one that was never
// done, and what it did would stay. So writes don't grow old by the time of day, but by a clock that goes on only while
// messages come.

const (
	// quiet is the longest time between two messages that counts.
	quiet = time.Hour
	// heardEvery bounds how often it is stored that messages come.
	heardEvery = time.Minute
)

// hear keeps that a message has come, in its transaction.
func (s *Store) hear(ctx context.Context, tx *sql.Tx) error {
	heard, silent, err := s.heard(ctx, tx)
	if err != nil {
		return err
	}
	now := s.options.Now().UnixMilli()
	switch {
	case heard == 0: // the first one
	case now < heard+heardEvery.Milliseconds():
		return nil
	default:
		silent += max(0, now-heard-quiet.Milliseconds())
	}
	_, err = tx.ExecContext(ctx, s.ask.putHeard, now, silent)
	return err
}

// clock gives what writes grow old by, in milliseconds.
func (s *Store) clock(ctx context.Context, tx *sql.Tx) (int64, error) {
	heard, silent, err := s.heard(ctx, tx)
	if err != nil {
		return 0, err
	}
	now := s.options.Now().UnixMilli()
	if heard == 0 { // a write before any message
		_, err := tx.ExecContext(ctx, s.ask.putHeard, now, silent)
		return now - silent, err
	}
	return min(now, heard+quiet.Milliseconds()) - silent, nil
}

// heard gives when the last message came, by the time of day, and how long none did that should have; 0 before the first.
func (s *Store) heard(ctx context.Context, tx *sql.Tx) (last, silent int64, err error) {
	err = tx.QueryRowContext(ctx, s.ask.heard, s.marked()...).Scan(&last, &silent)
	if s.ask.marked && errors.Is(err, sql.ErrNoRows) {
		err = errUndone
	}
	if err != nil {
		return 0, 0, fmt.Errorf("when the last message came: %w", err)
	}
	return last, silent, nil
}
