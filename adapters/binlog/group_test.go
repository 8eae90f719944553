package binlog_test

import (
	"slices"
	"strings"
	"testing"

	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/mirror/change"
)

// bothWays runs a test with transactions kept in memory, and with the log read again.
func bothWays(t *testing.T, test func(t *testing.T, b *bench, mariadb bool)) {
	t.Helper()
	onServers(t, func(t *testing.T, b *bench, mariadb bool) {
		b.exec("CREATE TABLE i (id INT PRIMARY KEY) ENGINE=InnoDB", "CREATE TABLE m (id INT PRIMARY KEY) ENGINE=MyISAM")
		t.Run("memory", func(t *testing.T) { test(t, b.in(t), mariadb) })
		b.exec("DELETE FROM i", "DELETE FROM m")
		b.source.LookAhead(0)
		t.Run("again", func(t *testing.T) { test(t, b.in(t), mariadb) })
	})
}

func TestRolledBackRowsAreNotGiven(t *testing.T) {
	bothWays(t, func(t *testing.T, b *bench, mariadb bool) {
		b.want(b.since("BEGIN", "INSERT INTO i VALUES (1)", "SAVEPOINT s", "INSERT INTO i VALUES (2)", "ROLLBACK TO s", "INSERT INTO i VALUES (3)", "COMMIT"),
			"insert i (id=1)", "insert i (id=3)")
		b.want(b.since("BEGIN", "INSERT INTO i VALUES (4)", "SAVEPOINT s", "INSERT INTO i VALUES (5)", "RELEASE SAVEPOINT s", "COMMIT"),
			"insert i (id=4)", "insert i (id=5)")
		b.want(b.since("BEGIN", "INSERT INTO i VALUES (6)", "ROLLBACK"))
		b.want(b.since("BEGIN", "INSERT INTO m VALUES (6)", "INSERT INTO i VALUES (7)", "ROLLBACK"), "insert m (id=6)")
		b.want(b.since("BEGIN", "INSERT INTO i VALUES (6)", "CREATE TEMPORARY TABLE tt (a INT)", "INSERT INTO i VALUES (7)", "ROLLBACK", "DROP TEMPORARY TABLE tt"))
		if !mariadb {
			return // It refuses the rest with GTIDs.
		}
		b.want(b.since("BEGIN", "INSERT INTO i VALUES (12)", "SAVEPOINT s", "INSERT INTO i VALUES (13)", "INSERT INTO m VALUES (13)", "ROLLBACK TO s", "INSERT INTO i VALUES (14)", "COMMIT"),
			"insert m (id=13)", "insert i (id=12)", "insert i (id=14)")
		b.want(b.since("BEGIN", "SAVEPOINT s", "INSERT INTO i VALUES (15)", "INSERT INTO m VALUES (15)", "ROLLBACK TO s", "INSERT INTO i VALUES (16)", "COMMIT"),
			"insert m (id=15)", "insert i (id=16)")
		b.want(b.since("BEGIN", "INSERT INTO i VALUES (21)", "INSERT INTO m VALUES (21)", "SAVEPOINT a", "INSERT INTO i VALUES (22)", "SAVEPOINT b", "INSERT INTO i VALUES (23)",
			"ROLLBACK TO b", "INSERT INTO i VALUES (24)", "SAVEPOINT A", "INSERT INTO i VALUES (25)", "ROLLBACK TO a", "INSERT INTO i VALUES (26)", "COMMIT"),
			"insert m (id=21)", "insert i (id=21)", "insert i (id=22)", "insert i (id=24)", "insert i (id=26)")
	})
}

