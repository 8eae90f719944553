package pool_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"testing"

	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/legacy/pool"
)

// open gives a pool on a schema of the test's own.
func open(t testing.TB, server *devstack.Server, change func(*pool.Options)) *pool.Pool {
	t.Helper()
	options := pool.Options{DSN: server.NewSchema(t)}
	if change != nil {
		change(&options)
	}
	p, err := pool.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func acquire(t testing.TB, p *pool.Pool) *pool.Conn {
	t.Helper()
	c, err := p.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Release)
	return c
}

func exec(t testing.TB, c *pool.Conn, sql string, args ...driver.Value) pool.Result {
	t.Helper()
	r, err := c.Exec(t.Context(), sql, args)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return r
}

// command runs what can't be prepared.
func command(t testing.TB, c *pool.Conn, sql string) {
	t.Helper()
	if err := c.Command(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// table reads all rows as copies.
func table(t testing.TB, c *pool.Conn, sql string, args ...driver.Value) [][]driver.Value {
	t.Helper()
	got, err := tryTable(t.Context(), c, sql, args...)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return got
}

func tryTable(ctx context.Context, c *pool.Conn, sql string, args ...driver.Value) ([][]driver.Value, error) {
	rows, err := c.Query(ctx, sql, args)
	if err != nil {
		return nil, err
	}
	var got [][]driver.Value
	for {
		dest := make([]driver.Value, len(rows.Columns()))
		switch err := rows.Next(dest); {
		case errors.Is(err, io.EOF):
			return got, nil
		case err != nil:
			return got, err
		}
		for i, v := range dest {
			if b, ok := v.([]byte); ok {
				dest[i] = string(b)
			}
		}
		got = append(got, dest)
	}
}

func TestQueryExecAndColumns(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			p := open(t, server, nil)
			c := acquire(t, p)
			exec(t, c, "CREATE TABLE t (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, name VARCHAR(40) NOT NULL, price DECIMAL(15,4), at DATETIME(3))")
			r := exec(t, c, "INSERT INTO t (name, price, at) VALUES (?, ?, ?)", "Zoë", "12.5000", "2024-02-29 23:59:59.125")
			if r.LastInsertID != 1 || r.RowsMatched != 1 {
				t.Errorf("insert gave %+v", r)
			}
			if r := exec(t, c, "UPDATE t SET name = ? WHERE id = ?", "Zoë", int64(1)); r.RowsMatched != 1 {
				t.Errorf("an update to the same value matched %d rows, want 1", r.RowsMatched)
			}
			got := table(t, c, "SELECT id, name, price, at, NULL FROM t WHERE id = ?", int64(1))
			want := []driver.Value{int64(1), "Zoë", "12.5000", "2024-02-29 23:59:59.125", nil}
			if len(got) != 1 || !equal(got[0], want) {
				t.Errorf("got %v, want %v", got, want)
			}
			rows, err := c.Query(t.Context(), "SELECT id, name, price, at FROM t", nil)
			if err != nil {
				t.Fatal(err)
			}
			columns := rows.Columns()
			for i, want := range []struct {
				name, kind       string
				null             bool
				precision, scale int64
			}{{"id", "UNSIGNED BIGINT", false, 0, 0}, {"name", "VARCHAR", false, 0, 0}, {"price", "DECIMAL", true, 15, 4}, {"at", "DATETIME", true, 3, 3}} {
				got := columns[i]
				if got.Name != want.name || got.Type != want.kind || got.Nullable != want.null || got.Precision != want.precision || got.Scale != want.scale {
					t.Errorf("column %d is %+v, want %+v", i, got, want)
				}
			}
			if err := rows.Close(); err != nil {
				t.Error(err)
			}
			if s, ok := p.Server(); !ok || s.Major < 8 {
				t.Errorf("the server is %v (%v)", s, ok)
			}
		})
	}
}

func equal(a, b []driver.Value) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
