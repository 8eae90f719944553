package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"sync"
	"time"

	gomysql "github.com/go-sql-driver/mysql"
	"github.com/golang-migrate/migrate/v4"
	"github.com/golang-migrate/migrate/v4/database/mysql"
	"github.com/golang-migrate/migrate/v4/source/iofs"

	"banyan.dev/banyan/migrations"
	"banyan.dev/banyan/mirror/change"
)

// sets are the directories of migrations. Each has a table of its own that counts what was done.
var sets = []string{"control", "ledger"}

// versionTable gives the name of the table that counts what was done of a set.
func versionTable(set string) string { return "migrations_" + set }

// Migrate makes the schema and its tables, or brings them up to date. Several processes may do so at once. It changes
// nothing, and needs no right to, when all is there. A *change.StopError says what a person has to do: grant what is
// missing, or look at tables that are half made or of a newer Banyan. All else, such as a server that is down, may pass.
func Migrate(ctx context.Context, options Options) error {
	o, err := options.withDefaults()
	if err != nil {
		return err
	}
	err = o.migrate(ctx)
	switch {
	case err == nil:
		return nil
	case change.Stops(err) != nil:
		return err
	case ctx.Err() != nil:
		return fmt.Errorf("make Banyan's own tables: %w", ctx.Err())
	case isNumber(err, noGrant...):
		return &change.StopError{
			What:  fmt.Sprintf("the account may not make Banyan's own tables in `%s`", o.Schema),
			Fix:   "run on that server: " + o.grant(ctx, "SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX"),
			Cause: err,
		}
	case isNumber(err, noAccount...):
		return &change.StopError{What: "the server of Banyan's own tables refuses the account", Fix: "correct user and password, or let the account log in from here", Cause: err}
	}
	return fmt.Errorf("make Banyan's own tables: %w", err)
}

func (o Options) migrate(ctx context.Context) (err error) {
	cfg, err := o.config()
	if err != nil {
		return err
	}
	// golang-migrate knows no context for its statements: at ctx's end the connections below it are cut.
	dialed := &cutter{}
	defer context.AfterFunc(ctx, dialed.cut)()
	cfg.DialFunc = dialed.dial
	cfg.ReadTimeout = time.Minute // for DDL and for others who migrate at the same time
	if err := o.createSchema(ctx, cfg); err != nil {
		return err
	}
	cfg.DBName = o.Schema
	db, err := open(cfg, 1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	for _, set := range sets {
		if err := o.migrateSet(ctx, db, set); err != nil {
			return fmt.Errorf("set %s: %w", set, err)
		}
	}
	return nil
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

func (o Options) migrateSet(ctx context.Context, db *sql.DB, set string) (err error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	driver, err := mysql.WithConnection(ctx, conn, &mysql.Config{MigrationsTable: versionTable(set), DatabaseName: o.Schema})
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	source, err := iofs.New(migrations.Files, set)
	if err != nil {
		return errors.Join(fmt.Errorf("read the embedded migrations: %w", err), driver.Close())
	}
	m, err := migrate.NewWithInstance("iofs", source, "mysql", driver)
	if err != nil {
		return errors.Join(err, source.Close(), driver.Close())
	}
	defer func() {
		sourceErr, driverErr := m.Close()
		err = errors.Join(err, sourceErr, driverErr)
	}()
	m.LockTimeout = 30 * time.Second
	last, err := lastVersion(set)
	if err != nil {
		return err
	}
	err = m.Up()
	var dirty migrate.ErrDirty
	switch {
	case err == nil:
		o.Logger.Info("made Banyan's own tables", "schema", o.Schema, "set", set, "version", last)
		return nil
	case errors.Is(err, migrate.ErrNoChange):
		return nil
	case errors.As(err, &dirty):
		return o.halfMade(set, dirty.Version)
	}
	if version, _, verr := driver.Version(); verr == nil && version > int(last) {
		return o.tooNew(set, version, last)
	}
	return err
}

// lastVersion gives the number of the last migration of a set.
func lastVersion(set string) (last uint, err error) {
	source, err := iofs.New(migrations.Files, set)
	if err != nil {
		return 0, fmt.Errorf("read the embedded migrations: %w", err)
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	next, err := source.First()
	for ; err == nil; next, err = source.Next(last) {
		last = next
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("read the embedded migrations: %w", err)
	}
	return last, nil
}

// halfMade tells of a process that ended in the middle of a migration. As statements may be run again, going back by one
// is always right.
func (o Options) halfMade(set string, version int) error {
	table := fmt.Sprintf("`%s`.`%s`", o.Schema, versionTable(set))
	fix := fmt.Sprintf("UPDATE %s SET version = %d, dirty = 0", table, version-1)
	if version <= 1 {
		fix = "DELETE FROM " + table
	}
	return &change.StopError{
		What: fmt.Sprintf("making Banyan's own tables was interrupted: `%s`, set %s, version %d is half done", o.Schema, set, version),
		Fix:  "make sure that no other Banyan is starting, run this on that server, and start again; what was done is not done twice: " + fix,
	}
}

// tooNew tells of tables that this program does not know yet.
func (o Options) tooNew(set string, version int, last uint) error {
	return &change.StopError{
		What: fmt.Sprintf("Banyan's own tables in `%s` are of a newer Banyan: set %s has version %d, this program knows %d", o.Schema, set, version, last),
		Fix:  "run the newer program",
	}
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
