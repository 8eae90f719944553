package legacy_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/legacy/pool"
)

// marks are rows of a table in a schema of their own.
type marks struct {
	db     *sql.DB
	schema string
}

const markSlots = 64

func newMarks(t *testing.T, server *devstack.Server) *marks {
	t.Helper()
	m := &marks{db: openSchema(t, server.NewSchema(t), "CREATE TABLE writers (replica VARCHAR(64), slot INT, token BINARY(4), n BIGINT UNSIGNED NOT NULL DEFAULT 0, PRIMARY KEY (replica, slot)) ENGINE=InnoDB")}
	if err := m.db.QueryRowContext(t.Context(), "SELECT DATABASE()").Scan(&m.schema); err != nil {
		t.Fatal(err)
	}
	m.register(t)
	return m
}

func (m *marks) register(t *testing.T) {
	t.Helper()
	for slot := range markSlots {
		m.exec(t, "INSERT INTO writers (replica, slot, token) VALUES ('r', ?, 'tokn')", slot)
	}
}

func (m *marks) exec(t *testing.T, statement string, args ...any) {
	t.Helper()
	if _, err := m.db.ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatal(err)
	}
}

func (m *marks) use(o *pool.Options) { o.Marker = m }

func (m *marks) Slots() int { return markSlots }

func (m *marks) Mark(slot int) (statement string, args []driver.Value) {
	return "UPDATE `" + m.schema + "`.writers SET n = n + 1 WHERE replica = ? AND slot = ? AND token = ?", []driver.Value{"r", int64(slot), []byte("tokn")}
}

// committed counts the marks that stayed.
func (m *marks) committed(t *testing.T) (n int) {
	t.Helper()
	if err := m.db.QueryRowContext(t.Context(), "SELECT COALESCE(SUM(n), 0) FROM writers").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// writesLab has operations of each kind: one statement that needs no transaction by itself, several, a put, a read, and
// one that changes a table without transactions.
func writesLab(t *testing.T, server *devstack.Server, m *marks) *lab {
	t.Helper()
	l := newLab(t, server, &txtar.Archive{Files: []txtar.File{
		{Name: "lab.proto", Data: []byte(`syntax = "proto3"; package lab.v1; import "google/protobuf/empty.proto";
			message Row { int64 id = 1; int64 n = 2; }
			message Rows { repeated Row rows = 1; }
			message Pair { int64 first = 1; int64 second = 2; }
			service S {
				rpc Add(Row) returns (google.protobuf.Empty);
				rpc Set(Row) returns (google.protobuf.Empty);
				rpc SetBoth(Pair) returns (google.protobuf.Empty);
				rpc Log(Row) returns (google.protobuf.Empty);
				rpc SetAndLog(Row) returns (google.protobuf.Empty);
				rpc List(google.protobuf.Empty) returns (Rows) { option idempotency_level = NO_SIDE_EFFECTS; }
			}
			service Unserved { rpc X(Row) returns (Row); }`)},
		{Name: "schema.sql", Data: []byte("CREATE TABLE t (id BIGINT PRIMARY KEY, n BIGINT NOT NULL) ENGINE=InnoDB; CREATE TABLE log (id BIGINT, n BIGINT) ENGINE=MyISAM;" +
			"INSERT INTO t VALUES (1, 0), (2, 0), (3, 0)")},
		{Name: "s.sql", Data: []byte("-- rpc: lab.v1.S.Add\n-- name: a :exec\nINSERT INTO t (id, n) VALUES (:id, :n);\n" +
			"-- rpc: lab.v1.S.Set\n-- name: a :exec\nUPDATE t SET n = :n WHERE id = :id;\n" +
			"-- rpc: lab.v1.S.SetBoth\n-- name: a :exec\nUPDATE t SET n = n + 1 WHERE id = :first;\n-- name: b :exec\nUPDATE t SET n = n + 1 WHERE id = :second;\n" +
			"-- rpc: lab.v1.S.Log\n-- name: a :exec\nINSERT INTO log (id, n) VALUES (:id, :n);\n" +
			"-- rpc: lab.v1.S.SetAndLog\n-- name: a :exec\nUPDATE t SET n = :n WHERE id = :id;\n-- name: b :exec\nINSERT INTO log (id, n) VALUES (:id, :n);\n-- name: c :exec\nUPDATE t SET n = n + 1 WHERE id = :id;\n" +
			"-- rpc: lab.v1.S.List\n-- name: rows :many into=rows\nSELECT id, n FROM t ORDER BY id;\n" +
			"-- put: lab.v1.Row\n-- name: a :exec\nREPLACE INTO t (id, n) VALUES (:id, :n);\n")},
	}}, m.use)
	if l.faults.Failed() {
		t.Fatal(l.faults.Err())
	}
	return l
}

// ok calls an operation that has to succeed.
func (l *lab) ok(t *testing.T, name, request string) {
	t.Helper()
	for _, line := range l.call(t, name, request) {
		if strings.HasPrefix(line, "!") {
			t.Fatalf("%s %s: %s", name, request, line)
		}
	}
}

// waiting polls until so many updates wait for a row. MariaDB's table is renewed only when nobody has looked for 100 ms.
func (l *lab) waiting(t *testing.T, n int) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(150 * time.Millisecond)
	defer tick.Stop()
	for {
		got := l.rows(t, "SELECT COUNT(*) FROM information_schema.INNODB_TRX WHERE trx_state = 'LOCK WAIT' AND trx_query LIKE 'UPDATE t SET n%'")
		if got == fmt.Sprint(n) {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("%s wait, want %d", got, n)
		case <-tick.C:
		}
	}
}

