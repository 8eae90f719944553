package legacy

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/legacy/pool"
	"banyan.dev/banyan/mirror/change"
)

// ErrTooOld says that a snapshot does not contain yet all that the log has before a place: rows are in the log before the
// engine commits them.
var ErrTooOld = errors.New("the snapshot is older than the place in the log")

// snapshotPatience is how long MySQL waits for transactions that are in its log to be committed, in seconds.
const snapshotPatience = "0.1"

// Asked is an entity that is to be read.
type Asked struct {
	Event *Event
	ID    string
}

// Snapshot reads entities, of whatever messages, in their order, in one consistent snapshot that contains every transaction before
// a place in the server's log. use gets nil for what legacy doesn't have, and why an entity can't be read; its own error ends
// the reading. ErrTooOld comes before the first use: try again soon. So does change.ErrServers, where the place is in the log
// of another server than the pool's.
func (b *Backend) Snapshot(ctx context.Context, at change.Position, all []Asked, use func(of Asked, m protoreflect.Message, unread error) error) error {
	conn, err := b.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release() // ends the snapshot
	if err := b.contain(ctx, conn, at); err != nil {
		return err
	}
	for _, of := range all {
		m, err := b.get(ctx, conn, of.Event, of.ID)
		if err := use(of, m, err); err != nil {
			return err
		}
	}
	return nil
}

// Committing gives those of some XA transactions, named as change.XAName does, that a MariaDB server shows as prepared, though its
// log has their commits before a place: its engine commits them later, so that Snapshot and Follow may lack them. It also gives
// those that were prepared since under the same names. MySQL is waited for by its GTIDs, and has none. Errors are as Snapshot's.
func (b *Backend) Committing(ctx context.Context, at change.Position, xa []string) (still []string, err error) {
	conn, err := b.pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Release()
	if server, known := b.pool.Server(); known && !server.MariaDB {
		return nil, nil
	}
	rows, err := conn.Show(ctx, "XA RECOVER")
	if err != nil {
		return nil, asError(err)
	}
	shown := map[string]bool{}
	var odd error
	err = eachRow(rows, func(row []driver.Value) {
		var columns [4]string
		for i := range min(len(row), len(columns)) {
			columns[i] = text(row[i])
		}
		name, err := change.XARecovered(columns)
		shown[name], odd = true, errors.Join(odd, err)
	})
	if err != nil {
		return nil, asError(err)
	}
	if odd != nil {
		return nil, odd
	}
	if err := same(ctx, conn, at); err != nil {
		return nil, err
	}
	for _, name := range xa {
		if shown[name] {
			still = append(still, name)
		}
	}
	return still, nil
}

// same says whether a MariaDB server is the one whose log is read: right after a failover, the pool may be at another.
func same(ctx context.Context, conn *pool.Conn, at change.Position) error {
	var identity string
	if err := scan(ctx, conn, "SELECT @@global.server_id, @@global.hostname, @@global.port", nil, func(row []driver.Value) {
		identity = change.MariaDBServer(uint64(number(row[0])), text(row[1]), uint64(number(row[2]))) //nolint:gosec // They are never negative.
	}); err != nil {
		return asError(err)
	}
	if identity != at.Server {
		conn.Discard() // the next one is made where the address leads to then
		return fmt.Errorf("%w: the legacy's address leads to the server %s now, and the log is that of %s", change.ErrServers, identity, at.Server)
	}
	return nil
}

// contain begins a snapshot that contains all before a place, but those that Committing gives.
func (b *Backend) contain(ctx context.Context, conn *pool.Conn, at change.Position) error {
	const begin = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"
	server, known := b.pool.Server()
	if known && !server.MariaDB {
		return b.containMySQL(ctx, conn, at, begin)
	}
	if err := conn.Command(ctx, begin); err != nil {
		return asError(err)
	}
	if err := same(ctx, conn, at); err != nil {
		return err
	}
	// MariaDB remembers for a consistent snapshot where in the log it is.
	var file, offset string
	if err := scan(ctx, conn, "SHOW SESSION STATUS LIKE 'binlog_snapshot_%'", nil, func(row []driver.Value) {
		switch strings.ToLower(text(row[0])) {
		case "binlog_snapshot_file":
			file = text(row[1])
		case "binlog_snapshot_position":
			offset = text(row[1])
		}
	}); err != nil {
		return asError(err)
	}
	n, err := strconv.ParseUint(offset, 10, 64)
	if err != nil || file == "" {
		return fmt.Errorf("the server does not say where in its log a snapshot is (%q, %q): its binary log is off", file, offset)
	}
	order, err := change.Position{Server: at.Server, File: file, Offset: n}.Compare(at)
	if err == nil && order < 0 {
		err = ErrTooOld
	}
	return err
}

// containMySQL waits for the transactions before a place, and begins a snapshot on that connection. Beginning may make
// another connection where one is lost: then nothing is known of what it contains.
func (b *Backend) containMySQL(ctx context.Context, conn *pool.Conn, at change.Position, begin string) error {
	const who = "@@global.server_uuid, CONNECTION_ID()"
	var waited, server, session, then string
	err := scan(ctx, conn, "SELECT WAIT_FOR_EXECUTED_GTID_SET(?, "+snapshotPatience+"), "+who, []driver.Value{at.GTIDs}, func(row []driver.Value) {
		waited, server, session = text(row[0]), text(row[1]), text(row[2])
	})
	switch {
	case err != nil:
		return asError(err)
	case server != at.Server:
		conn.Discard() // the next one is made where the address leads to then
		return fmt.Errorf("%w: the legacy's address leads to the server %s now, and the log is that of %s", change.ErrServers, server, at.Server)
	case waited != "0":
		return ErrTooOld
	}
	if err := conn.Command(ctx, begin); err != nil {
		return asError(err)
	}
	if err := scan(ctx, conn, "SELECT "+who, nil, func(row []driver.Value) { then = text(row[0]) + text(row[1]) }); err != nil {
		return asError(err)
	}
	if then != server+session {
		return ErrTooOld
	}
	return nil
}

// List gives the ids of entities behind one, at most limit, in the order of the first table's key; "" begins. An empty text is
// no id: nobody could ask for it.
func (b *Backend) List(ctx context.Context, event *Event, after string, limit int) (ids []string, err error) {
	conn, err := b.pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Release()
	table, column := event.root()
	sql, args := "SELECT "+column+" FROM "+table, []driver.Value(nil)
	if after != "" || event.GetID.Kind() == protoreflect.StringKind {
		v, err := idValue(event.GetID, after)
		if err != nil {
			return nil, err
		}
		// The id is bound as its own type, so that the key's index is used, and its own collation.
		sql += " WHERE " + column + " > ?"
		switch id := v.Interface().(type) {
		case int32:
			args = append(args, int64(id))
		case uint32:
			args = append(args, int64(id))
		default:
			args = append(args, id)
		}
	}
	err = scan(ctx, conn, sql+" ORDER BY "+column+" LIMIT "+strconv.Itoa(limit), args, func(row []driver.Value) { ids = append(ids, text(row[0])) })
	if err != nil {
		return nil, asError(err)
	}
	return ids, nil
}
