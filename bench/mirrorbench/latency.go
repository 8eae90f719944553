package mirrorbench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"banyan.dev/banyan/bench/figure"
)

// followed is what was measured of a contender that follows while rows are written.
type followed struct {
	rate          float64 // rows a second, as written
	p50, p99, max float64 // milliseconds from a commit to the confirm
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
		if _, err := s.db.ExecContext(ctx, "USE "+schema+"; "+string(transaction(s.next, 1, appendInsert))); err != nil {
			return errors.Join(err, contender.end())
		}
		if err := contender.awaitFirst(); err != nil {
			return err
		}
		w, err := write(ctx, s.db, pace, s.next+1, d)
		if err != nil {
			return errors.Join(err, contender.end())
		}
		s.next += rows
		o, err := contender.wait()
		if err != nil {
			return err
		}
		o.Receipts = o.Receipts[1:]
		f, err = w.measure(o, int(p.WarmUp.Seconds()*float64(pace.Rate)))
		return err
	})
	return f, err
}

// measure compares receipts with commits, but for the first rows.
func (w written) measure(o outcome, warmUp int) (followed, error) {
	latencies := make([]float64, 0, len(w.committed))
	seen := make([]bool, len(w.committed))
	for _, r := range o.Receipts {
		i := int(r.Key) - w.first
		if i < 0 || i >= len(seen) {
			return followed{}, fmt.Errorf("a message of row %d, which was not written", r.Key)
		}
		if seen[i] {
			continue // sent again
		}
		seen[i] = true
		if i >= warmUp {
			// A server's log is read before the writer is answered, so that the confirm can be first.
			latencies = append(latencies, max(0, time.Duration(r.At-w.committed[i]).Seconds()*1000))
		}
	}
	if i := slices.Index(seen, false); i >= 0 {
		return followed{}, fmt.Errorf("no message of row %d was confirmed", w.first+i)
	}
	slices.Sort(latencies)
	return followed{
		rate: w.rate,
		p50:  figure.Quantile(latencies, 0.5), p99: figure.Quantile(latencies, 0.99), max: latencies[len(latencies)-1],
	}, nil
}
