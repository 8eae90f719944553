package replica

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"sync"

	"github.com/go-sql-driver/mysql"

	"banyan.dev/banyan/mirror/change"
)

// Counts are what a consumer has seen.
type Counts struct {
	// Events are those that were new, Repeats those that came again just as they were.
	Events, Repeats uint64
	// Ops counts new events by operation.
	Ops map[change.Op]uint64
	// Banyan counts new events whose origin is Banyan.
	Banyan uint64
	// Transactions and Terms count transactions and leaders that were seen.
	Transactions, Terms int

	// What must not be: OutOfOrder are new events of a key that has a newer change already. Unordered are new events
	// that came behind newer ones of other keys. Altered are repeats that are not as they were: another body, or another
	// id. Malformed are events that can't be read. Opaque are changes that nobody can apply.
	OutOfOrder, Unordered, Altered, Malformed, Opaque uint64
	// Problems are the first of these, for people.
	Problems []string
}

// Err is nil unless something was seen that must not be.
func (c Counts) Err() error {
	if c.OutOfOrder+c.Unordered+c.Altered+c.Malformed+c.Opaque == 0 {
		return nil
	}
	return fmt.Errorf("%d out of order for their key, %d behind others, %d repeats altered, %d malformed, %d opaque: %q",
		c.OutOfOrder, c.Unordered, c.Altered, c.Malformed, c.Opaque, c.Problems)
}

// mostProblems bounds those that are kept.
const mostProblems = 20

// Consumer applies events to a database of its own. Apply and Flush are for one goroutine, the rest for any.
type Consumer struct {
	// Schemas has the names that schemas are rebuilt under, where that is not their own. DDL must not name them, then.
	Schemas map[string]string

	conn    *sql.Conn
	tables  tables
	pending inserts
	open    int    // changes since the last commit
	defined string // the transaction whose DDL was run last

	mu      sync.Mutex
	history *history
	terms   map[string]bool
	counts  Counts
}

// Open gives a server to rebuild databases on. Rows count as changed when they were found, as they do in the log.
func Open(dsn string) (*sql.DB, error) {
	config, err := mysql.ParseDSN(dsn)
	if err != nil {
		return nil, fmt.Errorf("read the DSN of the rebuilt database: %w", err)
	}
	config.ClientFoundRows = true
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, fmt.Errorf("use the DSN of the rebuilt database: %w", err)
	}
	return sql.OpenDB(connector), nil
}

// NewConsumer makes a consumer that rebuilds schemas on a server of Open's, where they are empty. It needs every event
// from the tables' creation on. Close ends it.
func NewConsumer(ctx context.Context, db *sql.DB) (*Consumer, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect to the server of the rebuilt database: %w", err)
	}
	c := &Consumer{conn: conn, tables: newTables(), history: newHistory(), terms: map[string]bool{}, counts: Counts{Ops: map[change.Op]uint64{}}}
	// What the legacy has accepted is accepted; what foreign keys do comes as events.
	const setUp = "SET NAMES utf8mb4, sql_mode = 'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES', time_zone = '+00:00', foreign_key_checks = 0, autocommit = 0"
	err = c.exec(ctx, setUp)
	if err == nil {
		err = c.chooseCollation(ctx)
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return c, nil
}

// chooseCollation finds one that holds only equal what is the same.
func (c *Consumer) chooseCollation(ctx context.Context) error {
	const query = "SELECT COLLATION_NAME FROM information_schema.COLLATIONS WHERE COLLATION_NAME IN ('utf8mb4_nopad_bin', 'utf8mb4_0900_bin') LIMIT 1"
	if err := c.conn.QueryRowContext(ctx, query).Scan(&c.tables.collation); err != nil {
		return fmt.Errorf("look for a binary collation: %w", err)
	}
	return nil
}

// Close ends the connection, and with it what was not flushed.
func (c *Consumer) Close() error {
	err := c.conn.Raw(func(any) error { return driver.ErrBadConn })
	if errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) {
		return nil
	}
	return err
}

