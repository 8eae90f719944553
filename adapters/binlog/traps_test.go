package binlog_test

import (
	"fmt"
	"strings"
	"testing"

	"banyan.dev/banyan/mirror/change"
)

func TestTrapsOfOldSchemas(t *testing.T) {
	onServers(t, func(t *testing.T, b *bench, mariadb bool) {
		var want []string
		b.exec("CREATE TABLE `7 tärget.s` (`1st key` INT, `ü` CHAR(3) CHARACTER SET latin1)")
		var inserts []string
		for i := range 7 {
			b.exec(fmt.Sprintf("CREATE TABLE w%d (id INT)", i))
			inserts = append(inserts, fmt.Sprintf("INSERT INTO w%d VALUES (NEW.`1st key`);", i))
		}
		b.exec("CREATE TRIGGER tr AFTER INSERT ON `7 tärget.s` FOR EACH ROW BEGIN " + strings.Join(inserts, " ") + " END")
		got := b.since("INSERT INTO `7 tärget.s` VALUES (5, 'é')")
		want = append(want, "insert 7 tärget.s (1st key=5 ü=é)")
		for i := range 7 {
			want = append(want, fmt.Sprintf("insert w%d (id=5)", i))
		}
		b.want(sorted(got), sorted(want)...)

		// Without a key, twice the same row.
		b.exec("CREATE TABLE nokey (a INT, b FLOAT)")
		b.want(b.since("INSERT INTO nokey VALUES (1, 0.1), (1, 0.1)", "DELETE FROM nokey LIMIT 1"),
			"insert nokey (a=1 b=0.1)", "insert nokey (a=1 b=0.1)", "delete nokey (a=1 b=0.1)")

		// Names in statements are in the client's charset.
		b.want(b.since("SET NAMES latin1", "CREATE TABLE `\xe4\xf6` (id INT)", "INSERT INTO `\xe4\xf6` VALUES (1)", "DROP TABLE `\xe4\xf6`"),
			"create äö", "insert äö (id=1)", "drop äö")

		// What is no text in its charset stays bytes.
		b.exec("CREATE TABLE garbled (a VARCHAR(9) CHARACTER SET utf8mb4, l VARCHAR(9) CHARACTER SET latin1)")
		b.want(b.since("SET sql_mode = ''", "INSERT INTO garbled (l) VALUES (x'8081ff')"), "insert garbled (a=NULL l=€\u0081ÿ)")

		// An index and a rename in one go, and online DDL's swap of tables.
		b.exec("CREATE TABLE _x_gho (id INT PRIMARY KEY, a INT)", "CREATE TABLE x (id INT PRIMARY KEY)")
		b.want(b.since("RENAME TABLE x TO _x_del, _x_gho TO x", "INSERT INTO x VALUES (1, 2)"), "rename x _x_del", "rename _x_gho x", "insert x (id=1 a=2)")

		// Other schemas are counted, and not given.
		b.exec("DROP DATABASE IF EXISTS "+b.schema+"_o", "CREATE DATABASE "+b.schema+"_o", "CREATE TABLE "+b.schema+"_o.t (id INT, j TEXT)")
		defer b.exec("DROP DATABASE " + b.schema + "_o")
		from := b.tail()
		b.session("BEGIN", "INSERT INTO "+b.schema+"_o.t VALUES (1, 'a'), (2, NULL)", "INSERT INTO x VALUES (3, 4)", "COMMIT", "INSERT INTO "+b.schema+"_o.t VALUES (3, 'b')")
		all := b.read(from, b.tail())
		b.want(lines(all), "insert x (id=3 a=4)")
		if v, err := change.ParseVersion(all[0].version); err != nil || v.Row != 3 {
			t.Errorf("the row behind two others has the version %s, %v", all[0].version, err)
		}

		if mariadb {
			return
		}
		// A tag is a part of the id.
		from = b.tail()
		b.session("SET gtid_next = 'AUTOMATIC:banyan_test'", "INSERT INTO x VALUES (5, 6)", "SET gtid_next = 'AUTOMATIC'")
		all = b.read(from, b.tail())
		if id := all[0].transaction.ID; !strings.Contains(id, ":banyan_test:") || !strings.HasPrefix(id, all[1].next.Server) {
			t.Errorf("the id is %s", id)
		}
		if !strings.Contains(all[len(all)-1].next.GTIDs, ":banyan_test:") {
			t.Errorf("the GTIDs are %s", all[len(all)-1].next.GTIDs)
		}
		sameFromEachEnd(b, all)
	})
}

func sorted(all []string) []string {
	all = append([]string{}, all...)
	for i := range all {
		for j := range all[:i] {
			if all[i] < all[j] {
				all[i], all[j] = all[j], all[i]
			}
		}
	}
	return all
}

func TestTablesStayTheSameUntilTheyChange(t *testing.T) {
	onServers(t, func(t *testing.T, b *bench, _ bool) {
		b.exec("CREATE TABLE t (id INT, name VARCHAR(9), PRIMARY KEY (name, id))")
		from := b.tail()
		b.session("INSERT INTO t VALUES (1, 'a')", "INSERT INTO t VALUES (2, 'a')", "ALTER TABLE t COMMENT = 'x'", "INSERT INTO t VALUES (3, 'a')", "ALTER TABLE t ADD z INT", "INSERT INTO t VALUES (4, 'a', 5)")
		to := b.tail()
		s := b.open(from)
		var tables []*change.Table
		for {
			event, err := s.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if e, ok := event.(*change.Rows); ok {
				tables = append(tables, e.Table)
			}
			if e, ok := event.(*change.End); ok && e.Next.Offset >= to.Offset {
				break
			}
		}
		if len(tables) != 4 || tables[0] != tables[1] || tables[1] != tables[2] || tables[2] == tables[3] {
			t.Fatalf("got %v", tables)
		}
		if k := tables[0].Key; len(k) != 2 || k[0] != 1 || k[1] != 0 {
			t.Errorf("the key is %v", k)
		}
		if n := len(tables[3].Columns); n != 3 {
			t.Errorf("the changed table has %d columns", n)
		}
	})
}

func TestClosingEndsAWaitingNext(t *testing.T) {
	onServers(t, func(t *testing.T, b *bench, _ bool) {
		s := b.open(b.tail())
		failed := make(chan error)
		go func() {
			for {
				if _, err := s.Next(t.Context()); err != nil {
					failed <- err
					return
				}
			}
		}()
		for range 2 {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := <-failed; change.Stops(err) != nil {
			t.Errorf("closing stops the mirror: %v", err)
		}
	})
}

func TestHugeTransactionsAreReadByTheWay(t *testing.T) {
	onServers(t, func(t *testing.T, b *bench, mariadb bool) {
		b.source.LookAhead(100_000)
		b.exec("CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(1000))", "CREATE TABLE m (id INT) ENGINE=MyISAM")
		from := b.tail()
		statements := []string{"BEGIN"}
		for i := range 200 {
			if i == 150 {
				statements = append(statements, "SAVEPOINT s")
			}
			statements = append(statements, fmt.Sprintf("INSERT INTO t VALUES (%d, REPEAT('x', 1000)), (%d, REPEAT('y', 1000))", 2*i, 2*i+1))
		}
		if mariadb {
			statements = append(statements, "INSERT INTO m VALUES (1)")
		}
		b.session(append(statements, "ROLLBACK TO s", "COMMIT")...)
		var rows int
		for _, h := range b.read(from, b.tail()) {
			if strings.HasPrefix(h.line, "insert t ") {
				rows++
			}
		}
		if rows != 300 {
			t.Errorf("%d rows were given, want 300", rows)
		}
	})
}
