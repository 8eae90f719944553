package mirrorbench

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"banyan.dev/banyan/adapters/binlog"
	"banyan.dev/banyan/adapters/store"
	"banyan.dev/banyan/bench/canal"
	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/mirror/change"
)

// stage is what all contenders run on: one durable MariaDB with the table, and one RabbitMQ.
type stage struct {
	database *devstack.Database
	broker   *devstack.Broker
	db       *sql.DB
	source   *binlog.Source
	dir      string // for the contenders' files

	versions  string
	server    canal.Server
	stretches []stretch
	// next is the key of the row that is written next.
	next int
}

func newStage(ctx context.Context, p Plan) (s *stage, err error) {
	s = &stage{next: p.Rows + 1}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.dir, err = os.MkdirTemp("", "banyan-mirrorbench-"); err != nil {
		return nil, fmt.Errorf("make a directory: %w", err)
	}
	if s.database, err = devstack.StartDatabase(ctx, devstack.DatabaseOptions{}); err != nil {
		return nil, err
	}
	if s.broker, err = devstack.StartBroker(ctx, devstack.BrokerOptions{}); err != nil {
		return nil, err
	}
	config, err := mysql.ParseDSN(s.database.DSN(""))
	if err != nil {
		return nil, err
	}
	s.server = canal.Server{Addr: config.Addr, User: config.User, Password: config.Passwd}
	if s.db, err = openDatabase(s.database.DSN("")); err != nil {
		return nil, err
	}
	logger := slog.New(slog.DiscardHandler)
	if s.source, err = newSource(s.database.DSN(""), logger); err != nil {
		return nil, err
	}
	if err := store.Migrate(ctx, storeOptions(s.database.DSN(""), logger)); err != nil {
		return nil, err
	}
	if s.stretches, err = fill(ctx, s.db, s.source.Tail, p); err != nil {
		return nil, err
	}
	return s, s.ask(ctx)
}

// ask asks the servers for their versions.
func (s *stage) ask(ctx context.Context) error {
	if err := s.db.QueryRowContext(ctx, "SELECT VERSION()").Scan(&s.versions); err != nil {
		return fmt.Errorf("ask for the version: %w", err)
	}
	broker, err := s.broker.Control(ctx, "version")
	if err != nil {
		return err
	}
	s.versions += ", RabbitMQ " + strings.TrimSpace(broker)
	return nil
}

// job makes a job for a contender.
func (s *stage) job(c contender, from change.Position, rows int) job {
	return job{
		Contender: c.name, Server: s.server, DSN: s.database.DSN(""), Broker: s.broker.URL(""), StreamPort: s.broker.StreamPort,
		From: from, Rows: uint64(rows), Dir: s.dir, //nolint:gosec // a plan's
	}
}

// queued runs with a new queue of a kind, and removes it; rows are how many messages it has to have at the end.
func (s *stage) queued(ctx context.Context, kind string, rows int, run func() error) (err error) {
	q, err := newQueue(s.broker.URL(""), kind)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, q.remove()) }()
	if err := run(); err != nil {
		return err
	}
	return q.await(ctx, rows)
}

func (s *stage) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var errs []error
	if s.db != nil {
		errs = append(errs, s.db.Close())
	}
	if s.source != nil {
		errs = append(errs, s.source.Close())
	}
	if s.broker != nil {
		errs = append(errs, s.broker.Stop(ctx))
	}
	if s.database != nil {
		errs = append(errs, s.database.Stop(ctx))
	}
	if s.dir != "" {
		errs = append(errs, os.RemoveAll(s.dir))
	}
	return errors.Join(errs...)
}