func TestXARowsComeWhenTheyAreCommitted(t *testing.T) {
	bothWays(t, func(t *testing.T, b *bench, _ bool) {
		from := b.tail()
		b.session(
			"XA START 'a','b',7", "INSERT INTO i VALUES (1), (2)", "UPDATE i SET id = 3 WHERE id = 2", "XA END 'a','b',7", "XA PREPARE 'a','b',7",
		)
		undecided := b.tail()
		b.session("XA START 'a'", "INSERT INTO i VALUES (4)", "XA END 'a'", "XA PREPARE 'a'")
		b.session("INSERT INTO i VALUES (5)")
		between := b.tail()
		b.session("XA COMMIT 'a','b',7")
		b.session("XA ROLLBACK 'a'")
		b.session("XA START 'a'", "INSERT INTO i VALUES (6)", "XA END 'a'", "XA COMMIT 'a' ONE PHASE")
		b.session("INSERT INTO i VALUES (7)")
		all := b.read(from, b.tail())
		b.want(lines(all), "insert i (id=5)", "insert i (id=1)", "insert i (id=2)", "update i (id=2) (id=3)", "insert i (id=6)", "insert i (id=7)")
		for _, h := range all {
			if h.line == "" {
				if c, err := h.next.Compare(undecided); err != nil {
					t.Fatal(err)
				} else if seen := slices.ContainsFunc(all[:slices.IndexFunc(all, func(o happened) bool { return o == h })], func(o happened) bool { return strings.Contains(o.line, "(id=1)") }); c > 0 && !seen {
					t.Errorf("the position passes an undecided transaction: %s", h.next)
				}
			}
		}
		sameFromEachEnd(b, all)
		// What was prepared before reading begins is found in the log.
		found := b.read(between, b.tail())
		b.want(lines(found), "insert i (id=1)", "insert i (id=2)", "update i (id=2) (id=3)", "insert i (id=6)", "insert i (id=7)")
		for _, h := range slices.Concat(all, found) {
			want := ""
			if strings.Contains(h.line, "(id=1)") || strings.Contains(h.line, "(id=2)") {
				want = change.XAName(7, []byte("a"), []byte("b"))
			}
			if h.line != "" && h.transaction.XA != want {
				t.Errorf("%s is of the XA transaction %q, want %q", h.line, h.transaction.XA, want)
			}
		}
	})
}

func TestXARowsAreFoundInOlderFiles(t *testing.T) {
	b := newBench(t, devstack.MariaDB(t).NewSchema(t))
	b.exec("CREATE TABLE i (id INT PRIMARY KEY)")
	b.session("XA START 'x'", "INSERT INTO i VALUES (0)", "XA END 'x'", "XA PREPARE 'x'", "XA ROLLBACK 'x'")
	b.session("XA START 'x'", "INSERT INTO i VALUES (1)", "XA END 'x'", "XA PREPARE 'x'")
	b.session("FLUSH BINARY LOGS", "INSERT INTO i VALUES (2)", "FLUSH BINARY LOGS")
	b.want(b.since("XA COMMIT 'x'", "INSERT INTO i VALUES (3)"), "insert i (id=1)", "insert i (id=3)")
}

// sameFromEachEnd reads again from each place and compares.
func sameFromEachEnd(b *bench, all []happened) {
	b.t.Helper()
	last := all[len(all)-1].next
	for i, h := range all {
		if h.line != "" || h.next == last {
			continue
		}
		again := b.read(h.next, last)
		var want, got []string
		for _, o := range all[i+1:] {
			if o.line != "" {
				want = append(want, o.transaction.ID+" "+o.version+" "+o.line)
			}
		}
		for _, o := range again {
			if o.line != "" {
				got = append(got, o.transaction.ID+" "+o.version+" "+o.line)
			}
		}
		if len(got) < len(want) || !slices.Equal(got[len(got)-len(want):], want) {
			b.t.Errorf("from %s:\n%s\nwant at the end:\n%s", h.next, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		for _, o := range again {
			if o.line == "" && o.next == last {
				continue
			}
			if !slices.ContainsFunc(all, func(p happened) bool { return p == o }) {
				b.t.Errorf("from %s there is what was not there before: %+v", h.next, o)
			}
		}
	}
}

func TestRestartGivesTheSame(t *testing.T) {
	onServers(t, func(t *testing.T, b *bench, mariadb bool) {
		b.exec("CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(100)) ENGINE=InnoDB", "CREATE TABLE m (id INT) ENGINE=MyISAM")
		from := b.tail()
		b.session("BEGIN", "INSERT INTO t VALUES (1, 'a'), (2, 'b')", "UPDATE t SET a = 'c'", "INSERT INTO t VALUES (3, 'd')", "COMMIT")
		b.session("INSERT INTO m VALUES (1), (2)")
		b.session("ALTER TABLE t ADD b INT FIRST")
		if mariadb {
			b.session("FLUSH BINARY LOGS")
		}
		b.session("DELETE FROM t WHERE id > 1")
		b.session("CREATE TABLE u SELECT * FROM t", "DROP TABLE t, u")
		sameFromEachEnd(b, b.read(from, b.tail()))
	})
}
