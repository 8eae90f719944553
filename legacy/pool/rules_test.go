package pool_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/legacy/pool"
	"banyan.dev/banyan/strangler"
)

// Errors that a server gives for statements, each as the server gives it.
func TestErrorsOfRealStatements(t *testing.T) {
	setup := []string{
		"CREATE TABLE p (id INT PRIMARY KEY, secret_name VARCHAR(5) NOT NULL UNIQUE, n TINYINT UNSIGNED, d DATE, CONSTRAINT positive CHECK (n <> 7))",
		"CREATE TABLE c (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES p (id))",
		"CREATE TABLE l (v VARCHAR(5) CHARACTER SET latin1)",
		"INSERT INTO p VALUES (1, 'a', 1, NULL)",
		"INSERT INTO c VALUES (1, 1)",
		"CREATE TRIGGER no BEFORE DELETE ON c FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'secret rule'",
	}
	rows := []struct {
		sql    string
		args   []driver.Value
		code   codes.Code
		reason string
	}{
		{"INSERT INTO p VALUES (1, 'b', 1, NULL)", nil, codes.AlreadyExists, "ALREADY_EXISTS"},
		{"INSERT INTO p VALUES (2, ?, 1, NULL)", []driver.Value{"a"}, codes.AlreadyExists, "ALREADY_EXISTS"},
		{"DELETE FROM p WHERE id = 1", nil, codes.FailedPrecondition, "STILL_REFERENCED"},
		{"INSERT INTO c VALUES (2, 99)", nil, codes.FailedPrecondition, "REFERENCE_MISSING"},
		{"DELETE FROM c WHERE id = 1", nil, codes.FailedPrecondition, "REFUSED_BY_LEGACY"},
		{"INSERT INTO p VALUES (3, NULL, 1, NULL)", nil, codes.InvalidArgument, "VALUE_MISSING"},
		{"INSERT INTO p VALUES (3, 'c', ?, NULL)", []driver.Value{int64(300)}, codes.InvalidArgument, "VALUE_OUT_OF_RANGE"},
		{"SELECT CAST(1 AS UNSIGNED) - ?", []driver.Value{int64(5)}, codes.InvalidArgument, "VALUE_OUT_OF_RANGE"},
		{"INSERT INTO p VALUES (3, 'c', 1 / ?, NULL)", []driver.Value{int64(0)}, codes.InvalidArgument, "VALUE_OUT_OF_RANGE"},
		{"INSERT INTO p VALUES (3, ?, 1, NULL)", []driver.Value{"secrets"}, codes.InvalidArgument, "VALUE_TOO_LONG"},
		{"INSERT INTO p VALUES (3, 'c', ?, NULL)", []driver.Value{"secret"}, codes.InvalidArgument, "VALUE_NOT_STORABLE"},
		{"INSERT INTO p VALUES (3, 'c', 1, ?)", []driver.Value{"31.12.2024"}, codes.InvalidArgument, "VALUE_NOT_STORABLE"},
		{"INSERT INTO l VALUES (?)", []driver.Value{"日本"}, codes.InvalidArgument, "VALUE_NOT_STORABLE"},
		{"INSERT INTO p VALUES (3, 'c', 7, NULL)", nil, codes.InvalidArgument, "CHECK_FAILED"},
		{"SELECT 'x' REGEXP ?", []driver.Value{"("}, codes.InvalidArgument, "PATTERN_INVALID"},
		{"SELECT secret FROM p", nil, codes.Internal, "LEGACY_ERROR"},
		{"INSERT INTO p (id) VALUES (9)", nil, codes.Internal, "LEGACY_ERROR"},
	}
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			p := open(t, server, nil)
			c := acquire(t, p)
			for _, sql := range setup {
				command(t, c, sql)
			}
			for _, row := range rows {
				t.Run(row.sql, func(t *testing.T) {
					_, err := tryTable(t.Context(), c, row.sql, row.args...)
					var reply *mysql.MySQLError
					if !errors.As(err, &reply) {
						t.Fatalf("the server's own error is not kept for the log: %v", err)
					}
					e := wantCode(t, err, row.code, row.reason)
					for _, private := range []string{"secret", "positive", "INSERT"} {
						if strings.Contains(e.GRPCStatus().String(), private) {
							t.Errorf("the caller is shown %q in %q", private, e.GRPCStatus())
						}
					}
				})
			}
			if s := p.Stats(); s.Opened != 1 {
				t.Errorf("%d connections were made, want 1", s.Opened)
			}
		})
	}
}

