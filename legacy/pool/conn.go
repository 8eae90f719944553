package pool

import (
	"context"
	"database/sql/driver"
	"errors"
	"time"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/strangler"
)

// Conn is a connection lent to one operation. It is not safe for concurrent use. Release gives it back and must be called;
// afterwards every method fails, and Release and Discard do nothing.
//
// When a context ends while its statement runs, or while its rows are read, the caller gets his error at once, the
// statement is ended in the server, and the connection is lost. Errors are *strangler.Error.
type Conn struct {
	pool    *Pool
	session *session
	// rows is the result that is being read.
	rows *Rows
	// lost says that the connection is of no more use.
	lost bool
}

// Result is what a statement without rows says.
type Result struct {
	// LastInsertID is the AUTO_INCREMENT value given, or what LAST_INSERT_ID(expr) was told; 0 when neither.
	LastInsertID int64
	// RowsMatched counts rows found, whether or not they changed.
	RowsMatched int64
}

// Query runs a statement that gives rows. They must be read to the end or closed before the next statement. args are
// int64, uint64, float64, bool, string, []byte or nil; they can be used again once Query has returned.
func (c *Conn) Query(ctx context.Context, sql string, args []driver.Value) (*Rows, error) {
	for attempt := 0; ; attempt++ {
		st, err := c.begin(ctx, sql, args)
		if err == nil {
			var result driver.Rows
			if result, err = st.prepared.Query(args); err == nil {
				c.rows = newRows(c, st, result)
				return c.rows, nil
			}
		}
		if again, err := c.failed(ctx, sql, err, attempt); !again {
			return nil, err
		}
	}
}

// Show is Query for what servers do not prepare, such as XA RECOVER of MariaDB 10.5: it runs the statement as text. It is not for
// statements that change anything.
func (c *Conn) Show(ctx context.Context, sql string) (*Rows, error) {
	for attempt := 0; ; attempt++ {
		err := c.enter(ctx, 0)
		if err == nil {
			var result driver.Rows
			if result, err = c.session.wire.Query(sql, nil); err == nil {
				c.rows = newRows(c, &statement{}, result)
				return c.rows, nil
			}
		}
		if again, err := c.failed(ctx, sql, err, attempt); !again {
			return nil, err
		}
	}
}

// Exec runs a statement and drops rows that it gives. args are as Query's.
func (c *Conn) Exec(ctx context.Context, sql string, args []driver.Value) (Result, error) {
	for attempt := 0; ; attempt++ {
		st, err := c.begin(ctx, sql, args)
		if err == nil {
			var result driver.Result
			if result, err = st.prepared.Exec(args); err == nil {
				c.leave()
				id, _ := result.LastInsertId() // this driver's results have no errors
				n, _ := result.RowsAffected()
				return Result{LastInsertID: id, RowsMatched: n}, nil
			}
		}
		if again, err := c.failed(ctx, sql, err, attempt); !again {
			return Result{}, err
		}
	}
}

// Prepare learns whether the server accepts a statement, and keeps it prepared.
func (c *Conn) Prepare(ctx context.Context, sql string) error {
	for attempt := 0; ; attempt++ {
		err := c.enter(ctx, 0)
		if err == nil {
			if _, err = c.session.statements.get(sql); err == nil {
				c.leave()
				return nil
			}
		}
		if again, err := c.failed(ctx, sql, err, attempt); !again {
			return err
		}
	}
}

func (c *Conn) ping(ctx context.Context) error {
	for attempt := 0; ; attempt++ {
		err := c.enter(ctx, 0)
		if err == nil {
			if err = c.session.wire.Ping(context.Background()); err == nil { // the watch stops it
				c.leave()
				return nil
			}
			if connectionLost(err) {
				err = errors.Join(driver.ErrBadConn, err)
			}
		}
		if again, err := c.failed(ctx, "", err, attempt); !again {
			return err
		}
	}
}

