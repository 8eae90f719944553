package preflight_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"slices"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"banyan.dev/banyan/adapters/binlog/preflight"
	"banyan.dev/banyan/internal/devstack"
)

func open(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// newSchema gives a connection to a new schema, and its name.
func newSchema(t *testing.T, server *devstack.Server) (*sql.DB, string) {
	t.Helper()
	dsn := server.NewSchema(t)
	config, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return open(t, dsn), config.DBName
}

func run(t *testing.T, db *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

func check(t *testing.T, options preflight.Options) []preflight.Finding {
	t.Helper()
	found, err := preflight.Check(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		if f.What == "" || f.Mend == "" {
			t.Errorf("the finding %+v has no text, or no mend", f)
		}
	}
	return found
}

// on gives the findings of a topic.
func on(found []preflight.Finding, topic preflight.Topic) []preflight.Finding {
	var all []preflight.Finding
	for _, f := range found {
		if f.Topic == topic {
			all = append(all, f)
		}
	}
	return all
}

// expect fails unless one finding of a topic has a severity, and all texts in What or Mend.
func expect(t *testing.T, found []preflight.Finding, severity preflight.Severity, topic preflight.Topic, texts ...string) {
	t.Helper()
	of := on(found, topic)
	for _, f := range of {
		if f.Severity == severity && !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(f.What+"\n"+f.Mend, text) }) {
			return
		}
	}
	t.Errorf("no %s %s with %q, but %+v", severity, topic, texts, of)
}

// mends gives the statements in what mends a finding.
func mends(f preflight.Finding) []string {
	var all []string
	for line := range strings.SplitSeq(f.Mend, "\n") {
		if !strings.HasPrefix(line, "--") && strings.HasSuffix(line, ";") {
			all = append(all, strings.TrimSuffix(line, ";"))
		}
	}
	return all
}

// word gives a name that nobody else has.
func word(prefix string) string { return prefix + strings.ToLower(rand.Text()[:10]) }

func TestACleanServerHasNoErrors(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			db, schema := newSchema(t, server)
			run(t, db,
				"CREATE TABLE a (id INT PRIMARY KEY, name VARCHAR(20) CHARACTER SET latin1, twice INT AS (id * 2) VIRTUAL, thrice INT AS (id * 3) STORED)",
				"CREATE TABLE b (id INT PRIMARY KEY, a INT, hidden INT INVISIBLE DEFAULT 1, FOREIGN KEY (a) REFERENCES a (id))",
				"CREATE VIEW v AS SELECT id FROM a",
			)
			for _, f := range check(t, preflight.Options{DSN: server.DSN(""), Schemas: []string{schema}, Schema: "banyan"}) {
				if f.Severity == preflight.Error || strings.Contains(f.What, schema) {
					t.Errorf("got %+v", f)
				}
			}
		})
	}
}

