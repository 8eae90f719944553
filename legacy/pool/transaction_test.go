package pool_test

import (
	"bytes"
	"context"
	"database/sql/driver"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/go-sql-driver/mysql"
	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/legacy/pool"
)

// through gives a pool whose connections go through a relay, and another that doesn't, both on the same schema.
func through(t *testing.T, hook func([]byte) verdict, change func(*pool.Options)) (relayed, direct *pool.Pool) {
	t.Helper()
	dsn := devstack.MariaDB(t).NewSchema(t)
	config, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	r := startRelay(t, config.Addr, hook)
	config.Addr = r.addr()
	for i, dsn := range []string{config.FormatDSN(), dsn} {
		options := pool.Options{DSN: dsn}
		quiet(&options)
		if i == 0 && change != nil {
			change(&options)
		}
		p, err := pool.Open(options)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Close)
		relayed, direct = direct, p
	}
	return relayed, direct
}

func begin(t testing.TB, c *pool.Conn) {
	t.Helper()
	if err := c.Command(t.Context(), "START TRANSACTION"); err != nil {
		t.Fatal(err)
	}
}

func count(t testing.TB, p *pool.Pool) any {
	t.Helper()
	c := acquire(t, p)
	defer c.Release()
	return table(t, c, "SELECT COUNT(*) FROM t")[0][0]
}

func TestCommitLostIsUnknown(t *testing.T) {
	for name, c := range map[string]struct {
		what verdict
		rows int64
	}{"before the server had it": {cutBefore, 0}, "after the server had it": {cutAfter, 1}} {
		t.Run(name, func(t *testing.T) {
			leaks(t)
			p, direct := through(t, func(data []byte) verdict {
				if bytes.Contains(data, []byte("COMMIT")) {
					return c.what
				}
				return pass
			}, nil)
			conn := acquire(t, p)
			exec(t, conn, "CREATE TABLE t (id INT PRIMARY KEY)")
			begin(t, conn)
			exec(t, conn, "INSERT INTO t VALUES (1)")
			if e := wantCode(t, conn.Commit(t.Context()), codes.Unavailable, "COMMIT_OUTCOME_UNKNOWN"); e.RetryAfter != 0 {
				t.Error("a commit of unknown outcome asks to be repeated")
			}
			conn.Release()
			conn = acquire(t, p)
			if err := conn.Command(t.Context(), "START TRANSACTION READ ONLY"); err != nil {
				t.Fatal(err)
			}
			table(t, conn, "SELECT COUNT(*) FROM t")
			wantCode(t, conn.Commit(t.Context()), codes.Unavailable, "LEGACY_UNAVAILABLE") // nothing to be unsure of
			conn.Release()
			eventually(t, func() error {
				if got := count(t, direct); got != c.rows {
					return fmt.Errorf("%v rows, want %d", got, c.rows)
				}
				return nil
			})
		})
	}
}

func TestCommitOutlivesItsCaller(t *testing.T) {
	leaks(t)
	ctx, cancel := context.WithCancel(t.Context())
	p, direct := through(t, func(data []byte) verdict {
		if bytes.Contains(data, []byte("COMMIT")) {
			cancel()
		}
		return pass
	}, nil)
	c := acquire(t, p)
	exec(t, c, "CREATE TABLE t (id INT PRIMARY KEY)")
	begin(t, c)
	exec(t, c, "INSERT INTO t VALUES (1)")
	if err := c.Commit(ctx); err != nil {
		t.Fatalf("a commit was cut by its caller: %v", err)
	}
	if ctx.Err() == nil {
		t.Fatal("the context did not end within the commit")
	}
	if got := count(t, direct); got != int64(1) {
		t.Errorf("%v rows, want 1", got)
	}
	// The connection is fit for more.
	if err := c.Command(t.Context(), "START TRANSACTION"); err != nil {
		t.Error(err)
	}
}

func TestCommitGraceEnds(t *testing.T) {
	leaks(t)
	held := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	p, _ := through(t, func(data []byte) verdict {
		if bytes.Contains(data, []byte("COMMIT")) {
			cancel()
			<-held
		}
		return pass
	}, func(o *pool.Options) { o.CommitGrace = 1 })
	t.Cleanup(func() { close(held) })
	c := acquire(t, p)
	exec(t, c, "CREATE TABLE t (id INT PRIMARY KEY)")
	begin(t, c)
	exec(t, c, "INSERT INTO t VALUES (1)")
	wantCode(t, c.Commit(ctx), codes.Unavailable, "COMMIT_OUTCOME_UNKNOWN")
}

func TestCommitOfOneWhoHasGoneIsNotBegun(t *testing.T) {
	p := open(t, &devstack.MariaDB(t).Server, quiet)
	c := acquire(t, p)
	exec(t, c, "CREATE TABLE t (id INT PRIMARY KEY)")
	begin(t, c)
	exec(t, c, "INSERT INTO t VALUES (1)")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantCode(t, c.Commit(ctx), codes.Canceled, "CANCELLED")
	c.Release()
	if got := count(t, p); got != int64(0) {
		t.Errorf("%v rows, want none", got)
	}
}

