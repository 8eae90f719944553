package consumer

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"banyan.dev/banyan/protocol"
)

// Parked is an event that waits, with all later ones of its key.
type Parked struct {
	// Seq orders parked events.
	Seq int64
	// Key is what it is parked under: the entity's.
	Key   string
	Event protocol.EntityEvent
	// Reason is for people.
	Reason string
	At     time.Time
}

// behind says whether an event has to wait behind parked ones, and under which key.
func (s *Store) behind(ctx context.Context, tx *sql.Tx, e protocol.EntityEvent, have entityRow) (key string, is bool, err error) {
	var version string
	err = tx.QueryRowContext(ctx, s.ask.entityParked, e.Entity, e.ID).Scan(&key, &version)
	if err == nil {
		return key, true, nil
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return "", false, err
	}
	keys := []string{keyOf(e, have)}
	if have.key != "" { // what was never seen has no other key
		keys = append(keys, have.key)
	}
	for _, key := range keys {
		if is, err := yes(ctx, tx, s.ask.keyParked, key); err != nil || is {
			return key, is, err
		}
	}
	return "", false, nil
}

// supersede takes an entity's parked events away that a later one makes needless, and gives the key that they were
// parked under; empty when there were none.
func (s *Store) supersede(ctx context.Context, tx *sql.Tx, e protocol.EntityEvent) (string, error) {
	var key, version string
	err := tx.QueryRowContext(ctx, s.ask.entityParked, e.Entity, e.ID).Scan(&key, &version)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	_, err = tx.ExecContext(ctx, s.ask.supersede, e.Entity, e.ID, e.Version)
	return key, err
}

// park keeps an event for later. One that is there already stays as it is.
func (s *Store) park(ctx context.Context, tx *sql.Tx, key string, e protocol.EntityEvent, reason string) error {
	event, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("park an event: %w", err)
	}
	_, err = tx.ExecContext(ctx, s.ask.park, key, e.Entity, e.ID, e.Version, event, plain(reason), s.options.Now().UnixMilli())
	return err
}

// longestReason bounds what is kept of a reason, in bytes.
const longestReason = 8 << 10

// plain gives a reason as every database can keep it.
func plain(reason string) string {
	if len(reason) > longestReason {
		reason = reason[:longestReason] + " …"
	}
	return strings.ReplaceAll(strings.ToValidUTF8(reason, "\uFFFD"), "\x00", "\uFFFD")
}

// parkFailed parks an event that could not be applied, unless another process has done that, or more, meanwhile.
func (s *Store) parkFailed(ctx context.Context, e protocol.EntityEvent, cause error) (key string, parked bool, err error) {
	err = s.within(ctx, func(tx *sql.Tx) error {
		have, err := s.entity(ctx, tx, e.Entity, e.ID)
		if err != nil || e.Version <= have.version {
			return err
		}
		key, parked = keyOf(e, have), true
		if e.Origin == protocol.OriginAnnounce { // what it supersedes is needless, also while it waits itself
			was, err := s.supersede(ctx, tx, e)
			if err != nil {
				return err
			}
			if was != "" {
				key = was
			}
		}
		return s.park(ctx, tx, key, e, cause.Error())
	})
	return key, parked && err == nil, err
}

// mostListed and mostRead bound what is read at once, in events and in bytes of them.
const (
	mostListed = 500
	mostRead   = 16 << 20
)

// Parked gives parked events in their order, those behind the one with this Seq; 0 gives the first ones. It gives at most 500
// at once, and fewer where they are large.
func (s *Store) Parked(ctx context.Context, after int64) ([]Parked, error) {
	rows, err := s.db.QueryContext(ctx, s.ask.listParked, after, mostListed)
	if err != nil {
		return nil, fmt.Errorf("list parked events: %w", err)
	}
	defer rows.Close()
	var out []Parked
	for read := 0; read < mostRead && rows.Next(); {
		var p Parked
		var event []byte
		var at int64
		if err := rows.Scan(&p.Seq, &p.Key, &event, &p.Reason, &at); err != nil {
			return nil, fmt.Errorf("list parked events: %w", err)
		}
		if err := json.Unmarshal(event, &p.Event); err != nil {
			return nil, fmt.Errorf("list parked events: event %d: %w", p.Seq, err)
		}
		read += len(event)
		p.At = time.UnixMilli(at)
		out = append(out, p)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list parked events: %w", err)
	}
	return out, nil
}

// ParkedKeys gives keys with parked events in their order, those greater than after, at most limit.
func (s *Store) ParkedKeys(ctx context.Context, after string, limit int) ([]string, error) {
	return keys(ctx, s.db, s.ask.parkedKeys, after, limit)
}

// querier is a database or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func keys(ctx context.Context, q querier, question string, args ...any) ([]string, error) {
	rows, err := q.QueryContext(ctx, question, args...)
	if err != nil {
		return nil, fmt.Errorf("list parked keys: %w", err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var key string
		if err := rows.Scan(&key); err != nil {
			return nil, fmt.Errorf("list parked keys: %w", err)
		}
		out = append(out, key)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list parked keys: %w", err)
	}
	return out, nil
}
