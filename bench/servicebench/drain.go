package servicebench

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"banyan.dev/banyan/bench/rig"
)

// drained is one measurement of a contender that tells of a stretch of the log.
type drained struct {
	rate       float64 // events a second
	cpu        float64 // of its process, microseconds an event
	database   float64 // the database's CPU, microseconds an event
	broker     float64 // the broker's CPU, microseconds an event
	statements float64 // that the database got, for an event
	peak       float64 // MiB
}

// queued runs with new queues that nobody consumes, and removes them.
func (s *stage) queued(n int, run func(queues) error) (err error) {
	q := s.queues(n)
	if err := q.declare(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, q.remove()) }()
	return run(q)
}

// drainAll measures the contenders by turns, so that whatever else the machine does meets all. It gives samples in the order of the
// contenders.
func (s *stage) drainAll(ctx context.Context, p Plan, at stretch) ([][]drained, error) {
	contenders := contenders()
	samples := make([][]drained, len(contenders))
	for round := range p.Rounds {
		for n := range contenders {
			i := (round + n) % len(contenders)
			j := s.job(contenders[i].name)
			j.From, j.Events = at.from, uint64(p.Orders) //nolint:gosec // a plan's
			if p.Profiles != "" && round == 0 {
				j.Profile = filepath.Join(p.Profiles, strings.NewReplacer(" ", "-", ",", "").Replace(strings.ToLower(j.Contender+" "+at.name))+".profile")
			}
			err := s.queued(p.Queues, func(q queues) error {
				one, err := s.drain(ctx, j)
				if err != nil {
					return err
				}
				samples[i] = append(samples[i], one)
				return q.await(ctx, p.Orders)
			})
			if err != nil {
				return nil, fmt.Errorf("%s, %s: %w", j.Contender, at.name, err)
			}
		}
	}
	return samples, nil
}

// drain runs one contender.
func (s *stage) drain(ctx context.Context, j job) (d drained, err error) {
	n := int(j.Events) //nolint:gosec // a plan's
	var o rig.Outcome
	var effort rig.DatabaseEffort
	d.broker, err = s.servers.BrokerEffort(ctx, n, func() (err error) {
		effort, err = s.servers.DatabaseEffort(ctx, func() error {
			contender, err := j.start(ctx)
			if err != nil {
				return err
			}
			o, err = contender.Outcome()
			return err
		})
		return err
	})
	d.rate, d.cpu, d.peak = o.Rate(n), o.Effort(n), float64(o.Peak)/(1<<20)
	d.database, d.statements = float64(effort.CPU.Microseconds())/float64(n), float64(effort.Statements)/float64(n)
	return d, err
}
