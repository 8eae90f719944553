package entities_test

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"testing"

	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/mirror/change"
)

// Of the XA transactions that are asked for, those that the server shows as prepared are given, whatever bytes their names have.
func TestCommitting(t *testing.T) {
	l := newLab(t, &devstack.MariaDB(t).Server)
	e := l.open()
	at := l.end(t)
	parts := [][2]string{{"\x00\xff'é" + l.schema[len(l.schema)-20:], "\x80"}, {l.schema, ""}, {l.schema, "b"}}
	var names []string
	for _, part := range parts {
		names = append(names, change.XAName(1<<31-1, []byte(part[0]), []byte(part[1])))
	}
	xa := func(conn *sql.Conn, verb string, part [2]string) {
		t.Helper()
		if _, err := conn.ExecContext(t.Context(), "XA "+verb+" "+hexed(part[0])+", "+hexed(part[1])+", 2147483647"); err != nil {
			t.Fatal(err)
		}
	}
	var conns [2]*sql.Conn // each has its own transaction
	for i := range conns {
		conn, err := l.db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conns[i] = conn
		xa(conn, "START", parts[i])
		if _, err := conn.ExecContext(t.Context(), "UPDATE boxes SET n = 5 WHERE id = ?", []any{1, 9}[i]); err != nil {
			t.Fatal(err)
		}
		xa(conn, "END", parts[i])
		xa(conn, "PREPARE", parts[i])
	}
	want := func(want ...string) {
		t.Helper()
		if still, err := e.Committing(t.Context(), at, names); err != nil || !slices.Equal(still, want) {
			t.Errorf("got %q, %v, want %q", still, err, want)
		}
	}
	want(names[0], names[1])
	xa(conns[0], "COMMIT", parts[0])
	want(names[1])
	other := at
	other.Server = "9@elsewhere:3306"
	if still, err := e.Committing(t.Context(), other, names); !errors.Is(err, change.ErrServers) {
		t.Errorf("at another server: %q, %v", still, err)
	}
	xa(conns[1], "ROLLBACK", parts[1])
	want()
}

// hexed gives a text as a literal of its bytes.
func hexed(text string) string { return fmt.Sprintf("X'%X'", text) }
