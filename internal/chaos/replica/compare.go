package replica

import (
	"context"
	"database/sql"
	"fmt"
	"hash/maphash"
	"strings"
)

// Comparison is what was found when two databases were compared.
type Comparison struct {
	// Tables and Rows count what the first database has.
	Tables, Rows int
	// Different counts rows that are not the same on both sides, and Differences tells the first of them, and all tables
	// that are not the same.
	Different   int
	Differences []string
}

// Err is nil when there is no difference.
func (c *Comparison) Err() error {
	if c.Different == 0 && len(c.Differences) == 0 {
		return nil
	}
	return fmt.Errorf("%d rows of %d are different:\n%s", c.Different, c.Rows, strings.Join(c.Differences, "\n"))
}

func (c *Comparison) differ(format string, args ...any) {
	c.Different++
	if len(c.Differences) < mostProblems {
		c.Differences = append(c.Differences, fmt.Sprintf(format, args...))
	}
}

// Compare compares all rows of a schema with those of one that it was rebuilt as, value by value, both read row by row.
func Compare(ctx context.Context, a, b *sql.DB, schema, rebuilt string) (*Comparison, error) {
	ca, err := reader(ctx, a)
	if err != nil {
		return nil, err
	}
	defer ca.Close() //nolint:errcheck // it has only read
	cb, err := reader(ctx, b)
	if err != nil {
		return nil, err
	}
	defer cb.Close() //nolint:errcheck // it has only read
	ta, err := describe(ctx, ca, schema)
	if err != nil {
		return nil, err
	}
	tb, err := describe(ctx, cb, rebuilt)
	if err != nil {
		return nil, err
	}
	out := &Comparison{Tables: len(ta)}
	for name := range tb {
		if _, ok := ta[name]; !ok {
			out.Differences = append(out.Differences, "the table "+name+" is only in what was rebuilt")
		}
	}
	for name, columns := range ta {
		switch other, ok := tb[name]; {
		case !ok:
			out.Differences = append(out.Differences, "the table "+name+" was not rebuilt")
			continue
		case other != columns:
			out.Differences = append(out.Differences, fmt.Sprintf("the table %s has the columns %s, and was rebuilt with %s", name, columns, other))
			continue
		}
		if err := out.table(ctx, ca, cb, [2]string{schema, rebuilt}, name); err != nil {
			return nil, fmt.Errorf("compare %s: %w", name, err)
		}
	}
	return out, nil
}

func reader(ctx context.Context, db *sql.DB) (*sql.Conn, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect to compare: %w", err)
	}
	if _, err := conn.ExecContext(ctx, "SET NAMES utf8mb4, time_zone = '+00:00'"); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("connect to compare: %w", err)
	}
	return conn, nil
}

// describe gives the columns of all tables, as text.
func describe(ctx context.Context, conn *sql.Conn, schema string) (map[string]string, error) {
	out := map[string]string{}
	const query = `SELECT c.TABLE_NAME, c.COLUMN_NAME, c.COLUMN_TYPE FROM information_schema.COLUMNS c
		JOIN information_schema.TABLES t ON t.TABLE_SCHEMA = c.TABLE_SCHEMA AND t.TABLE_NAME = c.TABLE_NAME
		WHERE c.TABLE_SCHEMA = ? AND t.TABLE_TYPE = 'BASE TABLE' ORDER BY c.TABLE_NAME, c.ORDINAL_POSITION`
	err := each(ctx, conn, query, []any{schema}, func(rows *sql.Rows) error {
		var table, column, kind string
		if err := rows.Scan(&table, &column, &kind); err != nil {
			return err
		}
		out[table] += column + " " + kind + ", "
		return nil
	})
	return out, err
}

// table compares the rows of one table. Where there is a key, both sides come in its order; where there is none, how
// often each row is there is compared.
func (c *Comparison) table(ctx context.Context, ca, cb *sql.Conn, schemas [2]string, name string) error {
	known := newTables()
	t, err := known.of(ctx, ca, schemas[0], name)
	if err != nil {
		return err
	}
	from := "." + quoteName(name)
	querya := "SELECT " + t.list() + " FROM " + quoteName(schemas[0]) + from
	queryb := "SELECT " + t.list() + " FROM " + quoteName(schemas[1]) + from
	if len(t.key) == 0 {
		return c.heap(ctx, ca, cb, t, querya, queryb)
	}
	order := make([]string, len(t.key))
	for i, key := range t.key {
		order[i] = quoteName(key)
	}
	by := " ORDER BY " + strings.Join(order, ", ")
	sa, err := open(ctx, ca, querya+by)
	if err != nil {
		return err
	}
	defer sa.rows.Close()
	sb, err := open(ctx, cb, queryb+by)
	if err != nil {
		return err
	}
	defer sb.rows.Close()
	for {
		ra, err := sa.next()
		if err != nil {
			return err
		}
		rb, err := sb.next()
		if err != nil {
			return err
		}
		switch {
		case ra == nil && rb == nil:
			return nil
		case rb == nil || ra == nil || !sameKey(t, ra, rb):
			// Keys have no common order to go by here, so the rest is told by counting.
			return c.rest(t, ra, rb, sa, sb)
		}
		c.Rows++
		if !same(ra, rb) {
			c.differ("%s: %s was rebuilt as %s", name, ra.text(), rb.text())
		}
	}
}

// heap compares a table without a key.
func (c *Comparison) heap(ctx context.Context, ca, cb *sql.Conn, t *table, querya, queryb string) error {
	sa, err := open(ctx, ca, querya)
	if err != nil {
		return err
	}
	defer sa.rows.Close()
	sb, err := open(ctx, cb, queryb)
	if err != nil {
		return err
	}
	defer sb.rows.Close()
	ra, err := sa.next()
	if err != nil {
		return err
	}
	rb, err := sb.next()
	if err != nil {
		return err
	}
	return c.rest(t, ra, rb, sa, sb)
}

// rest compares what is left of two streams by how often each row is there.
func (c *Comparison) rest(t *table, ra, rb *row, sa, sb *stream) error {
	seed := maphash.MakeSeed()
	balance := map[uint64]int{}
	texts := map[uint64]string{}
	count := func(r *row, s *stream, by int) error {
		for r != nil {
			if by > 0 {
				c.Rows++
			}
			h := r.hash(seed)
			if balance[h] += by; balance[h] == 0 {
				delete(balance, h)
				delete(texts, h)
			} else if len(texts) < 10_000 {
				texts[h] = r.text()
			}
			var err error
			if r, err = s.next(); err != nil {
				return err
			}
		}
		return nil
	}
	if err := count(ra, sa, 1); err != nil {
		return err
	}
	if err := count(rb, sb, -1); err != nil {
		return err
	}
	for h, n := range balance {
		if n > 0 {
			c.differ("%s: %d of %s were not rebuilt", t.name, n, texts[h])
		} else {
			c.differ("%s: %d of %s are only in what was rebuilt", t.name, -n, texts[h])
		}
	}
	return nil
}
