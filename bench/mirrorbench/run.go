package mirrorbench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// Run starts everything, measures, and prints a report as Markdown. machine gives the lines that say what was measured
// on, from the servers' versions.
func Run(ctx context.Context, p Plan, machine func(versions string) []string, out io.Writer) (err error) {
	if err := p.check(); err != nil {
		return err
	}
	if p.Profiles != "" {
		if err := os.MkdirAll(p.Profiles, 0o755); err != nil { //nolint:gosec // profiles are no secret
			return fmt.Errorf("make the directory of profiles: %w", err)
		}
	}
	s, err := newStage(ctx, p)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	r := &report{out: out}
	r.begin(p, machine(s.servers.Versions))
	if err := s.drainAll(ctx, p, r); err != nil {
		return err
	}
	if len(p.Paces) > 0 {
		r.beginPaces(p)
		if err := s.followAll(ctx, p, r); err != nil {
			return err
		}
	}
	r.end()
	return r.err
}

func (s *stage) drainAll(ctx context.Context, p Plan, r *report) error {
	for _, at := range s.stretches {
		limit, err := s.drainLimit(ctx, p, at)
		if err != nil {
			return err
		}
		r.drains(at.name+"s", contenders()[:1], [][]drained{limit}, nil)
		for _, kind := range p.Kinds {
			samples, err := s.drainInto(ctx, p, at, kind, sending(kind))
			if err != nil {
				return err
			}
			r.drains(at.name+"s, "+kind+" queue", sending(kind), samples, limit)
		}
	}
	return nil
}

func (s *stage) followAll(ctx context.Context, p Plan, r *report) error {
	for _, pace := range p.Paces {
		for _, kind := range p.Kinds {
			for _, c := range following(kind) {
				f, err := s.follow(ctx, p, c, kind, pace)
				if err != nil {
					return fmt.Errorf("%s, %s, %s queue: %w", c.name, pace, kind, err)
				}
				r.pace(pace, kind, c.name, f)
			}
		}
	}
	return nil
}
