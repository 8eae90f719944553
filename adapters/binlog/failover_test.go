package binlog_test

import (
	"slices"
	"testing"

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
			for _, o := range got {
				if !slices.ContainsFunc(want, func(w happened) bool { return w == o }) {
					t.Errorf("by GTIDs from %s there is %+v", h.next, o)
				}
			}
			if !slices.Equal(got[len(got)-3:], want[len(want)-3:]) {
				t.Errorf("from %s got %+v", h.next, got)
			}
		}
	})
}
