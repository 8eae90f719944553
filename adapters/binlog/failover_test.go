package binlog_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/mirror/change"
)

// A failover gives the position to a server that it is not of.
func TestAnotherServerGoesOnByGTIDs(t *testing.T) {
	onServers(t, func(t *testing.T, b *bench, _ bool) {
		b.exec("CREATE TABLE t (id INT PRIMARY KEY)")
		from := b.tail()
		b.session("INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (2)")
		b.session("XA START 'f'", "INSERT INTO t VALUES (3)", "XA END 'f'", "XA PREPARE 'f'", "XA COMMIT 'f'")
		to := b.tail()
		want := b.read(from, to)
		for _, h := range append([]happened{{next: from}}, want...) {
			if h.line != "" || h.next.File == to.File && h.next.Offset >= to.Offset {
				continue
			}
			s := b.open(change.Position{Server: "elsewhere", File: "log.000009", Offset: 1 << 40, GTIDs: h.next.GTIDs})
			if s.Server() != to.Server {
				t.Errorf("the server is %s, want %s", s.Server(), to.Server)
			}
			got, err := b.readStream(s, to)
			_ = s.Close()
			if err != nil {
				t.Fatal(err)
			}
			for i := range got {
				got[i].next.ByGTIDs = false
			}
			for _, o := range got {
				if !slices.ContainsFunc(want, func(w happened) bool { return w == o }) {
					t.Errorf("by GTIDs from %s there is %+v", h.next, o)
				}
			}
			if !slices.Equal(lines(got[len(got)-2:]), lines(want[len(want)-2:])) {
				t.Errorf("from %s got %+v", h.next, got)
			}
		}
	})
}

// Each MariaDB has its own order of what is in different domains.
func TestServersWithOtherOrdersOfDomains(t *testing.T) {
	const schema = "orders"
	var benches []*bench
	for range 2 {
		server := devstack.OwnMariaDB(t)
		b := newBench(t, server.DSN(""))
		b.exec("CREATE DATABASE "+schema, "CREATE TABLE "+schema+".t (id INT PRIMARY KEY)")
		b = newBench(t, server.DSN(schema))
		benches = append(benches, b)
	}
	a, b := benches[0], benches[1]
	write := func(b *bench, domain, sequence, id int) {
		b.session(fmt.Sprintf("SET gtid_domain_id = %d, server_id = 1, gtid_seq_no = %d", domain, sequence), fmt.Sprintf("INSERT INTO t VALUES (%d)", id))
	}
	start := a.tail()
	write(a, 0, 101, 1)
	write(a, 1, 201, 2)
	write(a, 2, 301, 3)
	onA := a.tail()
	a.want(lines(a.read(start, onA)), "insert t (id=1)", "insert t (id=2)", "insert t (id=3)")

	write(b, 1, 201, 2)
	write(b, 1, 202, 5)
	write(b, 1, 203, 6)
	write(b, 0, 101, 1)
	write(b, 1, 204, 7)
	b.session("FLUSH BINARY LOGS")
	write(b, 0, 102, 8)
	write(b, 2, 301, 3)
	for i := range 5 {
		write(b, i%3, 400+i, 10+i)
	}
	onB := b.tail()
	all := b.read(onA, onB)
	b.want(lines(all), "insert t (id=5)", "insert t (id=6)", "insert t (id=7)", "insert t (id=8)",
		"insert t (id=10)", "insert t (id=11)", "insert t (id=12)", "insert t (id=13)", "insert t (id=14)")
	for i, h := range all {
		if h.line != "" || h.next.File == onB.File && h.next.Offset == onB.Offset {
			continue
		}
		saved, err := json.Marshal(h.next)
		if err != nil {
			t.Fatal(err)
		}
		var next change.Position
		if err := json.Unmarshal(saved, &next); err != nil {
			t.Fatal(err)
		}
		s := b.open(next)
		got, err := b.readStream(s, onB)
		_ = s.Close()
		if want := lines(all[i+1:]); len(want) > 0 && (err != nil || !slices.Equal(lines(got), want)) {
			t.Errorf("from %+v got %q, %v; want %q", next, lines(got), err, want)
		}
	}
	last := all[len(all)-1].next
	if !all[1].next.ByGTIDs || last.ByGTIDs {
		t.Errorf("the first place is %+v, the last %+v", all[1].next, last)
	}
}
