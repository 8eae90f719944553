package replica

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
)

// table is one of the rebuilt database.
type table struct {
	name    string // quoted, with the schema
	columns []column
	key     []string

	collation string
}

// list gives all columns for a SELECT: * leaves invisible ones out.
func (t *table) list() string {
	names := make([]string, len(t.columns))
	for i := range t.columns {
		names[i] = quoteName(t.columns[i].name)
	}
	return strings.Join(names, ", ")
}

func (t *table) column(name string) (*column, error) {
	i := slices.IndexFunc(t.columns, func(c column) bool { return strings.EqualFold(c.name, name) })
	if i < 0 {
		return nil, fmt.Errorf("the rebuilt table %s has no column %s", t.name, name)
	}
	return &t.columns[i], nil
}

// tables knows the rebuilt tables, until DDL changes them.
type tables struct {
	known     map[[2]string]*table
	collation string // for comparing text byte by byte
}

func newTables() tables { return tables{known: map[[2]string]*table{}} }

func (ts *tables) of(ctx context.Context, conn *sql.Conn, schema, name string) (*table, error) {
	if t, ok := ts.known[[2]string{schema, name}]; ok {
		return t, nil
	}
	t := &table{name: quoteName(schema) + "." + quoteName(name), collation: ts.collation}
	const columns = "SELECT COLUMN_NAME, DATA_TYPE, CHARACTER_SET_NAME, EXTRA FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION"
	err := each(ctx, conn, columns, []any{schema, name}, func(rows *sql.Rows) error {
		var c column
		var charset sql.NullString
		var extra string
		if err := rows.Scan(&c.name, &c.kind, &charset, &extra); err != nil {
			return err
		}
		c.kind = strings.ToLower(c.kind)
		c.text = charset.Valid && charset.String != ""
		c.generated = strings.Contains(strings.ToUpper(extra), "GENERATED") && !strings.Contains(strings.ToUpper(extra), "DEFAULT_GENERATED")
		t.columns = append(t.columns, c)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(t.columns) == 0 {
		return nil, fmt.Errorf("no event has made the table %s", t.name)
	}
	const key = "SELECT COLUMN_NAME FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? AND INDEX_NAME = 'PRIMARY' ORDER BY SEQ_IN_INDEX"
	err = each(ctx, conn, key, []any{schema, name}, func(rows *sql.Rows) error {
		var column string
		if err := rows.Scan(&column); err != nil {
			return err
		}
		t.key = append(t.key, column)
		return nil
	})
	if err != nil {
		return nil, err
	}
	ts.known[[2]string{schema, name}] = t
	return t, nil
}

// querier is a *sql.DB or a *sql.Conn.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// each runs a query and hands its rows over.
func each(ctx context.Context, db querier, query string, args []any, row func(*sql.Rows) error) error {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("%.80s: %w", query, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows); err != nil {
			return fmt.Errorf("%.80s: %w", query, err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("%.80s: %w", query, err)
	}
	return nil
}