func TestDeadlockAndLockWait(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			p := open(t, server, func(o *pool.Options) { o.DSN += "?innodb_lock_wait_timeout=1" })
			a, b := acquire(t, p), acquire(t, p)
			exec(t, a, "CREATE TABLE t (id INT PRIMARY KEY, v INT)")
			exec(t, a, "INSERT INTO t VALUES (1, 0), (2, 0)")
			begin(t, a)
			begin(t, b)
			exec(t, a, "UPDATE t SET v = 1 WHERE id = 1")
			_, err := b.Exec(t.Context(), "UPDATE t SET v = 2 WHERE id = 1", nil)
			wantCode(t, err, codes.Aborted, "CONFLICT")
			if !pool.Retryable(err) {
				t.Error("a lock wait is not retryable")
			}

			exec(t, b, "UPDATE t SET v = 2 WHERE id = 2")
			results := make(chan error, 2)
			go func() {
				_, err := a.Exec(context.Background(), "UPDATE t SET v = 1 WHERE id = 2", nil)
				results <- err
			}()
			go func() {
				_, err := b.Exec(context.Background(), "UPDATE t SET v = 2 WHERE id = 1", nil)
				results <- err
			}()
			first, second := <-results, <-results
			if first == nil {
				first, second = second, first
			}
			wantCode(t, first, codes.Aborted, "CONFLICT")
			if !pool.Retryable(first) || second != nil {
				t.Errorf("got %v and %v, want one victim", first, second)
			}
		})
	}
}

func TestStatementTimeLimitOfTheServer(t *testing.T) {
	p := open(t, &devstack.MariaDB(t).Server, func(o *pool.Options) { o.DSN += "?max_statement_time=0.05" })
	c := acquire(t, p)
	_, err := tryTable(t.Context(), c, "SELECT COUNT(*) FROM seq_1_to_10000000 a JOIN seq_1_to_1000 b WHERE a.seq % 7 = b.seq % 5")
	wantCode(t, err, codes.DeadlineExceeded, "STATEMENT_STOPPED")
}

