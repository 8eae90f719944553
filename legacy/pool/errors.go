package pool

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"time"

	"github.com/go-sql-driver/mysql"
	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/strangler"
)

// Numbers that decide what the pool does, not only what it says. All are from the MySQL and MariaDB error references.
const (
	errUnknownStatement  = 1243
	errReadOnlyOption    = 1290
	errTableChanged      = 1412 // since the snapshot was begun
	errTooManyStatements = 1461
	errNeedReprepare     = 1615
	errReadOnlyMode      = 1836
	errNoSuchThread      = 1094
	errUnknownVariable   = 1193
	errUnknownTimeZone   = 1298
)

const (
	retrySoon  = 500 * time.Millisecond
	retryLater = 2 * time.Second
)

// Translate gives what a caller is told about an error of the legacy. The text shows no SQL, name or value of the legacy;
// err is kept as the cause, for the log. It gives nil for nil, and a *strangler.Error as it is.
func Translate(err error) *strangler.Error {
	var known *strangler.Error
	var reply *mysql.MySQLError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return known
	case errors.As(err, &reply):
		r := ruleOf(reply.Number)
		e := strangler.Fail(r.code, r.reason, "%s", r.message).WithCause(err).WithRetry(r.retry)
		return e
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return strangler.AsError(err)
	case errors.Is(err, mysql.ErrPktTooLarge):
		r := ruleOf(1153)
		return strangler.Fail(r.code, r.reason, "%s", r.message).WithCause(err)
	case connectionLost(err):
		return lostMessage(err)
	}
	return strangler.AsError(err)
}

// Misconfigured tells what an operator has to mend where waiting for the server is of no use, since it answers and refuses:
// the account, the database, the time zone. It gives "" for everything else.
func Misconfigured(err error) (fix string) {
	switch {
	case isNumber(err, 1045, 1130, 1698, 1251, 1862, 4151):
		return "correct user and password of legacy.dsn, or let the account log in from here"
	case isNumber(err, 1044):
		return "grant the account the database of legacy.dsn"
	case isNumber(err, 1049):
		return "create the database, or correct its name in legacy.dsn"
	case isNumber(err, 1046):
		return "write the database's name into legacy.dsn, behind the slash"
	case isNumber(err, errUnknownTimeZone):
		return "load the server's time zones (mysql_tzinfo_to_sql), or write an offset such as +02:00 in legacy.time_zone"
	}
	return ""
}

// Retryable tells whether the whole operation may be run again from its start, because the server undid it in favour of
// another (a deadlock) or gave up waiting for a lock.
func Retryable(err error) bool {
	// 1020: MariaDB's innodb_snapshot_isolation; 3101: a group's certification; 1613, 1614: XA's own 1205 and 1213.
	return isNumber(err, 1205, 1213, 1020, 1613, 1614, 3101)
}

func isNumber(err error, numbers ...uint16) bool {
	var reply *mysql.MySQLError
	return errors.As(err, &reply) && slices.Contains(numbers, reply.Number)
}

// connectionLost tells errors after which the connection can't be used.
func connectionLost(err error) bool {
	var reply *mysql.MySQLError
	if errors.As(err, &reply) {
		return slices.Contains([]uint16{1053, 1077, 1079, 1080, 1152, 1153, 1154, 1155, 1156, 1157, 1158, 1159, 1160, 1161, 1184, 1927, 2006, 2013, 4031}, reply.Number)
	}
	for _, target := range []error{
		driver.ErrBadConn, mysql.ErrInvalidConn, mysql.ErrMalformPkt, mysql.ErrPktSync, mysql.ErrPktSyncMul, mysql.ErrBusyBuffer,
		io.EOF, io.ErrUnexpectedEOF, io.ErrShortWrite, net.ErrClosed,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	var network net.Error
	return errors.As(err, &network) && !errors.Is(err, context.DeadlineExceeded)
}

// interrupted tells errors of a COMMIT that leave open whether it happened.
func interrupted(err error) bool {
	return connectionLost(err) || isNumber(err, 1317, 1969, 3024)
}

// ctxError tells of a statement that was stopped because its context ended.
func ctxError(ended, cause error) *strangler.Error {
	return strangler.AsError(fmt.Errorf("%w: the statement was stopped: %w", ended, cause))
}

func lostMessage(err error) *strangler.Error {
	return unavailable("the connection to the legacy database was lost; if this call was to change something, read it back before repeating it").WithCause(err)
}

// Unavailable is the reason of errors that tell of a legacy that is down or a connection that was lost.
const Unavailable = "LEGACY_UNAVAILABLE"

func unavailable(message string) *strangler.Error {
	return strangler.Fail(codes.Unavailable, Unavailable, "%s", message).WithRetry(retrySoon)
}
