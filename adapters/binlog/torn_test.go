package binlog_test

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/mirror/change"
)

// A transaction that the server was killed in is in the log up to anywhere, and did not happen.
func TestTornTransactionsAreNotGiven(t *testing.T) {
	server := devstack.OwnMariaDB(t)
	b := newBench(t, server.NewSchema(t))
	b.exec("CREATE TABLE t (id INT PRIMARY KEY, a TEXT)")
	b.session("XA START 'x'", "INSERT INTO t VALUES (1, 'x')", "XA END 'x'", "XA PREPARE 'x'")
	b.session("INSERT INTO t VALUES (0, 'first')")
	from := b.tail()
	var want []string
	id, decided := 10, false
	for _, test := range []struct {
		name      string
		lookAhead int
		cut       func(events []int64) int64
		zeros     int64 // behind the cut
	}{
		{"within an event", 4 << 20, func(events []int64) int64 { return events[4] - 7 }, 0},
		{"within an event of one that is read twice", 100, func(events []int64) int64 { return events[4] - 7 }, 0},
		{"between events", 4 << 20, func(events []int64) int64 { return events[4] }, 0},
		{"between events of one that is read twice", 100, func(events []int64) int64 { return events[4] }, 0},
		{"behind its beginning", 4 << 20, func(events []int64) int64 { return events[1] }, 0},
		{"in its beginning", 4 << 20, func(events []int64) int64 { return events[0] + 5 }, 0},
		{"with zeros at the end", 4 << 20, func(events []int64) int64 { return events[3] }, 4096},
		{"with zeros at the end of one that is read twice", 100, func(events []int64) int64 { return events[4] + 30 }, 4096},
	} {
		if test.zeros > 0 && !decided {
			// What was prepared is looked for in torn files, too.
			decided, want = true, append(want, "insert t (id=1 a=x)")
			b.want(b.since("XA COMMIT 'x'"), "insert t (id=1 a=x)")
		}
		before := b.tail()
		b.session("BEGIN", "INSERT INTO t VALUES (100, REPEAT('x', 5000))", "UPDATE t SET a = 'y' WHERE id = 100", "UPDATE t SET a = 'z' WHERE id = 100", "DELETE FROM t WHERE id = 100", "COMMIT")
		server.Kill()
		events := eventsBehind(t, server, before)
		cut := test.cut(events)
		for _, size := range []int64{cut, cut + test.zeros} {
			if err := os.Truncate(logFile(t, server, before.File), size); err != nil {
				t.Fatal(err)
			}
		}
		if err := server.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Run(test.name, func(t *testing.T) {
			b := b.in(t)
			b.source.LookAhead(test.lookAhead)
			begun := b.tail()
			if begun.File == before.File {
				t.Fatalf("the server goes on in %s", begun.File)
			}
			s := b.open(before)
			event, err := s.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if end, ok := event.(*change.End); !ok || end.Next.File != begun.File || end.Next.GTIDs != before.GTIDs {
				t.Errorf("got %T %+v, want an End behind the torn file", event, event)
			}
			b.want(b.since("INSERT INTO t VALUES ("+strconv.Itoa(id)+", 'after')"), "insert t (id="+strconv.Itoa(id)+" a=after)")
			want = append(want, "insert t (id="+strconv.Itoa(id)+" a=after)")
			id++
			all := b.read(from, b.tail())
			b.want(lines(all), want...)
			sameFromEachEnd(b, all)
		})
	}
}

// A file that ends too early, but has lost what was committed, is damaged.
func TestTornLogsWithoutCommittedTransactionsStop(t *testing.T) {
	server := devstack.OwnMariaDB(t)
	b := newBench(t, server.NewSchema(t))
	b.exec("CREATE TABLE t (id INT PRIMARY KEY)")
	before := b.tail()
	b.session("INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (2)", "FLUSH BINARY LOGS", "INSERT INTO t VALUES (3)")
	events := eventsBehind(t, server, before)
	for _, cut := range []int64{events[3] - 3, events[2]} {
		if err := os.Truncate(logFile(t, server, before.File), cut); err != nil {
			t.Fatal(err)
		}
		wantStop(t, fails(t, b.open(before)), "damaged", "banyan mirror reset")
	}
}

// logFile finds a file of a server's log.
func logFile(t *testing.T, server *devstack.Database, name string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(server.Dir, "data", name))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s is %v, %v", name, found, err)
	}
	return found[0]
}

// eventsBehind gives where the events behind a place begin.
func eventsBehind(t *testing.T, server *devstack.Database, at change.Position) []int64 {
	t.Helper()
	log, err := os.ReadFile(logFile(t, server, at.File))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(log), "\xfebin") {
		t.Fatal("that is no log")
	}
	var events []int64
	for offset := at.Offset; offset+13 < uint64(len(log)); offset += uint64(binary.LittleEndian.Uint32(log[offset+9:])) {
		events = append(events, int64(offset))
	}
	return events
}
