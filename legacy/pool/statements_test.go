package pool_test

import (
	"database/sql/driver"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/legacy/pool"
	"banyan.dev/banyan/legacy/value"
)

// prepares counts the statements that a session's server has prepared and closed.
func prepares(t testing.TB, c *pool.Conn) (prepared, closed int) {
	t.Helper()
	counts := map[string]int{}
	for _, row := range table(t, c, "SHOW SESSION STATUS LIKE 'Com\\_stmt\\_%'") {
		n, err := strconv.Atoi(fmt.Sprint(row[1]))
		if err != nil {
			t.Fatal(err)
		}
		counts[fmt.Sprint(row[0])] = n
	}
	return counts["Com_stmt_prepare"], counts["Com_stmt_close"]
}

func TestStatementsStayPrepared(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			p := open(t, server, func(o *pool.Options) { o.MaxStatements = 4 })
			c := acquire(t, p)
			run := func(numbers ...int) {
				for _, n := range numbers {
					if got := table(t, c, fmt.Sprintf("SELECT %d", n))[0][0]; got != int64(n) {
						t.Fatalf("SELECT %d gave %v", n, got)
					}
				}
			}
			prepared, closed := prepares(t, c) // this, too, is a statement that stays
			expect := func(what string, wantPrepared, wantClosed int) {
				t.Helper()
				nowPrepared, nowClosed := prepares(t, c)
				if nowPrepared-prepared != wantPrepared || nowClosed-closed != wantClosed {
					t.Errorf("%s: %d statements were prepared and %d closed, want %d and %d",
						what, nowPrepared-prepared, nowClosed-closed, wantPrepared, wantClosed)
				}
			}
			run(1, 2, 3)
			expect("three new ones", 3, 0)
			run(1, 2, 3, 3, 2, 1)
			expect("the same again", 3, 0)
			run(4) // 3 was used longest ago
			expect("a fourth", 4, 1)
			run(1, 2, 4)
			expect("those that were kept", 4, 1)
			run(3)
			expect("the one that went", 5, 2)
		})
	}
}

func TestTableAlteredBeneathAStatement(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			p := open(t, server, nil)
			c, other := acquire(t, p), acquire(t, p)
			exec(t, c, "CREATE TABLE t (id INT PRIMARY KEY, v INT NOT NULL)")
			exec(t, c, "INSERT INTO t VALUES (1, 2)")
			const all = "SELECT * FROM t"
			first := columns(t, c, all)
			if again := columns(t, c, all); &again[0] != &first[0] {
				t.Error("unchanged columns are not the same slice")
			}
			exec(t, other, "ALTER TABLE t ADD COLUMN note VARCHAR(20) NOT NULL DEFAULT 'new', MODIFY v BIGINT UNSIGNED NOT NULL")
			got := columns(t, c, all)
			if len(got) != 3 || got[1].Type != "UNSIGNED BIGINT" || got[2].Name != "note" {
				t.Errorf("after ALTER TABLE the columns are %+v", got)
			}
			if row := table(t, c, all)[0]; !equal(row, []driver.Value{int64(1), int64(2), "new"}) {
				t.Errorf("after ALTER TABLE the row is %v", row)
			}
			exec(t, other, "DROP TABLE t")
			_, err := c.Query(t.Context(), all, nil)
			wantCode(t, err, codes.Internal, "LEGACY_ERROR")
		})
	}
}

