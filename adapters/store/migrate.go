package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	gomysql "github.com/go-sql-driver/mysql"
	"github.com/golang-migrate/migrate/v4"
	"github.com/golang-migrate/migrate/v4/database"
	"github.com/golang-migrate/migrate/v4/database/mysql"
	"github.com/golang-migrate/migrate/v4/source/iofs"

	"banyan.dev/banyan/migrations"
	"banyan.dev/banyan/mirror/change"
)

// Migrate is Up for who doesn't ask what was done.
func Migrate(ctx context.Context, options Options) error {
	_, err := Up(ctx, options)
	return err
}

// Up makes the schema and its tables, or brings them up to date, and gives what it has done. Several processes may do so at
// once: one does it, the others wait, until ctx ends. A migration that was broken off is run again. Up changes nothing, and
// needs no right to, when all is there, or is of a newer Banyan that this program can work beside. A *change.StopError says
// what a person has to do. All else, such as a server that is down, may pass.
func Up(ctx context.Context, options Options) (done []Migration, err error) {
	o, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	states, err := o.states(ctx)
	if err != nil {
		return nil, o.notMigrated(ctx, err)
	}
	if usable(states) {
		o.tellNewer(states)
		return nil, nil
	}
	if err := o.tooNew(states); err != nil {
		return nil, err
	}
	done, err = o.migrate(ctx)
	return done, o.notMigrated(ctx, err)
}

// notMigrated says why tables could not be made.
func (o Options) notMigrated(ctx context.Context, err error) error {
	switch {
	case err == nil, change.Stops(err) != nil:
		return err
	case ctx.Err() != nil:
		return fmt.Errorf("make Banyan's own tables: %w", ctx.Err())
	case isNumber(err, noGrant...):
		return &change.StopError{
			What:  fmt.Sprintf("the account may not make Banyan's own tables in `%s`, or not see whether they are there", o.Schema),
			Fix:   "run `banyan migrate up` as an account that may make them, and then for this one what `banyan grants` prints; or run on that server: " + o.grant(ctx, migrateRights()),
			Cause: err,
		}
	case isNumber(err, noAccount...):
		return &change.StopError{What: "the server of Banyan's own tables refuses the account", Fix: "correct user and password, or let the account log in from here", Cause: err}
	}
	return fmt.Errorf("make Banyan's own tables: %w", err)
}

func (o Options) migrate(ctx context.Context) (done []Migration, err error) {
	cfg, err := o.config()
	if err != nil {
		return nil, err
	}
	// golang-migrate knows no context for its statements: at ctx's end the connections below it are cut.
	dialed := &cutter{}
	defer context.AfterFunc(ctx, dialed.cut)()
	cfg.DialFunc = dialed.dial
	cfg.ReadTimeout = migrateTimeout
	if err := o.createSchema(ctx, cfg); err != nil {
		return nil, err
	}
	cfg.DBName = o.Schema
	db, err := open(cfg, 1)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	// One connection for all: the lock is held by the one that runs the statements, so that it is free only when a statement
	// of a process that was killed has ended.
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }() // which frees the lock, as db's end is the connection's
	if err := o.lockMigrations(ctx, conn); err != nil {
		return nil, err
	}
	for _, set := range sets() {
		made, err := o.migrateSet(ctx, conn, set)
		done = append(done, made...)
		if err != nil {
			return done, fmt.Errorf("set %s: %w", set, err)
		}
	}
	return done, nil
}

const (
	// migrateTimeout bounds each statement of a migration. One that takes longer goes on in the server; whoever comes next
	// waits for it.
	migrateTimeout = 10 * time.Minute
	// lockRound is how long one question for the lock of those who migrate waits in the server.
	lockRound = time.Second
)

// lockMigrations waits until no other process migrates this schema.
func (o Options) lockMigrations(ctx context.Context, conn *sql.Conn) error {
	for told := false; ; {
		var got sql.NullBool
		if err := conn.QueryRowContext(ctx, "SELECT GET_LOCK(?, ?)", migrationsLock(o.Schema), seconds(lockRound)).Scan(&got); err != nil {
			return fmt.Errorf("wait for others who make the tables: %w", err)
		}
		switch {
		case !got.Valid:
			return errors.New("the server could not wait for others who make the tables")
		case got.Bool:
			return nil
		case !told:
			o.Logger.Info("another process is making Banyan's own tables: waiting for it", "schema", o.Schema)
			told = true
		}
	}
}

// createSchema makes the database unless it is there: CREATE DATABASE IF NOT EXISTS needs a right even where it does nothing.
func (o Options) createSchema(ctx context.Context, cfg *gomysql.Config) (err error) {
	db, err := open(cfg, 1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var there int
	if err := db.QueryRowContext(ctx, "SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ?", o.Schema).Scan(&there); err != nil {
		return err
	}
	if there > 0 {
		return nil
	}
	_, err = db.ExecContext(ctx, "CREATE DATABASE IF NOT EXISTS `"+o.Schema+"` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
	return err
}

// migrateSet brings a set up to date. The lock is held, so what is half done was broken off.
func (o Options) migrateSet(ctx context.Context, conn *sql.Conn, set string) (done []Migration, err error) {
	known, err := migrationsOf(set)
	if err != nil {
		return nil, err
	}
	// Its Close would close the connection; it has nothing else to close.
	driver, err := mysql.WithConnection(ctx, conn, &mysql.Config{MigrationsTable: versionTable(set), DatabaseName: o.Schema})
	if err != nil {
		return nil, err
	}
	version, dirty, err := driver.Version()
	if err != nil {
		return nil, err
	}
	now := judgeSet(set, version, dirty, known)
	switch now.State {
	case Current, Newer:
		return nil, nil
	case TooNew:
		return nil, o.tooNew([]SetState{now})
	case Interrupted:
		before := database.NilVersion
		if i := len(known) - len(now.Pending); i > 0 {
			before = int(known[i-1].Version) //nolint:gosec // versions are small
		}
		o.Logger.Warn("making Banyan's own tables was broken off: what was half done is done again", "schema", o.Schema, "set", set, "version", version)
		if err := driver.SetVersion(before, false); err != nil {
			return nil, err
		}
	}
	source, err := iofs.New(migrations.Files, set)
	if err != nil {
		return nil, fmt.Errorf("read the embedded migrations: %w", err)
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	m, err := migrate.NewWithInstance("iofs", source, "mysql", driver)
	if err != nil {
		return nil, err
	}
	if err := m.Up(); err != nil && !errors.Is(err, migrate.ErrNoChange) {
		return nil, err
	}
	o.Logger.Info("made Banyan's own tables", "schema", o.Schema, "set", set, "version", now.Latest, "migrations", len(now.Pending))
	return now.Pending, nil
}

// cutter closes what it has dialled.
type cutter struct {
	mu     sync.Mutex
	conns  []net.Conn
	closed bool
}

func (c *cutter) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, errors.Join(os.ErrDeadlineExceeded, conn.Close())
	}
	c.conns = append(c.conns, conn)
	return conn, nil
}

func (c *cutter) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, conn := range c.conns {
		_ = conn.Close() // what used it says so
	}
}
