package binlog

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"banyan.dev/banyan/mirror"
	"banyan.dev/banyan/mirror/change"
)

// Tables reads tables in chunks, with values as the log has them. It is a mirror.Tables.
type Tables struct {
	source *Source

	mu      sync.Mutex // one chunk at a time
	session *session
	found   server
	known   *charsets
	plan    *readPlan // of the table that was read last
}

var _ mirror.Tables = (*Tables)(nil)

// NewTables checks the options, of which it uses DSN, ConnectTimeout, Dialer and Logger. It does not connect.
func NewTables(options Options) (*Tables, error) {
	source, err := New(options)
	if err != nil {
		return nil, err
	}
	return &Tables{source: source}, nil
}

// Close ends the connection. It waits for a chunk that is being read.
func (t *Tables) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.leave()
	return t.source.Close()
}

func (t *Tables) leave() {
	if t.session != nil {
		t.session.close()
	}
	t.session, t.plan = nil, nil
}

// readSettings make the server give values as they are stored, TIMESTAMPs in UTC, and snapshots. A table that is locked, or being
// altered, is waited for some seconds: a snapshot keeps old row versions, and there may be other tables to read.
const readSettings = "SET SESSION sql_mode = '', time_zone = '+00:00', character_set_results = NULL, lock_wait_timeout = 5"

