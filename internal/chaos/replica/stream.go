package replica

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/maphash"
	"strings"
)

// row is a row as read, with what it is ordered by: its key, or nothing.
type row struct {
	columns []string
	values  [][]byte
}

// text shows a row to people.
func (r *row) text() string {
	var b strings.Builder
	for i, v := range r.values {
		if i > 0 {
			b.WriteString(", ")
		}
		if v == nil {
			b.WriteString(r.columns[i] + "=NULL")
			continue
		}
		fmt.Fprintf(&b, "%s=%.60q", r.columns[i], v)
	}
	return b.String()
}

func same(a, b *row) bool {
	for i := range a.values {
		if (a.values[i] == nil) != (b.values[i] == nil) || !bytes.Equal(a.values[i], b.values[i]) {
			return false
		}
	}
	return true
}

func sameKey(t *table, a, b *row) bool {
	for i, name := range a.columns {
		for _, key := range t.key {
			if key == name && !bytes.Equal(a.values[i], b.values[i]) {
				return false
			}
		}
	}
	return true
}

func (r *row) hash(seed maphash.Seed) uint64 {
	var m maphash.Hash
	m.SetSeed(seed)
	for _, v := range r.values {
		if v == nil {
			_ = m.WriteByte(0)
			continue
		}
		_, _ = fmt.Fprintf(&m, "%d:", len(v))
		_, _ = m.Write(v)
	}
	return m.Sum64()
}

// stream reads rows one by one.
type stream struct {
	rows    *sql.Rows
	columns []string
}

func open(ctx context.Context, conn *sql.Conn, query string) (*stream, error) {
	rows, err := conn.QueryContext(ctx, query) //nolint:rowserrcheck // next does
	if err != nil {
		return nil, fmt.Errorf("%s: %w", query, err)
	}
	columns, err := rows.Columns()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", query, err), rows.Close()) //nolint:sqlclosecheck // the callers do, save here
	}
	return &stream{rows, columns}, nil
}

// next gives the next row, or nil at the end.
func (s *stream) next() (*row, error) {
	if !s.rows.Next() {
		return nil, s.rows.Err()
	}
	r := &row{columns: s.columns, values: make([][]byte, len(s.columns))}
	into := make([]any, len(s.columns))
	for i := range r.values {
		into[i] = &r.values[i]
	}
	if err := s.rows.Scan(into...); err != nil {
		return nil, fmt.Errorf("read a row: %w", err)
	}
	return r, nil
}
