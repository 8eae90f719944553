package binlog

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"strconv"
	"strings"

	"banyan.dev/banyan/mirror/change"
)

// errShow is what a server says that can't show its log's events from somewhere.
const errShow = 1220

// boundary looks whether a transaction may begin at a position. A transaction there that the position has passed already
// shows that the log was begun anew under old names, which MySQL also does with GTIDs.
func boundary(ctx context.Context, conn *sql.Conn, found server, from change.Position, passed *gtids) error {
	rows, err := allRows(ctx, conn, fmt.Sprintf("SHOW BINLOG EVENTS IN '%s' FROM %d LIMIT 1", strings.NewReplacer(`\`, `\\`, "'", "''").Replace(from.File), from.Offset))
	if err != nil && !isCode(err, errShow) {
		return err
	}
	if err == nil && (len(rows) == 0 || len(rows[0]) < 6) {
		return nil // That is the log's end.
	}
	if err != nil {
		if found.mariadb {
			// It also says so of a place where it was killed, but has no GTIDs before what is no place.
			text, failed := gtidsAt(ctx, conn, from)
			if failed != nil {
				return failed
			}
			if text != "" {
				return nil
			}
		}
		return notBoundary(from, err)
	}
	row := rows[0]
	if at, err := strconv.ParseUint(row[1], 10, 64); err == nil && at != from.Offset && from.Offset <= math.MaxUint32 || withinGroup(row[2]) {
		return notBoundary(from, nil)
	}
	_, quoted, _ := strings.Cut(row[5], "'")
	id, _, ok := strings.Cut(quoted, "'")
	if found.mariadb || !ok || !strings.HasPrefix(row[2], "Gtid") {
		return nil
	}
	next, err := parseGTIDs(false, id)
	if err != nil {
		return fmt.Errorf("read the transaction at %s: %w", from, err)
	}
	if passed.has(next) {
		return &change.StopError{What: fmt.Sprintf("the legacy's log has the transaction %s behind %s, which the mirror has read before: the log was begun anew", id, from), Fix: resetFix}
	}
	return nil
}

func notBoundary(at change.Position, cause error) error {
	return &change.StopError{
		What: fmt.Sprintf("no transaction begins at %s: that is no place to go on from", at), Cause: cause,
		Fix: "`banyan mirror reset` to where one begins, or to the log's end",
	}
}

// withinGroup says of an event's name, as a server shows it, that a transaction has begun before it.
func withinGroup(name string) bool {
	name = strings.ToLower(name)
	for _, part := range []string{"rows", "table_map", "query", "xid", "intvar", "rand", "user_var", "load", "block", "delete_file", "xa_prepare", "payload"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}
