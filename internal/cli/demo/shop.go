package demo

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/go-sql-driver/mysql"

	example "banyan.dev/banyan/examples/shop"
	"banyan.dev/banyan/examples/shop/generate"
	"banyan.dev/banyan/examples/shop/oldshop"
	"banyan.dev/banyan/examples/shop/schema"
	"banyan.dev/banyan/internal/devstack"
)

// database is the name of the old shop's database.
const database = "shop"

// shop is the old shop, with Banyan's files for it laid out in a directory.
type shop struct {
	dsn     string // the administrator's
	own     string // that of Banyan's account
	config  string // path of banyan.yaml
	second  string // that of the second replica
	service string // where the new order service listens
	facades []string
	db      *sql.DB
}

// filled is kept in a directory whose database is complete.
type filled struct {
	Customers int `json:"customers"`
	Orders    int `json:"orders"`
}

// openShop makes the shop's database unless it is there, and lays the files out.
func openShop(ctx context.Context, server *devstack.Database, amqpURL string, o Options) (*shop, error) {
	if err := fillOnce(ctx, server, o); err != nil {
		return nil, err
	}
	s := &shop{dsn: server.DSN(database)}
	var err error
	if s.own, err = accountDSN(s.dsn); err != nil {
		return nil, err
	}
	if err := s.layOut(o, amqpURL); err != nil {
		return nil, err
	}
	if err := s.admit(ctx, o.LookupEnv); err != nil {
		return nil, err
	}
	if s.db, err = sql.Open("mysql", s.dsn); err != nil {
		return nil, fmt.Errorf("use the shop's database: %w", err)
	}
	return s, nil
}

func (s *shop) close() error { return s.db.Close() }

// goOn does what the old application does, until ctx ends.
func (s *shop) goOn(ctx context.Context, log *slog.Logger) error {
	return oldshop.Run(ctx, s.db, oldshop.Options{Seed: rand.Uint64(), Rate: actionsPerSecond, Log: log})
}

// actionsPerSecond is how busy the old application is: enough to see rows change, little enough to read along.
const actionsPerSecond = 1

// fillOnce makes and fills the database. A mark in the directory says that it was done; half a database is made anew.
func fillOnce(ctx context.Context, server *devstack.Database, o Options) error {
	mark := filepath.Join(o.Dir, "filled.json")
	want := filled{Customers: o.Customers, Orders: o.Orders}
	if text, err := os.ReadFile(mark); err == nil {
		var have filled
		if err := json.Unmarshal(text, &have); err != nil {
			return fmt.Errorf("%s: %w; remove %s to begin anew", mark, err, o.Dir)
		}
		if (want.Customers != 0 || want.Orders != 0) && want != have {
			fmt.Fprintf(o.Out, "Using the data in %s, whatever --customers and --orders say; remove the directory to begin anew.\n", o.Dir)
		}
		return mend(ctx, server.DSN(database))
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look for earlier data: %w", err)
	}
	fmt.Fprintln(o.Out, "Making the old shop's database …")
	if err := remake(ctx, server.DSN("")); err != nil {
		return err
	}
	db, err := sql.Open("mysql", server.DSN(database))
	if err != nil {
		return fmt.Errorf("use the shop's database: %w", err)
	}
	defer db.Close() //nolint:errcheck // all that it did has been answered
	if err := schema.Create(ctx, db); err != nil {
		return err
	}
	if err := generate.Generate(ctx, db, generate.Options{Customers: o.Customers, Orders: o.Orders}); err != nil {
		return err
	}
	text, err := json.Marshal(want)
	if err != nil {
		return err
	}
	return writeWhole(mark, text)
}

