package consumer

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// StoreOptions say how a Store keeps what it keeps. The zero value is right for most.
type StoreOptions struct {
	// Retention is how long a write's id and reply are kept for those that ask again. Banyan may ask for as long as a write is
	// open, which a person may have to end; so the default is 7 days. Time in which no message of Banyan's comes doesn't count:
	// of what lies between two messages, an hour does.
	Retention time.Duration
	// TagsOnly refuses writes that don't come through Banyan. Without it they are the service's own affair, which is right once
	// it has all traffic.
	TagsOnly bool
	// Dialect is the kind of database; SQLite by default.
	Dialect Dialect
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Store keeps in the service's own database what makes events and writes safe to repeat. It is safe for concurrent use.
type Store struct {
	db         *sql.DB
	ask        statements
	options    StoreOptions
	turns      turns
	counted    counters
	running    running
	line       chan struct{} // holds whose turn it is
	contention contention
	mark       int64 // of the transaction whose turn it is, where the dialect has any
	wrong      error // of the options; nothing can be done with it
}

// NewStore makes a Store of a database, which is opened by a driver of the options' dialect. Close is the caller's.
func NewStore(db *sql.DB, options StoreOptions) *Store {
	if options.Retention <= 0 {
		options.Retention = 7 * 24 * time.Hour
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	ask, err := options.Dialect.statements()
	return &Store{db: db, ask: ask, options: options, line: make(chan struct{}, 1), wrong: err}
}

// Migrate makes the tables that are missing, and brings older ones up to date. It may be called at each start, also while other
// processes of the service run.
func (s *Store) Migrate(ctx context.Context) error {
	if err := s.migrate(ctx); err != nil {
		return fmt.Errorf("make Banyan's tables: %w", err)
	}
	return nil
}

func (s *Store) migrate(ctx context.Context) (err error) {
	if s.wrong != nil {
		return s.wrong
	}
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // the pool has it back whatever it says
	// Where nothing is to do, nothing is locked, and the right to make tables is not needed.
	if version, err := s.version(ctx, conn); err == nil && version == schemaVersion {
		return nil
	}
	if s.ask.held != "" {
		var has sql.NullBool
		if err := conn.QueryRowContext(ctx, s.ask.held).Scan(&has); err != nil {
			return err
		}
		if !has.Bool {
			return errors.New("another process has been at it for too long: start again once it is done")
		}
	}
	if err := run(ctx, conn, s.ask.begin); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, run(context.WithoutCancel(ctx), conn, []string{s.ask.rollback}))
		}
	}()
	if err := run(ctx, conn, s.ask.create); err != nil {
		return err
	}
	version, err := s.version(ctx, conn)
	if err != nil {
		return err
	}
	if version < s.ask.base || version > schemaVersion {
		return fmt.Errorf("they are of version %d, and this service knows version %d: start the newer service", version, schemaVersion)
	}
	for _, statements := range s.ask.upgrade[version-s.ask.base:] {
		if err := run(ctx, conn, statements); err != nil {
			return err
		}
	}
	return run(ctx, conn, []string{s.ask.commit})
}

// version gives that of the tables.
func (s *Store) version(ctx context.Context, conn *sql.Conn) (version int, err error) {
	err = conn.QueryRowContext(ctx, s.ask.version).Scan(&version)
	return version, err
}

// run runs statements one after another.
func run(ctx context.Context, conn *sql.Conn, statements []string) error {
	for _, statement := range statements {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// within runs do in a transaction that has its turn. Transactions of one database run one after another, so what do reads
// stays true until it is committed. Those of this process wait in line here: a database may keep others waiting in no order,
// or for longer than it has to. Whose turn it is among processes, begin sees to.
func (s *Store) within(ctx context.Context, do func(tx *sql.Tx) error) error {
	if s.wrong != nil {
		return s.wrong
	}
	select {
	case s.line <- struct{}{}:
		defer func() { <-s.line }()
	case <-ctx.Done():
		return ctx.Err()
	}
	tx, release, err := s.begin(ctx)
	if err != nil {
		return fmt.Errorf("the service's database: %w", err)
	}
	defer func() {
		s.contention.left = time.Now()
		release()
	}()
	defer tx.Rollback()
	if err := do(tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// errUndone is for transactions that are undone already, though nobody has told so.
var errUndone = errors.New("the database has undone the transaction, and whoever was told of that has passed over it")

// marked gives a statement's arguments with the transaction's mark, where the dialect has any.
func (s *Store) marked(args ...any) []any {
	if s.ask.marked {
		return append(args, s.mark)
	}
	return args
}

// sweepBatch bounds how long a sweep keeps others waiting.
const sweepBatch = 500

// Sweep removes writes that are older than the retention, and says how many. Run does it now and then.
func (s *Store) Sweep(ctx context.Context) (int, error) {
	for total := 0; ; {
		var n int64
		err := s.within(ctx, func(tx *sql.Tx) error {
			now, err := s.clock(ctx, tx)
			if err != nil {
				return err
			}
			done, err := tx.ExecContext(ctx, s.ask.sweepWrites, now-s.options.Retention.Milliseconds(), sweepBatch)
			if err != nil {
				return err
			}
			n, err = done.RowsAffected()
			return err
		})
		total += int(n)
		if err != nil {
			return total, fmt.Errorf("sweep writes: %w", err)
		}
		if n < sweepBatch {
			return total, nil
		}
	}
}

// entityRow is what is known of an entity; the zero value of one that was never seen.
type entityRow struct {
	key, version string
	event        string        // the id of the last event that was applied
	local        sql.NullInt64 // the epoch under which the service has written it since legacy told its state
	by           string        // the capability whose epoch that is
	deleted      bool
}

func (s *Store) entity(ctx context.Context, tx *sql.Tx, entity, id string) (entityRow, error) {
	var row entityRow
	err := tx.QueryRowContext(ctx, s.ask.entity, entity, id).Scan(&row.key, &row.version, &row.event, &row.local, &row.by, &row.deleted)
	if errors.Is(err, sql.ErrNoRows) {
		return entityRow{}, nil
	}
	return row, err
}

// yes asks a question whose answer is one truth.
func yes(ctx context.Context, tx *sql.Tx, question string, args ...any) (bool, error) {
	var is bool
	err := tx.QueryRowContext(ctx, question, args...).Scan(&is)
	return is, err
}
