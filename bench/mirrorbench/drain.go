package mirrorbench

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
)

// drained is one measurement of a contender that drains a stretch of the log.
type drained struct {
	rate   float64 // rows a second
	cpu    float64 // of its process, microseconds a row
	broker float64 // the broker's CPU, microseconds a row
	peak   float64 // MiB
}

// drainLimit measures the contender that sends nothing.
func (s *stage) drainLimit(ctx context.Context, p Plan, at stretch) ([]drained, error) {
	c, err := contenderNamed(limited)
	if err != nil {
		return nil, err
	}
	var samples []drained
	for range p.Rounds {
		one, err := s.drain(ctx, s.job(c, at.from, at.rows))
		if err != nil {
			return nil, err
		}
		samples = append(samples, one)
	}
	return samples, nil
}

// drainInto measures the contenders by turns, so that whatever else the machine does meets all, each into a new queue of
// a kind. It gives samples in the order of the contenders.
func (s *stage) drainInto(ctx context.Context, p Plan, at stretch, kind string, contenders []contender) ([][]drained, error) {
	samples := make([][]drained, len(contenders))
	for round := range p.Rounds {
		for n := range contenders {
			i := (round + n) % len(contenders)
			j := s.job(contenders[i], at.from, at.rows)
			if p.Profiles != "" && round == 0 {
				j.Profile = filepath.Join(p.Profiles, strings.ReplaceAll(strings.ToLower(fmt.Sprintf("%s %s %s.profile", j.Contender, at.name, kind)), " ", "-"))
			}
			err := s.queued(ctx, kind, at.rows, func() error {
				var one drained
				effort, err := s.servers.BrokerEffort(ctx, at.rows, func() (err error) {
					one, err = s.drain(ctx, j)
					return err
				})
				one.broker = effort
				samples[i] = append(samples[i], one)
				return err
			})
			if err != nil {
				return nil, fmt.Errorf("%s into a %s queue: %w", j.Contender, kind, err)
			}
		}
	}
	return samples, nil
}

func (s *stage) drain(ctx context.Context, j job) (drained, error) {
	contender, err := j.start(ctx)
	if err != nil {
		return drained{}, err
	}
	o, err := contender.Outcome()
	if err != nil {
		return drained{}, err
	}
	rows := float64(j.Rows)
	return drained{
		rate: rows / o.Elapsed.Seconds(), cpu: float64(o.CPU.Microseconds()) / rows, peak: float64(o.Peak) / (1 << 20),
	}, nil
}
