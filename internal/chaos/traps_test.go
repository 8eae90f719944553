package chaos_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/mirror/change"
)

// What schemas and statements of twenty years have in store for whoever reads the log. Each trap has to come out of the
// events as it is in the database.
func TestTraps(t *testing.T) {
	for _, trap := range []struct {
		name       string
		statements []string
		want       map[change.Op]uint64 // of those operations, how many events
		only       string               // the server that has it
	}{
		{"foreign keys that cascade", []string{
			"CREATE TABLE p (id int PRIMARY KEY, code int NOT NULL UNIQUE)",
			"CREATE TABLE c (id int PRIMARY KEY, p int NULL, code int NULL, CONSTRAINT c_p FOREIGN KEY (p) REFERENCES p (id) ON DELETE CASCADE, CONSTRAINT c_code FOREIGN KEY (code) REFERENCES p (code) ON UPDATE CASCADE ON DELETE SET NULL)",
			"CREATE TABLE g (id int PRIMARY KEY, c int NULL, CONSTRAINT g_c FOREIGN KEY (c) REFERENCES c (id) ON DELETE SET NULL ON UPDATE CASCADE)",
			"INSERT INTO p VALUES (1, 10), (2, 20), (3, 30)",
			"INSERT INTO c VALUES (1, 1, 10), (2, 1, 20), (3, 2, 10), (4, NULL, NULL), (5, 3, 30)",
			"INSERT INTO g VALUES (1, 1), (2, 2), (3, 3), (4, NULL), (5, 5)",
			"UPDATE p SET code = 11 WHERE id = 1", "DELETE FROM p WHERE id = 1", "UPDATE c SET id = 50 WHERE id = 5", "DELETE FROM p",
		}, nil, ""},
		{"a foreign key of a table on itself", []string{
			"CREATE TABLE tree (id int PRIMARY KEY, parent int NULL, CONSTRAINT up FOREIGN KEY (parent) REFERENCES tree (id) ON DELETE CASCADE)",
			"INSERT INTO tree VALUES (1, NULL), (2, 1), (3, 1), (4, NULL), (5, 4)",
			"DELETE FROM tree WHERE id = 1",
		}, nil, ""},
		{"a trigger that writes seven tables", []string{
			"CREATE TABLE t (id int PRIMARY KEY, n int)",
			"CREATE TABLE a (n int)", "CREATE TABLE b (n int)", "CREATE TABLE c (n int)", "CREATE TABLE d (n int)", "CREATE TABLE e (n int)", "CREATE TABLE f (n int)", "CREATE TABLE g (id int AUTO_INCREMENT PRIMARY KEY, n int)",
			"CREATE TRIGGER after_t AFTER INSERT ON t FOR EACH ROW BEGIN INSERT INTO a VALUES (NEW.n); INSERT INTO b VALUES (NEW.n); INSERT INTO c VALUES (NEW.n); INSERT INTO d VALUES (NEW.n); INSERT INTO e VALUES (NEW.n); INSERT INTO f VALUES (NEW.n); INSERT INTO g (n) VALUES (NEW.n); UPDATE g SET n = n + 1; END",
			"INSERT INTO t VALUES (1, 1), (2, 2)",
		}, map[change.Op]uint64{change.Insert: 16, change.Update: 3}, ""},
		{"a trigger that writes another engine", []string{
			"CREATE TABLE t (id int PRIMARY KEY)", "CREATE TABLE m (n int) ENGINE=MyISAM", "CREATE TRIGGER after_t AFTER INSERT ON t FOR EACH ROW INSERT INTO m VALUES (NEW.id)",
			"INSERT INTO t VALUES (1), (2)", "BEGIN", "INSERT INTO t VALUES (3)", "ROLLBACK",
		}, nil, "mariadb"},
		{"MyISAM with ROLLBACK", []string{
			"CREATE TABLE t (id int PRIMARY KEY, n int) ENGINE=MyISAM",
			"BEGIN", "INSERT INTO t VALUES (1, 1), (2, 2)", "UPDATE t SET n = 5 WHERE id = 1", "ROLLBACK",
			"SET autocommit = 0", "DELETE FROM t WHERE id = 2", "ROLLBACK", "SET autocommit = 1",
		}, map[change.Op]uint64{change.Insert: 2, change.Update: 1, change.Delete: 1}, ""},
		{"a statement on MyISAM that fails halfway", []string{
			"CREATE TABLE t (id int PRIMARY KEY) ENGINE=MyISAM", "INSERT INTO t VALUES (3)", "INSERT IGNORE INTO t VALUES (1), (2), (3), (4)",
		}, map[change.Op]uint64{change.Insert: 4}, ""},
		{"transactions over two engines", []string{
			"CREATE TABLE i (id int PRIMARY KEY, n int) ENGINE=InnoDB", "CREATE TABLE m (id int PRIMARY KEY, n int) ENGINE=MyISAM", "CREATE TABLE ar (id int PRIMARY KEY, n int) ENGINE=MyISAM",
			"BEGIN", "INSERT INTO i VALUES (1, 1)", "INSERT INTO m VALUES (1, 1)", "INSERT INTO i VALUES (2, 2)", "INSERT INTO ar VALUES (1, 1)", "COMMIT",
			"BEGIN", "INSERT INTO i VALUES (3, 3)", "INSERT INTO m VALUES (3, 3)", "UPDATE m SET n = 4", "ROLLBACK",
			"UPDATE i, m SET i.n = i.n + 10, m.n = m.n + 100 WHERE i.id = m.id", "DELETE i, m FROM i JOIN m USING (id)",
		}, nil, "mariadb"},
		{"tables without a key", []string{
			"CREATE TABLE t (a varchar(9) CHARACTER SET latin1, b int NULL, d double)",
			"INSERT INTO t VALUES ('x', 1, 0.1), ('x', 1, 0.1), ('X', 1, 0.1), ('x ', 1, 0.1), (NULL, NULL, NULL), (NULL, NULL, NULL)",
			"DELETE FROM t WHERE a = 'x' AND BINARY a = 'x' LIMIT 1", "UPDATE t SET b = 2 WHERE a IS NULL LIMIT 1", "UPDATE t SET a = 'y' WHERE BINARY a = 'X'",
		}, nil, ""},
		{"names", []string{
			"CREATE TABLE `2nd.order größe` (`1` int PRIMARY KEY, `key` int, `Ünï cødé` varchar(9), `a``b` int, `%` int, `#*` int)",
			"INSERT INTO `2nd.order größe` VALUES (1, 2, 'ß', 3, 4, 5)", "UPDATE `2nd.order größe` SET `a``b` = 30",
			"CREATE TABLE `select` (`from` int PRIMARY KEY)", "INSERT INTO `select` VALUES (1)",
			"CREATE TABLE `7` (`8` int)", "INSERT INTO `7` VALUES (9)", "RENAME TABLE `7` TO `7 ``7`", "INSERT INTO `7 ``7` VALUES (10)",
			"ALTER TABLE `2nd.order größe` RENAME COLUMN `1` TO `2`, ADD COLUMN `3` int FIRST",
			"INSERT INTO `2nd.order größe` (`2`) VALUES (7)",
		}, nil, ""},
		{"text in latin1, binary and more", []string{
			"CREATE TABLE t (id int PRIMARY KEY, l varchar(20) CHARACTER SET latin1, b varbinary(20), f binary(4), g varchar(20) CHARACTER SET gbk, u text CHARACTER SET utf8mb3, m mediumtext, e enum('ä','b','') CHARACTER SET latin1, s set('x','ö','z') CHARACTER SET latin1)",
			"INSERT INTO t VALUES (1, 'Grüße', x'00ff80', x'0100', '中文', 'ß€', '😀', 'ä', 'x,ö')",
			"SET sql_mode = ''", "INSERT INTO t VALUES (2, '', '', '', '', '', '', 'nothing', '')", "INSERT INTO t (id) VALUES (3)",
			"SET NAMES latin1", "UPDATE t SET l = CONCAT(l, x'e4') WHERE id = 1",
		}, nil, ""},
		{"dates that are none", []string{
			"SET sql_mode = 'ALLOW_INVALID_DATES'",
			"CREATE TABLE t (id int PRIMARY KEY, d date NOT NULL DEFAULT '0000-00-00', dt datetime(3) NOT NULL DEFAULT '0000-00-00 00:00:00', ts timestamp NOT NULL DEFAULT '0000-00-00 00:00:00', y year, ti time(2))",
			"INSERT INTO t (id) VALUES (1)", "INSERT INTO t VALUES (2, '2020-00-00', '2020-02-31 25:00:00', 0, 0, '-838:59:59')",
			"INSERT INTO t VALUES (3, '9999-12-31', '9999-12-31 23:59:59.999', '2038-01-19 03:14:07', 2155, '838:59:58.99'), (4, '2020-02-31', '1000-01-01', NOW(), 1901, '-00:00:00.01')",
		}, nil, ""},
		{"XA", []string{
			"CREATE TABLE t (id int PRIMARY KEY, n int)", "INSERT INTO t VALUES (1, 1)",
			"XA START 'a'", "UPDATE t SET n = 2 WHERE id = 1", "INSERT INTO t VALUES (2, 2)", "XA END 'a'", "XA PREPARE 'a'", "XA COMMIT 'a'",
			"XA START 'b'", "INSERT INTO t VALUES (3, 3)", "XA END 'b'", "XA PREPARE 'b'", "XA ROLLBACK 'b'",
			"XA START 'c'", "INSERT INTO t VALUES (4, 4)", "XA END 'c'", "XA COMMIT 'c' ONE PHASE",
		}, map[change.Op]uint64{change.Insert: 3, change.Update: 1}, ""},
		{"savepoints over two engines", []string{
			"CREATE TABLE t (id int PRIMARY KEY, n int)", "CREATE TABLE m (id int PRIMARY KEY) ENGINE=MyISAM",
			"BEGIN", "INSERT INTO t VALUES (1, 1)", "SAVEPOINT s", "INSERT INTO t VALUES (2, 2)", "INSERT INTO m VALUES (1)", "ROLLBACK TO s", "INSERT INTO t VALUES (3, 3)", "RELEASE SAVEPOINT s", "COMMIT",
		}, nil, "mariadb"},
		{"savepoints within one engine", []string{
			"CREATE TABLE t (id int PRIMARY KEY, n int)",
			"BEGIN", "INSERT INTO t VALUES (1, 1)", "SAVEPOINT s", "INSERT INTO t VALUES (2, 2)", "ROLLBACK TO s", "INSERT INTO t VALUES (3, 3)", "RELEASE SAVEPOINT s", "COMMIT",
		}, map[change.Op]uint64{change.Insert: 2}, ""},
		{"a swap as gh-ost makes it", []string{
			"CREATE TABLE t (id int PRIMARY KEY, n int)", "INSERT INTO t VALUES (1, 1), (2, 2)",
			"CREATE TABLE _t_ghc (id int AUTO_INCREMENT PRIMARY KEY, hint varchar(64), value varchar(255))", "INSERT INTO _t_ghc (hint, value) VALUES ('state', 'Migrated')",
			"CREATE TABLE _t_gho LIKE t", "ALTER TABLE _t_gho ADD COLUMN more varchar(9) NOT NULL DEFAULT 'x' AFTER id, MODIFY n bigint",
			"INSERT IGNORE INTO _t_gho (id, n) SELECT id, n FROM t WHERE id BETWEEN 1 AND 2 LOCK IN SHARE MODE", "REPLACE INTO _t_gho (id, n) VALUES (2, 3)",
			"CREATE TABLE _t_del (id int auto_increment primary key) comment='ghost-cut-over-sentry'", "DROP TABLE _t_del",
			"RENAME TABLE t TO _t_del, _t_gho TO t", "INSERT INTO t VALUES (3, 'new', 9000000000)", "DROP TABLE _t_ghc, _t_del",
		}, nil, ""},
		{"a swap as pt-online-schema-change makes it", []string{
			"CREATE TABLE t (id int PRIMARY KEY, n int)", "INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)",
			"CREATE TABLE _t_new LIKE t", "ALTER TABLE _t_new ADD COLUMN more int",
			"CREATE TRIGGER pt_del AFTER DELETE ON t FOR EACH ROW DELETE IGNORE FROM _t_new WHERE id <=> OLD.id",
			"CREATE TRIGGER pt_upd AFTER UPDATE ON t FOR EACH ROW BEGIN DELETE IGNORE FROM _t_new WHERE !(OLD.id <=> NEW.id) AND _t_new.id <=> OLD.id; REPLACE INTO _t_new (id, n) VALUES (NEW.id, NEW.n); END",
			"CREATE TRIGGER pt_ins AFTER INSERT ON t FOR EACH ROW REPLACE INTO _t_new (id, n) VALUES (NEW.id, NEW.n)",
			"INSERT INTO t VALUES (4, 4)", "UPDATE t SET n = 20 WHERE id = 2", "INSERT LOW_PRIORITY IGNORE INTO _t_new (id, n) SELECT id, n FROM t", "UPDATE t SET id = 30 WHERE id = 3", "DELETE FROM t WHERE id = 1",
			"RENAME TABLE t TO _t_old, _t_new TO t", "DROP TABLE IF EXISTS _t_old", "INSERT INTO t VALUES (5, 5, 5)",
		}, nil, ""},
		{"columns that come, go and move", []string{
			"CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(9))", "INSERT INTO t VALUES (1, 1, 'one')",
			"ALTER TABLE t ADD COLUMN c int unsigned NOT NULL DEFAULT 7 FIRST", "INSERT INTO t VALUES (4294967295, 2, 2, 'two')",
			"ALTER TABLE t MODIFY a bigint unsigned AFTER b", "UPDATE t SET a = 18446744073709551615 WHERE id = 2",
			"ALTER TABLE t CHANGE b name varchar(20) CHARACTER SET latin1", "UPDATE t SET name = 'zwölf' WHERE id = 1",
			"ALTER TABLE t DROP COLUMN c, ADD COLUMN d datetime(6) DEFAULT '2026-01-02 03:04:05.678901'", "INSERT INTO t (id, name) VALUES (3, '')",
			"ALTER TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY (id, name)", "UPDATE t SET id = 9 WHERE id = 1",
			"ALTER TABLE t RENAME TO u", "INSERT INTO u (id, name) VALUES (5, 'x')", "CREATE INDEX i ON u (d)", "DROP INDEX i ON u",
			"DROP TABLE u", "CREATE TABLE u (x int PRIMARY KEY)", "INSERT INTO u VALUES (1)",
		}, nil, ""},
		{"rows that go or come at once", []string{
			"CREATE TABLE t (id int PRIMARY KEY, n int) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN (20), PARTITION p2 VALUES LESS THAN MAXVALUE)",
			"INSERT INTO t VALUES (1, 1), (11, 11), (21, 21)", "ALTER TABLE t TRUNCATE PARTITION p0", "ALTER TABLE t DROP PARTITION p1", "INSERT INTO t VALUES (2, 2)",
			"CREATE TABLE x (id int PRIMARY KEY, n int)", "INSERT INTO x VALUES (5, 5)", "ALTER TABLE t EXCHANGE PARTITION p0 WITH TABLE x",
			"CREATE TABLE s AS SELECT id, n + 1 AS m FROM t", "CREATE TABLE e (id int)", "INSERT INTO e SELECT id FROM t", "TRUNCATE TABLE e", "INSERT INTO e VALUES (1)",
			"CREATE TABLE d1 (id int)", "CREATE TABLE d2 (id int)", "DROP TABLE d1, d2",
		}, nil, ""},
		{"tables that are made anew", []string{
			"CREATE TABLE u (a int)", "INSERT INTO u VALUES (1)", "CREATE OR REPLACE TABLE u (x int PRIMARY KEY)", "INSERT INTO u VALUES (2)", "CREATE OR REPLACE TABLE u AS SELECT 5 AS y", "INSERT INTO u VALUES (6)",
		}, nil, "mariadb"},
		{"generated and odd columns", []string{
			"CREATE TABLE t (id int PRIMARY KEY, a int, v int AS (a + 1) VIRTUAL, s int AS (a * 2) STORED, j json, g geometry, b bit(9), bb tinyblob, r int INVISIBLE DEFAULT 3)",
			`INSERT INTO t (id, a, j, g, b, bb) VALUES (1, 5, '{"a": [1, 2.50, "ß"]}', ST_GeomFromText('POINT(1 2)'), b'101010101', x'00'), (2, NULL, NULL, NULL, NULL, NULL)`,
			"UPDATE t SET a = 6, r = 4 WHERE id = 1",
		}, nil, ""},
		{"temporary tables", []string{
			"CREATE TABLE t (id int PRIMARY KEY)", "CREATE TEMPORARY TABLE tmp (id int)", "INSERT INTO tmp VALUES (1), (2)", "INSERT INTO t SELECT id FROM tmp", "DROP TEMPORARY TABLE tmp",
		}, map[change.Op]uint64{change.Create: 1, change.Insert: 2, change.Drop: 0}, ""},
	} {
		for _, server := range devstack.Databases(t) {
			if trap.only != "" && trap.only != server.Name {
				continue
			}
			t.Run(trap.name+"/"+server.Name, func(t *testing.T) {
				r := newRig(t, server)
				r.start(r.options)
				r.exec(trap.statements...)
				r.saved()
				if err := r.consume(r.memory.take()); err != nil {
					t.Error(err)
				}
				counts := r.consumer.Counts()
				for op, want := range trap.want {
					if counts.Ops[op] != want {
						t.Errorf("%d events of %s, want %d: %v", counts.Ops[op], op, want, counts.Ops)
					}
				}
			})
		}
	}
}

