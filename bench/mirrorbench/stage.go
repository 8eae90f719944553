package mirrorbench

import (
	"context"
	"errors"
	"log/slog"

	"github.com/go-sql-driver/mysql"

	"banyan.dev/banyan/adapters/binlog"
	"banyan.dev/banyan/adapters/store"
	"banyan.dev/banyan/bench/canal"
	"banyan.dev/banyan/bench/rig"
	"banyan.dev/banyan/mirror/change"
)

// stage is what all contenders run on, with the table.
type stage struct {
	servers *rig.Servers
	source  *binlog.Source

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
	if s.servers, err = rig.StartServers(ctx); err != nil {
		return nil, err
	}
	dsn := s.servers.Database.DSN("")
	config, err := mysql.ParseDSN(dsn)
	if err != nil {
		return nil, err
	}
	s.server = canal.Server{Addr: config.Addr, User: config.User, Password: config.Passwd}
	logger := slog.New(slog.DiscardHandler)
	if s.source, err = newSource(dsn, logger); err != nil {
		return nil, err
	}
	if err := store.Migrate(ctx, storeOptions(dsn, logger)); err != nil {
		return nil, err
	}
	return s, s.servers.Undurably(ctx, func() (err error) {
		s.stretches, err = fill(ctx, s.servers.DB, s.source.Tail, p)
		return err
	})
}

// job makes a job for a contender.
func (s *stage) job(c contender, from change.Position, rows int) job {
	return job{
		Contender: c.name, Server: s.server, DSN: s.servers.Database.DSN(""), Broker: s.servers.Broker.URL(""), StreamPort: s.servers.Broker.StreamPort,
		From: from, Rows: uint64(rows), Dir: s.servers.Dir, //nolint:gosec // a plan's
	}
}

// queued runs with a new queue of a kind, and removes it; rows are how many messages it has to have at the end.
func (s *stage) queued(ctx context.Context, kind string, rows int, run func() error) (err error) {
	q, err := newQueue(s.servers.Broker.URL(""), kind)
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
	var errs []error
	if s.source != nil {
		errs = append(errs, s.source.Close())
	}
	if s.servers != nil {
		errs = append(errs, s.servers.Close())
	}
	return errors.Join(errs...)
}
