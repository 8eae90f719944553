package pool

import (
	"context"
	"database/sql/driver"
	"errors"
	"log/slog"
	"testing"

	"github.com/go-sql-driver/mysql"
	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/strangler"
)

// faulty answers the first runs of a statement with an error, as a server does that can't be made to at will.
type faulty struct {
	prepared
	err  error
	left int
}

func (f *faulty) Query(args []driver.Value) (driver.Rows, error) {
	if f.left--; f.left >= 0 {
		return nil, f.err
	}
	return f.prepared.Query(args)
}

// fullWire refuses the first statements to be prepared.
type fullWire struct {
	wire
	left int
}

func (f *fullWire) Prepare(query string) (driver.Stmt, error) {
	if f.left--; f.left >= 0 {
		return nil, &mysql.MySQLError{Number: errTooManyStatements}
	}
	return f.wire.Prepare(query)
}

func lend(t *testing.T) *Conn {
	t.Helper()
	p, err := Open(Options{DSN: devstack.MariaDB(t).NewSchema(t), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	c, err := p.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Release)
	return c
}

func TestStatementThatTheServerForgot(t *testing.T) {
	for _, number := range []uint16{errNeedReprepare, errUnknownStatement} {
		c := lend(t)
		if err := c.Command(t.Context(), "START TRANSACTION"); err != nil { // it has not run, so that this is no hindrance
			t.Fatal(err)
		}
		const sql = "SELECT 1"
		st, err := c.session.statements.get(sql)
		if err != nil {
			t.Fatal(err)
		}
		st.prepared = &faulty{prepared: st.prepared, err: &mysql.MySQLError{Number: number}, left: 1}
		rows, err := c.Query(t.Context(), sql, nil)
		if err != nil {
			t.Fatalf("%d: %v", number, err)
		}
		if err := rows.Close(); err != nil {
			t.Error(err)
		}
		if again, err := c.session.statements.get(sql); err != nil || again == st {
			t.Errorf("%d: the statement was not prepared anew (%v)", number, err)
		}
	}
}

func TestServerWithTooManyStatements(t *testing.T) {
	c := lend(t)
	statements := c.session.statements
	for _, sql := range []string{"SELECT 1", "SELECT 2", "SELECT 3"} {
		if err := c.Prepare(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	full := &fullWire{wire: statements.wire, left: 1}
	statements.wire = full
	if err := c.Prepare(t.Context(), "SELECT 4"); err != nil {
		t.Fatal(err)
	}
	if n := len(statements.bySQL); n != 1 {
		t.Errorf("%d statements are kept, want those of before given up", n)
	}
	full.left = 2
	err := c.Prepare(t.Context(), "SELECT 5")
	var e *strangler.Error
	if !errors.As(err, &e) || e.Code != codes.ResourceExhausted {
		t.Errorf("got %v", err)
	}
}

// A write whose bytes never left is run again on another connection, unless a transaction is open.
func TestBadConnectionBeforeSending(t *testing.T) {
	for _, tx := range []bool{false, true} {
		c := lend(t)
		if tx {
			if err := c.Command(t.Context(), "START TRANSACTION"); err != nil {
				t.Fatal(err)
			}
		}
		first := c.session
		const sql = "SELECT CONNECTION_ID()"
		st, err := first.statements.get(sql)
		if err != nil {
			t.Fatal(err)
		}
		st.prepared = &faulty{prepared: st.prepared, err: driver.ErrBadConn, left: 1}
		rows, err := c.Query(t.Context(), sql, nil)
		switch {
		case tx && (err == nil || c.session != first || !c.lost):
			t.Errorf("within a transaction: %v", err)
		case !tx && (err != nil || c.session == first):
			t.Errorf("without a transaction: %v", err)
		}
		if rows != nil {
			if err := rows.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestKillerLeavesOthersAlone(t *testing.T) {
	c := lend(t)
	ctx := context.Background()
	own := startKiller(c.pool.dialer, c.pool.options.ConnectTimeout, c.pool.log)
	own.close() // its worker is gone: what follows is this goroutine's
	defer own.disconnect()
	if err := own.try(ctx, 1<<40); err != nil { // no such connection yet: another server's
		t.Error(err)
	}
	other := lend(t)
	id := other.session.id
	if err := own.try(ctx, id); err != nil { // younger than the killer's connection
		t.Error(err)
	}
	if err := other.ping(ctx); err != nil || other.session.id == id { // served by another
		t.Errorf("a connection younger than the killer's was not ended (%v)", err)
	}
	if err := own.try(ctx, id); err != nil {
		t.Errorf("ending what has ended: %v", err)
	}
	before := c.session.id
	if err := c.ping(ctx); err != nil || c.session.id != before {
		t.Errorf("a connection that nobody gave up was ended: %v", err)
	}
}

func FuzzFirstWord(f *testing.F) {
	for _, sql := range []string{"SELECT 1", "/* a */ -- b\n # c\n (select 1)", "/*! SET */ x", "/*", "--", ";;commit"} {
		f.Add(sql)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		word := firstWord(sql)
		if again := firstWord(word); again != word {
			t.Errorf("%q gives %q, which gives %q", sql, word, again)
		}
	})
}