// mend repairs tables that a server which was killed has left open: MyISAM has no log to do it by itself.
func mend(ctx context.Context, dsn string) error {
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		return fmt.Errorf("use the shop's database: %w", err)
	}
	defer db.Close() //nolint:errcheck // all that it did has been answered
	rows, err := db.QueryContext(ctx, "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND ENGINE IN ('MyISAM', 'Aria')", database)
	if err != nil {
		return fmt.Errorf("look for the shop's tables: %w", err)
	}
	defer rows.Close()
	var tables []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return fmt.Errorf("look for the shop's tables: %w", err)
		}
		tables = append(tables, name)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("look for the shop's tables: %w", err)
	}
	for _, table := range tables {
		for _, statement := range []string{"CHECK TABLE `" + table + "` FAST QUICK", "REPAIR TABLE `" + table + "` QUICK"} {
			var name, op, kind, told string
			if err := db.QueryRowContext(ctx, statement).Scan(&name, &op, &kind, &told); err != nil {
				return fmt.Errorf("%s: %w", statement, err)
			}
			if kind == "status" {
				break
			}
		}
	}
	return nil
}

// remake gives an empty database.
func remake(ctx context.Context, dsn string) error {
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		return fmt.Errorf("use the server: %w", err)
	}
	defer db.Close() //nolint:errcheck // all that it did has been answered
	for _, statement := range []string{"DROP DATABASE IF EXISTS " + database, "CREATE DATABASE " + database + " CHARACTER SET utf8mb4"} {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("make the shop's database: %w", err)
		}
	}
	return nil
}

// layOut copies the example's contract and SQL into the directory and writes a banyan.yaml for each replica.
func (s *shop) layOut(o Options, amqpURL string) error {
	err := fs.WalkDir(example.Files(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := filepath.Join(o.Dir, "project", filepath.FromSlash(path))
		if d.IsDir() {
			return os.MkdirAll(to, 0o755)
		}
		text, err := fs.ReadFile(example.Files(), path)
		if err != nil {
			return err
		}
		return writeWhole(to, text)
	})
	if err != nil {
		return fmt.Errorf("lay the example out: %w", err)
	}
	ports, err := choosePorts(usual(), o.FreePorts, o.Out)
	if err != nil {
		return err
	}
	at := func(i int) string { return fmt.Sprintf("127.0.0.1:%d", ports[i]) }
	s.service, s.facades = at(6), []string{at(1), at(4)}
	for i, name := range []string{"banyan.yaml", "banyan-2.yaml"} {
		text, err := configFor(s.own, amqpURL, s.service, at(3*i), at(3*i+1), at(3*i+2))
		if err != nil {
			return err
		}
		file := filepath.Join(o.Dir, "project", name)
		if err := writeWhole(file, text); err != nil {
			return err
		}
		if i == 0 {
			s.config = file
		} else {
			s.second = file
		}
	}
	return nil
}

// configFor writes a replica's banyan.yaml, which also works without the demo as long as its servers run.
func configFor(dsn, amqpURL, service, rest, grpc, admin string) ([]byte, error) {
	parsed, err := mysql.ParseDSN(dsn)
	if err != nil {
		return nil, fmt.Errorf("read the server's DSN: %w", err)
	}
	quoted, err := json.Marshal(parsed.FormatDSN()) // JSON's strings are YAML's
	if err != nil {
		return nil, err
	}
	broker, err := json.Marshal(amqpURL)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, `# Written by banyan demo at each start, as all of this directory: change a copy.
contract:
  paths: [contract]
sql: [sql/*.sql]
versions:
  shop.v1: {of: shop.v2, file: versions/shop.v1.yaml, deprecated: 2026-12-01, sunset: 2027-12-01}
legacy:
  dsn: %s
broker:
  url: %s
mirror:
  omit_columns: [customers.customers_password, orders.orders_card_*]
services:
  orders: {target: %q}
capabilities:
  orders:
    service: orders
    operations: [shop.v2.OrderService.*]
    entity: shop.v2.Order
    key: customer_id
    keys: {PlaceOrder: order.customer_id, ListOrders: customer_id}
auth: {off: true} # all of it is on this machine, and made up; docs/auth.md is about others
listen: {rest: %q, grpc: %q, admin: %q}
log: {level: error}
shutdown: {drain: 5s}
`, quoted, broker, service, rest, grpc, admin), nil
}