// The same, with a mirror that was down all the time, so that the tables are others when it reads.
func TestColumnsChangeWhileTheMirrorIsDown(t *testing.T) {
	r := newRig(t, &devstack.MariaDB(t).Server)
	stop := r.start(r.options)
	r.exec("CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(9))", "INSERT INTO t VALUES (1, 1, 'one')")
	r.saved()
	stop()
	r.exec("INSERT INTO t VALUES (2, 2, 'two')", "ALTER TABLE t DROP COLUMN a", "INSERT INTO t VALUES (3, 'three')",
		"ALTER TABLE t ADD COLUMN c bigint FIRST, RENAME COLUMN b TO name", "UPDATE t SET c = id, name = 'x'", "RENAME TABLE t TO u", "CREATE TABLE t (id int)", "INSERT INTO t VALUES (7)", "DROP TABLE t")
	r.start(r.options)
	r.saved()
	if err := r.consume(r.memory.take()); err != nil {
		t.Error(err)
	}
}

// What a session keeps out of the log is in no event: nobody can notice but whoever compares, so that the preflight
// looks for who may do that.
func TestUnloggedSessionIsSeenByComparingOnly(t *testing.T) {
	r := newRig(t, &devstack.MariaDB(t).Server)
	r.start(r.options)
	r.exec("CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1)", "SET sql_log_bin = 0", "INSERT INTO t VALUES (2)", "SET sql_log_bin = 1", "INSERT INTO t VALUES (3)")
	r.saved()
	if err := r.consume(r.memory.take()); err == nil || !strings.Contains(err.Error(), `id="2"`) {
		t.Errorf("got %v", err)
	}
	if err := r.consumer.Counts().Err(); err != nil {
		t.Errorf("the events themselves are in order, but: %v", err)
	}
}

