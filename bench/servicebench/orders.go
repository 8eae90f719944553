package servicebench

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"banyan.dev/banyan/mirror/change"
)

const (
	// schema is the database that the orders are in.
	schema = "servicebench"
	// linesOf is how many lines each order has.
	linesOf = 5
)

// stretch is a part of the log with as many transactions, each of which changes an order of its own.
type stretch struct {
	name string
	from change.Position
	// one writes the statements that change an order.
	one func(b []byte, id int) []byte
}

func stretches() []stretch {
	return []stretch{
		{name: "an order with 5 lines inserted", one: appendInsert},
		{name: "an order and its 5 lines changed", one: appendUpdate},
		{name: "one line changed", one: appendUpdateLine},
		{name: "the note of one line changed", one: appendUpdateNote},
	}
}

// fill makes the tables and the stretches, each with orders from 1 on. tail gives the end of the log.
func fill(ctx context.Context, db *sql.DB, tail func(context.Context) (change.Position, error), orders int) (made []stretch, err error) {
	tables, err := fs.ReadFile(project, "project/schema.sql")
	if err != nil {
		return nil, err
	}
	if _, err := db.ExecContext(ctx, "CREATE DATABASE "+schema); err != nil {
		return nil, fmt.Errorf("make the database: %w", err)
	}
	connection, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, connection.Close()) }()
	if _, err := connection.ExecContext(ctx, "USE "+schema+"; "+string(tables)); err != nil {
		return nil, fmt.Errorf("make the tables: %w", err)
	}
	made = stretches()
	for i := range made {
		if made[i].from, err = tail(ctx); err != nil {
			return nil, err
		}
		for id := 1; id <= orders; id++ {
			if _, err := connection.ExecContext(ctx, transaction(id, made[i].one)); err != nil {
				return nil, fmt.Errorf("change orders: %w", err)
			}
		}
	}
	return made, nil
}

// transaction gives a transaction about an order.
func transaction(id int, one func(b []byte, id int) []byte) string {
	return string(append(one([]byte("BEGIN;"), id), "COMMIT"...))
}

var notes = []string{
	"'Untreated oak; deliver to the front door'", "NULL",
	"'Please ring twice. The gate sticks a little: push it near the lock, then lift. If nobody is at home leave it with the neighbours at number 12'", "''",
}

var articles = []string{"Fountain pen, medium nib", "Notebook, 120 pages, ruled", "Ink, \"midnight\" blue", "Blotting paper & more", "Wörterbuch der Tinte"}

// lineID gives the id of an order's line, counted from 0.
func lineID(id, line int) int { return (id-1)*linesOf + line + 1 }

func appendInsert(b []byte, id int) []byte {
	b = fmt.Appendf(b, "INSERT INTO orders VALUES (%d,%d,'WEB-2024-%08d','pending',%d.%04d,'2024-%02d-%02d %02d:%02d:%02d',%s);",
		id, 1+id*7919%50_000, id, 9+id%1000, id%10_000, 1+id%12, 1+id%28, id%24, id%60, id*7%60, notes[id%len(notes)])
	for i := range linesOf {
		b = fmt.Appendf(b, "INSERT INTO order_lines VALUES (%d,%d,'GK-%05d-%c',%d,%d.%04d,'%s');",
			lineID(id, i), id, (id+i*31)%9000, 'A'+i, 1+(id+i)%9, 3+(id+i)%50, (id*3+i)%10_000, strings.ReplaceAll(articles[(id+i)%len(articles)], "'", "''"))
	}
	return fmt.Appendf(b, "INSERT INTO line_notes VALUES (%d,'For you, number %d');", lineID(id, 0), id)
}

func appendUpdate(b []byte, id int) []byte {
	b = fmt.Appendf(b, "UPDATE orders SET status = 'shipped', total = total + 1.5 WHERE id = %d;", id)
	return fmt.Appendf(b, "UPDATE order_lines SET quantity = quantity + 1 WHERE order_id = %d;", id)
}

func appendUpdateLine(b []byte, id int) []byte {
	return fmt.Appendf(b, "UPDATE order_lines SET quantity = quantity + 1 WHERE id = %d;", lineID(id, linesOf-1))
}

func appendUpdateNote(b []byte, id int) []byte {
	b = append(b, "UPDATE line_notes SET note = CONCAT(note, '!') WHERE line_id = "...)
	return append(strconv.AppendInt(b, int64(lineID(id, 0)), 10), ';')
}
