package preflight

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// queries reads whole answers, which are small.
type queries struct{ conn *sql.Conn }

// row is one line of an answer, by column name in lower case. NULL is the empty text.
type row map[string]string

// all gives the rows of a statement; about says what it asks for.
func (q queries) all(ctx context.Context, about, statement string, args ...any) ([]row, error) {
	rows, err := q.conn.QueryContext(ctx, statement, args...)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", about, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", about, err)
	}
	var all []row
	values, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return nil, fmt.Errorf("read %s: %w", about, err)
		}
		r := row{}
		for i, name := range columns {
			r[strings.ToLower(name)] = values[i].String
		}
		all = append(all, r)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", about, err)
	}
	return all, nil
}

// in makes a list of placeholders with its arguments.
func in(names []string) (string, []any) {
	args := make([]any, len(names))
	for i, n := range names {
		args[i] = n
	}
	return "(" + strings.TrimSuffix(strings.Repeat("?,", len(names)), ",") + ")", args
}