// Release gives the connection back. An unfinished result is closed, an open transaction rolled back; where that can't be
// done soon, the connection is given up.
func (c *Conn) Release() {
	s := c.session
	if s == nil {
		return
	}
	if c.rows != nil {
		_ = c.rows.Close() // what failed has marked the connection lost
	}
	s.watch.stop()
	if !c.lost && !s.retire && (s.tx || s.unsure) {
		if err := s.rollback(rollbackLimit); err != nil {
			c.pool.log.Warn("an open transaction could not be rolled back; its connection is closed, which ends it", "error", err)
			c.lost = true
		}
	}
	c.session = nil
	if c.lost || s.retire || !s.wire.IsValid() {
		c.pool.discard(s)
		return
	}
	c.pool.put(s)
}

// A connection that can't roll back within this time is given up; the server then rolls back by itself.
const rollbackLimit = time.Second

// Discard gives the connection up: it is closed and never used again. The server ends what ran on it.
func (c *Conn) Discard() {
	if c.session != nil && c.rows != nil {
		c.rows.abandon()
	}
	c.lost = true
	c.Release()
}

// begin enters, checks the arguments and finds the statement.
func (c *Conn) begin(ctx context.Context, sql string, args []driver.Value) (*statement, error) {
	if err := c.enter(ctx, 0); err != nil {
		return nil, err
	}
	if err := checkArguments(args, c.session.maxPacket); err != nil {
		c.leave()
		return nil, err
	}
	st, err := c.session.statements.get(sql)
	if err != nil {
		return nil, err
	}
	c.session.unsure = c.session.unsure || st.unsure
	return st, nil
}

// enter starts to watch ctx, whose end stops the statement after grace.
func (c *Conn) enter(ctx context.Context, grace time.Duration) error {
	switch {
	case c.session == nil:
		return misuse("a statement on a connection that was given back")
	case c.rows != nil:
		return misuse("a statement while a result is open")
	case ctx.Err() != nil:
		return Translate(ctx.Err())
	case c.lost:
		return unavailable("the connection to the legacy database was lost; try again")
	}
	c.session.watch.start(ctx, grace)
	return nil
}

// leave ends the watched time of a statement that has come to its end. When the context ended just now, the connection
// was cut all the same; the statement's success stands.
func (c *Conn) leave() {
	if c.session.watch.leave() != nil {
		c.lost = true
	}
}

// abandon cuts the connection and ends what runs on it.
func (c *Conn) abandon() {
	c.lost = true
	if c.session.watch.leave() == nil {
		abort(c.session, c.pool.killer)
	}
}

// failed decides what becomes of a statement that failed: it is run again where it is certain that it has not run, else
// err is what the caller is told.
func (c *Conn) failed(ctx context.Context, sql string, err error, attempt int) (again bool, told error) {
	var known *strangler.Error
	if errors.As(err, &known) { // refused here, before anything was sent
		return false, err
	}
	if ended := c.session.watch.leave(); ended != nil {
		c.lost = true
		return false, ctxError(ended, err)
	}
	c.assess(err)
	if attempt > 0 {
		return false, c.told(err)
	}
	switch {
	case errors.Is(err, driver.ErrBadConn) && !c.session.tx:
		return c.renew(ctx)
	case c.lost:
	case isNumber(err, errNeedReprepare, errUnknownStatement):
		c.session.statements.forget(sql)
		return true, nil
	case isNumber(err, errTooManyStatements):
		c.session.statements.clear()
		return true, nil
	}
	return false, c.told(err)
}

// told is what the caller is told of an error that assess has seen.
func (c *Conn) told(err error) *strangler.Error {
	e := Translate(err)
	if c.lost && e.Code == codes.Internal {
		return lostMessage(err)
	}
	return e
}

// assess marks what an error means for the connection.
func (c *Conn) assess(err error) {
	if connectionLost(err) || !c.session.wire.IsValid() {
		c.lost = true
	}
	if isNumber(err, errReadOnlyOption, errReadOnlyMode) {
		c.session.retire = true
	}
}

// renew swaps a lost connection, on which nothing was sent, for another.
func (c *Conn) renew(ctx context.Context) (bool, error) {
	c.session.watch.stop()
	c.pool.discard(c.session)
	c.session = nil
	s, err := c.pool.acquire(ctx)
	if err != nil {
		return false, err
	}
	c.session, c.lost = s, false
	return true, nil
}

func misuse(what string) error {
	return strangler.Fail(codes.Internal, "INTERNAL", "something went wrong here; the log names the cause under the request id").
		WithCause(errors.New("pool: " + what))
}
