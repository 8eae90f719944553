package mirrorbench

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"banyan.dev/banyan/adapters/binlog"
	"banyan.dev/banyan/adapters/rabbitmq"
	"banyan.dev/banyan/adapters/store"
	"banyan.dev/banyan/bench/figure"
	"banyan.dev/banyan/bench/rig"
	"banyan.dev/banyan/mirror"
	"banyan.dev/banyan/mirror/change"
	"banyan.dev/banyan/strangler/backfill"
)

// RunFills compares backfills of a table with a plain SELECT of it by the same driver, and prints a report as Markdown.
func RunFills(ctx context.Context, p Plan, machine func(versions string) []string, out io.Writer) (err error) {
	if err := p.check(); err != nil {
		return err
	}
	s, err := newStage(ctx, p)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	ways := []struct {
		name string
		run  func(ctx context.Context) (int, time.Duration, error)
	}{
		{"SELECT, one statement, text", func(ctx context.Context) (int, time.Duration, error) { return s.selectAll(ctx, false) }},
		{"SELECT, one statement, prepared", func(ctx context.Context) (int, time.Duration, error) { return s.selectAll(ctx, true) }},
		{"backfill, to nobody", func(ctx context.Context) (int, time.Duration, error) { return s.fillInto(ctx, nobody{}) }},
	}
	for _, kind := range p.Kinds {
		ways = append(ways, struct {
			name string
			run  func(ctx context.Context) (int, time.Duration, error)
		}{"backfill, " + kind + " queue", func(ctx context.Context) (rows int, took time.Duration, err error) {
			sink, err := rabbitmq.NewSink(rabbitmq.Options{Connection: rabbitmq.Connection{URL: s.servers.Broker.URL(""), Logger: slog.New(slog.DiscardHandler)}, Exchange: exchange})
			if err != nil {
				return 0, 0, err
			}
			err = s.queued(ctx, kind, p.Rows, func() error {
				rows, took, err = s.fillInto(ctx, sink)
				return err
			})
			return rows, took, err
		}})
	}
	rates := make([][]float64, len(ways))
	for round := range p.Rounds {
		for n := range ways {
			i := (round + n) % len(ways)
			rows, took, err := ways[i].run(ctx)
			if err != nil {
				return fmt.Errorf("%s: %w", ways[i].name, err)
			}
			if rows != p.Rows {
				return fmt.Errorf("%s: %d rows, of %d", ways[i].name, rows, p.Rows)
			}
			rates[i] = append(rates[i], float64(rows)/took.Seconds())
		}
	}
	r := &report{out: out}
	for _, line := range machine(s.servers.Versions) {
		r.printf("%s\n", line)
	}
	r.printf("\n%s rows of %d columns, %d × by each by turns. Median (least–most).\n\n", figure.Number(float64(p.Rows), 0), 8, p.Rounds)
	r.head("way", "rows/s", "**ratio** to the first")
	for i, way := range ways {
		ratios := figure.Pairwise(rates[i], rates[0])
		r.cells(way.name, figure.Spread(rates[i], 0), "**"+figure.Number(figure.Median(ratios), 2)+"** ("+figure.Number(slices.Min(ratios), 2)+"–"+figure.Number(slices.Max(ratios), 2)+")")
	}
	r.printf("\nMeasured at %s.\n", time.Now().UTC().Format(time.DateTime+" UTC"))
	return r.err
}

// selectAll reads the table by database/sql, as raw bytes, which is the least that a program can do with it.
func (s *stage) selectAll(ctx context.Context, prepared bool) (rows int, took time.Duration, err error) {
	db, err := rig.OpenDatabase(s.servers.Database.DSN(schema))
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	const query = "SELECT id, customer_id, reference, status, items, total, placed_at, note FROM " + table + " ORDER BY id"
	begun := time.Now()
	var all *sql.Rows
	if prepared {
		statement, err := db.PrepareContext(ctx, query)
		if err != nil {
			return 0, 0, err
		}
		defer func() { _ = statement.Close() }() // it goes with the database
		all, err = statement.QueryContext(ctx)
		if err != nil {
			return 0, 0, err
		}
	} else if all, err = db.QueryContext(ctx, query); err != nil {
		return 0, 0, err
	}
	defer func() { _ = all.Close() }() // as above
	values, into := make([]sql.RawBytes, 8), make([]any, 8)
	for i := range values {
		into[i] = &values[i]
	}
	for all.Next() {
		if err := all.Scan(into...); err != nil {
			return 0, 0, err
		}
		rows++
	}
	return rows, time.Since(begun), all.Err()
}

// fillInto runs a mirror from the log's end on with one backfill, until that is done. The time is the backfill's own, from its claim to its end, by the server's clock.
func (s *stage) fillInto(ctx context.Context, sink change.Sink) (rows int, took time.Duration, err error) {
	logger, dsn := slog.New(slog.DiscardHandler), s.servers.Database.DSN("")
	source, err := newSource(dsn, logger)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	tables, err := binlog.NewTables(binlog.Options{DSN: dsn, Logger: logger})
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, tables.Close()) }()
	kept, err := store.New(storeOptions(dsn, logger))
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, kept.Close()) }()
	book, err := store.NewBackfills(storeOptions(dsn, logger))
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, book.Close()) }()
	if _, err := kept.Reset(ctx, change.Position{}); err != nil {
		return 0, 0, err
	}
	added, err := book.Add(ctx, []backfill.Job{{Target: backfill.Target{Mirror: mirrorName, Schema: schema, Name: table}, MaxLag: time.Minute}})
	if err != nil {
		return 0, 0, err
	}
	running, stop := context.WithCancel(ctx)
	var mirrors sync.WaitGroup
	mirrors.Go(func() {
		mirror.New(mirror.Options{
			Name: mirrorName, Source: source, Sink: sink, Store: kept, Ledger: ledger, Logger: logger, Fills: &mirror.Fills{Book: book, Tables: tables, Every: 100 * time.Millisecond},
		}).Run(running)
	})
	defer mirrors.Wait()
	defer stop()
	for {
		job, err := book.Get(ctx, added[0].ID)
		switch {
		case err != nil:
			return 0, 0, err
		case job.State == backfill.Done:
			return int(job.Done), job.Changed.Sub(job.Began), nil //nolint:gosec // It is a plan's.
		case job.State.Over():
			return 0, 0, fmt.Errorf("the backfill is %s: %s", job.State, job.Note)
		case ctx.Err() != nil:
			return 0, 0, ctx.Err()
		}
		timer := time.NewTimer(50 * time.Millisecond)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
	}
}

// nobody is a sink that takes everything at once.
type nobody struct{}

// Open opens it.
func (nobody) Open(context.Context) (change.Feed, error) {
	return &nobodyFeed{failed: make(chan struct{})}, nil
}

type nobodyFeed struct {
	sent   atomic.Uint64
	failed chan struct{}
}

// Send counts.
func (f *nobodyFeed) Send(context.Context, *change.Message) error {
	f.sent.Add(1)
	return nil
}

// Flush has nothing to wait for.
func (f *nobodyFeed) Flush(context.Context) error { return nil }

// Confirmed is all that was sent.
func (f *nobodyFeed) Confirmed() uint64 { return f.sent.Load() }

// Status says so.
func (f *nobodyFeed) Status() change.FeedStatus {
	return change.FeedStatus{Sent: f.sent.Load(), Confirmed: f.sent.Load()}
}

// Failed never is.
func (f *nobodyFeed) Failed() <-chan struct{} { return f.failed }

// Close has nothing to close.
func (f *nobodyFeed) Close() error { return nil }
