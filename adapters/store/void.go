package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"banyan.dev/banyan/strangler"
)

const (
	// voidAtOnce is how many writes one transaction voids.
	voidAtOnce = 200
	// mostReasonOfWrite is what the column holds, in characters.
	mostReasonOfWrite = 1000
)

// Void makes unfinished writes void: open ones, and those in doubt. A write-back that has closed its write but not
// committed yet holds the row's lock: Void waits, and then finds it closed or still open. The reason is cut to 1000
// characters. Voids lists those that are void then, by epoch.
func (l *Ledger) Void(ctx context.Context, capability string, epoch uint64, ids []string, reason string) (voided []string, err error) {
	ids = slices.Compact(slices.Sorted(slices.Values(ids))) // in the order in which they are locked
	reason = cut(reason, mostReasonOfWrite)
	for some := range slices.Chunk(ids, voidAtOnce) {
		now, err := l.void(ctx, capability, epoch, some, reason)
		if err != nil {
			return voided, l.told(ctx, "void open writes", err)
		}
		voided = append(voided, now...)
	}
	return voided, nil
}

func (l *Ledger) void(ctx context.Context, capability string, epoch uint64, ids []string, reason string) (voided []string, err error) {
	err = l.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		update := "UPDATE " + l.options.table("writes") + " FORCE INDEX (PRIMARY) SET state = ?, reason = ?, changed_at = NOW(6) WHERE id IN (" + marks(len(ids)) + ") AND state IN (?, ?)"
		args := slices.Concat([]any{strangler.WriteVoid, reason}, anys(ids), []any{strangler.WriteOpen, strangler.WriteDoubt})
		if err := l.run(ctx, tx, update, args...); err != nil {
			return err
		}
		// Whoever made them void: a try that broke off before may have done so.
		keep := "INSERT IGNORE INTO " + l.options.table("voids") + " (capability, id, epoch) SELECT capability, id, ? FROM " + l.options.table("writes") +
			" FORCE INDEX (PRIMARY) WHERE id IN (" + marks(len(ids)) + ") AND capability = ? AND state = ?"
		return l.run(ctx, tx, keep, slices.Concat([]any{epoch}, anys(ids), []any{capability, strangler.WriteVoid})...)
	})
	if err != nil {
		return nil, err
	}
	query := "SELECT id FROM " + l.options.table("writes") + " FORCE INDEX (PRIMARY) WHERE id IN (" + marks(len(ids)) + ") AND state = ?"
	return l.ids(ctx, query, append(anys(ids), strangler.WriteVoid)...)
}

// Voids lists writes that Void was asked to make void, by their ids, and counts all of them.
func (l *Ledger) Voids(ctx context.Context, capability string, first, last uint64, after string, limit int) (ids []string, all int, err error) {
	err = l.within(ctx, "read the writes that were given up", func(ctx context.Context) error {
		of := " FROM " + l.options.table("voids") + " WHERE capability = ? AND epoch BETWEEN ? AND ?"
		if err := l.db.QueryRowContext(ctx, "SELECT COUNT(*)"+of, capability, first, last).Scan(&all); err != nil {
			return err
		}
		if limit <= 0 || all == 0 {
			return nil
		}
		ids, err = l.ids(ctx, "SELECT id"+of+" AND id > ? ORDER BY id LIMIT ?", capability, first, last, after, limit)
		return err
	})
	return ids, all, err
}

// Greatest looks at fences, at void writes that are listed, and at the newest writes: later ones have no smaller epoch.
func (l *Ledger) Greatest(ctx context.Context, capability string) (greatest uint64, err error) {
	err = l.within(ctx, "look for the greatest version", func(ctx context.Context) error {
		parts := []string{
			"SELECT MAX(epoch) AS e FROM " + l.options.table("fences") + " WHERE capability = ?",
			"SELECT epoch FROM " + l.options.table("epochs") + " WHERE capability = ?",
			"SELECT MAX(epoch) FROM " + l.options.table("voids") + " WHERE capability = ?",
		}
		args := []any{capability, capability, capability}
		for _, state := range writeStates {
			parts = append(parts, "SELECT MAX(epoch) FROM (SELECT epoch FROM "+l.options.table("writes")+
				" FORCE INDEX (unfinished) WHERE state = ? AND capability = ? ORDER BY created_at DESC LIMIT 100) n")
			args = append(args, state, capability)
		}
		return l.db.QueryRowContext(ctx, "SELECT COALESCE(MAX(e), 0) FROM ("+strings.Join(parts, " UNION ALL ")+") a", args...).Scan(&greatest)
	})
	return greatest, err
}

// Settled forgets the ids that Voids lists, up to an epoch.
func (l *Ledger) Settled(ctx context.Context, capability string, epoch uint64) error {
	return l.within(ctx, "forget the writes that were given up", func(ctx context.Context) error {
		statement := fmt.Sprintf("DELETE FROM %s WHERE capability = ? AND epoch <= ? ORDER BY capability, id LIMIT %d", l.options.table("voids"), voidAtOnce)
		for {
			var gone int64
			err := again(ctx, func() error {
				done, err := l.db.ExecContext(ctx, statement, capability, epoch)
				if err != nil {
					return err
				}
				gone, err = done.RowsAffected()
				return err
			})
			if err != nil || gone < voidAtOnce {
				return err
			}
		}
	})
}
