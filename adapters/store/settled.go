package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"

	"banyan.dev/banyan/strangler"
)

// Settle keeps for void writes whether what the new service had done for them may have come to legacy with another
// write-back: committed has the entities of those that it had done at all. It may be done again.
func (l *Ledger) Settle(ctx context.Context, capability string, void []string, committed map[string][]string) error {
	return l.within(ctx, "keep what the new service has said of void writes", func(ctx context.Context) error {
		void = slices.Compact(slices.Sorted(slices.Values(void)))
		for some := range slices.Chunk(void, voidAtOnce) {
			carried := make(map[string]bool, len(some))
			for _, id := range some {
				if entities := committed[id]; len(entities) > 0 {
					was, err := l.carried(ctx, capability, id, entities)
					if err != nil {
						return err
					}
					carried[id] = was
				}
			}
			if err := l.settle(ctx, some, carried); err != nil {
				return err
			}
		}
		return nil
	})
}

// carried says whether one of some entities was written back for another write since a void write was opened.
func (l *Ledger) carried(ctx context.Context, capability, id string, entities []string) (bool, error) {
	query := "SELECT 1 FROM " + l.options.table("writes") + " w JOIN " + l.options.table("writes") + " o ON o.changed_at >= w.created_at" +
		" WHERE w.id = ? AND o.capability = ? AND o.entity IN (" + marks(len(entities)) + ") AND o.state = ? AND o.id <> w.id LIMIT 1"
	var one int
	err := l.db.QueryRowContext(ctx, query, slices.Concat([]any{id, capability}, anys(entities), []any{strangler.WriteClosed})...).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

func (l *Ledger) settle(ctx context.Context, void []string, carried map[string]bool) error {
	args := make([]any, 0, 3*len(void))
	values := ""
	for i, id := range void {
		if i > 0 {
			values += ", "
		}
		values += "(?, ?, NOW(6))"
		args = append(args, id, carried[id])
	}
	return again(ctx, func() error {
		_, err := l.db.ExecContext(ctx, "INSERT INTO "+l.options.table("settled")+" (id, carried, created_at) VALUES "+values+" ON DUPLICATE KEY UPDATE carried = VALUES(carried)", args...)
		return err
	})
}