// logEnd gives the end of the server's log.
func logEnd(t *testing.T, db *sql.DB) (file string, at int) {
	t.Helper()
	for _, ask := range []string{"SHOW BINARY LOG STATUS", "SHOW MASTER STATUS"} {
		rows, err := db.QueryContext(t.Context(), ask)
		if err != nil {
			continue
		}
		defer rows.Close()
		columns, err := rows.Columns()
		if err != nil || !rows.Next() {
			t.Fatalf("%s: %v", ask, err)
		}
		dest := []any{&file, &at}
		for range columns[2:] {
			dest = append(dest, new(sql.RawBytes))
		}
		if err := rows.Scan(dest...); err != nil {
			t.Fatal(err)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		return file, at
	}
	t.Fatal("the server has no log")
	return "", 0
}

var tableMap = regexp.MustCompile("table_id: \\d+ \\(`?([^.`]+)`?\\.`?([^`)]+)`?\\)")

// logged gives the tables that each transaction in the schemas changed, in order, since a place in the log.
func logged(t *testing.T, db *sql.DB, file string, from int, schemas ...string) (transactions [][]string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), fmt.Sprintf("SHOW BINLOG EVENTS IN '%s' FROM %d", file, from))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var tables []string
	for rows.Next() {
		var name, kind, info string
		var pos, server, end int
		if err := rows.Scan(&name, &pos, &kind, &server, &end, &info); err != nil {
			t.Fatal(err)
		}
		switch {
		case strings.HasPrefix(strings.ToLower(kind), "gtid"):
			tables = nil
		case kind == "Table_map":
			for _, found := range tableMap.FindAllStringSubmatch(info, -1) {
				for _, schema := range schemas {
					if found[1] == schema {
						tables = append(tables, found[2])
					}
				}
			}
		case (kind == "Xid" || info == "COMMIT") && len(tables) > 0:
			transactions = append(transactions, tables)
			tables = nil
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return transactions
}

func TestMarkIsEachTransactionsFirstChange(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			m := newMarks(t, server)
			l := writesLab(t, server, m)
			file, from := logEnd(t, l.db)
			l.ok(t, "S.Add", `{"id": "7"}`)
			l.ok(t, "S.Set", `{"id": "7", "n": "1"}`)
			l.ok(t, "S.SetBoth", `{"first": "1", "second": "2"}`)
			l.ok(t, "put:lab.v1.Row", `{"id": "7", "n": "2"}`)
			want, marked := "[[writers t] [writers t] [writers t t] [writers t]", 5
			l.ok(t, "S.Log", `{"id": "7"}`)
			if server.Name == "mysql" { // which takes no changes of MyISAM behind those of InnoDB, so no mark either
				want += " [writers] [log]]"
			} else {
				l.ok(t, "S.SetAndLog", `{"id": "7", "n": "3"}`)
				want += " [log] [writers] [log] [writers t t]]"
				marked++
			}
			l.ok(t, "S.List", `{}`)
			if got := fmt.Sprint(logged(t, l.db, file, from, m.schema, l.schema)); got != want {
				t.Errorf("the log has %s, want %s", got, want)
			}
			if n := m.committed(t); n != marked {
				t.Errorf("%d marks, want %d", n, marked)
			}
			if _, err := l.db.ExecContext(t.Context(), "UPDATE t SET n = 9"); err != nil {
				t.Fatal(err)
			}
			if got := logged(t, l.db, file, from, m.schema, l.schema); fmt.Sprint(got[len(got)-1]) != "[t]" {
				t.Errorf("a foreign write is %s", got[len(got)-1])
			}
		})
	}
}

