package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"banyan.dev/banyan/strangler/control"
)

// announcedAtOnce is how many ids one row of announcements has.
const announcedAtOnce = 500

// SendFence writes a fence into the log. The same id again changes nothing: that fence is on its way.
func (l *Ledger) SendFence(ctx context.Context, f control.FenceRow) error {
	void, err := array(f.Void)
	if err != nil {
		return fmt.Errorf("the fence %s: %w", f.ID, err)
	}
	return l.within(ctx, "send a fence", func(ctx context.Context) error {
		insert := "INSERT INTO " + l.options.table("fences") + " (id, service, capability, epoch, reply_to, void, created_at) VALUES (?, ?, ?, ?, ?, ?, NOW(6))"
		err := again(ctx, func() error {
			_, err := l.db.ExecContext(ctx, insert, f.ID, f.Service, f.Capability, f.Epoch, f.ReplyTo, void)
			return err
		})
		if isNumber(err, duplicate...) {
			return nil
		}
		return err
	})
}

// duplicate says that there is such a row.
var duplicate = []uint16{1062}

// Announce writes the ids into the log, all of them or none. Its locks keep fences away until it has committed: what is
// announced comes before a fence of a greater epoch, or not at all.
func (l *Ledger) Announce(ctx context.Context, a control.Announcement) error {
	var rows []string
	for some := range slices.Chunk(a.IDs, announcedAtOnce) {
		row, err := array(some)
		if err != nil {
			return fmt.Errorf("an announcement of %s: %w", a.Entity, err)
		}
		rows = append(rows, row)
	}
	if len(rows) == 0 {
		return nil
	}
	return l.within(ctx, "announce entities", func(ctx context.Context) error {
		insert := "INSERT INTO " + l.options.table("announcements") + " (service, entity, ids, created_at) VALUES (?, ?, ?, NOW(6))"
		greater := "SELECT id FROM " + l.options.table("fences") + " WHERE capability = ? AND epoch > ? LIMIT 1 FOR UPDATE"
		// Only this isolation locks what is not there.
		return l.isolated(ctx, sql.LevelRepeatableRead, func(ctx context.Context, tx *sql.Tx) error {
			var id string
			err := tx.QueryRowContext(ctx, greater, a.Capability, a.Epoch).Scan(&id)
			if err == nil {
				return fmt.Errorf("%w (the fence %s)", control.ErrPassed, id)
			}
			if !errors.Is(err, sql.ErrNoRows) {
				return err
			}
			for _, row := range rows {
				if _, err := tx.ExecContext(ctx, insert, a.Service, a.Entity, row); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// array gives texts as a JSON array. JSON has only UTF-8, and another text must not become another id on the way.
func array(texts []string) (string, error) {
	for _, text := range texts {
		if !utf8.ValidString(text) {
			return "", fmt.Errorf("the id %q is not in UTF-8, which is all that JSON can say", text)
		}
	}
	if texts == nil {
		texts = []string{}
	}
	text, err := json.Marshal(texts)
	return string(text), err
}