func columns(t testing.TB, c *pool.Conn, sql string) []value.Column {
	t.Helper()
	rows, err := c.Query(t.Context(), sql, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := rows.Close(); err != nil {
		t.Fatal(err)
	}
	return rows.Columns()
}

func TestPrepare(t *testing.T) {
	p := open(t, &devstack.MariaDB(t).Server, nil)
	c := acquire(t, p)
	if err := c.Prepare(t.Context(), "SELECT 1 WHERE ? = 2"); err != nil {
		t.Error(err)
	}
	err := c.Prepare(t.Context(), "SELECT nothing FROM nowhere")
	if e := wantCode(t, err, codes.Internal, "LEGACY_ERROR"); !strings.Contains(e.Error(), "nowhere") {
		t.Errorf("the log is not told what is wrong: %v", e)
	}
	for _, sql := range []string{"COMMIT", " /* c */ begin", "-- x\nSET @@sql_mode = ''", "# y\nstart transaction", "XA START 'a'", "LOCK TABLES t WRITE", "USE mysql", "", "/* open", "; rollback"} {
		if err := c.Prepare(t.Context(), sql); err == nil {
			t.Errorf("%q was prepared", sql)
		}
	}
	if got := table(t, c, "SELECT 1"); len(got) != 1 {
		t.Error("the connection was lost")
	}
}

func TestShow(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			c := acquire(t, open(t, server, nil))
			for _, want := range []string{"1", "2"} {
				rows, err := c.Show(t.Context(), "SELECT "+want+", 'x' AS x")
				if err != nil {
					t.Fatal(err)
				}
				if _, err := c.Show(t.Context(), "SELECT 1"); err == nil {
					t.Error("asked while a result is open")
				}
				row := make([]driver.Value, len(rows.Columns()))
				if err := rows.Next(row); err != nil || fmt.Sprintf("%v %s", row[0], row[1]) != want+" x" || rows.Columns()[1].Name != "x" {
					t.Errorf("got %v, %v", row, err)
				}
				if err := rows.Close(); err != nil {
					t.Fatal(err)
				}
			}
			_, err := c.Show(t.Context(), "SELECT nothing FROM nowhere")
			wantCode(t, err, codes.Internal, "LEGACY_ERROR")
			if got := table(t, c, "SELECT 1"); len(got) != 1 {
				t.Error("the connection was lost")
			}
		})
	}
}

func TestArguments(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			p := open(t, server, quiet)
			c := acquire(t, p)
			got := table(t, c, "SELECT ?, ?, ?, ?, ?, CAST(? AS UNSIGNED)", int64(-1), 1.5, true, "text", nil, uint64(1<<64-1))
			if want := []driver.Value{int64(-1), 1.5, int64(1), "text", nil, "18446744073709551615"}; !equal(got[0], want) {
				t.Errorf("got %#v, want %#v", got[0], want)
			}
			const length = "SELECT LENGTH(?), ?"
			long := strings.Repeat("x", 9<<20) // sent ahead of the others
			for range 2 {
				if got := table(t, c, length, long, int64(1))[0]; !equal(got, []driver.Value{int64(len(long)), int64(1)}) {
					t.Errorf("got %v", got)
				}
				_, err := c.Query(t.Context(), length, []driver.Value{long, struct{}{}})
				wantCode(t, err, codes.Internal, "INTERNAL")
			}
			if got := table(t, c, length, "abc", int64(2))[0]; !equal(got, []driver.Value{int64(3), int64(2)}) {
				t.Errorf("a refused argument was left behind: %v", got)
			}
			_, err := c.Query(t.Context(), length, []driver.Value{strings.Repeat("x", 65<<20), int64(1)})
			wantCode(t, err, codes.InvalidArgument, "VALUE_TOO_LARGE")
			if _, err := c.Query(t.Context(), length, []driver.Value{"one"}); err == nil {
				t.Error("too few arguments were taken")
			}
			if s := p.Stats(); s.Opened != 1 {
				t.Errorf("%d connections were made, want 1", s.Opened)
			}
		})
	}
}

func TestProcedureResults(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			p := open(t, server, nil)
			c := acquire(t, p)
			command(t, c, "CREATE PROCEDURE two() BEGIN SELECT 1; SELECT 2, 3; END")
			for range 2 {
				if got := table(t, c, "CALL two()"); len(got) != 1 || got[0][0] != int64(1) {
					t.Errorf("got %v, want the first result", got)
				}
				exec(t, c, "CALL two()")
			}
			if got := table(t, c, "DO 1"); len(got) != 0 {
				t.Errorf("got %v", got)
			}
			if got := table(t, c, "SELECT 5")[0][0]; got != int64(5) {
				t.Errorf("got %v", got)
			}
		})
	}
}
