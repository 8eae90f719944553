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
	// Peak is the most memory that was resident, in bytes.
	Peak     int64
	Receipts []Receipt
}

// Begun is what a contender tells when its first message is confirmed, where receipts are asked for.
type Begun struct{ Begun bool }

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
	var told error
	if first != nil {
		every = 500 * time.Microsecond
		p.Await(ctx, 1, every)
		told = first()
	}
	p.Await(ctx, n, every)
	elapsed := time.Since(began)
	stop()
	if err := errors.Join(<-ended, told); err != nil {
		return Outcome{}, err
	}
	if got := p.Look(); got < n {
		return Outcome{}, fmt.Errorf("%s ended at %d of %d messages", name, got, n)
	}
	return Outcome{Elapsed: elapsed, Receipts: p.Receipts()}, nil
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
