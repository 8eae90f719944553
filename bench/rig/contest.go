package rig

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Outcome is what a contender has done.
type Outcome struct {
	// Elapsed is from the start to the last confirm. CPU is user and system time of the whole process, which is known when it has ended.
	Elapsed, CPU time.Duration
	// Start is what of both it took until something was confirmed: Started messages.
	Start struct {
		Elapsed, CPU time.Duration
		Started      uint64
	}
	// Peak is the most memory that was resident, in bytes.
	Peak     int64
	Receipts []Receipt
}

// Begun is what a contender tells when its first message is confirmed, where receipts are asked for.
type Begun struct{ Begun bool }

// Rate gives confirmed messages a second, and Effort microseconds of CPU for each, of n that there are in all, once the start is over:
// a contender's start is compared nowhere. Where all were confirmed by then, it is part of both.
func (o Outcome) Rate(n int) float64 {
	if o.Start.Started >= uint64(n) { //nolint:gosec // a plan's
		return float64(n) / o.Elapsed.Seconds()
	}
	return (float64(n) - float64(o.Start.Started)) / (o.Elapsed - o.Start.Elapsed).Seconds()
}

// Effort is explained at Rate.
func (o Outcome) Effort(n int) float64 {
	if o.Start.Started >= uint64(n) { //nolint:gosec // a plan's
		return float64(o.CPU.Microseconds()) / float64(n)
	}
	return float64((o.CPU - o.Start.CPU).Microseconds()) / (float64(n) - float64(o.Start.Started))
}

// Contest runs a contender in this process until n messages are confirmed, and gives what came of it but for CPU and Peak. With first
// it looks twice a millisecond for receipts, and calls first once there is one.
func Contest(ctx context.Context, name string, n uint64, first func() error, run func(ctx context.Context, p *Progress) error) (Outcome, error) {
	began := time.Now()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	p := &Progress{}
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, p)
		stop()
	}()
	every := 2 * time.Millisecond
	if first != nil {
		every = 500 * time.Microsecond
	}
	var o Outcome
	var told error
	p.Await(ctx, 1, every)
	o.Start.Elapsed, o.Start.Started = time.Since(began), p.Look()
	o.Start.CPU, told = usedCPU()
	if first != nil {
		told = errors.Join(told, first())
	}
	p.Await(ctx, n, every)
	o.Elapsed = time.Since(began)
	stop()
	if err := errors.Join(<-ended, told); err != nil {
		return Outcome{}, err
	}
	if got := p.Look(); got < n {
		return Outcome{}, fmt.Errorf("%s ended at %d of %d messages", name, got, n)
	}
	o.Receipts = p.Receipts()
	return o, nil
}

// AwaitFirst waits until the contender's first message is confirmed.
func (p *Process) AwaitFirst() error {
	var b Begun
	if err := p.Read(&b); err != nil {
		return err
	}
	if !b.Begun {
		return p.failed(errors.New("it told something else than that it has begun"))
	}
	return nil
}

// Outcome waits for what the contender has done, and its end.
func (p *Process) Outcome() (o Outcome, err error) {
	cpu, err := p.Wait(&o)
	o.CPU = cpu
	return o, err
}
