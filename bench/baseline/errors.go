package baseline

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"net"

	"github.com/go-sql-driver/mysql"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// toStatus gives a store's error as callers see it.
func toStatus(err error) error {
	var refused *mysql.MySQLError
	var network *net.OpError
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return status.Error(codes.NotFound, "no such item")
	case errors.Is(err, context.DeadlineExceeded):
		return status.Error(codes.DeadlineExceeded, "the call took longer than its deadline")
	case errors.Is(err, context.Canceled):
		return status.Error(codes.Canceled, "the caller cancelled the call")
	case errors.As(err, &refused):
		return status.Error(codeOf(refused.Number), "the database refused the change")
	case errors.Is(err, driver.ErrBadConn), errors.Is(err, mysql.ErrInvalidConn), errors.As(err, &network):
		return status.Error(codes.Unavailable, "the database can't be reached; try again")
	default:
		return status.Error(codes.Internal, "something went wrong")
	}
}

func codeOf(number uint16) codes.Code {
	switch number {
	case 1062:
		return codes.AlreadyExists
	case 1451, 1452:
		return codes.FailedPrecondition
	case 1264, 1366, 1406, 3819, 4025:
		return codes.InvalidArgument
	case 1205, 1213:
		return codes.Aborted
	default:
		return codes.Internal
	}
}
