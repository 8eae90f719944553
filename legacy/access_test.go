package legacy_test

import (
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/legacy"
	"banyan.dev/banyan/legacy/pool"
)

// rights writes each privilege of needs as "SELECT ON TABLE `s`.`t`".
func rights(needs []legacy.Access) (out []string) {
	for _, n := range needs {
		for _, p := range n.Privileges {
			out = append(out, fmt.Sprintf("%s ON %s `%s`.`%s`", p, n.Kind, n.Schema, n.Name))
		}
	}
	return out
}

const accessSchema = `
CREATE TABLE a (id INT PRIMARY KEY, x INT, y INT) ENGINE=InnoDB;
CREATE TABLE b (id INT PRIMARY KEY, x INT, z INT) ENGINE=InnoDB;
CREATE VIEW v AS SELECT * FROM a;
CREATE SQL SECURITY INVOKER VIEW vi AS SELECT * FROM a;
CREATE SQL SECURITY INVOKER VIEW vj AS SELECT b.id, vi.x FROM b JOIN vi ON vi.id = b.id;
CREATE FUNCTION f(n INT) RETURNS INT DETERMINISTIC RETURN n;
CREATE PROCEDURE p(n INT) DELETE FROM a WHERE id = n;
CREATE TABLE kept (n INT) ENGINE=InnoDB;
CREATE TRIGGER t AFTER INSERT ON a FOR EACH ROW INSERT INTO kept VALUES (1);
`

// lenient are privileges that Access asks for because columns are read, and MariaDB does not: those of a join's USING, of a
// view whose table is checked, and none at all.
var lenient = map[string][]string{
	"UPDATE a JOIN b USING (id) SET a.y = 1": {"SELECT ON TABLE `a`"},
	"UPDATE a, b SET a.x = 1, b.z = 2":       {"SELECT ON TABLE `a`", "SELECT ON TABLE `b`"},
	"UPDATE vi SET x = 1 WHERE id = 2":       {"SELECT ON TABLE `vi`"},
}

