package app_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/adapters/binlog"
	"banyan.dev/banyan/adapters/rabbitmq"
	"banyan.dev/banyan/adapters/store"
	"banyan.dev/banyan/internal/app/apptest"
	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/mirror"
	"banyan.dev/banyan/mirror/change"
	"banyan.dev/banyan/protocol"
)

// serviceRig is the stream of the service orders on real servers, without the rest of Banyan: the entities are read by
// statements of the test's own.
type serviceRig struct {
	dsn, schema, ledger, url string
	db                       *sql.DB
	options                  store.Options
	control                  *store.Ledger
	writer                   *store.Writer
	source                   *binlog.Source
	told                     *toldService
	entities                 mirror.Entities // the rig itself, unless a test has others
	unread                   mirror.Unread   // nil: what can't be read stops the stream
}

func newServiceRig(t *testing.T, server *devstack.Server, url string) *serviceRig {
	t.Helper()
	r := &serviceRig{dsn: server.NewSchema(t), url: url}
	cfg, err := mysql.ParseDSN(r.dsn)
	if err != nil {
		t.Fatal(err)
	}
	r.schema = cfg.DBName
	r.ledger = "l_" + r.schema[:min(len(r.schema), 40)]
	r.options = store.Options{DSN: r.dsn, Schema: r.ledger, Mirror: "service.orders", Logger: slog.New(slog.DiscardHandler)}
	if r.db, err = sql.Open("mysql", r.dsn); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = r.db.ExecContext(context.Background(), "DROP DATABASE IF EXISTS "+r.ledger) // its server may be gone
		r.db.Close()
	})
	if err := store.Migrate(t.Context(), r.options); err != nil {
		t.Fatal(err)
	}
	if r.control, err = store.NewLedger(r.options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.control.Close() })
	if r.writer, err = store.RegisterWriter(t.Context(), r.options, "replica-1", 4); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.writer.Deregister(context.Background()) })
	r.exec(t, "CREATE TABLE orders (id BIGINT UNSIGNED PRIMARY KEY, n INT NOT NULL)", "CREATE TABLE order_lines (id INT AUTO_INCREMENT PRIMARY KEY, order_id BIGINT UNSIGNED, sku VARCHAR(20))")
	r.entities = r
	scope := func(schema, table string) bool {
		return schema == r.ledger || schema == r.schema && (table == "" || len(r.entities.Of(schema, table)) > 0)
	}
	if r.source, err = binlog.New(binlog.Options{DSN: r.dsn, Scope: scope}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.source.Close() })
	r.told = &toldService{have: map[string]protocol.EntityEvent{}, fences: map[string]int{}, promised: map[string]map[string]int{}}
	return r
}

func (r *serviceRig) exec(t *testing.T, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := r.db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%.200s: %v", s, err)
		}
	}
}

