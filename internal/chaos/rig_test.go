package chaos_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"banyan.dev/banyan/adapters/binlog"
	"banyan.dev/banyan/adapters/binlog/relations"
	"banyan.dev/banyan/adapters/store"
	"banyan.dev/banyan/internal/chaos/replica"
	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/mirror"
	"banyan.dev/banyan/mirror/change"
)

// patience bounds waits; a busy machine needs many times the usual.
const patience = 30 * time.Second

// rig is a mirror in this process, from a schema of a MariaDB to a broker in memory, and a consumer that rebuilds the
// schema on another MariaDB.
type rig struct {
	t        *testing.T
	server   *devstack.Server
	schema   string
	copy     string  // what the schema is rebuilt as
	db       *sql.DB // the original
	rebuilt  *sql.DB
	consumer *replica.Consumer
	source   *binlog.Source
	options  mirror.Options
	mirror   *mirror.Mirror // the last that was started
	memory   *memory
}

// newRig makes a rig on the first of the test's database servers, or on the one that is given.
func newRig(t *testing.T, server *devstack.Server) *rig {
	t.Helper()
	r := &rig{t: t, server: server, memory: &memory{prompt: true}}
	dsn := server.NewSchema(t)
	config, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	r.schema = config.DBName
	r.db = r.open(sql.Open("mysql", dsn))
	r.newConsumer()
	r.source, err = binlog.New(binlog.Options{DSN: dsn, Scope: func(schema, _ string) bool { return schema == r.schema }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.source.Close() })
	known, err := relations.New(relations.Options{DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	r.options = mirror.Options{
		Name: "rig", Source: r.source, Sink: r.memory, Store: newKeeper(), Relations: known, Ledger: r.schema + "_ledger", Logger: slog.New(slog.DiscardHandler),
		SaveEvery: 10 * time.Millisecond, RetryMin: 10 * time.Millisecond, RetryMax: 50 * time.Millisecond, StopRetry: 50 * time.Millisecond,
	}
	return r
}

// realStore makes the store that Banyan has, in a ledger of the test's own.
func (r *rig) realStore() *store.Store {
	r.t.Helper()
	options := store.Options{DSN: r.server.DSN(""), Schema: r.schema + "_ledger", Mirror: "rig", Logger: slog.New(slog.DiscardHandler), KeepAlive: 50 * time.Millisecond}
	if err := store.Migrate(r.t.Context(), options); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _, _ = r.db.Exec("DROP DATABASE IF EXISTS " + options.Schema) })
	s, err := store.New(options)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = s.Close() })
	return s
}

func (r *rig) open(db *sql.DB, err error) *sql.DB {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = db.Close() })
	return db
}

// newConsumer makes a consumer that has seen nothing. It rebuilds on the same server: types and DDL are its own.
func (r *rig) newConsumer() {
	r.t.Helper()
	r.copy = r.schema + "_copy"
	r.rebuilt = r.open(replica.Open(r.server.DSN("")))
	if _, err := r.rebuilt.Exec("CREATE DATABASE " + r.copy + " CHARACTER SET utf8mb4"); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _, _ = r.rebuilt.Exec("DROP DATABASE " + r.copy) })
	var err error
	if r.consumer, err = replica.NewConsumer(r.t.Context(), r.rebuilt); err != nil {
		r.t.Fatal(err)
	}
	r.consumer.Schemas = map[string]string{r.schema: r.copy}
	r.t.Cleanup(func() { _ = r.consumer.Close() })
}

// exec runs statements on one connection of the original.
func (r *rig) exec(statements ...string) {
	r.t.Helper()
	r.run(r.db, statements)
}

func (r *rig) run(db *sql.DB, statements []string) {
	r.t.Helper()
	conn, err := db.Conn(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	defer conn.Close()
	for _, statement := range statements {
		if _, err := conn.ExecContext(r.t.Context(), statement); err != nil {
			r.t.Fatalf("%.200s: %v", statement, err)
		}
	}
}

// both runs statements on the original and on what is rebuilt.
func (r *rig) both(statements ...string) {
	r.t.Helper()
	r.exec(statements...)
	r.run(r.rebuilt, append([]string{"USE " + r.copy}, statements...))
}

// start runs a mirror, and gives a function that ends it. It ends with the test anyway.
func (r *rig) start(options mirror.Options) (stop func()) {
	r.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	m := mirror.New(options)
	r.mirror = m
	running.Go(func() { m.Run(ctx) })
	stop = func() {
		cancel()
		running.Wait()
	}
	r.t.Cleanup(stop)
	r.poll("the mirror leads", func() error {
		if s := m.Status(); s.Phase != mirror.PhaseLeading {
			return fmt.Errorf("it is %s: %+v", s.Phase, s)
		}
		return nil
	})
	return stop
}

// poll tries until it works.
func (r *rig) poll(what string, try func() error) {
	r.t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("%s: %v", what, err)
		}
		<-tick.C
	}
}

// saved waits until the saved position is the log's end.
func (r *rig) saved() {
	r.t.Helper()
	end, err := r.source.Tail(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	r.poll("everything is saved", func() error {
		state, err := r.options.Store.State(r.t.Context())
		if err != nil {
			return err
		}
		if c, err := state.Position.Compare(end); err != nil || c < 0 {
			status := r.mirror.Status()
			return errors.Join(err, fmt.Errorf("saved is %s of %s; the mirror is %s: %+v %s", state.Position, end, status.Phase, status.Stop, status.LastError))
		}
		return nil
	})
}

// consume applies all that the broker has taken, and gives what comes of it.
func (r *rig) consume(messages []change.Message) error {
	r.t.Helper()
	for _, m := range messages {
		if err := r.consumer.Apply(r.t.Context(), &replica.Delivery{ID: m.ID, Version: m.Version, Term: m.Term, Body: m.Body}); err != nil {
			return err
		}
	}
	if err := r.consumer.Flush(r.t.Context()); err != nil {
		return err
	}
	return r.verdict()
}

// verdict says whether what was consumed is right, and equals the original.
func (r *rig) verdict() error {
	r.t.Helper()
	compared, err := replica.Compare(r.t.Context(), r.db, r.rebuilt, r.schema, r.copy)
	if err != nil {
		r.t.Fatal(err)
	}
	return errors.Join(r.consumer.Counts().Err(), compared.Err())
}
