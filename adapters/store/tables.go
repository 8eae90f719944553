package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

// tables is a way to Banyan's own tables on one server. It is safe for concurrent use.
type tables struct {
	options Options
	config  *mysql.Config
	db      *sql.DB
}

// newTables connects when first used, by at most so many connections.
func newTables(options Options, most int) (*tables, error) {
	o, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	cfg, err := o.config()
	if err != nil {
		return nil, err
	}
	db, err := open(cfg, most)
	if err != nil {
		return nil, err
	}
	return &tables{options: o, config: cfg, db: db}, nil
}

// Close closes the connections.
func (t *tables) Close() error { return t.db.Close() }

// within does something in Options.Timeout. what says it to people: "save a flag".
func (t *tables) within(ctx context.Context, what string, do func(ctx context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, t.options.Timeout)
	defer cancel()
	return t.told(ctx, what, do(limited))
}

// told wraps an error by what was tried, see Options.told. ctx's own end is said as such.
func (t *tables) told(ctx context.Context, what string, err error) error {
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("%s: %w", what, errors.Join(ctx.Err(), err))
	}
	return t.options.told(ctx, t.db, what, err)
}

// Errors after which a statement, or its transaction, changed nothing and may be tried again.
var (
	// The wait for a lock was too long.
	lockWait = []uint16{1205}
	// The server ended the transaction: it broke a deadlock, or a row is newer than the snapshot.
	undone = []uint16{1213, 1020}
)

// transact runs a transaction, again when locks of others were in its way, until ctx ends. What the last error was of the
// commit leaves open whether it happened.
func (t *tables) transact(ctx context.Context, run func(ctx context.Context, tx *sql.Tx) error) error {
	return t.isolated(ctx, sql.LevelDefault, run)
}

// isolated is transact at a level of isolation.
func (t *tables) isolated(ctx context.Context, level sql.IsolationLevel, run func(ctx context.Context, tx *sql.Tx) error) error {
	return again(ctx, func() error {
		tx, err := t.db.BeginTx(ctx, &sql.TxOptions{Isolation: level})
		if err != nil {
			return err
		}
		defer tx.Rollback()
		if err := run(ctx, tx); err != nil {
			return err
		}
		return tx.Commit()
	})
}

// again does something until locks of others are not in its way, or ctx ends.
func again(ctx context.Context, do func() error) error {
	for try := 1; ; try++ {
		err := do()
		if !isNumber(err, lockWait...) && !isNumber(err, undone...) {
			return err
		}
		pause := time.NewTimer(min(time.Duration(try)*2*time.Millisecond, 50*time.Millisecond))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return err
		}
	}
}

// marks gives n question marks for a list.
func marks(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }

// anys gives values as arguments.
func anys[T any](values []T) []any {
	all := make([]any, len(values))
	for i, v := range values {
		all[i] = v
	}
	return all
}

// cut makes a text fit into a column of so many characters: where it is longer, it ends in an ellipsis.
func cut(text string, most int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= most {
		return text
	}
	runes := []rune(text)
	if len(runes) <= most {
		return text
	}
	return string(runes[:most-1]) + "…"
}
