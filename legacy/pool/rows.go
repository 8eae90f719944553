package pool

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math"

	"banyan.dev/banyan/legacy/value"
)

// Rows is the result of a Query, read row by row as it arrives.
type Rows struct {
	conn    *Conn
	result  driver.Rows
	columns []value.Column
	// end is what Next gives once there is nothing more: io.EOF or an error.
	end error
}

// What is left of a result that is closed early is read when it is small, else the connection is given up: that is
// cheaper than an endless result.
const maxDrain = 1000

func newRows(c *Conn, st *statement, result driver.Rows) *Rows {
	st.columns = describe(result, st.columns)
	return &Rows{conn: c, result: result, columns: st.columns}
}

// Columns describes the columns; not to be changed. While a statement's columns stay the same, its results on one
// connection give the same slice. Length is never known, and an unsigned DECIMAL's Precision may be one too small: the
// driver doesn't tell.
func (r *Rows) Columns() []value.Column { return r.columns }

// Next puts the next row into dest, which has an element for each column, and gives io.EOF after the last. Values are
// int64, float32, float64, []byte or nil; []byte also for DECIMAL, for temporal types (as text, zero dates too) and for
// BIGINT UNSIGNED above the largest int64. A []byte is not to be written to, and may be overwritten by the next call.
func (r *Rows) Next(dest []driver.Value) error {
	if r.end != nil {
		return r.end
	}
	if len(dest) != len(r.columns) {
		return misuse(fmt.Sprintf("a row of %d columns read into %d values", len(r.columns), len(dest)))
	}
	if err := r.result.Next(dest); err != nil {
		return r.finish(err)
	}
	return nil
}

// finish ends the result after its last row or an error, and gives what Next gives from now on.
func (r *Rows) finish(err error) error {
	c := r.conn
	if errors.Is(err, io.EOF) {
		err = r.result.Close() // a procedure's status is yet to be read
	}
	c.rows = nil
	if err == nil {
		c.leave()
		r.end = io.EOF
		return r.end
	}
	if ended := c.session.watch.leave(); ended != nil {
		c.lost = true
		r.end = ctxError(ended, err)
		return r.end
	}
	c.assess(err)
	r.end = c.told(err)
	return r.end
}

// Close ends the result. It may be called twice, and after the last row.
func (r *Rows) Close() error {
	if r.end != nil {
		if errors.Is(r.end, io.EOF) {
			return nil
		}
		return r.end
	}
	rest := make([]driver.Value, len(r.columns))
	for range maxDrain {
		if err := r.Next(rest); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
	r.abandon()
	return nil
}

// abandon ends the result without reading the rest of it, at the price of the connection.
func (r *Rows) abandon() {
	r.conn.abandon()
	r.conn.rows = nil
	r.end = io.EOF
}

// columnTypes is what go-sql-driver tells of columns.
type columnTypes interface {
	ColumnTypeDatabaseTypeName(i int) string
	ColumnTypeNullable(i int) (nullable, ok bool)
	ColumnTypePrecisionScale(i int) (precision, scale int64, ok bool)
}

// describe gives the columns, as the same slice when they are the same as before.
func describe(result driver.Rows, before []value.Column) []value.Column {
	names := result.Columns()
	types, _ := result.(columnTypes)
	if len(names) == len(before) && before != nil {
		same := true
		for i := 0; same && i < len(names); i++ {
			same = sameColumn(describeColumn(names[i], types, i), &before[i])
		}
		if same {
			return before
		}
	}
	columns := make([]value.Column, len(names))
	for i, name := range names {
		columns[i] = describeColumn(name, types, i)
	}
	return columns
}

func sameColumn(a value.Column, b *value.Column) bool {
	return a.Name == b.Name && a.Type == b.Type && a.Nullable == b.Nullable &&
		a.Precision == b.Precision && a.Scale == b.Scale && a.Known == b.Known
}

func describeColumn(name string, types columnTypes, i int) value.Column {
	col := value.Column{Name: name, Nullable: true}
	if types == nil {
		return col
	}
	col.Type = types.ColumnTypeDatabaseTypeName(i)
	col.Nullable, _ = types.ColumnTypeNullable(i)
	if precision, scale, ok := types.ColumnTypePrecisionScale(i); ok && precision != math.MaxInt64 {
		col.Precision, col.Scale, col.Known = precision, scale, true
	}
	return col
}
