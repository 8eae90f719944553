package store

import (
	"context"
	"database/sql"
	"strings"

	"banyan.dev/banyan/strangler/control"
)

// What the columns of audit hold, in characters.
const (
	mostWord   = 255
	mostReason = 1000
)

// mostListed bounds what people are shown at once.
const mostListed = 1000

// keep writes audits, by the server's clock.
func (c *Control) keep(ctx context.Context, tx *sql.Tx, audits []control.Audit) error {
	if len(audits) == 0 {
		return nil
	}
	args := make([]any, 0, 7*len(audits))
	for _, a := range audits {
		args = append(args, a.Capability, a.Version, cut(a.Who, mostWord), cut(a.What, mostWord), cut(a.From, mostWord), cut(a.To, mostWord), cut(a.Reason, mostReason))
	}
	insert := "INSERT INTO " + c.options.table("audit") + " (capability, version, who, what, from_stage, to_stage, reason, at) VALUES " +
		strings.TrimSuffix(strings.Repeat("(?, ?, ?, ?, ?, ?, ?, NOW(6)), ", len(audits)), ", ")
	_, err := tx.ExecContext(ctx, insert, args...)
	return err
}

// History gives the latest audits, newest first; of all capabilities for "". limit is at most 1000, which 0 stands for.
func (c *Control) History(ctx context.Context, capability string, limit int) (history []control.Audit, err error) {
	err = c.within(ctx, "read the history of flags", func(ctx context.Context) error {
		history, err = c.history(ctx, capability, listed(limit))
		return err
	})
	return history, err
}

func (c *Control) history(ctx context.Context, capability string, limit int) (history []control.Audit, err error) {
	query := "SELECT at, capability, version, who, what, from_stage, to_stage, reason FROM " + c.options.table("audit")
	args := []any{limit}
	if capability != "" {
		query += " WHERE capability = ?"
		args = []any{capability, limit}
	}
	rows, err := c.db.QueryContext(ctx, query+" ORDER BY id DESC LIMIT ?", args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var a control.Audit
		if err := rows.Scan(&a.At, &a.Capability, &a.Version, &a.Who, &a.What, &a.From, &a.To, &a.Reason); err != nil {
			return nil, err
		}
		history = append(history, a)
	}
	return history, rows.Err()
}

// listed bounds how many lines people are shown.
func listed(limit int) int {
	if limit <= 0 || limit > mostListed {
		return mostListed
	}
	return limit
}
