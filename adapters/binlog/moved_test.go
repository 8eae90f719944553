package binlog_test

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/go-sql-driver/mysql"

	"banyan.dev/banyan/adapters/binlog"
	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/mirror/change"
)

// An address that a failover moves may lead one connection here and the next one there.
func TestConnectionsToTwoServersAreRefused(t *testing.T) {
	a, b := newBench(t, devstack.MariaDB(t).NewSchema(t)), newBench(t, devstack.OwnMariaDB(t).DSN(""))
	for _, server := range []*bench{a, b} {
		server.exec("CREATE USER mover@127.0.0.1 IDENTIFIED BY 'x'", "GRANT ALL ON *.* TO mover@127.0.0.1")
	}
	t.Cleanup(func() { a.exec("DROP USER mover@127.0.0.1") })
	config, err := mysql.ParseDSN(b.dsn)
	if err != nil {
		t.Fatal(err)
	}
	mine, err := mysql.ParseDSN(a.dsn)
	if err != nil {
		t.Fatal(err)
	}
	mine.User, mine.Passwd, mine.DBName = "mover", "x", ""
	var left atomic.Int64 // connections before the address moves
	source, err := binlog.New(binlog.Options{
		DSN: mine.FormatDSN(), Scope: func(schema, _ string) bool { return schema == a.schema },
		Dialer: func(ctx context.Context, network, address string) (net.Conn, error) {
			if left.Add(-1) < 0 {
				address = config.Addr
			}
			return (&net.Dialer{}).DialContext(ctx, network, address)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	a.exec("CREATE TABLE t (id INT PRIMARY KEY, a TEXT)")
	from := a.tail()
	a.session("INSERT INTO t VALUES (1, REPEAT('x', 5000))")
	moved := func(err error) {
		t.Helper()
		if err == nil || change.Stops(err) != nil || !strings.Contains(err.Error(), "another server") {
			t.Errorf("got %v, want that the address moved", err)
		}
	}
	left.Store(1)
	s, err := source.Open(t.Context(), from)
	if err == nil {
		_ = s.Close()
	}
	moved(err)
	// The log is read twice.
	source.LookAhead(100)
	left.Store(3)
	if s, err = source.Open(t.Context(), from); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	left.Store(0)
	moved(fails(t, s))
}
