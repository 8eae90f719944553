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
		return l.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
			if f.Epoch > 0 { // others keep no announcement away
				if err := l.raiseEpoch(ctx, tx, &f); err != nil {
					return err
				}
			}
			_, err := tx.ExecContext(ctx, insert, f.ID, f.Service, f.Capability, f.Epoch, f.ReplyTo, void)
			if isNumber(err, duplicate...) {
				return nil // the statement alone is undone
			}
			return err
		})
	})
}

// raiseEpoch makes the greatest epoch of a capability's fences no less than a fence's. The mirror learns from the row whether the
// fence is one of a way back.
func (l *Ledger) raiseEpoch(ctx context.Context, tx *sql.Tx, f *control.FenceRow) error {
	greatest, err := l.lockEpoch(ctx, tx, f.Capability)
	if err != nil {
		return err
	}
	set, args := "epoch = ?", []any{max(f.Epoch, greatest)}
	switch {
	case f.Back:
		set, args = set+", back = ?", append(args, f.ID)
	case greatest >= f.Epoch:
		return nil
	}
	_, err = tx.ExecContext(ctx, "UPDATE "+l.options.table("epochs")+" SET "+set+" WHERE capability = ?", append(args, f.Capability)...)
	return err
}

// lockEpoch gives the greatest epoch of a capability's fences, and keeps others from asking until the transaction ends. The row is
// made where there is none, of fences that were sent before there were such rows.
func (l *Ledger) lockEpoch(ctx context.Context, tx *sql.Tx, capability string) (greatest uint64, err error) {
	known := "SELECT epoch FROM " + l.options.table("epochs") + " WHERE capability = ? FOR UPDATE"
	err = tx.QueryRowContext(ctx, known, capability).Scan(&greatest)
	if !errors.Is(err, sql.ErrNoRows) {
		return greatest, err
	}
	first := "INSERT INTO " + l.options.table("epochs") + " (capability, epoch) SELECT ?, COALESCE(MAX(epoch), 0) FROM " + l.options.table("fences") +
		" WHERE capability = ? ON DUPLICATE KEY UPDATE epoch = " + l.options.table("epochs") + ".epoch"
	if _, err := tx.ExecContext(ctx, first, capability, capability); err != nil {
		return 0, err
	}
	err = tx.QueryRowContext(ctx, known, capability).Scan(&greatest)
	return greatest, err
}

// duplicate says that there is such a row.
var duplicate = []uint16{1062}

// Announce writes the ids into the log, all of them or none. Its lock of the capability's epoch keeps fences away until it has
// committed: what is announced comes before a fence of a greater epoch, or not at all.
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
		return l.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
			var epoch uint64
			if a.Capability != "" { // what no capability has, no fence passes
				var err error
				if epoch, err = l.lockEpoch(ctx, tx, a.Capability); err != nil {
					return err
				}
			}
			if epoch > a.Epoch {
				return fmt.Errorf("%w (there was a fence of epoch %d)", control.ErrPassed, epoch)
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
