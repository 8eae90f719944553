package preflight_test

import (
	"fmt"
	"strings"
	"testing"

	"banyan.dev/banyan/adapters/binlog/preflight"
	"banyan.dev/banyan/internal/devstack"
)

func TestSessionsThatEvadeTheLog(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			db, schema := newSchema(t, server)
			conn, err := db.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			var id int
			var watched string
			if err := conn.QueryRowContext(t.Context(), "SELECT CONNECTION_ID(), @@performance_schema").Scan(&id, &watched); err != nil {
				t.Fatal(err)
			}
			for _, s := range []string{"SET sql_log_bin = 0", "SET SESSION binlog_row_image = 'MINIMAL'"} {
				if _, err := conn.ExecContext(t.Context(), s); err != nil {
					t.Fatal(err)
				}
			}
			found := check(t, preflight.Options{DSN: server.DSN(""), Schemas: []string{schema}})
			if server.Name == "mariadb" || watched == "0" {
				expect(t, found, preflight.Note, preflight.SessionsUnseen, "can't be seen")
				return
			}
			expect(t, found, preflight.Error, preflight.Sessions, fmt.Sprintf("(connection %d): sql_log_bin = \"OFF\"", id), "binlog_row_image = \"MINIMAL\"", fmt.Sprintf("KILL %d;", id))
		})
	}
}

func TestPreparedTransactions(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			db, schema := newSchema(t, server)
			run(t, db, "CREATE TABLE a (id INT PRIMARY KEY)")
			conn, err := db.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			name := word("it's ")
			id := "'" + strings.ReplaceAll(name, "'", "''") + "','b',9"
			for _, s := range []string{"XA START " + id, "INSERT INTO a VALUES (1)", "XA END " + id, "XA PREPARE " + id} {
				if _, err := conn.ExecContext(t.Context(), s); err != nil {
					t.Fatalf("%s: %v", s, err)
				}
			}
			written := fmt.Sprintf("X'%x',X'62',9", name)
			options := preflight.Options{DSN: server.DSN(""), Schemas: []string{schema}, MaxNames: 100}
			found := check(t, options)
			expect(t, found, preflight.Warning, preflight.PreparedXA, written, "XA COMMIT X")
			for _, f := range on(found, preflight.PreparedXA) {
				for line := range strings.SplitSeq(f.Mend, "\n") {
					if _, back, ok := strings.Cut(line, "-- or: "); ok && strings.Contains(line, written) {
						if _, err := conn.ExecContext(t.Context(), strings.TrimSuffix(back, ";")); err != nil {
							t.Errorf("%s: %v", back, err)
						}
					}
				}
			}
			for _, f := range on(check(t, options), preflight.PreparedXA) {
				if strings.Contains(f.What, written) {
					t.Errorf("after mending there is %+v", f)
				}
			}
		})
	}
}
