package replica

import (
	"context"
	"fmt"
	"slices"

	"banyan.dev/banyan/mirror/change"
)

// mostOpen is how many changes a transaction of the rebuilt database has.
const mostOpen = 2000

func sortNames(names []string) { slices.Sort(names) }

// apply changes the rebuilt database.
func (c *Consumer) apply(ctx context.Context, e *event) error {
	if !e.isRow() {
		if err := c.Flush(ctx); err != nil {
			return err
		}
		clear(c.tables.known)
		if e.Op == cascade {
			return c.cascade(ctx, e)
		}
		return c.define(ctx, e)
	}
	t, err := c.tables.of(ctx, c.conn, e.Schema, e.Table)
	if err != nil {
		return err
	}
	c.open++
	if c.open >= mostOpen {
		if err := c.Flush(ctx); err != nil {
			return err
		}
	}
	if e.Op == change.Insert {
		return c.insert(ctx, t, e.After)
	}
	if err := c.insertPending(ctx); err != nil {
		return err
	}
	if e.Op == change.Delete {
		return c.remove(ctx, t, e.Before)
	}
	return c.update(ctx, t, e.Before, e.After)
}

// inserts are rows that go into one table together.
type inserts struct {
	table     *table
	statement []byte
	rows      int64
}

// mostStatement bounds an INSERT in bytes; a packet may have 16 MiB.
const mostStatement = 512 << 10

func (c *Consumer) insert(ctx context.Context, t *table, row values) error {
	p := &c.pending
	if p.table != t || len(p.statement) > mostStatement {
		if err := c.insertPending(ctx); err != nil {
			return err
		}
		p.table = t
		p.statement = append(append(p.statement[:0], "INSERT INTO "...), t.name...)
		p.statement = append(p.statement, " ("...)
		first := true
		for i := range t.columns {
			if t.columns[i].generated {
				continue
			}
			if !first {
				p.statement = append(p.statement, ',')
			}
			first = false
			p.statement = appendName(p.statement, t.columns[i].name)
		}
		p.statement = append(p.statement, ") VALUES "...)
	} else {
		p.statement = append(p.statement, ',')
	}
	var err error
	if p.statement, err = t.appendRow(p.statement, row); err != nil {
		return err
	}
	p.rows++
	return nil
}

func (c *Consumer) insertPending(ctx context.Context) error {
	p := &c.pending
	if p.rows == 0 {
		return nil
	}
	want := p.rows
	p.table, p.rows = nil, 0
	return c.change(ctx, string(p.statement), want)
}

// change runs a statement that has to change so many rows.
func (c *Consumer) change(ctx context.Context, statement string, want int64) error {
	result, err := c.conn.ExecContext(ctx, statement)
	if err != nil {
		return fmt.Errorf("%.200s: %w", statement, err)
	}
	got, err := result.RowsAffected()
	if err != nil {
		return fmt.Errorf("%.200s: %w", statement, err)
	}
	if got != want {
		return fmt.Errorf("%.1000s: changed %d rows, not %d", statement, got, want)
	}
	return nil
}

// appendRow appends (values) of all columns that are not generated.
func (t *table) appendRow(dst []byte, row values) ([]byte, error) {
	if len(row) != len(t.columns) {
		return nil, fmt.Errorf("a row has %d columns, and the rebuilt table %s %d", len(row), t.name, len(t.columns))
	}
	dst = append(dst, '(')
	first := true
	for i := range t.columns {
		column := &t.columns[i]
		if column.generated {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		var err error
		if dst, err = column.appendLiteral(dst, row[column.name]); err != nil {
			return nil, err
		}
	}
	return append(dst, ')'), nil
}

func (c *Consumer) remove(ctx context.Context, t *table, before values) error {
	where, err := t.where(before)
	if err != nil {
		return err
	}
	return c.change(ctx, "DELETE FROM "+t.name+string(where), 1)
}

func (c *Consumer) update(ctx context.Context, t *table, before, after values) error {
	where, err := t.where(before)
	if err != nil {
		return err
	}
	statement := append([]byte("UPDATE "), t.name...)
	statement = append(statement, " SET "...)
	if len(after) != len(t.columns) {
		return fmt.Errorf("a row has %d columns, and the rebuilt table %s %d", len(after), t.name, len(t.columns))
	}
	first := true
	for i := range t.columns {
		column := &t.columns[i]
		if column.generated {
			continue
		}
		if !first {
			statement = append(statement, ',')
		}
		first = false
		statement = append(appendName(statement, column.name), '=')
		if statement, err = column.appendLiteral(statement, after[column.name]); err != nil {
			return err
		}
	}
	return c.change(ctx, string(append(statement, where...)), 1)
}

// where finds one row: by its key, or by all that it has. FLOAT and DOUBLE are left out of that: what is written is not
// always what is equal.
func (t *table) where(before values) ([]byte, error) {
	dst := []byte(" WHERE ")
	names := t.key
	if len(names) == 0 {
		for i := range t.columns {
			if !t.columns[i].inexact() && !t.columns[i].generated {
				names = append(names, t.columns[i].name)
			}
		}
	}
	for i, name := range names {
		if i > 0 {
			dst = append(dst, " AND "...)
		}
		column, err := t.column(name)
		if err != nil {
			return nil, err
		}
		literal, err := column.appendLiteral(nil, before[name])
		if err != nil {
			return nil, err
		}
		if len(t.key) > 0 { // an index finds it, and the key's own collation tells keys apart
			dst = append(append(appendName(dst, name), " = "...), literal...)
		} else {
			dst = column.appendEqual(dst, literal, t.collation)
		}
	}
	return append(dst, " LIMIT 1"...), nil
}
