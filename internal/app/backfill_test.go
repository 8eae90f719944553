package app_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/adapters/binlog"
	"banyan.dev/banyan/adapters/binlog/relations"
	"banyan.dev/banyan/adapters/rabbitmq"
	"banyan.dev/banyan/adapters/store"
	"banyan.dev/banyan/internal/app/apptest"
	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/mirror"
	"banyan.dev/banyan/strangler/backfill"
)

// fillRig is a mirror of rows on real servers, and a consumer that keeps a copy as docs/events.md says.
type fillRig struct {
	dsn, schema, url string
	db               *sql.DB
	options          store.Options
	book             *store.Backfills

	mu     sync.Mutex
	copies map[string]map[string]copied // by table and key
	floors map[string]string            // the version of the last truncation
	reads  int
	late   []string
}

// copied is a row of a copy; nil is one that is gone.
type copied struct {
	version string
	row     map[string]any
}

func newFillRig(t *testing.T, server *devstack.Server) *fillRig {
	t.Helper()
	r := &fillRig{dsn: server.NewSchema(t), url: devstack.RabbitMQ(t).NewVHost(t), copies: map[string]map[string]copied{}, floors: map[string]string{}}
	cfg, err := mysql.ParseDSN(r.dsn)
	if err != nil {
		t.Fatal(err)
	}
	r.schema = cfg.DBName
	ledger := "l_" + r.schema[:min(len(r.schema), 40)]
	r.options = store.Options{DSN: r.dsn, Schema: ledger, Mirror: "rows", Logger: slog.New(slog.DiscardHandler)}
	if r.db, err = sql.Open("mysql", r.dsn); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = r.db.ExecContext(context.Background(), "DROP DATABASE IF EXISTS "+ledger) // its server may be gone
		r.db.Close()
	})
	if err := store.Migrate(t.Context(), r.options); err != nil {
		t.Fatal(err)
	}
	if r.book, err = store.NewBackfills(r.options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.book.Close() })
	return r
}

func (r *fillRig) exec(t *testing.T, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := r.db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%.200s: %v", s, err)
		}
	}
}

// run runs the mirror until the function that it gives is called, which waits for its end.
func (r *fillRig) run(t *testing.T) (stop func()) {
	t.Helper()
	fatal := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ledger := r.options.Schema
	source, err := binlog.New(binlog.Options{DSN: r.dsn, Scope: func(schema, _ string) bool { return schema == r.schema || schema == ledger }})
	fatal(err)
	tables, err := binlog.NewTables(binlog.Options{DSN: r.dsn})
	fatal(err)
	kept, err := store.New(r.options)
	fatal(err)
	heart, err := store.NewHeartbeat(r.options)
	fatal(err)
	keys, err := relations.New(relations.Options{DSN: r.dsn})
	fatal(err)
	sink, err := rabbitmq.NewSink(rabbitmq.Options{Connection: rabbitmq.Connection{URL: r.url}, Exchange: "rows"})
	fatal(err)
	m := mirror.New(mirror.Options{
		Name: "rows", Source: source, Store: kept, Sink: sink, Heart: heart, Relations: keys, Ledger: ledger, SaveEvery: 50 * time.Millisecond, DrainTimeout: time.Millisecond,
		BeatEvery: 100 * time.Millisecond, RetryMin: 10 * time.Millisecond, RetryMax: 100 * time.Millisecond, Logger: r.options.Logger,
		Fills: &mirror.Fills{Book: r.book, Tables: tables, Every: 50 * time.Millisecond},
	})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { m.Run(ctx) })
	apptest.Poll(t, "the mirror to lead", func() error {
		if s := m.Status(); s.Phase != mirror.PhaseLeading {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	return sync.OnceFunc(func() {
		cancel()
		running.Wait()
		for _, c := range []interface{ Close() error }{source, tables, kept, heart} {
			_ = c.Close()
		}
	})
}

// consume keeps the copy of all that comes, until the test ends.
func (r *fillRig) consume(t *testing.T) {
	t.Helper()
	conn, err := amqp.Dial(r.url)
	if err != nil {
		t.Fatal(err)
	}
	channel, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	if err := channel.ExchangeDeclare("rows", "topic", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	q, err := channel.QueueDeclare("copy", true, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := channel.QueueBind(q.Name, "row.#", "rows", false, nil); err != nil {
		t.Fatal(err)
	}
	deliveries, err := channel.Consume(q.Name, "", true, true, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for d := range deliveries {
			if err := r.apply(d.Body); err != nil {
				t.Errorf("%s: %v", d.Body, err)
			}
		}
	})
	t.Cleanup(func() {
		conn.Close()
		running.Wait()
	})
}

func (r *fillRig) start(t *testing.T, rate uint32, tables ...string) (ids []uint64) {
	t.Helper()
	var jobs []backfill.Job
	for _, table := range tables {
		jobs = append(jobs, backfill.Job{Target: backfill.Target{Mirror: "rows", Schema: r.schema, Name: table}, Rate: rate, MaxLag: 5 * time.Second})
	}
	added, err := r.book.Add(t.Context(), jobs)
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range added {
		ids = append(ids, j.ID)
	}
	return ids
}

// over waits until backfills are, and gives them.
func (r *fillRig) over(t *testing.T, ids ...uint64) (all []backfill.Job) {
	t.Helper()
	for _, id := range ids {
		apptest.Poll(t, "a backfill's end", func() error {
			j, err := r.book.Get(t.Context(), id)
			if err == nil && !j.State.Over() {
				err = fmt.Errorf("%+v", j)
			}
			if err == nil {
				all = append(all, j)
			}
			return err
		})
	}
	return all
}

// Chunks are begun, killed and taken on again at random beside writes of every kind: at the end a copy equals the tables.
func TestBackfillsBesideWrites(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			r := newFillRig(t, server)
			r.exec(t, "CREATE TABLE wide (a INT, b VARCHAR(20) COLLATE utf8mb4_general_ci, v INT NOT NULL, PRIMARY KEY (b, a))",
				"CREATE TABLE parents (id INT PRIMARY KEY, v INT NOT NULL)",
				"CREATE TABLE kids (id INT PRIMARY KEY, parent INT NOT NULL, v INT NOT NULL, FOREIGN KEY (parent) REFERENCES parents (id) ON DELETE CASCADE)",
				"CREATE TABLE swept (id INT PRIMARY KEY, v INT NOT NULL)")
			for range 30 { // before the mirror's first position
				var wide, parents, kids []string
				for range 200 {
					n := rand.IntN(20_000)
					wide = append(wide, fmt.Sprintf("(%d, '%s', 0)", n, []string{"ä", "A", "b", "zz", ""}[n%5]))
					parents = append(parents, fmt.Sprintf("(%d, 0)", n%500))
					kids = append(kids, fmt.Sprintf("(%d, %d, 0)", n, n%500))
				}
				r.exec(t, "INSERT IGNORE INTO wide VALUES "+strings.Join(wide, ","), "INSERT IGNORE INTO parents VALUES "+strings.Join(parents, ","), "INSERT IGNORE INTO kids VALUES "+strings.Join(kids, ","))
			}
			r.consume(t)
			stop := r.run(t)

			writing, end := context.WithCancel(t.Context())
			var writers sync.WaitGroup
			for w := range 2 {
				writers.Go(func() { r.write(writing, t, uint64(w)) })
			}
			ids := r.start(t, 2500, "kids", "wide", "parents", "swept")
			for range 6 {
				timer := time.NewTimer(time.Duration(rand.IntN(1500)) * time.Millisecond)
				<-timer.C
				stop() // without waiting for confirms
				stop = r.run(t)
			}
			for _, j := range r.over(t, ids...) {
				if j.State != backfill.Done {
					t.Errorf("%s is %s: %s", j.String(), j.State, j.Note)
				}
			}
			// Once more, as slowly as writes go on.
			r.over(t, r.start(t, 3000, "kids")...)
			end()
			writers.Wait()
			apptest.Poll(t, "the copy to equal the tables", func() error {
				for table, columns := range map[string][]string{"wide": {"a", "b", "v"}, "parents": {"id", "v"}, "kids": {"id", "parent", "v"}, "swept": {"id", "v"}} {
					if err := r.differs(t.Context(), table, columns...); err != nil {
						return err
					}
				}
				return nil
			})
			stop()
			r.mu.Lock()
			defer r.mu.Unlock()
			if len(r.late) > 0 {
				t.Errorf("%d came too late: %s", len(r.late), r.late[0])
			}
			t.Logf("%d rows were read", r.reads)
			if r.reads < 5000 {
				t.Error("too few rows were read")
			}
		})
	}
}

