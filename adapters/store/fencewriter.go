package store

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"sync"
)

// nobody is the token of marks that were taken away. No writer has it.
var nobody = make([]byte, 16)

// slotOf is one mark, and who has it.
type slotOf struct {
	slot  int
	token []byte
}

func (s slotOf) same(as slotOf) bool { return s.slot == as.slot && bytes.Equal(s.token, as.token) }

// FenceWriter gives a replica's marks to nobody: when it returns, no transaction that begins with one of them runs, or
// can be begun. It waits for those that run, slot by slot, until ctx ends; those that it has come by then stay taken. It
// takes only what it finds at first, so that it doesn't stop a replica that registers anew meanwhile. It may be called
// again.
//
// A transaction whose connection does nothing is not waited for: the connection is ended (see endHung). One that is at work is.
func (l *Ledger) FenceWriter(ctx context.Context, replica string) error {
	beside, stop := context.WithCancel(ctx)
	var ending sync.WaitGroup
	ending.Go(func() { l.endHung(beside, replica) })
	defer ending.Wait()
	defer stop()
	return l.fenceWriter(ctx, replica)
}

func (l *Ledger) fenceWriter(ctx context.Context, replica string) error {
	what := fmt.Sprintf("take the writer marks of the replica %s away", replica)
	first, err := l.slots(ctx, replica)
	left := first
	for err == nil && len(left) > 0 {
		if err = l.take(ctx, replica, left); err != nil && !isNumber(err, undone...) {
			break
		}
		var now []slotOf
		if now, err = l.slots(ctx, replica); err == nil {
			left = slices.DeleteFunc(now, func(s slotOf) bool { return !slices.ContainsFunc(first, s.same) })
		}
	}
	if err != nil && len(left) > 0 && ctx.Err() != nil {
		err = fmt.Errorf("%d of them are locked, or could not be had in time: look for its transactions in information_schema.INNODB_TRX on that server, and KILL those that hang: %w", len(left), err)
	}
	return l.told(ctx, what, err)
}

// slots gives the marks that somebody has, in the order in which they are locked everywhere.
func (l *Ledger) slots(ctx context.Context, replica string) (marks []slotOf, err error) {
	ctx, cancel := context.WithTimeout(ctx, l.options.Timeout)
	defer cancel()
	query := "SELECT slot, token FROM " + l.options.table("writers") + " WHERE replica = ? AND token <> ? ORDER BY slot"
	rows, err := l.db.QueryContext(ctx, query, replica, nobody)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var s slotOf
		if err := rows.Scan(&s.slot, &s.token); err != nil {
			return nil, err
		}
		marks = append(marks, s)
	}
	return marks, rows.Err()
}

// take takes marks. It skips those that others have locked for too long.
func (l *Ledger) take(ctx context.Context, replica string, marks []slotOf) error {
	for len(marks) > 0 {
		n, err := l.takeSome(ctx, replica, marks)
		if err != nil {
			return err
		}
		marks = marks[min(n+1, len(marks)):]
	}
	return nil
}

// takeSome takes marks up to one that can't be had now, in one transaction, and gives how many. (Where the server undoes
// whole transactions whose wait was too long, it was none: slots tells.)
func (l *Ledger) takeSome(ctx context.Context, replica string, marks []slotOf) (n int, err error) {
	tx, err := l.db.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer tx.Rollback()
	update := "UPDATE " + l.options.table("writers") + " SET token = ? WHERE replica = ? AND slot = ? AND token = ?"
	for _, m := range marks {
		err := l.run(ctx, tx, update, nobody, replica, m.slot, m.token)
		if isNumber(err, lockWait...) {
			break
		}
		if err != nil {
			return 0, err
		}
		n++
	}
	return n, tx.Commit()
}

// run runs one statement, in Options.Timeout.
func (l *Ledger) run(ctx context.Context, tx *sql.Tx, statement string, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, l.options.Timeout)
	defer cancel()
	_, err := tx.ExecContext(ctx, statement, args...)
	return err
}
