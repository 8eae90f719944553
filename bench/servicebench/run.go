package servicebench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// RunEntities compares how a service is told of orders, and prints a report as Markdown. machine gives the lines that say what was
// measured on, from the servers' versions.
func RunEntities(ctx context.Context, p Plan, machine func(versions string) []string, out io.Writer) error {
	return staged(ctx, p, machine, out, func(s *stage, r *report) error {
		r.beginDrains(p)
		for _, at := range s.stretches {
			samples, err := s.drainAll(ctx, p, at)
			if err != nil {
				return err
			}
			r.drains(at.name, contenders(), samples)
		}
		if len(p.Paces) > 0 {
			r.beginPaces(p)
		}
		for _, pace := range p.Paces {
			for _, c := range contenders() {
				f, err := s.follow(ctx, p, c, pace)
				if err != nil {
					return fmt.Errorf("%s, %d orders/s: %w", c.name, pace, err)
				}
				r.pace(pace, c.name, f)
			}
		}
		r.printf("\nA ratio is Banyan's figure divided by that of the other in the same round: the median of all rounds. More is better for events/s, less for all else.\n")
		return nil
	})
}

// RunFences times fences, and prints a report as Markdown.
func RunFences(ctx context.Context, p Plan, machine func(versions string) []string, out io.Writer) error {
	return staged(ctx, p, machine, out, func(s *stage, r *report) error {
		r.beginFences(p)
		for _, queues := range p.Layouts {
			idle, loaded, err := s.fences(ctx, p, queues)
			if err != nil {
				return fmt.Errorf("fences by %d queues: %w", queues, err)
			}
			r.fences(queues, 0, idle)
			r.fences(queues, p.Changes, loaded)
		}
		r.endFences()
		return nil
	})
}

// staged starts everything, lets it be measured, and prints what is around it.
func staged(ctx context.Context, p Plan, machine func(versions string) []string, out io.Writer, measure func(*stage, *report) error) (err error) {
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
	for _, line := range machine(s.servers.Versions) {
		r.printf("%s\n", line)
	}
	r.printf("\n")
	if err := measure(s, r); err != nil {
		return err
	}
	r.measuredAt()
	return r.err
}
