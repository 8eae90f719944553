package consumer

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"banyan.dev/banyan/protocol"
)

// RetryParked applies a key's parked events in their order, until one can't be applied: then it says why, and how many are
// left. A conflict stays one: an announcement of Banyan's settles it for legacy, DiscardParked for the service. It may be
// called while Run runs.
func (s *Store) RetryParked(ctx context.Context, key string, apply Apply) (left int, err error) {
	_, left, err = s.retry(ctx, key, apply)
	return left, err
}

// retry is RetryParked, and says how many are done, too.
func (s *Store) retry(ctx context.Context, key string, apply Apply) (done, left int, err error) {
	done, left, err = s.unpark(ctx, key, 0, func(tx *sql.Tx, e protocol.EntityEvent, have entityRow) error {
		if e.Origin == protocol.OriginForeign && have.local.Valid {
			return errors.New(conflict)
		}
		return s.bring(ctx, tx, e, have, apply)
	})
	s.counted.retried.Add(uint64(done)) //nolint:gosec // it is not negative
	return done, left, err
}

// DiscardParked gives a key's parked events up: their versions are kept, and the service's own state stands. It is for a
// person who has looked at both states.
func (s *Store) DiscardParked(ctx context.Context, key string) error {
	_, err := s.discard(ctx, key, 0)
	return err
}

// discard gives a key's parked events up to one up, or all that are there where through is 0. What is parked meanwhile stays: nobody
// has seen it.
func (s *Store) discard(ctx context.Context, key string, through int64) (done int, err error) {
	if through == 0 {
		switch err := s.db.QueryRowContext(ctx, s.ask.lastParked, key).Scan(&through); {
		case errors.Is(err, sql.ErrNoRows):
			return 0, nil
		case err != nil:
			return 0, fmt.Errorf("settle parked events of key %q: %w", key, err)
		}
	}
	done, _, err = s.unpark(ctx, key, through, func(tx *sql.Tx, e protocol.EntityEvent, have entityRow) error {
		row := entityRow{key: keyOf(e, have), version: e.Version, event: e.Event, local: have.local, by: have.by, deleted: have.deleted}
		if e.Origin == protocol.OriginWriteBack {
			row.event = have.event
		}
		return s.put(ctx, tx, e, row)
	})
	return done, err
}

// unpark does with each parked event of a key what do says, in a transaction each, and takes it away.
func (s *Store) unpark(ctx context.Context, key string, through int64, do func(tx *sql.Tx, e protocol.EntityEvent, have entityRow) error) (done, left int, err error) {
	for more := true; more; {
		err := s.within(ctx, func(tx *sql.Tx) error {
			var seq int64
			var body []byte
			err := tx.QueryRowContext(ctx, s.ask.firstParked, key).Scan(&seq, &body)
			if errors.Is(err, sql.ErrNoRows) || err == nil && through > 0 && seq > through {
				more = false
				return nil
			}
			if err != nil {
				return err
			}
			e, err := readEvent(body)
			if err != nil {
				return err
			}
			have, err := s.entity(ctx, tx, e.Entity, e.ID)
			if err != nil {
				return err
			}
			if e.Version > have.version {
				if err := do(tx, e, have); err != nil {
					return fmt.Errorf("%s %s, version %s: %w", e.Entity, e.ID, e.Version, err)
				}
			}
			_, err = tx.ExecContext(ctx, s.ask.unpark, seq)
			return err
		})
		if err != nil {
			if count := s.db.QueryRowContext(ctx, s.ask.countKey, key).Scan(&left); count != nil {
				return done, 0, fmt.Errorf("settle parked events of key %q: %w", key, errors.Join(err, count))
			}
			return done, left, fmt.Errorf("settle parked events of key %q, %d are left: %w", key, left, err)
		}
		if more {
			done++
		}
	}
	return done, 0, nil
}

// ParkedCount is how much is parked.
type ParkedCount struct {
	Events, Keys int64
	// Since is when the oldest was parked; zero when there is none.
	Since time.Time
}

// CountParked counts what is parked.
func (s *Store) CountParked(ctx context.Context) (ParkedCount, error) {
	var c ParkedCount
	var oldest int64
	if err := s.db.QueryRowContext(ctx, s.ask.countParked).Scan(&c.Events, &c.Keys, &oldest); err != nil {
		return ParkedCount{}, fmt.Errorf("count parked events: %w", err)
	}
	if c.Events > 0 {
		c.Since = time.UnixMilli(oldest)
	}
	return c, nil
}
