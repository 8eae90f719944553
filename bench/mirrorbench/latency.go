package mirrorbench

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"banyan.dev/banyan/bench/rig"
)

// followed is what was measured of a contender that follows while rows are written.
type followed struct {
	rate        float64 // rows a second, as written
	rig.Latency         // from a commit to the confirm
}

// follow lets a contender send what is written meanwhile at a pace, into a new queue of a kind.
func (s *stage) follow(ctx context.Context, p Plan, c contender, kind string, pace Pace) (f followed, err error) {
	from, err := s.source.Tail(ctx)
	if err != nil {
		return f, err
	}
	d := p.WarmUp + p.Duration
	rows := 1 + max(1, int(d.Seconds()*float64(pace.Rate))/pace.Transaction)*pace.Transaction
	j := s.job(c, from, rows)
	j.Record = true
	err = s.queued(ctx, kind, rows, func() error {
		contender, err := j.start(ctx)
		if err != nil {
			return err
		}
		// The first row tells when the contender has connected to everything.
		if _, err := s.servers.DB.ExecContext(ctx, "USE "+schema+"; "+string(transaction(s.next, 1, appendInsert))); err != nil {
			return errors.Join(err, contender.End())
		}
		if err := contender.AwaitFirst(); err != nil {
			return err
		}
		w, err := write(ctx, s.servers.DB, pace, s.next+1, d)
		if err != nil {
			return errors.Join(err, contender.End())
		}
		s.next += rows
		o, err := contender.Outcome()
		if err != nil {
			return err
		}
		o.Receipts = o.Receipts[1:]
		f.rate = w.rate
		f.Latency, err = o.Latency(w.first, w.committed, int(p.WarmUp.Seconds()*float64(pace.Rate)))
		return err
	})
	return f, err
}

// written is what was written at a pace.
type written struct {
	first int
	// committed has, for each row from first on, when its transaction's COMMIT had returned: Unix time in nanoseconds.
	committed []int64
	// rate is rows a second, as it came out.
	rate float64
}

// write inserts rows at a pace.
func write(ctx context.Context, db *sql.DB, pace Pace, first int, d time.Duration) (written, error) {
	n := max(1, int(d.Seconds()*float64(pace.Rate))/pace.Transaction)
	at, took, err := rig.Pace{
		DB: db, Schema: schema, Transactions: n, Gap: time.Second * time.Duration(pace.Transaction) / time.Duration(pace.Rate),
		Text: func(i int) string {
			return string(transaction(first+i*pace.Transaction, pace.Transaction, appendInsert))
		},
	}.Write(ctx)
	w := written{first: first, rate: float64(n*pace.Transaction) / took.Seconds()}
	for _, t := range at {
		for range pace.Transaction {
			w.committed = append(w.committed, t)
		}
	}
	return w, err
}
