package chaos

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"banyan.dev/banyan/adapters/binlog"
	"banyan.dev/banyan/internal/chaos/replica"
	"banyan.dev/banyan/mirror/change"
)

// Options say what a run is like.
type Options struct {
	// Command starts Banyan: `serve -c FILE` is added to it. Its process ends when its standard input does.
	Command []string
	// Dir keeps the project, and the logs of both Banyans.
	Dir string
	// Seed chooses the plan of faults and what the load does.
	Seed uint64
	// Length is how long faults come.
	Length time.Duration
	// Rate is how many transactions each of the ten writers makes in a second; by default 20.
	Rate float64
	// Rows is the size of a transaction that is made at the end, with a kill in its middle; 0: none.
	Rows int
	// Patience bounds each wait for Banyan to be ready, or to have sent everything; by default two minutes.
	Patience time.Duration
	// Log gets what happens.
	Log *slog.Logger
}

// run is one run.
type run struct {
	Options
	stage
	rebuilt  *sql.DB
	consumer *replica.Consumer
	watch    *watch
	// registered are logins that have to be there in the end.
	registered []string
	source     *binlog.Source // past the links, to audit the log from
	from       change.Position
	report     *Report
	// stopReading ends the consumer's reading, and waits until it has.
	stopReading func()
	stops       []func(context.Context) error
}

// Run makes a run, and reports. The error is one of the run itself; whether the mirror did well is in the report.
func Run(ctx context.Context, options Options) (report *Report, err error) {
	if options.Rate <= 0 {
		options.Rate = 20
	}
	if options.Patience <= 0 {
		options.Patience = 2 * time.Minute
	}
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	r := &run{Options: options, report: &Report{Seed: options.Seed, Length: options.Length}}
	r.log = options.Log
	defer func() {
		for i := len(r.stops) - 1; i >= 0; i-- {
			err = errors.Join(err, r.stops[i](context.WithoutCancel(ctx)))
		}
	}()
	if err := r.setUp(ctx); err != nil {
		return nil, err
	}
	if err := r.disturbed(ctx); err != nil {
		return nil, err
	}
	return r.report, nil
}

// disturbed is the run itself.
func (r *run) disturbed(ctx context.Context) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	l := &load{db: r.db, banyans: r.banyans, seed: r.Seed, rate: r.Rate, log: r.log, gate: &r.gate}
	loading, stop := context.WithCancel(ctx)
	defer stop()
	loaded := make(chan struct{})
	go func() {
		defer close(loaded)
		l.run(loading)
	}()
	r.report.Plan = Plan(r.Seed, r.Length)
	err := r.perform(ctx, r.report.Plan)
	stop()
	<-loaded
	r.report.Shop, r.report.Facade, r.report.Writes = l.shop.Load(), l.facade.Load(), l.transactions.Load()
	r.registered = l.registered
	r.report.Refused, r.report.Unanswered, r.report.Failed = l.refused.Load(), l.unanswered.Load(), l.failed.Load()
	if err != nil {
		return err
	}
	if err := r.mend(ctx); err != nil {
		return err
	}
	start := time.Now()
	if err := r.settled(ctx, "chaos_end"); err != nil {
		return err
	}
	r.report.Settled = time.Since(start)
	if err := r.takeovers(ctx); err != nil {
		return err
	}
	if r.Rows > 0 {
		if err := r.big(ctx); err != nil {
			return err
		}
	}
	return r.judge(ctx)
}

// begin starts both mirrors on an empty database and waits until one sends; then it makes and fills the shop, so that
// consumers get all there is, kills a mirror meanwhile, and starts both Banyans with all that they do.
func (r *run) begin(ctx context.Context) error {
	as := &accounts{banyan: r.banyans[0], admin: r.database.DSN(shopSchema)}
	if err := as.makeTables(ctx); err != nil {
		return err
	}
	if err := as.logIn(ctx, "mirror", r.banyans...); err != nil {
		return err
	}
	for _, b := range r.banyans {
		b.mirrors = true
		if err := b.start(); err != nil {
			return err
		}
	}
	if err := r.probe(ctx); err != nil {
		return err
	}
	made := make(chan error, 1)
	go func() { made <- makeShop(ctx, r.db, r.Seed) }()
	for _, b := range r.banyans {
		b.kill()
		if err := b.start(); err != nil {
			return errors.Join(err, <-made)
		}
	}
	if err := <-made; err != nil {
		return err
	}
	if err := as.logIn(ctx, "facade,mirror", r.banyans...); err != nil {
		return err
	}
	waiting, cancel := context.WithTimeout(ctx, r.Patience)
	defer cancel()
	for _, b := range r.banyans {
		b.kill()
		b.mirrors = false
		if err := b.start(); err != nil {
			return err
		}
	}
	for _, b := range r.banyans {
		if err := b.ready(waiting); err != nil {
			return fmt.Errorf("wait for banyan %d: %w", b.number, err)
		}
	}
	return nil
}

// probe makes tables until the event of one arrives: from then on, all events do.
func (r *run) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.Patience)
	defer cancel()
	for i := 0; ; i++ {
		name := fmt.Sprintf("chaos_probe_%d", i)
		if err := execute(ctx, r.db, "CREATE TABLE "+name+" (n int)"); err != nil {
			return err
		}
		arrived := r.watch.wait(ctx, name, 500*time.Millisecond)
		if err := execute(ctx, r.db, "DROP TABLE "+name); err != nil {
			return err
		}
		switch {
		case arrived == nil:
			return nil
		case ctx.Err() != nil || !errors.Is(arrived, errNotYet):
			return fmt.Errorf("no mirror sends anything: %w; see %s", arrived, r.banyans[0].log())
		}
	}
}

// settled waits until all that was done has arrived.
func (r *run) settled(ctx context.Context, mark string) error {
	ctx, cancel := context.WithTimeout(ctx, r.Patience)
	defer cancel()
	err := poll(ctx, 200*time.Millisecond, func() error { return execute(ctx, r.db, "CREATE TABLE IF NOT EXISTS "+mark+" (n int)") })
	if err != nil {
		return err
	}
	if err := r.watch.wait(ctx, mark, r.Patience); err != nil {
		return fmt.Errorf("not all events have arrived: %w; see the logs in %s", err, r.Dir)
	}
	return nil
}

// big makes one transaction of very many rows, and kills the mirrors in the middle of it.
func (r *run) big(ctx context.Context) error {
	for _, statement := range []string{
		"CREATE TABLE chaos_big (id int PRIMARY KEY, n int NOT NULL, name varchar(20) NOT NULL)",
		fmt.Sprintf("INSERT INTO chaos_big SELECT seq, seq %% 97, CONCAT('row ', seq) FROM seq_1_to_%d", r.Rows),
	} {
		if _, err := r.db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%.80s: %w", statement, err)
		}
	}
	r.Patience = max(r.Patience, time.Duration(r.Rows)*time.Millisecond) // a thousand rows a second is slow
	before := r.consumer.Counts().Events
	waiting, cancel := context.WithTimeout(ctx, r.Patience)
	defer cancel()
	err := poll(waiting, 100*time.Millisecond, func() error {
		if got := r.consumer.Counts().Events - before; got < uint64(r.Rows)/10 {
			return fmt.Errorf("%d events of the big transaction have arrived", got)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i := range r.banyans {
		if err := r.killBanyan(ctx, i, 0); err != nil {
			return err
		}
	}
	start := time.Now()
	err = r.settled(ctx, "chaos_end_of_big")
	r.report.Big = time.Since(start)
	return err
}