// banyan runs statements in a transaction with a writer mark, and with a lock behind it when it writes the order 1 back.
func (r *serviceRig) banyan(t *testing.T, writeBack bool, statements ...string) {
	t.Helper()
	tx, err := r.db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	mark, args := r.writer.Mark(0)
	plain := make([]any, len(args))
	for i, a := range args {
		plain[i] = a
	}
	if _, err := tx.ExecContext(t.Context(), mark, plain...); err != nil {
		t.Fatal(err)
	}
	if writeBack {
		n := change.WrittenBack(orderEntity, "1")
		statements = append([]string{fmt.Sprintf("INSERT INTO %s.locks (slot, n) VALUES (7, %d) ON DUPLICATE KEY UPDATE n = n + 1", r.ledger, n)}, statements...)
	}
	for _, s := range statements {
		if _, err := tx.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%.200s: %v", s, err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}

const orderEntity = "shop.v2.Order"

// Of implements mirror.Entities.
func (r *serviceRig) Of(schema, table string) []mirror.EntityTable {
	switch {
	case schema != r.schema:
	case table == "orders":
		return []mirror.EntityTable{{Entity: orderEntity, Column: "id"}}
	case table == "order_lines":
		return []mirror.EntityTable{{Entity: orderEntity, Column: "order_id"}}
	}
	return nil
}

// Steps implements mirror.Entities: all tables have the id.
func (r *serviceRig) Steps() int { return 0 }

// Committing implements mirror.Entities: those who use XA use other entities, or wait themselves.
func (r *serviceRig) Committing(context.Context, change.Position, []string) ([]string, error) {
	return nil, nil
}

// Follow implements mirror.Entities.
func (r *serviceRig) Follow(context.Context, change.Position, []mirror.Step) ([]string, error) {
	return nil, errors.New("there are no paths")
}

// Read implements mirror.Entities, on MariaDB.
func (r *serviceRig) Read(ctx context.Context, at change.Position, all []mirror.EntityName) ([]mirror.EntityState, error) {
	var ids []string
	for _, of := range all {
		ids = append(ids, of.ID)
	}
	conn, err := r.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK") //nolint:errcheck // It has read only.
	for {
		if _, err := conn.ExecContext(ctx, "START TRANSACTION WITH CONSISTENT SNAPSHOT"); err != nil {
			return nil, err
		}
		seen := change.Position{Server: at.Server}
		var name string
		if err := conn.QueryRowContext(ctx, "SHOW STATUS LIKE 'binlog_snapshot_file'").Scan(&name, &seen.File); err != nil {
			return nil, err
		}
		if err := conn.QueryRowContext(ctx, "SHOW STATUS LIKE 'binlog_snapshot_position'").Scan(&name, &seen.Offset); err != nil {
			return nil, err
		}
		if order, err := seen.Compare(at); err != nil {
			return nil, err
		} else if order >= 0 {
			break
		}
	}
	rows, err := conn.QueryContext(ctx, "SELECT o.id, o.n, (SELECT COUNT(*) FROM order_lines l WHERE l.order_id = o.id) FROM orders o WHERE o.id IN ("+strings.Join(ids, ",")+")")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	byID := map[string]mirror.EntityState{}
	for rows.Next() {
		var id string
		var n, lines int
		if err := rows.Scan(&id, &n, &lines); err != nil {
			return nil, err
		}
		byID[id] = mirror.EntityState{ID: id, Key: "k", Data: fmt.Appendf(nil, `{"n":%d,"lines":%d}`, n, lines)}
	}
	out := make([]mirror.EntityState, len(ids))
	for i, id := range ids {
		var there bool
		if out[i], there = byID[id]; !there {
			out[i] = mirror.EntityState{ID: id, Deleted: true}
		}
	}
	return out, rows.Err()
}

// start runs the stream until the function that it gives is called.
func (r *serviceRig) start(t *testing.T) (m *mirror.Mirror, stop func()) {
	t.Helper()
	kept, err := store.New(r.options)
	if err != nil {
		t.Fatal(err)
	}
	heart, err := store.NewHeartbeat(r.options)
	if err != nil {
		t.Fatal(err)
	}
	sink, err := rabbitmq.NewServiceSink(rabbitmq.Options{Connection: rabbitmq.Connection{URL: r.url, Name: "stream"}}, "orders")
	if err != nil {
		t.Fatal(err)
	}
	m = mirror.New(mirror.Options{
		Name: "service.orders", Source: r.source, Sink: sink, Store: kept, Heart: heart, Ledger: r.ledger,
		Service: &mirror.ServiceStream{Name: "orders", Entities: r.entities, Unread: r.unread}, RetryMax: 200 * time.Millisecond, StopRetry: 200 * time.Millisecond,
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		m.Run(ctx)
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		<-ended
		kept.Close()
		heart.Close()
	})
	t.Cleanup(stop)
	return m, stop
}

// leads waits until the stream is read.
func leads(t *testing.T, m *mirror.Mirror) {
	t.Helper()
	apptest.Poll(t, "the stream leads", func() error {
		if s := m.Status(); s.Phase != mirror.PhaseLeading {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
}

// toldService does with what comes what a service does, and checks the promises that tests make with fences.
type toldService struct {
	mu       sync.Mutex
	have     map[string]protocol.EntityEvent
	order    []string // origin id, or fence id
	fences   map[string]int
	promised map[string]map[string]int // of a fence: n of orders that were committed before it
	broken   []string
	last     amqp.Delivery
	each     func(protocol.EntityEvent) // is given each event; nil: nobody is
}

func (s *toldService) take(d *amqp.Delivery) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d.Headers["cloudEvents:type"] == protocol.TypeFence {
		var f protocol.Fence
		if err := json.Unmarshal(d.Body, &f); err != nil {
			return err
		}
		if f.Partition < protocol.Partitions-1 {
			return nil // the last copy is what counts here: there is one queue
		}
		for id, n := range s.promised[f.ID] {
			if got := s.n(id); got < n {
				s.broken = append(s.broken, fmt.Sprintf("at the fence %s, order %s is at %d and not at %d", f.ID, id, got, n))
			}
		}
		s.fences[f.ID]++
		s.order, s.last = append(s.order, "fence "+f.ID), *d
		return nil
	}
	var e protocol.EntityEvent
	if err := json.Unmarshal(d.Body, &e); err != nil {
		return err
	}
	if e.Version != d.Headers["cloudEvents:banyanversion"] || e.Deleted != (e.Data == nil) {
		s.broken = append(s.broken, string(d.Body))
	}
	if s.each != nil {
		s.each(e)
	}
	if e.Version > s.have[e.ID].Version {
		s.have[e.ID] = e
		s.order = append(s.order, string(e.Origin)+" "+e.ID)
	}
	return nil
}

// n gives an order's number; -1 for none.
func (s *toldService) n(id string) int {
	var order struct{ N int }
	if e, there := s.have[id]; !there || e.Deleted || json.Unmarshal(e.Data, &order) != nil {
		return -1
	}
	return order.N
}

// consume lets the service run until the function that it gives is called. It connects again for as long as it takes.
func (r *serviceRig) consume(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			_ = r.session(ctx) // a broker that is killed ends it
			select {
			case <-ctx.Done():
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	stop = sync.OnceFunc(func() { cancel(); <-ended })
	t.Cleanup(stop)
	return stop
}

func (r *serviceRig) session(ctx context.Context) error {
	conn, err := amqp.Dial(r.url)
	if err != nil {
		return err
	}
	defer conn.CloseDeadline(time.Now().Add(time.Second)) //nolint:errcheck // It is closed whatever it says.
	defer context.AfterFunc(ctx, func() { _ = conn.CloseDeadline(time.Now().Add(time.Second)) })()
	c, err := conn.Channel()
	if err != nil {
		return err
	}
	exchange, queue := rabbitmq.ServiceExchange("orders"), protocol.QueueName("orders", 1, 0)
	if err := c.ExchangeDeclare(exchange, amqp.ExchangeDirect, true, false, false, false, nil); err != nil {
		return err
	}
	if _, err := c.QueueDeclare(queue, true, false, false, false, nil); err != nil {
		return err
	}
	for partition := range protocol.Partitions {
		if err := c.QueueBind(queue, protocol.RoutingKey(partition), exchange, false, nil); err != nil {
			return err
		}
	}
	if err := c.Qos(100, 0, false); err != nil {
		return err
	}
	deliveries, err := c.Consume(queue, "", false, false, false, false, nil)
	if err != nil {
		return err
	}
	for d := range deliveries {
		if err := r.told.take(&d); err != nil {
			return err
		}
		if err := d.Ack(false); err != nil {
			return err
		}
	}
	return nil
}

// fenced waits until a fence has come.
func (r *serviceRig) fenced(t *testing.T, id string) {
	t.Helper()
	apptest.Poll(t, "the fence "+id, func() error {
		r.told.mu.Lock()
		defer r.told.mu.Unlock()
		if r.told.fences[id] == 0 {
			return fmt.Errorf("%d others have come, %d orders", len(r.told.fences), len(r.told.have))
		}
		return nil
	})
}