// A statement runs with what Access says, and not with one privilege less: the server itself is the judge.
func TestAccessIsTheLeast(t *testing.T) {
	both := []string{
		"SELECT x FROM a", "SELECT COUNT(*) FROM a", "SELECT x FROM a LOCK IN SHARE MODE", "SELECT a.x FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.id = a.id)",
		"WITH c AS (SELECT x FROM a) SELECT * FROM c JOIN b ON b.x = c.x", "SELECT x FROM a UNION SELECT z FROM b", "SELECT q.x FROM a q, (SELECT z FROM b) r", "SELECT * FROM a NATURAL JOIN b",
		"INSERT INTO a VALUES (1, 2, 3)", "INSERT IGNORE INTO a (id, x) VALUES (1, (SELECT MAX(x) FROM b))", "INSERT INTO a SELECT id, x, z FROM b", "INSERT INTO a (id, x) SELECT a.id + 1, a.x FROM a",
		"INSERT INTO a (id) VALUES (1) ON DUPLICATE KEY UPDATE x = x + 1", "INSERT INTO a (id, x) VALUES (f(1), 2)",
		"REPLACE INTO a VALUES (1, 2, 3)", "REPLACE INTO a SELECT id, x, z FROM b",
		"UPDATE a SET x = 1", "UPDATE a SET x = DEFAULT, y = NULL", "UPDATE a SET x = 1 WHERE id = 1", "UPDATE a SET x = x + 1", "UPDATE a q SET x = q.y", "UPDATE a SET x = 1 ORDER BY y LIMIT 1", "UPDATE a SET x = 1 LIMIT 1",
		"UPDATE a SET x = (SELECT MAX(z) FROM b)", "UPDATE a JOIN b USING (id) SET a.y = 1", "UPDATE a JOIN b ON a.id = b.id SET y = z", "UPDATE a, b SET a.x = 1, b.z = 2", "UPDATE a, b SET y = 1, z = 2 WHERE a.id = b.id",
		"UPDATE a q, (SELECT id FROM b) r SET q.x = 1 WHERE q.id = r.id",
		"DELETE FROM a", "DELETE FROM a LIMIT 1", "DELETE FROM a WHERE id = 1", "DELETE FROM a ORDER BY y LIMIT 1",
		"DELETE a FROM a JOIN b USING (id)", "DELETE a, b FROM a JOIN b USING (id)", "DELETE FROM q USING a AS q JOIN b ON q.id = b.id", "DELETE a FROM a", "DELETE q.* FROM a AS q WHERE q.id IN (SELECT id FROM b)",
		"SELECT * FROM v", "INSERT INTO v VALUES (1, 2, 3)", "SELECT * FROM vi", "UPDATE vi SET x = 1 WHERE id = 2", "SELECT * FROM vj",
		"SELECT f(1)", "SELECT x FROM a WHERE x = f(2)", "CALL p(1)",
		"SELECT table_name FROM information_schema.tables, a LIMIT 1",
	}
	mariadb := []string{
		"INSERT INTO a SET id = 1 RETURNING id", "DELETE FROM a RETURNING id", "INSERT INTO a (id) VALUES (1) ON DUPLICATE KEY UPDATE x = 3",
		"SELECT NEXT VALUE FOR sq", "SELECT NEXTVAL(sq)", "SELECT LASTVAL(sq)", "SELECT PREVIOUS VALUE FOR sq", "INSERT INTO a (id) VALUES (NEXTVAL(sq))",
	}
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			dsn := server.NewSchema(t)
			db := openSchema(t, dsn, accessSchema)
			statements := append(slices.Clone(both), "SELECT x FROM a FOR UPDATE")
			if server.Name == "mariadb" {
				statements = append(statements, mariadb...)
				if _, err := db.ExecContext(t.Context(), "CREATE SEQUENCE sq"); err != nil {
					t.Fatal(err)
				}
			}
			var o legacy.AccessOptions
			if err := db.QueryRowContext(t.Context(), "SELECT DATABASE()").Scan(&o.Schema); err != nil {
				t.Fatal(err)
			}
			o.MySQL, o.Catalog = server.Name == "mysql", catalog(t, dsn)
			account := devstack.NewAccount(t, dsn)
			// It sees the schema all the same, whatever else it lacks.
			account.Run("GRANT CREATE TEMPORARY TABLES ON `" + strings.ReplaceAll(o.Schema, "_", `\_`) + "`.* TO " + account.Name)
			for _, s := range statements {
				needs, notes := legacy.AccessOf(o, s)
				if len(notes) > 0 && !strings.Contains(s, "vi") && !strings.Contains(s, "vj") {
					t.Errorf("%s: %q", s, notes)
				}
				all := rights(needs)
				for _, r := range all {
					account.Run("GRANT " + r + " TO " + account.Name)
				}
				if err := rolledBack(t, account.DSN, s); err != nil {
					t.Errorf("%s\nwith %q: %v", s, all, err)
				}
				for _, r := range all {
					account.Run("REVOKE " + r + " FROM " + account.Name)
					if err := rolledBack(t, account.DSN, s); !denied(err) && !slices.Contains(lenient[s], strings.Replace(r, "`"+o.Schema+"`.", "", 1)) {
						t.Errorf("%s\nruns without %s: %v", s, r, err)
					}
					account.Run("GRANT " + r + " TO " + account.Name)
				}
				for _, r := range all {
					account.Run("REVOKE " + r + " FROM " + account.Name)
				}
			}
		})
	}
}