func TestTablesAreNamed(t *testing.T) {
	both := []string{"mariadb", "mysql"}
	maria, unlogged := both[:1], []string{"mariadb"}
	for _, server := range devstack.Databases(t) {
		var name, native string
		err := open(t, server.DSN("")).QueryRowContext(t.Context(), "SHOW GLOBAL VARIABLES LIKE 'innodb_native_foreign_keys'").Scan(&name, &native)
		if server.Name == "mysql" && (err != nil || native == "ON") {
			unlogged = both // Before MySQL 9.6 there is no such variable.
		}
	}
	for _, test := range []struct {
		topic    preflight.Topic
		severity preflight.Severity
		servers  []string
		tables   []string
		texts    []string
	}{
		{preflight.EnginePlain, preflight.Warning, both, []string{"CREATE TABLE m (id INT PRIMARY KEY) ENGINE = MyISAM", "CREATE TABLE r (id INT NOT NULL) ENGINE = MyISAM", "CREATE TABLE c (id INT NOT NULL) ENGINE = CSV"}, []string{"3 tables", ".m MyISAM", ".r MyISAM", ".c CSV", "m ENGINE = InnoDB;"}},
		{preflight.EnginePlain, preflight.Warning, maria, []string{"CREATE TABLE m (id INT PRIMARY KEY) ENGINE = Aria TRANSACTIONAL = 1"}, []string{"1 table ", ".m Aria"}},
		{preflight.EnginePlain, preflight.Warning, both[1:], []string{"CREATE TABLE m (id INT) ENGINE = BLACKHOLE", "CREATE TABLE r (id INT) ENGINE = ARCHIVE"}, []string{".m BLACKHOLE", ".r ARCHIVE"}},
		{preflight.EngineMemory, preflight.Warning, both, []string{"CREATE TABLE m (id INT PRIMARY KEY) ENGINE = MEMORY"}, []string{".m", "TRUNCATE", "ENGINE = InnoDB;"}},
		{preflight.EngineElsewhere, preflight.Error, both, []string{"CREATE TABLE m (id INT PRIMARY KEY) ENGINE = MyISAM", "CREATE TABLE g (id INT NOT NULL, KEY (id)) ENGINE = MERGE UNION = (m)"}, []string{"1 table", ".g MRG_", "out of the scope"}},
		{preflight.PrimaryKey, preflight.Warning, both, []string{"CREATE TABLE u (id INT NOT NULL UNIQUE)", "CREATE TABLE `2 w` (id INT)", "CREATE TABLE k (id INT PRIMARY KEY)"}, []string{"2 tables", ".u", "`2 w`", "ADD COLUMN"}},
		{preflight.Cascades, preflight.Warning, unlogged, []string{"CREATE TABLE p (id INT PRIMARY KEY)", "CREATE TABLE c (id INT PRIMARY KEY, p INT, CONSTRAINT f FOREIGN KEY (p) REFERENCES p (id) ON DELETE CASCADE ON UPDATE SET NULL)"}, []string{".p → ", ".c ON DELETE CASCADE ON UPDATE SET NULL", "DROP FOREIGN KEY f, ADD FOREIGN KEY (p)", "ON DELETE RESTRICT ON UPDATE RESTRICT;"}},
		{preflight.CascadesOutside, preflight.Error, unlogged, []string{"CREATE TABLE x_p (id INT PRIMARY KEY)", "CREATE TABLE c (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES x_p (id) ON DELETE CASCADE)"}, []string{".x_p → ", ".c ON DELETE CASCADE", "into the scope", "DROP FOREIGN KEY c_ibfk_1"}},
		{preflight.Triggers, preflight.Note, both, []string{"CREATE TABLE a (id INT PRIMARY KEY)", "CREATE TABLE b (id INT PRIMARY KEY, n INT)", "CREATE TABLE x_log (id INT)", "CREATE TRIGGER tr AFTER INSERT ON a FOR EACH ROW BEGIN INSERT INTO `b` (id) VALUES (1) ON DUPLICATE KEY UPDATE n = 2; INSERT IGNORE INTO x_log VALUES (1); DELETE FROM b WHERE id = 9; END"}, []string{"1 trigger ", ".a by tr → ", ".b, ", ".x_log (out of scope)", "save in tables out of scope", "SHOW CREATE TRIGGER"}},
		{preflight.Versioned, preflight.Error, maria, []string{"CREATE TABLE h (id INT PRIMARY KEY) WITH SYSTEM VERSIONING"}, []string{".h", "DROP SYSTEM VERSIONING"}},
		{preflight.Sequences, preflight.Note, maria, []string{"CREATE SEQUENCE q"}, []string{".q", "out of the scope"}},
		{preflight.Partitions, preflight.Note, both, []string{"CREATE TABLE p (id INT PRIMARY KEY) PARTITION BY HASH (id) PARTITIONS 2"}, []string{"1 table ", ".p)", "partition event"}},
		{preflight.StoredBytes, preflight.Note, maria, []string{"CREATE TABLE s (id UUID PRIMARY KEY, `from` INET6)"}, []string{".s.id uuid", ".s.from inet6", "MODIFY"}},
	} {
		t.Run(string(test.topic), func(t *testing.T) {
			for _, server := range devstack.Databases(t) {
				if !slices.Contains(test.servers, server.Name) {
					continue
				}
				t.Run(server.Name, func(t *testing.T) {
					db, schema := newSchema(t, server)
					run(t, db, test.tables...)
					options := preflight.Options{DSN: server.DSN(""), Schemas: []string{schema}, Scope: func(_, name string) bool { return !strings.HasPrefix(name, "x_") }}
					expect(t, check(t, options), test.severity, test.topic, test.texts...)
				})
			}
		})
	}
}

// What mends tables mends them.
func TestMendedTablesHaveNoFindings(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			db, schema := newSchema(t, server)
			run(t, db,
				"CREATE TABLE `my isam` (id INT PRIMARY KEY) ENGINE = MyISAM", "CREATE TABLE mem (id INT PRIMARY KEY) ENGINE = MEMORY", "CREATE TABLE bare (a INT)",
				"CREATE TABLE p (id INT PRIMARY KEY)", "CREATE TABLE c (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES p (id) ON DELETE CASCADE)")
			options := preflight.Options{DSN: server.DSN(""), Schemas: []string{schema}}
			for _, f := range check(t, options) {
				if strings.Contains(f.What, schema) {
					run(t, db, mends(f)...)
				}
			}
			for _, f := range check(t, options) {
				if strings.Contains(f.What, schema) {
					t.Errorf("after mending there is %+v", f)
				}
			}
		})
	}
}

func TestManyTablesAreOneFinding(t *testing.T) {
	server := &devstack.MariaDB(t).Server
	db, schema := newSchema(t, server)
	for i := range 40 {
		run(t, db, "CREATE TABLE t"+strings.Repeat("x", i)+" (a INT)")
	}
	found := check(t, preflight.Options{DSN: server.DSN(""), Schemas: []string{schema}, MaxNames: 3})
	expect(t, found, preflight.Warning, preflight.PrimaryKey, "40 tables", schema+".txx … and 37 more", "-- … and 37 more like these")
	if of := on(found, preflight.PrimaryKey); len(of) != 1 {
		t.Errorf("there are %d findings", len(of))
	}
}

func TestNothingInScope(t *testing.T) {
	server := &devstack.MariaDB(t).Server
	_, schema := newSchema(t, server)
	expect(t, check(t, preflight.Options{DSN: server.DSN(""), Schemas: []string{schema}}), preflight.Error, preflight.ScopeEmpty, "nothing to mirror")
	expect(t, check(t, preflight.Options{DSN: server.DSN(""), Schemas: []string{schema, "no_such"}}), preflight.Error, preflight.ScopeEmpty, "no_such")
}

func TestWhatCannotBeAskedIsAnError(t *testing.T) {
	if _, err := preflight.Check(t.Context(), preflight.Options{DSN: "nonsense"}); err == nil {
		t.Error("nonsense is a DSN")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if found, err := preflight.Check(ctx, preflight.Options{DSN: devstack.MariaDB(t).DSN("")}); err == nil {
		t.Errorf("a cancelled check finds %v", found)
	}
}
