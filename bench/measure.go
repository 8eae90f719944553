package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"banyan.dev/banyan/bench/load"
)

// sample is one measurement of one side.
type sample struct {
	rate        float64 // requests a second
	p50, p99    float64 // milliseconds
	cpu         float64 // of the serving process, microseconds a request
	allocations float64 // objects a request
	bytes       float64 // allocated, a request
}

// row is what was measured of one workload over one transport: a sample a round and side, in the order of the sides.
type row struct {
	name    string
	samples [][]sample
}

// match is what a row measures: a workload of each side.
type match struct {
	name string
	of   []workload
}

// alike gives matches in which all sides have the same workload.
func alike(all []workload, sides int) []match {
	out := make([]match, len(all))
	for i, w := range all {
		out[i] = match{w.name, slices.Repeat([]workload{w}, sides)}
	}
	return out
}

// measureAll measures every match over every transport, and tells each row as soon as it is done.
func measureAll(ctx context.Context, p plan, sides []*side, all []match, done func(row)) error {
	measured := false
	for _, w := range all {
		for _, t := range transports() {
			name := w.name + ", " + t.name
			if !strings.Contains(name, p.only) {
				continue
			}
			r, err := measureRow(ctx, p, sides, w, t)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			measured = true
			r.name = name
			done(r)
		}
	}
	if !measured {
		return fmt.Errorf("no row's name contains %q", p.only)
	}
	return nil
}

// measureRow lets the sides run by turns, so that whatever else the machine does meets both.
func measureRow(ctx context.Context, p plan, sides []*side, w match, t transport) (r row, err error) {
	workers := make([][]load.Worker, len(sides))
	for i, s := range sides {
		if workers[i], err = t.workers(ctx, s, w.of[i], p.workers); err != nil {
			return r, err
		}
		defer func() { err = errors.Join(err, closeAll(workers[i])) }()
	}
	r.samples = make([][]sample, len(sides))
	for round := range p.rounds {
		for i, s := range sides {
			if _, err := load.Run(ctx, workers[i], p.warmUp); err != nil {
				return r, fmt.Errorf("%s: %w", s.name, err)
			}
			profiled := func() error { return nil }
			if p.profiles != "" && round == 0 {
				profiled = profile(ctx, p, s, w.name+" "+t.name)
			}
			one, err := measureOne(ctx, s, workers[i], p.duration)
			if err = errors.Join(err, profiled()); err != nil {
				return r, fmt.Errorf("%s: %w", s.name, err)
			}
			r.samples[i] = append(r.samples[i], one)
		}
	}
	return r, nil
}

func measureOne(ctx context.Context, s *side, workers []load.Worker, d time.Duration) (sample, error) {
	before, err := readUsage(ctx, s.at.Meter)
	if err != nil {
		return sample{}, err
	}
	result, err := load.Run(ctx, workers, d)
	if err != nil {
		return sample{}, err
	}
	after, err := readUsage(ctx, s.at.Meter)
	if err != nil {
		return sample{}, err
	}
	if result.Requests == 0 {
		return sample{}, errors.New("no request was answered in time")
	}
	used, requests := after.since(before), float64(result.Requests)
	return sample{
		rate: result.Rate(),
		p50:  float64(result.Latencies.ValueAtQuantile(50)) / 1000, p99: float64(result.Latencies.ValueAtQuantile(99)) / 1000,
		cpu:         float64(used.CPU.Microseconds()) / requests,
		allocations: float64(used.Allocations) / requests, bytes: float64(used.Bytes) / requests,
	}, nil
}

// run starts everything, verifies, measures and reports.
func run(ctx context.Context, p plan, out io.Writer) (err error) {
	db, dsn, version, err := startDatabase(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopDatabase(db)) }()
	sides, err := startSides(ctx, dsn)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopSides(sides)) }()

	items := &newItems{}
	if err := verify(ctx, sides, workloads(items), 20); err != nil {
		return fmt.Errorf("the sides don't answer alike: %w", err)
	}
	report := report{out: out, sides: sides, bar: bar}
	report.begin(p, version)
	if err := measureAll(ctx, p, sides, alike(workloads(items), len(sides)), report.row); err != nil {
		return err
	}
	report.end()
	return report.err
}

// startSides starts Banyan and the baseline, in this order.
func startSides(ctx context.Context, dsn string) ([]*side, error) {
	var sides []*side
	for _, name := range []string{banyanSide, baselineSide} {
		s, err := startSide(ctx, name, dsn)
		if err != nil {
			return nil, errors.Join(err, stopSides(sides))
		}
		sides = append(sides, s)
	}
	return sides, nil
}

func stopSides(sides []*side) error {
	var errs []error
	for _, s := range sides {
		errs = append(errs, s.stop())
	}
	return errors.Join(errs...)
}
