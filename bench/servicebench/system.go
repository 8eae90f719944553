package servicebench

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // the service's own database

	"banyan.dev/banyan/adapters/store"
	"banyan.dev/banyan/bench/rig"
	"banyan.dev/banyan/consumer"
	"banyan.dev/banyan/internal/app"
	"banyan.dev/banyan/protocol"
)

// The parts of a whole system.
const (
	wholeBanyan = "the whole of Banyan"
	newService  = "the new service"
)

// serveBanyan serves as `banyan serve` does, with its defaults, and tells where.
func serveBanyan(ctx context.Context, j job, tell func(any) error) error {
	loaded, err := load(ctx, j.Dir, j.DSN, j.Broker)
	if err != nil {
		return err
	}
	var told error
	err = app.New(loaded, app.Options{
		Logger: slog.New(loaded.Config.Log.Handler(os.Stderr)),
		Ready:  func(at app.Addresses) { told = tell(at) },
	}).Run(ctx)
	return errors.Join(err, told)
}

// orderQuantities is what the service keeps of orders, and what legacy has of them.
type orderQuantities map[int64]int64

func openService(dir string, queues int) (*sql.DB, error) {
	return sql.Open("sqlite", "file:"+filepath.Join(dir, fmt.Sprintf("service-%d.db", queues))+
		"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate")
}

// serveOrders is a service with the kit that keeps each order as it is told, until ctx ends.
func serveOrders(ctx context.Context, j job) (err error) {
	db, err := openService(j.Dir, j.Queues)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := db.ExecContext(ctx, "CREATE TABLE orders (id INTEGER PRIMARY KEY, quantity INTEGER NOT NULL, data TEXT NOT NULL)"); err != nil {
		return fmt.Errorf("make the service's table: %w", err)
	}
	kept := consumer.NewStore(db, consumer.StoreOptions{})
	if err := kept.Migrate(ctx); err != nil {
		return err
	}
	return consumer.Run(ctx, consumer.Options{
		URL: j.Broker, Service: service, Queues: j.Queues, Store: kept, Apply: apply,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
	})
}

// apply keeps an order.
func apply(ctx context.Context, tx *sql.Tx, e protocol.EntityEvent) error {
	if e.Deleted {
		_, err := tx.ExecContext(ctx, "DELETE FROM orders WHERE id = ?", e.ID)
		return err
	}
	var order struct{ Lines []struct{ Quantity int64 } }
	if err := json.Unmarshal(e.Data, &order); err != nil {
		return err
	}
	quantity := int64(0)
	for _, l := range order.Lines {
		quantity += l.Quantity
	}
	_, err := tx.ExecContext(ctx, "INSERT INTO orders (id, quantity, data) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET quantity = excluded.quantity, data = excluded.data", e.ID, quantity, string(e.Data))
	return err
}

// system is a service, and Banyan that feeds it.
type system struct {
	queues          queues
	service, banyan *rig.Process
	// admin is where Banyan is commanded.
	admin string
}

func (s *stage) startSystem(ctx context.Context, queues queues) (y *system, err error) {
	y = &system{queues: queues}
	defer func() {
		if err != nil {
			err = errors.Join(err, y.stop())
		}
	}()
	j := s.job(newService)
	j.Queues = queues.n
	if y.service, err = j.start(ctx); err != nil {
		return nil, err
	}
	if err := queues.awaitAnswer(ctx); err != nil {
		return nil, err
	}
	if err := s.here(ctx); err != nil {
		return nil, err
	}
	j.Contender = wholeBanyan
	if y.banyan, err = j.start(ctx); err != nil {
		return nil, err
	}
	var at app.Addresses
	if err := y.banyan.Read(&at); err != nil {
		y.banyan = nil // it has ended
		return nil, err
	}
	y.admin = at.Admin
	return y, nil
}

// here has the service's stream begin at the log's present end: a stream that has no position yet takes one once it leads, and leaves
// a fence out that was sent before that.
func (s *stage) here(ctx context.Context) (err error) {
	tail, err := s.source.Tail(ctx)
	if err != nil {
		return err
	}
	kept, err := store.New(storeOptions(s.servers.Database.DSN(""), slog.New(slog.DiscardHandler)))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, kept.Close()) }()
	_, err = kept.Reset(ctx, tail)
	return err
}

// stop ends both, Banyan first, and removes the queues.
func (y *system) stop() error {
	var errs []error
	for _, p := range []*rig.Process{y.banyan, y.service} {
		if p != nil {
			errs = append(errs, p.End())
		}
	}
	if y.service != nil {
		errs = append(errs, y.queues.remove())
	}
	return errors.Join(errs...)
}

// compare finds an order that the service has other than legacy. It has those only that have changed while it ran.
func (s *stage) compare(ctx context.Context, queues, least int) (err error) {
	db, err := openService(s.servers.Dir, queues)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	has, err := quantities(ctx, db, "SELECT id, quantity FROM orders")
	if err != nil {
		return err
	}
	want, err := quantities(ctx, s.servers.DB, "SELECT order_id, SUM(quantity) FROM "+schema+".order_lines GROUP BY order_id")
	if err != nil {
		return err
	}
	if len(has) < least {
		return fmt.Errorf("the service was told of %d orders, and %d have changed", len(has), least)
	}
	for id, n := range has {
		if want[id] != n {
			return fmt.Errorf("of the order %d the service has %d articles, and legacy %d", id, n, want[id])
		}
	}
	return nil
}

func quantities(ctx context.Context, db *sql.DB, query string) (orderQuantities, error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := orderQuantities{}
	for rows.Next() {
		var id, n int64
		if err := rows.Scan(&id, &n); err != nil {
			return nil, err
		}
		out[id] = n
	}
	return out, rows.Err()
}
