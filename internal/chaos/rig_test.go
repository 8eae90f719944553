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
const patience = time.Minute

// rig is a mirror in this process, from a schema of a MariaDB to a broker in memory, and a consumer that rebuilds the
// schema on another MariaDB.
type rig struct {
	t        *testing.T
	server   *devstack.Server
	schema   string
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

// spare is the server that schemas are rebuilt on, under their own names.
var spare = sync.OnceValues(func() (*devstack.Database, error) {
	return devstack.StartDatabase(context.Background(), devstack.DatabaseOptions{Relaxed: true})
})

// newConsumer makes a consumer that has seen nothing.
func (r *rig) newConsumer() {
	r.t.Helper()
	server, err := spare()
	if err != nil {
		r.t.Fatal(err)
	}
	r.rebuilt = r.open(replica.Open(server.DSN("")))
	if _, err := r.rebuilt.Exec("CREATE OR REPLACE DATABASE " + r.schema + " CHARACTER SET utf8mb4"); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _, _ = r.rebuilt.Exec("DROP DATABASE IF EXISTS " + r.schema) })
	if r.consumer, err = replica.NewConsumer(r.t.Context(), r.rebuilt); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = r.consumer.Close() })
}

// exec runs statements on one connection of the original.
func (r *rig) exec(statements ...string) {
	r.t.Helper()
	conn, err := r.db.Conn(r.t.Context())
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
	for _, statement := range append([]string{"USE " + r.schema}, statements...) {
		if _, err := r.rebuilt.Exec(statement); err != nil {
			r.t.Fatalf("%.200s: %v", statement, err)
		}
	}
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
			return fmt.Errorf("%s of %s, %w", state.Position, end, err)
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
	compared, err := replica.Compare(r.t.Context(), r.db, r.rebuilt, r.schema)
	if err != nil {
		r.t.Fatal(err)
	}
	return errors.Join(r.consumer.Counts().Err(), compared.Err())
}

// memory is a broker in memory. What it has not confirmed is lost when it crashes.
type memory struct {
	mu     sync.Mutex
	prompt bool // confirms at once
	safe   []change.Message
	feed   *memoryFeed
}

var errCrashed = errors.New("the broker has crashed")

func (b *memory) Open(context.Context) (change.Feed, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.feed = &memoryFeed{broker: b, failed: make(chan struct{}), news: make(chan struct{})}
	return b.feed, nil
}

// hold keeps messages unconfirmed from now on.
func (b *memory) hold() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.prompt = false
}

// crash loses what is not confirmed, and is up again at once, confirming promptly.
func (b *memory) crash() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.prompt = true
	b.feed.waiting = nil
	b.feed.err = errCrashed
	close(b.feed.failed)
	b.feed.wake()
}

// waiting counts messages that are not confirmed.
func (b *memory) waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.feed.waiting)
}

// take gives all that is safe, and forgets it.
func (b *memory) take() []change.Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	taken := b.safe
	b.safe = nil
	return taken
}

type memoryFeed struct {
	broker    *memory
	waiting   []change.Message
	sent      uint64
	confirmed uint64
	err       error
	failed    chan struct{}
	news      chan struct{}
}

func (f *memoryFeed) wake() {
	close(f.news)
	f.news = make(chan struct{})
}

func (f *memoryFeed) Send(_ context.Context, m *change.Message) error {
	f.broker.mu.Lock()
	defer f.broker.mu.Unlock()
	if f.err != nil {
		return f.err
	}
	kept := *m
	kept.Body = append([]byte(nil), m.Body...)
	f.sent++
	f.waiting = append(f.waiting, kept)
	if f.broker.prompt {
		f.broker.safe = append(f.broker.safe, f.waiting...)
		f.waiting, f.confirmed = nil, f.sent
		f.wake()
	}
	return nil
}

func (f *memoryFeed) Flush(ctx context.Context) error {
	for {
		f.broker.mu.Lock()
		err, done, news := f.err, f.confirmed == f.sent, f.news
		f.broker.mu.Unlock()
		if err != nil || done {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-news:
		}
	}
}

func (f *memoryFeed) Confirmed() uint64 {
	f.broker.mu.Lock()
	defer f.broker.mu.Unlock()
	return f.confirmed
}

func (f *memoryFeed) Status() change.FeedStatus { return change.FeedStatus{} }
func (f *memoryFeed) Failed() <-chan struct{}   { return f.failed }
func (f *memoryFeed) Close() error              { return nil }

// keeper is a store in memory, for one mirror at a time.
type keeper struct {
	mu    sync.Mutex
	state mirror.State
	lost  chan struct{}
}

func newKeeper() *keeper { return &keeper{lost: make(chan struct{})} }

func (k *keeper) Lead(context.Context) (mirror.Term, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.depose()
	return &seat{keeper: k, state: k.state, lost: k.lost}, nil
}

// depose begins another term. k.mu is held.
func (k *keeper) depose() {
	k.state.Term++
	close(k.lost)
	k.lost = make(chan struct{})
}

func (k *keeper) State(context.Context) (mirror.State, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.state, nil
}

func (k *keeper) Reset(_ context.Context, to change.Position) (mirror.State, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.state.Epoch++
	k.state.Position = to
	k.depose()
	return k.state, nil
}

type seat struct {
	keeper *keeper
	state  mirror.State
	lost   chan struct{}
}

func (s *seat) State() mirror.State   { return s.state }
func (s *seat) Lost() <-chan struct{} { return s.lost }
func (s *seat) Close() error          { return nil }

func (s *seat) save(p change.Position, raise uint32) (uint32, error) {
	s.keeper.mu.Lock()
	defer s.keeper.mu.Unlock()
	if s.keeper.state.Term != s.state.Term {
		return 0, mirror.ErrDeposed
	}
	s.keeper.state.Position = p
	s.keeper.state.Epoch += raise
	return s.keeper.state.Epoch, nil
}

func (s *seat) Save(_ context.Context, p change.Position) error {
	_, err := s.save(p, 0)
	return err
}

func (s *seat) NewEpoch(_ context.Context, p change.Position) (uint32, error) { return s.save(p, 1) }