// A session that logs statements gives an event that says so, loudly, and no rows.
func TestStatementFormatIsLoud(t *testing.T) {
	r := newRig(t, &devstack.MariaDB(t).Server)
	r.start(r.options)
	r.exec("CREATE TABLE t (id int PRIMARY KEY, n int)", "INSERT INTO t VALUES (1, 1)", "SET SESSION binlog_format = 'STATEMENT'", "UPDATE t SET n = 2", "SET SESSION binlog_format = 'ROW'", "INSERT INTO t VALUES (2, 2)")
	r.saved()
	err := r.consume(r.memory.take())
	if counts := r.consumer.Counts(); counts.Opaque != 1 || err == nil || !strings.Contains(err.Error(), "UPDATE t SET n = 2") {
		t.Errorf("got %+v, %v", counts, err)
	}
}

// A prepared XA transaction is in the log long before anybody knows whether it happened. No position passes it, whatever
// becomes of the mirror meanwhile.
func TestPreparedTransactionOutlivesTheMirror(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			r := newRig(t, server)
			stop := r.start(r.options)
			r.exec("CREATE TABLE t (id int PRIMARY KEY, n int)", "INSERT INTO t VALUES (1, 1)")
			r.saved()
			before, err := r.options.Store.State(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			keep := r.prepare("keep", "INSERT INTO t VALUES (10, 1)")
			undo := r.prepare("undo", "INSERT INTO t VALUES (20, 1)")
			r.exec("INSERT INTO t VALUES (2, 2)", "UPDATE t SET n = 3 WHERE id = 1")
			r.poll("what was committed arrives", func() error { return atLeast(r.memory.arrived(), 4) })
			stop()
			held, err := r.options.Store.State(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if c, err := held.Position.Compare(before.Position); err != nil || c > 0 {
				t.Errorf("the position went from %s to %s, past what is undecided: %v", before.Position, held.Position, err)
			}
			r.exec("INSERT INTO t VALUES (3, 3)")
			r.start(r.options)
			keep("XA COMMIT")
			undo("XA ROLLBACK")
			r.exec("INSERT INTO t VALUES (4, 4)")
			r.saved()
			if err := r.consume(r.memory.take()); err != nil {
				t.Error(err)
			}
			if counts := r.consumer.Counts(); counts.Ops[change.Insert] != 5 || counts.Repeats < 2 {
				t.Errorf("counted %+v", counts)
			}
		})
	}
}

// prepare prepares an XA transaction, and gives a function that ends it.
func (r *rig) prepare(name, statement string) (end func(how string)) {
	r.t.Helper()
	xid := fmt.Sprintf(" '%s', '%s'", name, r.schema[len(r.schema)-8:])
	conn, err := r.db.Conn(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	ended := false
	r.t.Cleanup(func() {
		if !ended { // or it would hold its locks for ever
			_, _ = conn.ExecContext(context.Background(), "XA ROLLBACK"+xid)
		}
		_ = conn.Close()
	})
	run := func(statement string) {
		r.t.Helper()
		if _, err := conn.ExecContext(r.t.Context(), statement); err != nil {
			r.t.Fatalf("%s: %v", statement, err)
		}
	}
	run("XA START" + xid)
	run(statement)
	run("XA END" + xid)
	run("XA PREPARE" + xid)
	return func(how string) {
		r.t.Helper()
		run(how + xid)
		ended = true
	}
}