// Counts gives what was seen up to now.
func (c *Consumer) Counts() Counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	counts := c.counts
	counts.Ops = maps.Clone(c.counts.Ops)
	counts.Problems = append([]string(nil), c.counts.Problems...)
	counts.Transactions, counts.Terms = len(c.history.transactions), len(c.terms)
	return counts
}

// Apply takes an event. What is wrong with the events is counted; an error is one of the rebuilt database's own, or a
// change that does not fit it.
func (c *Consumer) Apply(ctx context.Context, d *Delivery) error {
	e, err := decode(d)
	if err != nil {
		c.problem(&c.counts.Malformed, "%s", err.Error())
		return nil
	}
	e.rename(c.Schemas)
	if e.Op == change.Opaque {
		c.problem(&c.counts.Opaque, "event %s is opaque: %s", d.ID, e.Statement)
	}
	if !c.admit(d, e) {
		return nil
	}
	if err := c.apply(ctx, e); err != nil {
		return fmt.Errorf("apply event %s, %s of %s.%s: %w", d.ID, e.Op, e.Schema, e.Table, err)
	}
	return nil
}

// admit says whether an event is to be applied, and counts it.
func (c *Consumer) admit(d *Delivery, e *event) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.history
	c.terms[d.Term] = true
	body := h.hash(d.Body)
	if id, was, found := h.find(e.version); found {
		if id == e.Transaction.ID && was == body {
			c.counts.Repeats++
			return false
		}
		c.problemLocked(&c.counts.Altered, "version %s was part of %s, and came again as event %s, or with another body", d.Version, id, d.ID)
		return false
	}
	keys := e.keys(h)
	c.counts.Events++
	c.counts.Ops[e.Op]++
	if e.Origin == "banyan" {
		c.counts.Banyan++
	}
	if e.version.Compare(h.last) > 0 {
		h.append(e.version, e.Transaction.ID, body)
		for _, key := range keys {
			h.touch(key)
		}
		return true
	}
	h.late[e.version] = seenLate{e.Transaction.ID, body}
	for _, key := range keys {
		if h.changedSince(key, e.version) {
			c.problemLocked(&c.counts.OutOfOrder, "event %s (%s of %s.%s %s) came behind a newer change of its key; the newest has version %s", d.ID, e.Op, e.Schema, e.Table, e.Key, h.last)
			return false // as a consumer that keeps the newest would do
		}
	}
	c.problemLocked(&c.counts.Unordered, "event %s (%s of %s.%s) of version %s came behind %s", d.ID, e.Op, e.Schema, e.Table, d.Version, h.last)
	return e.isRow()
}

// keys gives the keys that an event changes: both of a row whose key was changed, and of all else the table.
func (e *event) keys(h *history) []uint64 {
	names := make([]string, 0, len(e.Key))
	if e.isRow() {
		for name := range e.Key {
			names = append(names, name)
		}
	}
	sortNames(names)
	var keys []uint64
	if e.Before != nil || !e.isRow() {
		keys = append(keys, h.key(e.Schema, e.Table, names, e.Before))
	}
	if e.After != nil {
		keys = append(keys, h.key(e.Schema, e.Table, names, e.After))
	}
	return keys
}

func (c *Consumer) problem(counter *uint64, format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.problemLocked(counter, format, args...)
}

func (c *Consumer) problemLocked(counter *uint64, format string, args ...any) {
	*counter++
	if len(c.counts.Problems) < mostProblems {
		c.counts.Problems = append(c.counts.Problems, fmt.Sprintf(format, args...))
	}
}

// Flush commits what was applied.
func (c *Consumer) Flush(ctx context.Context) error {
	if err := c.insertPending(ctx); err != nil {
		return err
	}
	c.open = 0
	return c.exec(ctx, "COMMIT")
}

func (c *Consumer) exec(ctx context.Context, statement string) error {
	if _, err := c.conn.ExecContext(ctx, statement); err != nil {
		return fmt.Errorf("%.200s: %w", statement, err)
	}
	return nil
}
