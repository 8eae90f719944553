package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"
)

// A mark's n has in its lower bits which connection marked last, and above a count of marks, so that each changes the row. While a
// transaction that has marked is under way, both can be read of it by whoever reads what is not committed.
const connectionBits = 40

const (
	// hungEvery is the time between two looks for connections that hang, hungFor how long one has had nothing to do.
	hungEvery = 500 * time.Millisecond
	hungFor   = time.Second
)

// endHung ends connections of a fenced replica that have a transaction under way and do nothing, again and again until ctx ends:
// of a process that is frozen, or that a broken network keeps from the server. Nothing of such a transaction is committed.
func (l *Ledger) endHung(ctx context.Context, replica string) {
	tick := time.NewTicker(hungEvery)
	defer tick.Stop()
	told := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		ended, err := l.endHungOnce(ctx, replica)
		for _, id := range ended {
			l.options.Logger.Warn("a connection of a fenced replica had a transaction under way and did nothing: it is ended", "replica", replica, "connection", id)
		}
		if err != nil && ctx.Err() == nil && !told {
			told = true
			l.options.Logger.Warn("connections of a fenced replica that hang can't be ended: its transactions are waited for", "replica", replica, "error", err)
		}
	}
}

func (l *Ledger) endHungOnce(ctx context.Context, replica string) (ended []int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, l.options.Timeout)
	defer cancel()
	underWay, err := l.connectionsOf(ctx, replica)
	if err != nil || len(underWay) == 0 {
		return nil, err
	}
	idle, err := l.idle(ctx)
	if err != nil {
		return nil, err
	}
	for _, id := range underWay {
		if !slices.Contains(idle, id) {
			continue
		}
		_, err := l.db.ExecContext(ctx, fmt.Sprintf("KILL CONNECTION %d", id))
		if err != nil && !isNumber(err, noSuchThread...) {
			return ended, err
		}
		ended = append(ended, id)
	}
	return ended, nil
}

// idle gives connections of our own account that have had nothing to do for a while: those it may end. One that has something
// to do is waited for. (MySQL fails whoever reads information_schema.PROCESSLIST while anybody runs a statement that is no
// text, such as this package's with a token in it; SHOW takes that as it is.)
func (l *Ledger) idle(ctx context.Context) (ids []int64, err error) {
	var account string
	if err := l.db.QueryRowContext(ctx, "SELECT SUBSTRING_INDEX(USER(), '@', 1)").Scan(&account); err != nil {
		return nil, err
	}
	rows, err := l.db.QueryContext(ctx, "SHOW PROCESSLIST")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	const command, since = 4, 5 // behind Id, User, Host and db; State, Info and MariaDB's Progress follow
	if len(columns) <= since {
		return nil, fmt.Errorf("SHOW PROCESSLIST has only %d columns", len(columns))
	}
	var id int64
	var user, does string
	var still sql.NullInt64
	into := make([]any, len(columns))
	for i := range into {
		into[i] = new(sql.RawBytes)
	}
	into[0], into[1], into[command], into[since] = &id, &user, &does, &still
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		if user == account && does == "Sleep" && still.Int64 >= int64(hungFor/time.Second) {
			ids = append(ids, id)
		}
	}
	return ids, rows.Err()
}

// noSuchThread says that a connection has gone.
var noSuchThread = []uint16{1094}

// connectionsOf gives the connections whose transaction has marked and is not committed. What is committed names a connection,
// too; but that may have ended, and, since a restart of the server, be somebody else's.
func (l *Ledger) connectionsOf(ctx context.Context, replica string) (ids []int64, err error) {
	committed, err := l.marked(ctx, l.db, replica)
	if err != nil {
		return nil, err
	}
	tx, err := l.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadUncommitted, ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer tx.Rollback()
	all, err := l.marked(ctx, tx, replica)
	if err != nil {
		return nil, err
	}
	for slot, n := range all {
		before, there := committed[slot]
		// A version before this one only counted, from 0: then there is nothing above the connection's bits.
		if there && n != before && n>>connectionBits > 0 {
			ids = append(ids, int64(n&(1<<connectionBits-1))) //nolint:gosec // it has as many bits
		}
	}
	return ids, nil
}

// marked gives n of each slot.
func (l *Ledger) marked(ctx context.Context, from interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}, replica string,
) (map[int]uint64, error) {
	rows, err := from.QueryContext(ctx, "SELECT slot, n FROM "+l.options.table("writers")+" WHERE replica = ? AND slot > 0", replica)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := map[int]uint64{}
	for rows.Next() {
		var slot int
		var n uint64
		if err := rows.Scan(&slot, &n); err != nil {
			return nil, err
		}
		found[slot] = n
	}
	return found, rows.Err()
}