func TestReleaseRollsBack(t *testing.T) {
	p := open(t, &devstack.MariaDB(t).Server, func(o *pool.Options) { o.MaxOpen = 1 })
	c := acquire(t, p)
	exec(t, c, "CREATE TABLE t (id INT PRIMARY KEY)")
	exec(t, c, "CREATE PROCEDURE opens() BEGIN START TRANSACTION; INSERT INTO t VALUES (2); END")
	begin(t, c)
	exec(t, c, "INSERT INTO t VALUES (1)")
	c.Release()
	if got := count(t, p); got != int64(0) {
		t.Errorf("%v rows are left of an open transaction", got)
	}
	c = acquire(t, p)
	exec(t, c, "CALL opens()")
	c.Release()
	if got := count(t, p); got != int64(0) {
		t.Errorf("%v rows are left of a transaction that a procedure opened", got)
	}
	c = acquire(t, p)
	begin(t, c)
	exec(t, c, "INSERT INTO t VALUES (3)")
	if err := c.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	begin(t, c)
	exec(t, c, "INSERT INTO t VALUES (4)")
	if err := c.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.Release()
	if got := count(t, p); got != int64(1) {
		t.Errorf("%v rows, want the committed one", got)
	}
	if s := p.Stats(); s.Opened != 1 {
		t.Errorf("%d connections were made, want 1", s.Opened)
	}
}

func TestReleaseWithAnOpenResult(t *testing.T) {
	leaks(t)
	p := open(t, &devstack.MariaDB(t).Server, func(o *pool.Options) { quiet(o); o.MaxOpen = 1 })
	for rows, opened := range map[int]uint64{10: 0, 1_000_000: 1} {
		before := p.Stats().Opened
		c := acquire(t, p)
		made := p.Stats().Opened - before
		if _, err := c.Query(t.Context(), fmt.Sprintf("SELECT seq, REPEAT('x', 100) FROM seq_1_to_%d", rows), nil); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Query(t.Context(), "SELECT 1", nil); err == nil {
			t.Fatal("a second result was opened beside the first")
		}
		c.Release()
		c.Release()
		next := acquire(t, p)
		if got := table(t, next, "SELECT 7")[0][0]; got != int64(7) {
			t.Errorf("after %d rows the next caller read %v", rows, got)
		}
		next.Release()
		if got := p.Stats().Opened - before - made; got != opened {
			t.Errorf("after %d unread rows %d connections were made, want %d", rows, got, opened)
		}
	}
	if _, err := (&pool.Conn{}).Query(t.Context(), "SELECT 1", nil); err == nil {
		t.Error("a connection that nobody lent ran a statement")
	}
}

func TestDiscard(t *testing.T) {
	leaks(t)
	p := open(t, &devstack.MariaDB(t).Server, quiet)
	c := acquire(t, p)
	if _, err := c.Query(t.Context(), "SELECT seq FROM seq_1_to_1000000", nil); err != nil {
		t.Fatal(err)
	}
	c.Discard()
	c.Discard()
	c = acquire(t, p)
	c.Discard()
	if s := p.Stats(); s.Open != 0 {
		t.Errorf("got %+v, want no connection", s)
	}
}

// A statement is run again only where it has not run: when nothing was sent, and no transaction is open.
func TestLostConnections(t *testing.T) {
	leaks(t)
	var cut atomic.Bool
	p, direct := through(t, func(data []byte) verdict {
		if bytes.Contains(data, []byte("marked")) && cut.CompareAndSwap(true, false) {
			return cutAfter
		}
		return pass
	}, nil)
	c := acquire(t, p)
	exec(t, c, "CREATE TABLE t (id INT, note VARCHAR(10))")

	// Sent and lost: told, not repeated, though the server has run it.
	const insert = "INSERT INTO t VALUES (?, ?)"
	exec(t, c, insert, int64(0), "prepared")
	cut.Store(true)
	_, err := c.Exec(t.Context(), insert, []driver.Value{int64(1), "marked"})
	wantCode(t, err, codes.Unavailable, "LEGACY_UNAVAILABLE")
	c.Release()
	eventually(t, func() error {
		if got := count(t, direct); got != int64(2) {
			return fmt.Errorf("%v rows, want 2", got)
		}
		return nil
	})

	// Lost while being prepared, or at START TRANSACTION: repeated elsewhere.
	c = acquire(t, p)
	cut.Store(true)
	exec(t, c, "INSERT INTO t VALUES (2, 'x') /* marked */")
	cut.Store(true)
	if err := c.Command(t.Context(), "START TRANSACTION /* marked */"); err != nil {
		t.Error(err)
	}
	exec(t, c, insert, int64(3), "x")

	// Within a transaction nothing is repeated.
	cut.Store(true)
	_, err = c.Exec(t.Context(), "INSERT INTO t VALUES (4, 'x') /* marked */", nil)
	wantCode(t, err, codes.Unavailable, "LEGACY_UNAVAILABLE")
	c.Release()
	eventually(t, func() error {
		if got := count(t, direct); got != int64(3) {
			return fmt.Errorf("%v rows, want 3", got)
		}
		return nil
	})
}