func TestDenied(t *testing.T) {
	server := devstack.OwnMariaDB(t)
	admin := open(t, &server.Server, nil)
	a := acquire(t, admin)
	schema := table(t, a, "SELECT DATABASE()")[0][0]
	exec(t, a, "CREATE TABLE t (id INT PRIMARY KEY, hidden INT)")
	exec(t, a, "CREATE USER poor@'%' IDENTIFIED BY 'pw'")
	exec(t, a, "GRANT SELECT (id) ON t TO poor@'%'")
	connect := func(password string) (*pool.Pool, error) {
		p, err := pool.Open(pool.Options{DSN: fmt.Sprintf("poor:%s@tcp(127.0.0.1:%d)/%v", password, server.Port, schema)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Close)
		return p, p.Ping(t.Context())
	}
	_, err := connect("wrong-secret")
	if e := wantCode(t, err, codes.Internal, "LEGACY_ACCESS_DENIED"); strings.Contains(e.Error(), "wrong-secret") {
		t.Errorf("the password is in %v", e)
	}
	p, err := connect("pw")
	if err != nil {
		t.Fatal(err)
	}
	c := acquire(t, p)
	for _, sql := range []string{"SELECT hidden FROM t", "DELETE FROM t", "SELECT * FROM mysql.global_priv"} {
		_, err := tryTable(t.Context(), c, sql)
		wantCode(t, err, codes.Internal, "LEGACY_ACCESS_DENIED")
	}
	if err := a.Command(t.Context(), "SET GLOBAL read_only = 1"); err != nil {
		t.Fatal(err)
	}
	exec(t, a, "GRANT INSERT ON t TO poor@'%'")
	_, err = c.Exec(t.Context(), "INSERT INTO t VALUES (1, 1)", nil)
	wantCode(t, err, codes.Unavailable, "LEGACY_READ_ONLY")
	opened := p.Stats().Opened
	c.Release()
	acquire(t, p)
	if p.Stats().Opened == opened {
		t.Error("the connection to a server that has become read-only was kept")
	}
}

// What a test's server can't be made to say, and what is not a server's.
func TestTranslate(t *testing.T) {
	number := func(n uint16) error {
		return fmt.Errorf("run: %w", &mysql.MySQLError{Number: n, Message: "secret"})
	}
	for _, c := range []struct {
		err    error
		code   codes.Code
		reason string
		retry  bool
	}{
		{number(1040), codes.ResourceExhausted, "LEGACY_EXHAUSTED", true},
		{number(1203), codes.ResourceExhausted, "LEGACY_EXHAUSTED", true},
		{number(1226), codes.ResourceExhausted, "LEGACY_EXHAUSTED", true},
		{number(1461), codes.ResourceExhausted, "LEGACY_EXHAUSTED", true},
		{number(1836), codes.Unavailable, "LEGACY_READ_ONLY", true},
		{number(1053), codes.Unavailable, "LEGACY_UNAVAILABLE", true},
		{number(2006), codes.Unavailable, "LEGACY_UNAVAILABLE", true},
		{number(2013), codes.Unavailable, "LEGACY_UNAVAILABLE", true},
		{number(1927), codes.Unavailable, "LEGACY_UNAVAILABLE", true},
		{number(1317), codes.DeadlineExceeded, "STATEMENT_STOPPED", false},
		{number(3024), codes.DeadlineExceeded, "STATEMENT_STOPPED", false},
		{number(1615), codes.Aborted, "SCHEMA_CHANGED", true},
		{number(1412), codes.Aborted, "SCHEMA_CHANGED", true},
		{number(1020), codes.Aborted, "CONFLICT", true},
		{number(1153), codes.InvalidArgument, "VALUE_TOO_LARGE", false},
		{number(9999), codes.Internal, "LEGACY_ERROR", false},
		{driver.ErrBadConn, codes.Unavailable, "LEGACY_UNAVAILABLE", true},
		{fmt.Errorf("x: %w", mysql.ErrInvalidConn), codes.Unavailable, "LEGACY_UNAVAILABLE", true},
		{io.ErrUnexpectedEOF, codes.Unavailable, "LEGACY_UNAVAILABLE", true},
		{&net.OpError{Op: "read", Err: errors.New("reset")}, codes.Unavailable, "LEGACY_UNAVAILABLE", true},
		{mysql.ErrPktTooLarge, codes.InvalidArgument, "VALUE_TOO_LARGE", false},
		{context.DeadlineExceeded, codes.DeadlineExceeded, "DEADLINE_EXCEEDED", false},
		{fmt.Errorf("x: %w", context.Canceled), codes.Canceled, "CANCELLED", false},
		{errors.New("secret"), codes.Internal, "INTERNAL", false},
		{fmt.Errorf("x: %w", strangler.Fail(codes.NotFound, "MINE", "m")), codes.NotFound, "MINE", false},
	} {
		t.Run(c.err.Error(), func(t *testing.T) {
			e := pool.Translate(c.err)
			wantCode(t, e, c.code, c.reason)
			if strings.Contains(e.GRPCStatus().String(), "secret") {
				t.Errorf("the caller is shown %q", e.GRPCStatus())
			}
			if (e.RetryAfter > 0) != c.retry {
				t.Errorf("the hint to try again is %v", e.RetryAfter)
			}
		})
	}
	if pool.Translate(nil) != nil {
		t.Error("nil became an error")
	}
}
