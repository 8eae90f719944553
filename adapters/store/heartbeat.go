package store

import (
	"context"
	"database/sql"
	"fmt"
)

// Heartbeat changes one row of the legacy, so that there is something to measure the mirror's lag by while nobody else
// changes anything. It is safe for concurrent use.
//
// The row is in Options.Schema, table heartbeat, and comes back in the log as a change of it: column 1 name (the mirror's,
// text), 2 beat (BIGINT UNSIGNED, one higher each time), 3 at (TIMESTAMP(6), when it was written, by the server's clock).
type Heartbeat struct {
	options Options
	db      *sql.DB
	beat    string
}

// NewHeartbeat makes a Heartbeat for Options.Mirror without connecting. DSN is the server whose log is read.
func NewHeartbeat(options Options) (*Heartbeat, error) {
	o, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	cfg, err := o.config()
	if err != nil {
		return nil, err
	}
	db, err := open(cfg, 1)
	if err != nil {
		return nil, err
	}
	return &Heartbeat{options: o, db: db, beat: "INSERT INTO " + o.table("heartbeat") + " (name, beat, at) VALUES (?, LAST_INSERT_ID(1), NOW(6)) " +
		"ON DUPLICATE KEY UPDATE beat = LAST_INSERT_ID(beat + 1), at = NOW(6)"}, nil
}

// Beat commits one change of the row, and gives the beat that it wrote. It takes no longer than Options.Timeout.
// After ErrReadOnly nothing was written.
func (h *Heartbeat) Beat(ctx context.Context) (beat uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, h.options.Timeout)
	defer cancel()
	done, err := h.db.ExecContext(ctx, h.beat, h.options.Mirror)
	if err != nil {
		return 0, h.options.told(ctx, h.db, "write the heartbeat", err)
	}
	id, err := done.LastInsertId()
	if err != nil {
		return 0, fmt.Errorf("write the heartbeat: %w", err)
	}
	return uint64(id), nil //nolint:gosec // it counts from 1
}

// Close closes the connection.
func (h *Heartbeat) Close() error { return h.db.Close() }