func (t *Tables) enter(ctx context.Context) error {
	if t.session != nil {
		return nil
	}
	conn, found, err := t.source.ask(ctx)
	if err != nil {
		return err
	}
	known, err := t.source.knownCharsets(ctx, conn.Conn, found)
	if err == nil {
		_, err = conn.ExecContext(ctx, readSettings)
	}
	if err == nil {
		_, err = conn.ExecContext(ctx, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
	}
	if err != nil {
		conn.close()
		return fmt.Errorf("ready a connection for reading tables: %w", err)
	}
	t.session, t.found, t.known = conn, found, known
	return nil
}

// Read implements mirror.Tables.
func (t *Tables) Read(ctx context.Context, c mirror.Chunk, use func(at change.Position, t *change.Table, row []change.Value) error) (mirror.ChunkRead, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.enter(ctx); err != nil {
		return mirror.ChunkRead{}, err
	}
	read, err := t.read(ctx, c, use)
	if err == nil {
		_, err = t.session.ExecContext(ctx, "COMMIT")
	}
	if err != nil {
		t.leave() // it may be in the middle of anything, and at a server that is not the mirror's any more
	}
	if errors.Is(err, mirror.ErrEnough) {
		err = nil // the rows behind are on their way, and not worth waiting for
	}
	if err != nil && errors.Is(err, ctx.Err()) {
		return read, ctx.Err()
	}
	return read, unreadable(c, err)
}

func (t *Tables) read(ctx context.Context, c mirror.Chunk, use func(at change.Position, t *change.Table, row []change.Value) error) (read mirror.ChunkRead, err error) {
	if read.At, err = t.snapshot(ctx, c.Log); err != nil {
		return read, err
	}
	if err := t.prepare(ctx, c.Schema, c.Table); err != nil {
		return read, err
	}
	after, fits := t.plan.after(c.After)
	read.Anew = !fits
	statement := t.plan.statement(after, c.Limit)
	err = t.session.Raw(func(conn any) error {
		return t.rows(ctx, conn, statement, &read, use)
	})
	read.Last = err == nil && read.Rows < c.Limit
	return read, err
}

// rows runs the statement in the binary protocol, in which floats are what they are, below database/sql, which would copy
// each value.
func (t *Tables) rows(ctx context.Context, conn any, statement string, read *mirror.ChunkRead, use func(at change.Position, t *change.Table, row []change.Value) error) error {
	preparer, ok := conn.(driver.ConnPrepareContext)
	if !ok {
		return errors.New("the driver prepares no statements")
	}
	prepared, err := preparer.PrepareContext(ctx, statement)
	if err != nil {
		return fmt.Errorf("prepare the reading of rows: %w", err)
	}
	defer prepared.Close() //nolint:errcheck // it was read to its end, or the connection is given up
	queryer, ok := prepared.(driver.StmtQueryContext)
	if !ok {
		return errors.New("the driver runs no prepared statements")
	}
	rows, err := queryer.QueryContext(ctx, nil)
	if err != nil {
		return fmt.Errorf("read rows: %w", err)
	}
	raw := make([]driver.Value, len(rows.Columns()))
	values, a := make([]change.Value, len(t.plan.columns)), &arena{}
	last := &lastRow{key: make([]driver.Value, len(raw)), own: make([][]byte, len(raw))}
	for {
		switch err := rows.Next(raw); {
		case errors.Is(err, io.EOF):
			return errors.Join(rows.Close(), last.reached(t.plan, read))
		case err != nil:
			return fmt.Errorf("read rows: %w", err)
		}
		a.reset()
		if err := t.plan.decode(raw, values, a); err != nil {
			return err
		}
		err := use(read.At, t.plan.table, values)
		if err == nil || errors.Is(err, mirror.ErrEnough) {
			read.Rows++
			last.take(raw, t.plan)
		}
		if err != nil {
			// rows is left open: closing would wait for all that is behind, and the connection is given up
			return errors.Join(err, last.reached(t.plan, read))
		}
	}
}

// snapshot begins one that has all before a place in the log, and gives its own place.
func (t *Tables) snapshot(ctx context.Context, log change.Position) (at change.Position, err error) {
	if log.Server != t.found.identity {
		return at, fmt.Errorf("%w: the legacy's address leads to the server %s, and the log is that of %s", change.ErrServers, t.found.identity, log.Server)
	}
	const begin = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"
	if !t.found.mariadb {
		// MySQL tells no place of a snapshot. What has been waited for is in it.
		var waited string
		if err := t.session.QueryRowContext(ctx, "SELECT WAIT_FOR_EXECUTED_GTID_SET(?, 1)", log.GTIDs).Scan(&waited); err != nil {
			return at, fmt.Errorf("wait for what the log has: %w", err)
		}
		if waited != "0" {
			return at, errors.New("transactions that are in the log are not committed yet")
		}
		if _, err := t.session.ExecContext(ctx, begin); err != nil {
			return at, fmt.Errorf("begin a snapshot: %w", err)
		}
		return log, nil
	}
	if at, err = t.place(ctx); err != nil {
		return at, err
	}
	behind, err := t.committed(ctx, log.Undecided)
	if err != nil {
		return at, err
	}
	if !behind && before(log, at) {
		at = log
	}
	if _, err := t.session.ExecContext(ctx, begin); err != nil {
		return at, fmt.Errorf("begin a snapshot: %w", err)
	}
	return at, nil
}

// place gives the place in MariaDB's log behind what has been committed: a snapshot that is begun then has all before it, but XA
// transactions.
func (t *Tables) place(ctx context.Context) (at change.Position, err error) {
	rows, err := allRows(ctx, t.session.Conn, "SHOW SESSION STATUS LIKE 'binlog_snapshot_%'")
	if err != nil {
		return at, err
	}
	at.Server = t.found.identity
	for _, row := range rows {
		switch strings.ToLower(row[0]) {
		case "binlog_snapshot_file":
			at.File = row[1]
		case "binlog_snapshot_position":
			if at.Offset, err = strconv.ParseUint(row[1], 10, 64); err != nil {
				return at, fmt.Errorf("read the place of a snapshot in the log: %w", err)
			}
		}
	}
	if _, err := at.FileNumber(); err != nil {
		return at, fmt.Errorf("the server does not say where in its log a snapshot is: %w", err)
	}
	return at, nil
}

const (
	// xaPatience is how long XA transactions that may be committing are waited for at a time, xaPoll the time between two looks.
	xaPatience = time.Second
	xaPoll     = 2 * time.Millisecond
)

// committed waits until the engine has committed all XA transactions whose decision the log has before now: MariaDB writes XA COMMIT
// into the log, and lets others see that place of it, before. It keeps them among the prepared ones until the engine is done.
// Those that are undecided where the log has been read to, which may stay so for long, are not waited for; behind is false when there
// are such, whose decision may be in the log behind that place.
func (t *Tables) committed(ctx context.Context, undecided string) (behind bool, err error) {
	left, err := t.xaPrepared(ctx)
	if err != nil {
		return false, err
	}
	behind = true
	known := map[string]bool{}
	for name := range strings.FieldsSeq(undecided) {
		known[name] = true
	}
	for name := range left {
		if known[name] {
			behind = false
			delete(left, name)
		}
	}
	for until := time.Now().Add(xaPatience); len(left) > 0; {
		if time.Now().After(until) {
			return false, fmt.Errorf("%d XA transactions are prepared or being committed, and the log has not been read to where that is told: XA RECOVER shows them", len(left))
		}
		timer := time.NewTimer(xaPoll)
		select {
		case <-ctx.Done():
			timer.Stop()
			return false, ctx.Err()
		case <-timer.C:
		}
		still, err := t.xaPrepared(ctx)
		if err != nil {
			return false, err
		}
		for name := range left {
			if !still[name] {
				delete(left, name)
			}
		}
	}
	return behind, nil
}

// xaPrepared gives the names of the XA transactions that are prepared.
func (t *Tables) xaPrepared(ctx context.Context) (map[string]bool, error) {
	rows, err := allRows(ctx, t.session.Conn, "XA RECOVER")
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, row := range rows {
		if len(row) != 4 {
			return nil, fmt.Errorf("XA RECOVER shows %q: %w", row, errDriver)
		}
		name, err := change.XARecovered([4]string(row))
		if err != nil {
			return nil, err
		}
		names[name] = true
	}
	return names, nil
}

// Count implements mirror.Tables. Engines estimate.
func (t *Tables) Count(ctx context.Context, schema, table string) (uint64, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.enter(ctx); err != nil {
		return 0, err
	}
	var n sql.NullInt64
	err := t.session.QueryRowContext(ctx, "SELECT TABLE_ROWS FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?", schema, table).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		t.leave()
		return 0, fmt.Errorf("ask how many rows %s.%s has: %w", schema, table, err)
	}
	return uint64(max(n.Int64, 0)), nil
}

// unreadable tells what does not pass by waiting.
func unreadable(c mirror.Chunk, err error) error {
	switch code(err) {
	case errNoTable, errNoSchema:
		return &mirror.UnreadableError{What: fmt.Sprintf("there is no table %s.%s", c.Schema, c.Table), Cause: err}
	case errAccess, errDBAccess, errTableAccess, errColumnAccess:
		return &mirror.UnreadableError{What: fmt.Sprintf("the legacy's account may not read %s.%s", c.Schema, c.Table), Fix: "GRANT SELECT on it; `banyan grants` shows all that is needed", Cause: err}
	}
	return err
}
