package mirrorbench

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"strconv"

	"banyan.dev/banyan/mirror/change"
)

// Where the rows are that change.
const (
	schema = "mirrorbench"
	table  = "orders"
)

//go:embed orders.sql
var ordersSQL string

// stretch is a part of the log with as many changed rows.
type stretch struct {
	name string
	from change.Position
	rows int
}

// fill makes the table, and a stretch of inserts and one of updates of the same rows. tail gives the end of the log.
func fill(ctx context.Context, db *sql.DB, tail func(context.Context) (change.Position, error), p Plan) (stretches []stretch, err error) {
	if _, err := db.ExecContext(ctx, "CREATE DATABASE "+schema); err != nil {
		return nil, fmt.Errorf("make the database: %w", err)
	}
	connection, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, connection.Close()) }()
	if _, err := connection.ExecContext(ctx, "USE "+schema+"; "+ordersSQL); err != nil {
		return nil, fmt.Errorf("make the table: %w", err)
	}
	for _, made := range []struct {
		name string
		one  func(dst []byte, id int) []byte
	}{{"insert", appendInsert}, {"update", appendUpdate}} {
		from, err := tail(ctx)
		if err != nil {
			return nil, err
		}
		for first := 1; first <= p.Rows; first += p.Transaction {
			if _, err := connection.ExecContext(ctx, string(transaction(first, min(p.Transaction, p.Rows-first+1), made.one))); err != nil {
				return nil, fmt.Errorf("change rows: %w", err)
			}
		}
		stretches = append(stretches, stretch{made.name, from, p.Rows})
	}
	return stretches, nil
}

// transaction gives a transaction of n statements, one a row, as an application would write it. One statement is a
// transaction by itself.
func transaction(first, n int, one func(dst []byte, id int) []byte) []byte {
	if n == 1 {
		return one(nil, first)
	}
	b := []byte("BEGIN;")
	for id := first; id < first+n; id++ {
		b = append(one(b, id), ';')
	}
	return append(b, "COMMIT"...)
}

var notes = []string{
	"'Untreated oak; deliver to the front door'",
	"NULL",
	"'Please ring twice. The gate sticks a little: push it near the lock, then lift. If nobody is at home leave it with the neighbours at number 12'",
	"''",
}

func appendInsert(b []byte, id int) []byte {
	b = append(b, "INSERT INTO "...)
	b = append(b, table...)
	b = append(b, " VALUES ("...)
	b = appendValues(b, id)
	return append(b, ')')
}

// appendValues writes an order's values, different ones for each id, and the same each time.
func appendValues(b []byte, id int) []byte {
	return fmt.Appendf(b, "%d,%d,'WEB-2024-%08d','pending',%d,%d.%04d,'2024-%02d-%02d %02d:%02d:%02d',%s",
		id, 1+id*7919%50_000, id, 1+id%9, 9+id%1000, id%10_000, 1+id%12, 1+id%28, id%24, id%60, id*7%60, notes[id%len(notes)])
}

func appendUpdate(b []byte, id int) []byte {
	b = append(b, "UPDATE "...)
	b = append(b, table...)
	b = append(b, " SET status = 'shipped', items = items + 1, total = total + 1.5 WHERE id = "...)
	return strconv.AppendInt(b, int64(id), 10)
}