func TestReplicaWithoutMarksChangesNothing(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			m := newMarks(t, server)
			l := writesLab(t, server, m)
			l.ok(t, "S.Add", `{"id": "7"}`)
			for _, fence := range []string{"DELETE FROM writers", "UPDATE writers SET token = 'else'", "RENAME TABLE writers TO elsewhere"} {
				m.exec(t, fence)
				before := l.rows(t, "SELECT * FROM t ORDER BY id") + l.rows(t, "SELECT COUNT(*) FROM log")
				for _, call := range [][2]string{
					{"S.Add", `{"id": "8"}`},
					{"S.Set", `{"id": "7", "n": "1"}`},
					{"S.SetBoth", `{"first": "1", "second": "2"}`},
					{"put:lab.v1.Row", `{"id": "7", "n": "2"}`},
					{"S.Log", `{"id": "7"}`},
					{"S.SetAndLog", `{"id": "7", "n": "1"}`},
				} {
					got := l.call(t, call[0], call[1])
					if len(got) != 1 || !strings.HasPrefix(got[0], "! Unavailable WRITES_FENCED ") {
						t.Errorf("%s: %s gives %q", fence, call[0], got)
					}
				}
				if after := l.rows(t, "SELECT * FROM t ORDER BY id") + l.rows(t, "SELECT COUNT(*) FROM log"); after != before {
					t.Errorf("%s: the tables were changed from %s to %s", fence, before, after)
				}
				l.ok(t, "S.List", `{}`)
				if fence == "RENAME TABLE writers TO elsewhere" {
					m.exec(t, "RENAME TABLE elsewhere TO writers")
				}
				m.exec(t, "DELETE FROM writers")
				m.register(t)
				l.ok(t, "S.Set", `{"id": "7", "n": "5"}`)
			}
		})
	}
}

func TestWritesDoNotQueueBehindAMark(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			m := newMarks(t, server)
			l := writesLab(t, server, m)
			tx, err := l.db.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer tx.Rollback()
			if _, err := tx.ExecContext(t.Context(), "UPDATE t SET n = 1 WHERE id = 1"); err != nil {
				t.Fatal(err)
			}
			var waiting sync.WaitGroup
			for range 5 {
				waiting.Go(func() { l.ok(t, "S.Set", `{"id": "1", "n": "2"}`) })
			}
			l.waiting(t, 5)
			l.ok(t, "S.Set", `{"id": "2", "n": "2"}`) // while five have marked and not committed
			if n := m.committed(t); n != 1 {
				t.Errorf("%d marks are committed, want the one", n)
			}
			if err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
			waiting.Wait()
			if n := m.committed(t); n != 6 {
				t.Errorf("%d marks, want 6", n)
			}
		})
	}
}

func TestDeadlockedWriteMarksAgain(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			m := newMarks(t, server)
			l := writesLab(t, server, m)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			tx, err := l.db.BeginTx(ctx, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer tx.Rollback()
			// So much that the server undoes the other one.
			if _, err := tx.ExecContext(ctx, "INSERT INTO t (id, n) VALUES (100, 0), (101, 0), (102, 0), (103, 0), (104, 0), (105, 0), (106, 0), (107, 0)"); err != nil {
				t.Fatal(err)
			}
			if _, err := tx.ExecContext(ctx, "UPDATE t SET n = 50 WHERE id = 2"); err != nil {
				t.Fatal(err)
			}
			file, from := logEnd(t, l.db)
			var call sync.WaitGroup
			call.Go(func() { l.ok(t, "S.SetBoth", `{"first": "1", "second": "2"}`) })
			l.waiting(t, 1)
			if _, err := tx.ExecContext(ctx, "UPDATE t SET n = 50 WHERE id = 1"); err != nil {
				t.Fatalf("the wrong one was undone: %v", err)
			}
			if err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
			call.Wait()
			if got := l.rows(t, "SELECT n FROM t WHERE id IN (1, 2)"); got != "51\n51" {
				t.Errorf("got %q", got)
			}
			got := logged(t, l.db, file, from, m.schema, l.schema)
			if len(got) != 2 || fmt.Sprint(got[1]) != "[writers t t]" {
				t.Errorf("the log has %s", got)
			}
			if n := m.committed(t); n != 1 {
				t.Errorf("%d marks, want 1", n)
			}
		})
	}
}
