package mirror

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"banyan.dev/banyan/mirror/change"
)

// Options are what a Mirror is made of.
type Options struct {
	// Name is the mirror's name in the CloudEvents source, /mirrors/NAME.
	Name   string
	Source change.Source
	Sink   change.Sink
	Store  Store
	// Relations tells of foreign keys that cascade; nil: no cascade events.
	Relations Relations
	// Heart makes the row changes that lag is measured with; nil: lag is not known.
	Heart Heart
	// Ledger is the schema of writer marks and heartbeats, whose rows are no events. The source has to give them.
	Ledger string
	// Service makes the mirror the stream of one service: entity events and fences instead of row events. Nil: row events.
	Service *ServiceStream
	// Fills are what backfills need; nil: there are none.
	Fills *Fills
	// Omit says which columns events are to leave out, such as passwords; nil: none. Those of a primary key stay.
	Omit   func(schema, table, column string) bool
	Logger *slog.Logger

	// SaveEvery is the time between two saves of the position; by default 1 s.
	SaveEvery time.Duration
	// BeatEvery is the time between two heartbeats; by default 1 s.
	BeatEvery time.Duration
	// RetryMin and RetryMax bound the pauses between tries; by default 100 ms and 5 s. After a stop it is StopRetry, by
	// default 10 s, or as soon as the saved state is another.
	RetryMin, RetryMax, StopRetry time.Duration
	// DrainTimeout bounds waiting for confirms when the mirror is told to end; by default 5 s.
	DrainTimeout time.Duration
}

func (o Options) withDefaults() Options {
	set := func(d *time.Duration, by time.Duration) {
		if *d <= 0 {
			*d = by
		}
	}
	set(&o.SaveEvery, time.Second)
	set(&o.BeatEvery, time.Second)
	set(&o.RetryMin, 100*time.Millisecond)
	set(&o.RetryMax, 5*time.Second)
	set(&o.StopRetry, 10*time.Second)
	set(&o.DrainTimeout, 5*time.Second)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Heart makes a change in the legacy database that comes back through the log.
type Heart interface {
	// Beat changes the mirror's row of the table heartbeat in the ledger's schema, and gives the number that its column
	// beat has now. Its column name has the mirror's name.
	Beat(ctx context.Context) (beat uint64, err error)
}

// Mirror sends changes for as long as it runs. It runs once.
type Mirror struct {
	o     Options
	watch *watch
}

// New makes a Mirror. Nothing runs yet.
func New(o Options) *Mirror {
	o = o.withDefaults()
	return &Mirror{o: o, watch: newWatch()}
}

// Status says how it goes. It may be called at any time.
func (m *Mirror) Status() Status { return m.watch.status(time.Now()) }

// Run leads when it is this process's turn, and sends changes until ctx ends. Failures are retried for ever; a
// change.StopError stops sending, loudly, until the cause or the saved state is another. It returns when all is stopped
// and the position is saved.
func (m *Mirror) Run(ctx context.Context) {
	pause := m.o.RetryMin
	for ctx.Err() == nil {
		began := time.Now()
		err := m.lead(ctx)
		if ctx.Err() != nil {
			break
		}
		if stop := change.Stops(err); stop != nil {
			m.stopped(ctx, stop)
			pause = m.o.RetryMin
			continue
		}
		if time.Since(began) > m.o.RetryMax {
			pause = m.o.RetryMin // it went well for a while
		}
		m.o.Logger.Warn("the mirror begins again at its saved position", "cause", err, "pause", pause.String())
		m.watch.retrying(err)
		wait(ctx, pause)
		pause = min(2*pause, m.o.RetryMax)
	}
	m.watch.phase(PhaseEnded)
}

// stopped waits until it may be tried again.
func (m *Mirror) stopped(ctx context.Context, stop *change.StopError) {
	m.o.Logger.Error("the mirror has stopped: changes are not sent until this is mended", "what", stop.What, "fix", stop.Fix, "cause", stop.Cause)
	m.watch.stopped(stop)
	before, beforeErr := m.o.Store.State(ctx)
	until := time.Now().Add(m.o.StopRetry)
	for ctx.Err() == nil && time.Now().Before(until) {
		wait(ctx, min(time.Second, m.o.StopRetry))
		now, err := m.o.Store.State(ctx)
		if err == nil && beforeErr == nil && (now.Epoch != before.Epoch || now.Position != before.Position) {
			return // it was reset
		}
	}
}

// lead waits for leadership and sends until something fails.
func (m *Mirror) lead(ctx context.Context) error {
	m.watch.phase(PhaseWaiting)
	term, err := m.o.Store.Lead(ctx)
	if err != nil {
		return err
	}
	return errors.Join(m.send(ctx, term), term.Close())
}

// wait waits for d, or until ctx ends.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
