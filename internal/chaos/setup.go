package chaos

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/go-sql-driver/mysql"
	"golang.org/x/sync/errgroup"

	"banyan.dev/banyan/adapters/binlog"
	example "banyan.dev/banyan/examples/shop"
	"banyan.dev/banyan/internal/chaos/replica"
	"banyan.dev/banyan/internal/devstack"
)

// setUp starts the servers, the ways between them, and the consumer.
func (r *run) setUp(ctx context.Context) error {
	other, err := r.startServers(ctx)
	if err != nil {
		return err
	}
	if r.rebuilt, err = replica.Open(other.DSN("")); err != nil {
		return err
	}
	r.stops = append(r.stops, func(context.Context) error { return r.rebuilt.Close() })
	if r.consumer, err = replica.NewConsumer(ctx, r.rebuilt); err != nil {
		return err
	}
	r.stops = append(r.stops, func(context.Context) error { return r.consumer.Close() })
	if r.db, err = openShop(ctx, r.database); err != nil {
		return err
	}
	r.stops = append(r.stops, func(context.Context) error { return r.db.Close() })
	if err := r.openLog(ctx); err != nil {
		return err
	}
	if err := layOut(r.Dir); err != nil {
		return err
	}
	r.banyanBusy = newMutexes(2)
	for i := range 2 {
		if err := r.addBanyan(i); err != nil {
			return err
		}
	}
	r.startConsumer(ctx)
	return nil
}

// startServers starts both servers, and the one to rebuild on, all at once.
func (r *run) startServers(ctx context.Context) (other *devstack.Database, err error) {
	settings := map[string]string{"max_binlog_size": "8M", "lock_wait_timeout": "10", "innodb_lock_wait_timeout": "3"}
	var starting errgroup.Group
	starting.Go(func() (err error) {
		r.database, err = devstack.StartDatabase(ctx, devstack.DatabaseOptions{Relaxed: true, Settings: settings})
		return err
	})
	starting.Go(func() (err error) {
		r.broker, err = devstack.StartBroker(ctx, devstack.BrokerOptions{})
		return err
	})
	starting.Go(func() (err error) {
		other, err = devstack.StartDatabase(ctx, devstack.DatabaseOptions{Relaxed: true, Settings: map[string]string{"log_bin": "OFF"}})
		return err
	})
	err = starting.Wait()
	if r.database != nil {
		r.stops = append(r.stops, r.database.Stop)
	}
	if r.broker != nil {
		r.stops = append(r.stops, r.broker.Stop)
	}
	if other != nil {
		r.stops = append(r.stops, other.Stop)
	}
	return other, err
}

// openLog remembers where the log is when nothing has happened.
func (r *run) openLog(ctx context.Context) error {
	var err error
	r.source, err = binlog.New(binlog.Options{DSN: r.database.DSN(""), Scope: func(schema, _ string) bool { return schema == shopSchema }})
	if err != nil {
		return err
	}
	r.stops = append(r.stops, func(context.Context) error { return r.source.Close() })
	r.from, err = r.source.Tail(ctx)
	return err
}

// openShop makes the shop's empty database.
func openShop(ctx context.Context, server *devstack.Database) (*sql.DB, error) {
	all, err := sql.Open("mysql", server.DSN(""))
	if err != nil {
		return nil, fmt.Errorf("use the server: %w", err)
	}
	defer all.Close() //nolint:errcheck // all that it did has been answered
	if err := execute(ctx, all, "CREATE DATABASE "+shopSchema+" CHARACTER SET utf8mb4"); err != nil {
		return nil, err
	}
	config, err := mysql.ParseDSN(server.DSN(shopSchema))
	if err != nil {
		return nil, fmt.Errorf("use the shop's database: %w", err)
	}
	config.Logger = &mysql.NopLogger{} // that the server is gone at times is nothing to tell
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, fmt.Errorf("use the shop's database: %w", err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxIdleConns(16)
	return db, nil
}

// config is banyan.yaml. Both Banyans read it, each with an environment of its own.
const config = `contract:
  paths: [contract]
sql: [sql/*.sql]
versions:
  shop.v1: {of: shop.v2, file: versions/shop.v1.yaml}
legacy: {dsn: "${BANYAN_LEGACY_DSN}", time_zone: UTC, start_timeout: 2m}
broker: {url: "${BANYAN_BROKER_URL}"}
mirror: {max_memory: 32MiB}
listen: {rest: "${BANYAN_REST}", grpc: "${BANYAN_GRPC}", admin: "${BANYAN_ADMIN}"}
shutdown: {drain: 2s}
auth: {off: true}
`

// layOut writes the shop's project into a directory.
func layOut(dir string) error {
	err := fs.WalkDir(example.Files(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := filepath.Join(dir, filepath.FromSlash(path))
		if d.IsDir() {
			return os.MkdirAll(to, 0o750)
		}
		text, err := fs.ReadFile(example.Files(), path)
		if err != nil {
			return err
		}
		if path == "banyan.yaml" {
			text = []byte(config)
		}
		return os.WriteFile(to, text, 0o600)
	})
	if err != nil {
		return fmt.Errorf("lay the example out: %w", err)
	}
	return nil
}

// addBanyan makes a Banyan with ways of its own to both servers.
func (r *run) addBanyan(number int) error {
	toDatabase, err := newLink(fmt.Sprintf("database %d", number), fmt.Sprintf("127.0.0.1:%d", r.database.Port))
	if err != nil {
		return err
	}
	r.stops = append(r.stops, func(context.Context) error { toDatabase.cut(); return nil })
	toBroker, err := newLink(fmt.Sprintf("broker %d", number), fmt.Sprintf("127.0.0.1:%d", r.broker.Port))
	if err != nil {
		return err
	}
	r.stops = append(r.stops, func(context.Context) error { toBroker.cut(); return nil })
	dsn, url, err := through(r.database.DSN(shopSchema), toDatabase.address(), r.broker.URL(""), toBroker.address())
	if err != nil {
		return err
	}
	b, err := newBanyan(r.Command, r.Dir, number, dsn, url)
	if err != nil {
		return err
	}
	r.stops = append(r.stops, func(context.Context) error { b.kill(); b.client.CloseIdleConnections(); return nil })
	r.databaseLinks, r.brokerLinks, r.banyans = append(r.databaseLinks, toDatabase), append(r.brokerLinks, toBroker), append(r.banyans, b)
	return nil
}
