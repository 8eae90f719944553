package generate

import (
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// flushAt is how long a multi-row INSERT may get, in bytes; servers take 16 MiB at least.
const flushAt = 512 << 10

// writer collects rows of several tables into multi-row INSERTs. After an error it does nothing more, and err is that
// error.
type writer struct {
	ctx    context.Context //nolint:containedctx // It lives no longer than the call of Generate that made it.
	conn   *sql.Conn
	tables []*table
	err    error
}

func newWriter(ctx context.Context, conn *sql.Conn) *writer { return &writer{ctx: ctx, conn: conn} }

// table gives rows of a table's columns, named as in an INSERT: "a, b, c".
func (w *writer) table(name, columns string) *table {
	t := &table{w: w, name: name, head: "INSERT INTO " + name + " (" + columns + ") VALUES ", columns: strings.Count(columns, ",") + 1}
	w.tables = append(w.tables, t)
	return t
}

// flush writes what is left.
func (w *writer) flush() {
	for _, t := range w.tables {
		t.flush()
	}
	w.tables = nil
}

// table collects rows of one table.
type table struct {
	w       *writer
	name    string
	head    string
	columns int
	buf     []byte
}

// row adds a row. Values are int, int64, string, []byte, decimal, moment or nil.
func (t *table) row(values ...any) {
	if t.w.err != nil {
		return
	}
	if len(values) != t.columns {
		t.w.err = fmt.Errorf("%s: %d values for %d columns", t.name, len(values), t.columns)
		return
	}
	if len(t.buf) == 0 {
		t.buf = append(t.buf, t.head...)
	} else {
		t.buf = append(t.buf, ',')
	}
	for i, v := range values {
		t.buf = append(t.buf, "(,"[min(i, 1)])
		t.buf = appendLiteral(t.buf, v)
	}
	t.buf = append(t.buf, ')')
	if len(t.buf) >= flushAt {
		t.flush()
	}
}

func (t *table) flush() {
	if len(t.buf) > 0 && t.w.err == nil {
		if _, err := t.w.conn.ExecContext(t.w.ctx, string(t.buf)); err != nil {
			t.w.err = fmt.Errorf("%s: %w", t.name, err)
		}
	}
	t.buf = t.buf[:0]
}

// decimal is a number of 1/10000, as decimal(15,4) holds it.
type decimal int64

// micro is a number of 1/1000000, as decimal(14,6) holds it.
type micro int64

// moment is a datetime; the zero time is the shop's "never".
type moment struct{ time.Time }

// appendLiteral writes a value as SQL. Text comes from this package only, in a session without NO_BACKSLASH_ESCAPES.
func appendLiteral(b []byte, v any) []byte {
	switch v := v.(type) {
	case int:
		return strconv.AppendInt(b, int64(v), 10)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case string:
		return appendText(b, v)
	case []byte:
		if v == nil {
			return append(b, "NULL"...)
		}
		b = append(b, "X'"...)
		b = hex.AppendEncode(b, v)
		return append(b, '\'')
	case decimal:
		return appendFixed(b, int64(v), 4)
	case micro:
		return appendFixed(b, int64(v), 6)
	case moment:
		if v.IsZero() {
			return append(b, "'0000-00-00 00:00:00'"...)
		}
		b = append(b, '\'')
		b = v.AppendFormat(b, time.DateTime)
		return append(b, '\'')
	default:
		return append(b, "NULL"...)
	}
}

func appendText(b []byte, s string) []byte {
	b = append(b, '\'')
	for i := range len(s) {
		if s[i] == '\'' || s[i] == '\\' {
			b = append(b, '\\')
		}
		b = append(b, s[i])
	}
	return append(b, '\'')
}

// appendFixed writes n/10^places.
func appendFixed(b []byte, n int64, places int) []byte {
	if n < 0 {
		b, n = append(b, '-'), -n
	}
	scale := int64(1)
	for range places {
		scale *= 10
	}
	b = strconv.AppendInt(b, n/scale, 10)
	b = append(b, '.')
	fraction := strconv.FormatInt(n%scale, 10)
	b = append(b, strings.Repeat("0", places-len(fraction))...)
	return append(b, fraction...)
}

// epoch gives a time as the shop's varchar(14) columns hold it; "" is never.
func epoch(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return strconv.FormatInt(t.Unix(), 10)
}
