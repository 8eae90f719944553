package servicebench

import (
	"context"
	"errors"
	"log/slog"

	"github.com/go-sql-driver/mysql"

	"banyan.dev/banyan/adapters/binlog"
	"banyan.dev/banyan/adapters/store"
	"banyan.dev/banyan/bench/canal"
	"banyan.dev/banyan/bench/rig"
)

// stage is what all contenders run on, with the orders.
type stage struct {
	servers *rig.Servers
	source  *binlog.Source

	server    canal.Server
	stretches []stretch
	// next is the id of the order that is inserted next.
	next int
}

func newStage(ctx context.Context, p Plan) (s *stage, err error) {
	s = &stage{next: p.Orders + 1}
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
	if s.source, err = binlog.New(binlog.Options{DSN: dsn, Scope: func(string, string) bool { return false }, Logger: logger}); err != nil {
		return nil, err
	}
	if err := store.Migrate(ctx, storeOptions(dsn, logger)); err != nil {
		return nil, err
	}
	return s, s.servers.Undurably(ctx, func() (err error) {
		s.stretches, err = fill(ctx, s.servers.DB, s.source.Tail, p.Orders)
		return err
	})
}

// job makes a job for a process.
func (s *stage) job(name string) job {
	return job{Contender: name, Server: s.server, DSN: s.servers.Database.DSN(schema), Broker: s.servers.Broker.URL(""), Dir: s.servers.Dir}
}

// queues gives the service's queues.
func (s *stage) queues(n int) queues { return queues{s.servers.Broker.URL(""), n} }

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
