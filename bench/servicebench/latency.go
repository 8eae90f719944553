package servicebench

import (
	"context"
	"errors"
	"time"

	"banyan.dev/banyan/bench/rig"
)

// followed is what was measured of a contender that follows while orders are inserted.
type followed struct {
	rate        float64 // orders a second, as inserted
	rig.Latency         // from a commit to the confirm
}

// follow lets a contender tell of what is inserted meanwhile at a pace.
func (s *stage) follow(ctx context.Context, p Plan, c contender, pace int) (f followed, err error) {
	j := s.job(c.name)
	if j.From, err = s.source.Tail(ctx); err != nil {
		return f, err
	}
	n := max(2, int((p.WarmUp+p.Duration).Seconds()*float64(pace)))
	j.Record, j.Events = true, uint64(1+n) //nolint:gosec // a plan's
	first := s.next
	s.next += 1 + n
	err = s.queued(p.Queues, func(q queues) error {
		contender, err := j.start(ctx)
		if err != nil {
			return err
		}
		// The first order tells when the contender has connected to everything.
		if _, err := s.servers.DB.ExecContext(ctx, "USE "+schema+";"+transaction(first, appendInsert)); err != nil {
			return errors.Join(err, contender.End())
		}
		if err := contender.AwaitFirst(); err != nil {
			return err
		}
		committed, took, err := rig.Pace{
			DB: s.servers.DB, Schema: schema, Transactions: n, Gap: time.Second / time.Duration(pace),
			Text: func(i int) string { return transaction(first+1+i, appendInsert) },
		}.Write(ctx)
		if err != nil {
			return errors.Join(err, contender.End())
		}
		o, err := contender.Outcome()
		if err != nil {
			return err
		}
		f.rate = float64(n) / took.Seconds()
		o.Receipts = o.Receipts[1:]
		if f.Latency, err = o.Latency(first+1, committed, min(n-1, int(p.WarmUp.Seconds()*float64(pace)))); err != nil {
			return err
		}
		return q.await(ctx, 1+n)
	})
	return f, err
}
