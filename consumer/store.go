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
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Store keeps in the service's own database what makes events and writes safe to repeat. It is safe for concurrent use.
type Store struct {
	db      *sql.DB
	ask     statements
	options StoreOptions
	turns   turns
	line    chan struct{} // holds whose turn it is
}

// NewStore makes a Store of a SQLite database. The database should be in WAL mode with a busy_timeout of some seconds. Close
// is the caller's.
func NewStore(db *sql.DB, options StoreOptions) *Store {
	if options.Retention <= 0 {
		options.Retention = 7 * 24 * time.Hour
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	return &Store{db: db, ask: sqlite(), options: options, line: make(chan struct{}, 1)}
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
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // the pool has it back whatever it says
	if _, err := conn.ExecContext(ctx, s.ask.begin); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_, rollback := conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
			err = errors.Join(err, rollback)
		}
	}()
	run := func(statements []string) error {
		for _, statement := range statements {
			if _, err := conn.ExecContext(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	}
	if err := run(s.ask.create); err != nil {
		return err
	}
	var version int
	if err := conn.QueryRowContext(ctx, s.ask.version).Scan(&version); err != nil {
		return err
	}
	if version < 1 || version > schemaVersion {
		return fmt.Errorf("they are of version %d, and this service knows version %d: start the newer service", version, schemaVersion)
	}
	for _, statements := range s.ask.upgrade[version-1:] {
		if err := run(statements); err != nil {
			return err
		}
	}
	_, err = conn.ExecContext(ctx, "COMMIT")
	return err
}

// within runs do in a transaction that has its turn. Transactions of one database run one after another, so what do reads
// stays true until it is committed. Those of this process wait in line here: a database may keep others waiting in no order,
// or for longer than it has to.
func (s *Store) within(ctx context.Context, do func(tx *sql.Tx) error) error {
	select {
	case s.line <- struct{}{}:
		defer func() { <-s.line }()
	case <-ctx.Done():
		return ctx.Err()
	}
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("the service's database: %w", err)
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, s.ask.lock); err != nil {
		return fmt.Errorf("the service's database: %w", err)
	}
	if err := do(tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
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