func catalog(t *testing.T, dsn string) *legacy.Catalog {
	t.Helper()
	conns, err := pool.Open(pool.Options{DSN: dsn, TimeZone: "+00:00"})
	if err != nil {
		t.Fatal(err)
	}
	defer conns.Close()
	c, err := legacy.ReadCatalog(t.Context(), conns)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// rolledBack runs a statement and undoes it.
func rolledBack(t *testing.T, dsn, statement string) error {
	t.Helper()
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	rows, err := tx.QueryContext(t.Context(), statement)
	if err != nil {
		return err
	}
	for rows.Next() { //nolint:revive // what counts is whether it may
	}
	return errors.Join(rows.Err(), rows.Close())
}

// denied tells whether the account lacked a right: on a table, a column, a routine, or below a view.
func denied(err error) bool {
	var told *mysql.MySQLError
	return errors.As(err, &told) && slices.Contains([]uint16{1142, 1143, 1370, 1356}, told.Number)
}

// What can't be told is said.
func TestAccessNotes(t *testing.T) {
	server := devstack.Databases(t)[0]
	dsn := server.NewSchema(t)
	db := openSchema(t, dsn, accessSchema+"CREATE FUNCTION g() RETURNS INT DETERMINISTIC SQL SECURITY INVOKER RETURN 1;")
	var o legacy.AccessOptions
	if err := db.QueryRowContext(t.Context(), "SELECT DATABASE()").Scan(&o.Schema); err != nil {
		t.Fatal(err)
	}
	o.Catalog = catalog(t, dsn)
	for statement, want := range map[string]string{
		"SELECT g()":          "runs with its caller's rights",
		"SELECT s.h()":        "there is no function s.h",
		"CALL q()":            "there is no procedure " + o.Schema + ".q",
		"SELECT 1 FROM other": "there is no table " + o.Schema + ".other",
		"SELECT (1":           "can't be read",
	} {
		if _, notes := legacy.AccessOf(o, statement); len(notes) != 1 || !strings.Contains(notes[0], want) {
			t.Errorf("%s: %q, want %s", statement, notes, want)
		}
	}
	// An account that may not see what a view reads can't tell it either.
	account := devstack.NewAccount(t, dsn)
	account.Run("GRANT SELECT ON `" + o.Schema + "`.vi TO " + account.Name)
	o.Catalog = catalog(t, account.DSN)
	if _, notes := legacy.AccessOf(o, "SELECT * FROM vi"); len(notes) != 1 || !strings.Contains(notes[0], "SQL SECURITY INVOKER") {
		t.Errorf("got %q", notes)
	}
	// Without a server, what is not plain is granted rather than not.
	o.Catalog = nil
	if needs, _ := legacy.AccessOf(o, "UPDATE a, b SET y = f(1)"); len(rights(needs)) != 4 {
		t.Errorf("got %q", rights(needs))
	}
}

// Whole programs are verified and run with what Access says, and no privilege of it is superfluous.
func TestProgramsRunWithTheLeastAccess(t *testing.T) {
	files, err := filepath.Glob("testdata/cases/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, server := range devstack.Databases(t) {
		for _, file := range files {
			t.Run(server.Name+"/"+strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
				ar := readCase(t, file)
				var account *devstack.Account
				l := newLab(t, server, ar, func(o *pool.Options) { account = devstack.NewAccount(t, o.DSN) })
				needs, notes := l.program.Access(legacy.AccessOptions{Schema: l.schema, MySQL: server.Name == "mysql", Catalog: catalog(t, server.DSN(l.schema))})
				if len(needs) == 0 || len(notes) > 0 {
					t.Fatalf("got %q, %q", needs, notes)
				}
				all := rights(needs)
				for _, r := range all {
					account.Run("GRANT " + r + " TO " + account.Name)
				}
				var conns *pool.Pool
				for _, r := range append(slices.Clone(all), "") {
					if r != "" {
						account.Run("REVOKE " + r + " FROM " + account.Name)
					}
					var err error
					if conns, err = pool.Open(pool.Options{DSN: account.DSN, TimeZone: "+00:00"}); err != nil {
						t.Fatal(err)
					}
					defer conns.Close() // what was prepared on the one before runs on
					faults, err := l.program.Verify(t.Context(), conns)
					if lacks := err != nil || faults.Failed(); lacks != (r != "") && !strings.HasPrefix(r, "EXECUTE ON PROCEDURE") {
						t.Errorf("without %q: %v, %v", r, err, faults.Err())
					}
					if r != "" {
						account.Run("GRANT " + r + " TO " + account.Name)
					}
				}
				l.backend = legacy.New(l.program, conns, 1<<20)
				compare(t, file, ar, "script", l.script(t, section(ar, "script")))
			})
		}
	}
}
