package pool

import (
	"context"
	"database/sql/driver"
	"net"
	"time"
)

// wire is what go-sql-driver's connection offers and a session needs. Its methods without a context are used on purpose:
// the driver would hand every context to a goroutine of its own, where Conn needs one watch for a whole operation.
type wire interface {
	Prepare(query string) (driver.Stmt, error)
	Exec(query string, args []driver.Value) (driver.Result, error)
	Query(query string, args []driver.Value) (driver.Rows, error)
	Ping(ctx context.Context) error
	ResetSession(ctx context.Context) error
	IsValid() bool
	Close() error
}

// session is one connection to the server with what it holds there. One goroutine at a time uses it; abort alone may come
// from any other.
type session struct {
	wire wire
	// net is the connection below wire (and below TLS), to cut it off from outside.
	net net.Conn
	// id is the server's CONNECTION_ID().
	id uint64
	// maxPacket is the most bytes that one statement's arguments can have.
	maxPacket int
	// slot is the mark that its write transactions have, where there are marks.
	slot       int
	statements *statements
	watch      watch
	expires    time.Time
	idleSince  time.Time
	// tx says that a transaction was begun and not ended.
	tx bool
	// readOnly says that it can't have changed anything.
	readOnly bool
	// unsure says that a statement ran which may have begun a transaction unseen (CALL).
	unsure bool
	// retire says that the connection works but is to be given up, as one to a server that has become read-only.
	retire bool
}

// A connection used so lately is taken to be alive: under load that saves each caller a system call.
const trusted = 20 * time.Millisecond

// usable tells whether a session out of the idle ones can be given to a caller.
func (s *session) usable(now time.Time) bool {
	if now.After(s.expires) {
		return false
	}
	if now.Sub(s.idleSince) < trusted {
		return true
	}
	return s.wire.ResetSession(context.Background()) == nil
}

// rollback ends an open transaction within limit. When it fails, the session is not to be used again.
func (s *session) rollback(limit time.Duration) error {
	if err := s.net.SetDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	if _, err := s.wire.Exec("ROLLBACK", nil); err != nil {
		return err
	}
	s.tx, s.unsure = false, false
	return s.net.SetDeadline(time.Time{})
}

// close says goodbye to the server where that is still possible.
func (s *session) close() { _ = s.wire.Close() } // a connection given up can't fail in a way that matters
