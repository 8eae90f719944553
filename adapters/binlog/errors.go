package binlog

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	replica "github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-sql-driver/mysql"

	"banyan.dev/banyan/mirror/change"
)

// The server's error numbers that are looked at.
const (
	errAccess      = 1045 // the account or its password
	errDBAccess    = 1044
	errParse       = 1064
	errSpecific    = 1227 // needs a privilege
	errBinlog      = 1236 // can't read the log from there
	errNoLogging   = 1381
	errBadField    = 1054
	errTableAccess = 1142
)

const resetFix = "changes are missing: see what the tables have now, then go on from the log's end with `banyan mirror reset`"

// code gives the server's number for an error, or 0.
func code(err error) uint16 {
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return e.Number
	}
	if e, ok := errors.AsType[*replica.MyError](err); ok {
		return e.Code
	}
	return 0
}

func isCode(err error, number uint16) bool { return code(err) == number }

// judge makes a StopError of what waiting doesn't mend.
func judge(err error) error {
	if err == nil || change.Stops(err) != nil {
		return err
	}
	switch code(err) {
	case errBinlog:
		return noLog(err)
	case errSpecific, errDBAccess, errTableAccess:
		return noRights(err)
	case errAccess:
		return &change.StopError{What: "the legacy refuses the account or its password", Fix: "mend legacy.dsn", Cause: err}
	case errNoLogging:
		return &change.StopError{What: "the legacy writes no binary log", Fix: "set log_bin in its configuration and restart it", Cause: err}
	}
	return err
}

// noLog tells apart why a server doesn't send its log. All it says itself is a text.
func noLog(err error) error {
	text := strings.ToLower(err.Error())
	has := func(parts ...string) bool {
		return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(text, part) })
	}
	stop := &change.StopError{What: "the legacy does not give its log from where the mirror has to go on", Fix: resetFix, Cause: err}
	switch {
	case has("with the same server", "memory allocation failed"):
		return err // Somebody else has the replica's id, and the next one is another; or it may pass.
	case has("purged", "could not find first log", "could not find next log", "could not open log file", "not exist"):
		stop.What = "the legacy no longer has the log where the mirror has to go on"
	case has("not in the master's binlog", "missing the gtid", "more gtids than", "diverged"):
		stop.What = "the legacy's log has other transactions than the mirror has read: the server is another, or was restored"
	case has("truncated", "crc", "checksum", "magic number", "i/o error", "corrupt"):
		stop.What = "the legacy's log is damaged where the mirror has to go on"
		stop.Fix = "look at the legacy's disk, and at the log with mysqlbinlog --verify-binlog-checksum; where it can't be mended, " + resetFix
	case has("impossible position", "bogus data"):
		stop.What = "the legacy's log has no transaction that begins where the mirror has to go on: the log was replaced, or is damaged"
	case has("max_allowed_packet"):
		stop.What = "the legacy's log has an event that is larger than its max_allowed_packet"
		stop.Fix = "SET GLOBAL max_allowed_packet = 1073741824 on the legacy, then start the mirror again"
	}
	return stop
}

func noRights(err error) error {
	return &change.StopError{
		What: "the legacy's account may not read the binary log", Cause: err,
		Fix: "GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO the account",
	}
}

// malformed says that bytes of the log can't be understood. Reading them again gives the same.
func malformed(at change.Position, what string, cause error) error {
	return &change.StopError{
		What:  fmt.Sprintf("the log at %s has %s that can't be read", at, what),
		Fix:   "report it with the output of mysqlbinlog --hexdump from there; go on behind it with `banyan mirror reset`",
		Cause: cause,
	}
}
