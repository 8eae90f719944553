package pool_test

import (
	"strings"
	"testing"

	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/legacy/pool"
)

// Who is frozen in a transaction doesn't keep others from its rows for ever.
func TestAnIdleWriteTransactionGivesItsRowsUp(t *testing.T) {
	server := &devstack.MariaDB(t).Server
	p := open(t, server, nil)
	c := acquire(t, p)
	if got := table(t, c, "SELECT @@idle_write_transaction_timeout")[0][0]; got != int64(10) {
		t.Errorf("a session may sit in a write transaction for %v s", got)
	}
	exec(t, c, "CREATE TABLE t (id INT PRIMARY KEY, n INT NOT NULL) ENGINE=InnoDB")
	exec(t, c, "INSERT INTO t VALUES (1, 0)")
	schema := table(t, c, "SELECT DATABASE()")[0][0]
	c.Release()

	frozen := open(t, server, func(o *pool.Options) {
		before, _, _ := strings.Cut(o.DSN, "/")
		o.DSN = before + "/" + text(schema) + "?idle_write_transaction_timeout=1"
	})
	f := acquire(t, frozen)
	begin(t, f)
	exec(t, f, "UPDATE t SET n = 1 WHERE id = 1")
	c = acquire(t, p)
	defer c.Release()
	exec(t, c, "UPDATE t SET n = n + 2 WHERE id = 1") // waits until the server has ended the other
	if got := table(t, c, "SELECT n FROM t")[0][0]; got != int64(2) {
		t.Errorf("the row has %v", got)
	}
	if err := f.Commit(t.Context()); err == nil {
		t.Error("what the server has ended is committed")
	}
	f.Release()
}

func text(v any) string {
	if b, ok := v.([]byte); ok {
		return string(b)
	}
	s, _ := v.(string)
	return s
}
