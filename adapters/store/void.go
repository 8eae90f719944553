package store

import (
	"context"
	"slices"

	"banyan.dev/banyan/strangler"
)

const (
	// voidAtOnce is how many writes one statement voids.
	voidAtOnce = 200
	// mostReasonOfWrite is what the column holds, in characters.
	mostReasonOfWrite = 1000
)

// Void makes unfinished writes void: open ones, and those in doubt. A write-back that has closed its write but not
// committed yet holds the row's lock: Void waits, and then finds it closed or still open. The reason is cut to 1000
// characters.
func (l *Ledger) Void(ctx context.Context, ids []string, reason string) (voided []string, err error) {
	ids = slices.Compact(slices.Sorted(slices.Values(ids))) // in the order in which they are locked
	reason = cut(reason, mostReasonOfWrite)
	for some := range slices.Chunk(ids, voidAtOnce) {
		now, err := l.void(ctx, some, reason)
		if err != nil {
			return voided, l.told(ctx, "void open writes", err)
		}
		voided = append(voided, now...)
	}
	return voided, nil
}

func (l *Ledger) void(ctx context.Context, ids []string, reason string) (voided []string, err error) {
	update := "UPDATE " + l.options.table("writes") + " FORCE INDEX (PRIMARY) SET state = ?, reason = ?, changed_at = NOW(6) WHERE id IN (" + marks(len(ids)) + ") AND state IN (?, ?)"
	args := slices.Concat([]any{strangler.WriteVoid, reason}, anys(ids), []any{strangler.WriteOpen, strangler.WriteDoubt})
	err = again(ctx, func() error {
		limited, cancel := context.WithTimeout(ctx, l.options.Timeout)
		defer cancel()
		_, err := l.db.ExecContext(limited, update, args...)
		return err
	})
	if err != nil {
		return nil, err
	}
	query := "SELECT id FROM " + l.options.table("writes") + " FORCE INDEX (PRIMARY) WHERE id IN (" + marks(len(ids)) + ") AND state = ?"
	return l.ids(ctx, query, append(anys(ids), strangler.WriteVoid)...)
}
