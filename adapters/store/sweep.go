package store

import (
	"context"
	"slices"
	"time"

	"banyan.dev/banyan/strangler"
)

const (
	// sweepAtOnce is how many rows one statement deletes: nobody waits for it, and what it writes to the log is bounded.
	sweepAtOnce = 100
	// keptFor is how long rows are kept that are of no more use to Banyan itself. A try of a finished write that comes later
	// than that is taken for a new one.
	keptFor = 24 * time.Hour
)

// SweepWrites deletes writes that were finished more than 24 hours ago and that no idempotency key needs, and fences and announcements that were sent that
// long ago, in small batches, until none is left or ctx ends. It gives how many rows it has deleted.
func (l *Ledger) SweepWrites(ctx context.Context) (n int, err error) {
	finished := []any{strangler.WriteClosed, strangler.WriteFailed, strangler.WriteVoid, seconds(keptFor)}
	for _, s := range []struct {
		table, condition string
		args             []any
	}{
		{"writes", "state IN (?, ?, ?) AND changed_at < NOW(6) - INTERVAL ? SECOND AND NOT EXISTS (SELECT 1 FROM " + l.options.table("idempotency") + " i WHERE i.write_id = writes.id)", finished},
		{"settled", "NOT EXISTS (SELECT 1 FROM " + l.options.table("writes") + " w WHERE w.id = settled.id)", nil},
		{"fences", "TRUE", nil},
		{"announcements", "TRUE", nil},
	} {
		swept, err := l.sweep(ctx, s.table, s.condition, s.args)
		n += swept
		if err != nil {
			return n, l.told(ctx, "sweep what is old", err)
		}
	}
	return n, nil
}

// sweep deletes rows of a table that were made more than 24 hours ago, and are as the condition says. They are read
// first, and deleted by their ids, so that nothing else is locked on the way.
func (l *Ledger) sweep(ctx context.Context, table, condition string, args []any) (n int, err error) {
	old := "SELECT id FROM " + l.options.table(table) + " FORCE INDEX (age) WHERE created_at < NOW(6) - INTERVAL ? SECOND AND " + condition +
		" ORDER BY created_at LIMIT ?"
	for ctx.Err() == nil {
		ids, err := l.ids(ctx, old, slices.Concat([]any{seconds(keptFor)}, args, []any{sweepAtOnce})...)
		if err != nil || len(ids) == 0 {
			return n, err
		}
		deleted, err := l.remove(ctx, table, ids, condition, args)
		n += deleted
		if err != nil || len(ids) < sweepAtOnce {
			return n, err
		}
	}
	return n, ctx.Err()
}

func (l *Ledger) remove(ctx context.Context, table string, ids []string, condition string, args []any) (n int, err error) {
	slices.Sort(ids)
	ctx, cancel := context.WithTimeout(ctx, l.options.Timeout)
	defer cancel()
	statement := "DELETE FROM " + l.options.table(table) + " WHERE id IN (" + marks(len(ids)) + ") AND " + condition
	err = again(ctx, func() error {
		done, err := l.db.ExecContext(ctx, statement, slices.Concat(anys(ids), args)...)
		if err != nil {
			return err
		}
		gone, err := done.RowsAffected()
		n = int(gone)
		return err
	})
	return n, err
}
