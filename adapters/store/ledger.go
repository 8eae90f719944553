package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"banyan.dev/banyan/strangler"
	"banyan.dev/banyan/strangler/control"
)

// Ledger is a control.Ledger over the tables writers, writes, fences and announcements, on the legacy's server. It is safe
// for concurrent use.
//
// What waits for transactions of others (FenceWriter, Void) does so until its context ends; all else takes no longer than
// Options.Timeout.
type Ledger struct {
	*tables
}

var _ control.Ledger = (*Ledger)(nil)

// NewLedger makes a Ledger without connecting. Its errors are about the options; none shows a password. Migrate makes the
// tables.
func NewLedger(options Options) (*Ledger, error) {
	t, err := newTables(options, 8)
	if err != nil {
		return nil, err
	}
	return &Ledger{tables: t}, nil
}

// writeStates are all that a write can have.
var writeStates = []strangler.WriteState{strangler.WriteOpen, strangler.WriteClosed, strangler.WriteFailed, strangler.WriteVoid, strangler.WriteDoubt}

// Open gives unfinished writes. Fewer than limit are all that there are.
func (l *Ledger) Open(ctx context.Context, capability string, before uint64, after strangler.Write, limit int) (writes []strangler.Write, err error) {
	err = l.within(ctx, "read the open writes", func(ctx context.Context) error {
		query := l.selects("''") + " FORCE INDEX (unfinished) WHERE state IN (?, ?) AND capability = ?"
		args := []any{strangler.WriteOpen, strangler.WriteDoubt, capability}
		if before > 0 {
			query += " AND epoch < ?"
			args = append(args, before)
		}
		if after.ID != "" {
			query += " AND created_at >= ? AND (created_at > ? OR id > ?)"
			args = append(args, after.Created, after.Created, after.ID)
		}
		writes, err = l.read(ctx, query+" ORDER BY created_at, id LIMIT ?", append(args, max(limit, 0))...)
		return err
	})
	return writes, err
}

// Stale gives open writes that were begun longer ago than age, behind after, which is zero for the oldest. Fewer than limit
// are all that there are.
func (l *Ledger) Stale(ctx context.Context, capability string, age time.Duration, after strangler.Write, limit int) (writes []strangler.Write, err error) {
	err = l.within(ctx, "read the writes that were left open", func(ctx context.Context) error {
		query := l.selects("request") + " FORCE INDEX (unfinished) WHERE state = ? AND capability = ? AND created_at < NOW(6) - INTERVAL ? MICROSECOND"
		args := []any{strangler.WriteOpen, capability, age.Microseconds()}
		if after.ID != "" {
			query += " AND created_at >= ? AND (created_at > ? OR id > ?)"
			args = append(args, after.Created, after.Created, after.ID)
		}
		writes, err = l.read(ctx, query+" ORDER BY created_at, id LIMIT ?", append(args, max(limit, 0))...)
		return err
	})
	return writes, err
}

// List gives writes for people. limit is at most 1000, which 0 stands for.
func (l *Ledger) List(ctx context.Context, capability string, state strangler.WriteState, limit int) (writes []strangler.Write, err error) {
	if state != "" && !slices.Contains(writeStates, state) {
		return nil, fmt.Errorf("no write has the state %q", state)
	}
	err = l.within(ctx, "list the writes", func(ctx context.Context) error {
		writes, err = l.list(ctx, capability, state, listed(limit))
		return err
	})
	return writes, err
}

// list reads only as many rows as it gives, however many there are: from the end of an index for each state and capability.
func (l *Ledger) list(ctx context.Context, capability string, state strangler.WriteState, limit int) ([]strangler.Write, error) {
	const newest = " ORDER BY created_at DESC, id DESC LIMIT ?"
	if capability == "" && state == "" {
		return l.read(ctx, l.selects("''")+" FORCE INDEX (age)"+newest, limit)
	}
	ends, err := l.ends(ctx, capability, state)
	if err != nil || len(ends) == 0 {
		return nil, err
	}
	var parts []string
	var args []any
	for _, end := range ends {
		parts = append(parts, "("+l.selects("''")+" FORCE INDEX (unfinished) WHERE state = ? AND capability = ? ORDER BY created_at DESC, id DESC LIMIT ?)")
		args = append(args, end.state, end.capability, limit)
	}
	return l.read(ctx, strings.Join(parts, " UNION ALL ")+newest, append(args, limit)...)
}

// end is a part of the index unfinished.
type end struct {
	state      strangler.WriteState
	capability string
}

// ends gives the parts of the index that a list is made from.
func (l *Ledger) ends(ctx context.Context, capability string, state strangler.WriteState) (ends []end, err error) {
	if capability != "" {
		for _, s := range writeStates {
			if state == "" || s == state {
				ends = append(ends, end{s, capability})
			}
		}
		return ends, nil
	}
	query := "SELECT state, capability FROM " + l.options.table("writes") + " FORCE INDEX (unfinished) GROUP BY state, capability LIMIT ?"
	rows, err := l.db.QueryContext(ctx, query, mostCapabilities)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var e end
		if err := rows.Scan(&e.state, &e.capability); err != nil {
			return nil, err
		}
		if e.state == state {
			ends = append(ends, e)
		}
	}
	return ends, rows.Err()
}

func (l *Ledger) selects(request string) string {
	return "SELECT id, capability, operation, routed_by, entity, epoch, replica, " + request + " AS request, state, reason, created_at, changed_at FROM " + l.options.table("writes")
}

func (l *Ledger) read(ctx context.Context, query string, args ...any) (writes []strangler.Write, err error) {
	rows, err := l.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var w strangler.Write
		var key sql.NullString
		err := rows.Scan(&w.ID, &w.Capability, &w.Operation, &key, &w.Entity, &w.Epoch, &w.Replica, &w.Request, &w.State, &w.Reason, &w.Created, &w.Changed)
		if err != nil {
			return nil, err
		}
		w.Key, w.Keyed = key.String, key.Valid
		writes = append(writes, w)
	}
	return writes, rows.Err()
}

// ids reads one column of texts.
func (l *Ledger) ids(ctx context.Context, query string, args ...any) (ids []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, l.options.Timeout)
	defer cancel()
	rows, err := l.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}
