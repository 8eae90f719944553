package rig

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"banyan.dev/banyan/internal/devstack"
)

// Servers are what all contenders run on.
type Servers struct {
	Database *devstack.Database
	Broker   *devstack.Broker
	// DB gives connections to Database, in no schema, that take several statements at once.
	DB *sql.DB
	// Dir is for files. It goes with the servers.
	Dir string
	// Versions says which these are.
	Versions string

	brokerPID string // empty where the system doesn't tell a process's CPU time
}

// StartServers starts them. They are the caller's to close.
func StartServers(ctx context.Context) (s *Servers, err error) {
	s = &Servers{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if s.Dir, err = os.MkdirTemp("", "banyan-bench-"); err != nil {
		return nil, fmt.Errorf("make a directory: %w", err)
	}
	if s.Database, err = devstack.StartDatabase(ctx, devstack.DatabaseOptions{}); err != nil {
		return nil, err
	}
	if s.Broker, err = devstack.StartBroker(ctx, devstack.BrokerOptions{}); err != nil {
		return nil, err
	}
	if s.DB, err = OpenDatabase(s.Database.DSN("")); err != nil {
		return nil, err
	}
	if err := s.DB.QueryRowContext(ctx, "SELECT VERSION()").Scan(&s.Versions); err != nil {
		return nil, fmt.Errorf("ask for the version: %w", err)
	}
	broker, err := s.Broker.Control(ctx, "version")
	if err != nil {
		return nil, err
	}
	s.Versions += ", RabbitMQ " + strings.TrimSpace(broker)
	if runtime.GOOS == "linux" {
		pid, err := s.Broker.Control(ctx, "eval", `io:format("~s", [os:getpid()]).`)
		if err != nil {
			return nil, err
		}
		s.brokerPID, _, _ = strings.Cut(pid, "ok")
	}
	return s, nil
}

// OpenDatabase gives connections that take several statements at once.
func OpenDatabase(dsn string) (*sql.DB, error) {
	config, err := mysql.ParseDSN(dsn)
	if err != nil {
		return nil, err
	}
	config.MultiStatements = true
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

// Undurably runs something whose commits need not be on the disk one by one, such as writing what is read later.
func (s *Servers) Undurably(ctx context.Context, do func() error) (err error) {
	set := func(statement string) error {
		_, err := s.DB.ExecContext(ctx, statement)
		return err
	}
	if err := set("SET GLOBAL sync_binlog = 0, GLOBAL innodb_flush_log_at_trx_commit = 2"); err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, set("SET GLOBAL sync_binlog = 1, GLOBAL innodb_flush_log_at_trx_commit = 1"))
	}()
	return do()
}

// Close stops them.
func (s *Servers) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var errs []error
	if s.DB != nil {
		errs = append(errs, s.DB.Close())
	}
	if s.Broker != nil {
		errs = append(errs, s.Broker.Stop(ctx))
	}
	if s.Database != nil {
		errs = append(errs, s.Database.Stop(ctx))
	}
	if s.Dir != "" {
		errs = append(errs, os.RemoveAll(s.Dir))
	}
	return errors.Join(errs...)
}
