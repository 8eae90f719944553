package pool_test

import (
	"context"
	"database/sql/driver"
	"fmt"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/legacy/pool"
)

// running tells whether a statement with the mark runs in the server.
func running(t testing.TB, c *pool.Conn, mark string) bool {
	t.Helper()
	return len(table(t, c, "SELECT id FROM information_schema.processlist WHERE info LIKE ? AND id <> CONNECTION_ID()", "%"+mark+"%")) > 0
}

func TestContextEndsTheStatementInTheServer(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		for name, c := range map[string]struct {
			sql    string
			cancel bool
			code   codes.Code
			reason string
		}{
			"sleep, deadline":  {"SELECT SLEEP(60) /* mark */", false, codes.DeadlineExceeded, "DEADLINE_EXCEEDED"},
			"sleep, cancelled": {"SELECT SLEEP(60) /* mark */", true, codes.Canceled, "CANCELLED"},
			"busy, deadline":   {"SELECT BENCHMARK(1000000000000, SHA2('x', 512)) /* mark */", false, codes.DeadlineExceeded, "DEADLINE_EXCEEDED"},
		} {
			t.Run(server.Name+"/"+name, func(t *testing.T) {
				leaks(t)
				p := open(t, server, quiet)
				watcher := acquire(t, p)
				victim := acquire(t, p)
				ctx, cancel := context.WithCancel(t.Context())
				if !c.cancel {
					ctx, cancel = context.WithTimeout(t.Context(), 300*time.Millisecond)
				}
				defer cancel()
				if c.cancel {
					go func() {
						defer cancel()
						other, err := p.Acquire(context.Background())
						if err != nil {
							t.Error(err)
							return
						}
						defer other.Release()
						for !running(t, other, "mark") {
							if ctx.Err() != nil {
								return
							}
						}
					}()
				}
				start := time.Now()
				_, err := tryTable(ctx, victim, c.sql)
				took := time.Since(start)
				wantCode(t, err, c.code, c.reason)
				if took > 5*time.Second {
					t.Errorf("the caller waited %v", took)
				}
				victim.Release()
				eventually(t, func() error {
					if running(t, watcher, "mark") {
						return fmt.Errorf("the statement runs on")
					}
					if s := p.Stats(); s.Killed != 1 || s.KillFailed != 0 {
						return fmt.Errorf("%d killed, %d not", s.Killed, s.KillFailed)
					}
					return nil
				})
				cancel()
				eventually(t, func() error {
					if s := p.Stats(); s.InUse != 1 {
						return fmt.Errorf("%d connections in use, want the watcher's", s.InUse)
					}
					return nil
				})
			})
		}
	}
}

func TestCancelWhileRowsAreRead(t *testing.T) {
	leaks(t)
	p := open(t, &devstack.MariaDB(t).Server, quiet)
	watcher := acquire(t, p)
	c := acquire(t, p)
	ctx, cancel := context.WithCancel(t.Context())
	rows, err := c.Query(ctx, "SELECT a.seq, REPEAT('x', 1000) /* mark */ FROM seq_1_to_1000000 a", nil)
	if err != nil {
		t.Fatal(err)
	}
	dest := make([]driver.Value, 2)
	for range 10 {
		if err := rows.Next(dest); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	for err == nil {
		err = rows.Next(dest)
	}
	wantCode(t, err, codes.Canceled, "CANCELLED")
	if again := rows.Next(dest); again == nil {
		t.Error("a result that was cut gave another row")
	}
	_, err = c.Query(t.Context(), "SELECT 1", nil)
	wantCode(t, err, codes.Unavailable, "LEGACY_UNAVAILABLE")
	c.Release()
	eventually(t, func() error {
		if running(t, watcher, "mark") {
			return fmt.Errorf("the statement runs on")
		}
		return nil
	})
}

func TestCancelRollsBack(t *testing.T) {
	leaks(t)
	p := open(t, &devstack.MariaDB(t).Server, quiet)
	c := acquire(t, p)
	exec(t, c, "CREATE TABLE t (id INT PRIMARY KEY, v INT NOT NULL)")
	exec(t, c, "INSERT INTO t VALUES (1, 0)")
	if err := c.Command(t.Context(), "START TRANSACTION"); err != nil {
		t.Fatal(err)
	}
	exec(t, c, "UPDATE t SET v = 1 WHERE id = 1")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := c.Exec(ctx, "UPDATE t SET v = 2 + SLEEP(60) WHERE id = 1", nil)
	wantCode(t, err, codes.DeadlineExceeded, "DEADLINE_EXCEEDED")
	c.Release()

	other := acquire(t, p)
	if r := exec(t, other, "UPDATE t SET v = v + 10 WHERE id = 1"); r.RowsMatched != 1 { // waits for the lock to go
		t.Errorf("matched %d rows", r.RowsMatched)
	}
	if got := table(t, other, "SELECT v FROM t")[0][0]; got != int64(10) {
		t.Errorf("v is %v, want 10: the cancelled transaction's changes must be gone", got)
	}
}

func TestEndedContextSendsNothing(t *testing.T) {
	p := open(t, &devstack.MariaDB(t).Server, quiet)
	c := acquire(t, p)
	exec(t, c, "CREATE TABLE t (id INT PRIMARY KEY)")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := c.Exec(ctx, "INSERT INTO t VALUES (1)", nil)
	wantCode(t, err, codes.Canceled, "CANCELLED")
	if got := table(t, c, "SELECT id FROM t"); len(got) != 0 {
		t.Errorf("got %v, want no row", got)
	}
	if s := p.Stats(); s.Opened != 1 || s.Killed != 0 {
		t.Errorf("the connection was given up: %+v", s)
	}
}

// A context that ends after its statement must not touch what runs on the same connection later.
func TestLateEndOfAnOldContext(t *testing.T) {
	p := open(t, &devstack.MariaDB(t).Server, func(o *pool.Options) { quiet(o); o.MaxOpen = 1 })
	for range 300 {
		ctx, cancel := context.WithCancel(t.Context())
		c, err := p.Acquire(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tryTable(ctx, c, "SELECT 1"); err != nil {
			t.Fatal(err)
		}
		go cancel()
		if _, err := tryTable(t.Context(), c, "SELECT 2"); err != nil {
			t.Fatal(err)
		}
		c.Release()
		cancel()
	}
	if s := p.Stats(); s.Opened != 1 || s.Killed != 0 {
		t.Errorf("connections were lost: %+v", s)
	}
}
