package store

import (
	"context"
	"strings"
	"time"

	"banyan.dev/banyan/strangler/retirement"
)

// Callers is a retirement.Book over the tables callers and watched. It is safe for concurrent use.
type Callers struct{ *tables }

var _ retirement.Book = (*Callers)(nil)

// What the columns of callers hold, in characters.
const (
	mostOperation = 255
	mostClient    = 128
)

// NewCallers makes a Callers without connecting. Its errors are about the options; none shows a password. Migrate makes the
// tables.
func NewCallers(options Options) (*Callers, error) {
	t, err := newTables(options, 2)
	if err != nil {
		return nil, err
	}
	return &Callers{t}, nil
}

// Watch keeps, by the server's clock, that callers of operations are counted from now on.
func (c *Callers) Watch(ctx context.Context, operations []string) error {
	if len(operations) == 0 {
		return nil
	}
	known, err := c.Watched(ctx, operations)
	if err != nil {
		return err
	}
	var args []any
	for _, op := range operations {
		if _, there := known[op]; !there {
			args = append(args, cut(op, mostOperation))
		}
	}
	if len(args) == 0 {
		return nil
	}
	return c.within(ctx, "keep since when callers are counted", func(ctx context.Context) error {
		insert := "INSERT INTO " + c.options.table("watched") + " (operation, since) VALUES " + repeated("(?, NOW(6))", len(args)) +
			" ON DUPLICATE KEY UPDATE operation = VALUES(operation)"
		return again(ctx, func() error {
			_, err := c.db.ExecContext(ctx, insert, args...)
			return err
		})
	})
}

// Add counts uses, in one statement.
func (c *Callers) Add(ctx context.Context, uses []retirement.Use) error {
	if len(uses) == 0 {
		return nil
	}
	args := make([]any, 0, 6*len(uses))
	for _, u := range uses {
		args = append(args, cut(u.Operation, mostOperation), cut(u.Client, mostClient), cut(u.Agent, mostClient), dateOf(u.Day), u.Calls, u.Last.UTC())
	}
	insert := "INSERT INTO " + c.options.table("callers") + " (operation, client, agent, day, calls, last_at) VALUES " +
		repeated("(?, ?, ?, ?, ?, ?)", len(uses)) +
		" ON DUPLICATE KEY UPDATE calls = calls + VALUES(calls), last_at = GREATEST(last_at, VALUES(last_at))"
	return c.within(ctx, "keep who calls", func(ctx context.Context) error {
		return again(ctx, func() error {
			_, err := c.db.ExecContext(ctx, insert, args...)
			return err
		})
	})
}

// sweepUses is how many uses one statement deletes.
const sweepUses = 1000

// Sweep forgets uses of days before one, in small batches, until none is left or ctx ends.
func (c *Callers) Sweep(ctx context.Context, before time.Time) (n int, err error) {
	statement := "DELETE FROM " + c.options.table("callers") + " WHERE day < ? ORDER BY day, operation, client, agent LIMIT ?"
	for {
		var gone int64
		err := c.within(ctx, "forget who called long ago", func(ctx context.Context) error {
			return again(ctx, func() error {
				done, err := c.db.ExecContext(ctx, statement, dateOf(before), sweepUses)
				if err != nil {
					return err
				}
				gone, err = done.RowsAffected()
				return err
			})
		})
		n += int(gone)
		if err != nil || gone < sweepUses {
			return n, err
		}
	}
}

// Callers gives who has called operations, the latest first. limit is at most 10,000, which 0 stands for.
func (c *Callers) Callers(ctx context.Context, operations []string, since time.Time, limit int) (all []retirement.Caller, err error) {
	if len(operations) == 0 {
		return nil, nil
	}
	if limit <= 0 || limit > mostCallers {
		limit = mostCallers
	}
	query := "SELECT operation, client, agent, SUM(IF(day >= ?, calls, 0)), MAX(last_at) AS latest FROM " + c.options.table("callers") +
		" WHERE operation IN (" + marks(len(operations)) + ") GROUP BY operation, client, agent ORDER BY latest DESC, operation, client, agent LIMIT ?"
	args := append([]any{dateOf(since)}, anys(cutAll(operations))...)
	err = c.within(ctx, "read who calls", func(ctx context.Context) error {
		all = nil
		rows, err := c.db.QueryContext(ctx, query, append(args, limit)...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var one retirement.Caller
			if err := rows.Scan(&one.Operation, &one.Client, &one.Agent, &one.Calls, &one.Last); err != nil {
				return err
			}
			all = append(all, one)
		}
		return rows.Err()
	})
	return all, err
}

// mostCallers bounds what is read at once.
const mostCallers = 10_000

// Watched gives since when callers of operations are counted.
func (c *Callers) Watched(ctx context.Context, operations []string) (since map[string]time.Time, err error) {
	if len(operations) == 0 {
		return nil, nil
	}
	query := "SELECT operation, since FROM " + c.options.table("watched") + " WHERE operation IN (" + marks(len(operations)) + ")"
	err = c.within(ctx, "read since when callers are counted", func(ctx context.Context) error {
		since = map[string]time.Time{}
		rows, err := c.db.QueryContext(ctx, query, anys(cutAll(operations))...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var op string
			var at time.Time
			if err := rows.Scan(&op, &at); err != nil {
				return err
			}
			since[op] = at
		}
		return rows.Err()
	})
	return since, err
}

func cutAll(operations []string) []string {
	out := make([]string, len(operations))
	for i, op := range operations {
		out[i] = cut(op, mostOperation)
	}
	return out
}

// dateOf gives a day for SQL.
func dateOf(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// repeated gives n times a row for VALUES.
func repeated(row string, n int) string { return strings.TrimSuffix(strings.Repeat(row+", ", n), ", ") }