// write writes at random until ctx ends.
func (r *fillRig) write(ctx context.Context, t *testing.T, seed uint64) {
	random := rand.New(rand.NewPCG(seed, uint64(time.Now().UnixNano())))
	for ctx.Err() == nil {
		n := random.IntN(20_000)
		b := []string{"ä", "A", "b", "zz", ""}[n%5]
		statement := []string{
			fmt.Sprintf("UPDATE wide SET v = v + 1 WHERE a = %d AND b = '%s'", n, b),
			fmt.Sprintf("DELETE FROM wide WHERE a BETWEEN %d AND %d", n, n+3),
			fmt.Sprintf("INSERT INTO wide VALUES (%d, '%s', 1) ON DUPLICATE KEY UPDATE v = v + 1", n, b),
			fmt.Sprintf("UPDATE IGNORE wide SET a = a + 7, b = 'moved' WHERE a = %d", n),
			fmt.Sprintf("INSERT INTO parents VALUES (%d, 1) ON DUPLICATE KEY UPDATE v = v + 1", n%500),
			fmt.Sprintf("INSERT IGNORE INTO kids VALUES (%d, %d, 1)", n, n%500),
			fmt.Sprintf("UPDATE IGNORE kids SET parent = %d, v = v + 1 WHERE id = %d", (n+1)%500, n),
			fmt.Sprintf("DELETE FROM parents WHERE id = %d", n%500),
			fmt.Sprintf("INSERT INTO swept VALUES (%d, 1), (%d, 2) ON DUPLICATE KEY UPDATE v = v + 1", n, n+1),
		}[random.IntN(9)]
		if random.IntN(200) == 0 {
			statement = "TRUNCATE TABLE swept"
		}
		_, err := r.db.ExecContext(ctx, statement)
		var refused *mysql.MySQLError
		if err != nil && ctx.Err() == nil && !(asMySQL(err, &refused) && slices.Contains([]uint16{1213, 1205, 1452, 1020}, refused.Number)) {
			t.Errorf("%s: %v", statement, err)
			return
		}
	}
}

func asMySQL(err error, to **mysql.MySQLError) bool { return errors.As(err, to) }
