package servicebench

import (
	"context"
	"io"

	"banyan.dev/banyan/bench/canal"
	"banyan.dev/banyan/bench/rig"
	"banyan.dev/banyan/mirror/change"
)

// ChildVariable is set in the environment of a contender's process, which calls Child.
const ChildVariable = "BENCH_SERVICE_CHILD"

// job is what a process does: a contender's, or a part of a whole system.
type job struct {
	// Contender is a contender's name, or wholeBanyan or newService.
	Contender string
	Server    canal.Server
	// DSN is the same server's, with the schema.
	DSN, Broker string
	From        change.Position
	// Events is how many are to be confirmed; then it is done.
	Events uint64
	// Record asks for receipts, and to be told once the first event is confirmed.
	Record bool
	// Dir is for files, Queues how many the new service has.
	Dir    string
	Queues int
	// Profile is the file for a profile of the CPU; empty: none.
	Profile string
}

func (j job) start(ctx context.Context) (*rig.Process, error) {
	return rig.Start(ctx, ChildVariable, j.Contender, j)
}

// Child does a job in this process: it reads it from in and writes what comes of it to out. It ends early when in does.
func Child(ctx context.Context, in io.Reader, out io.Writer) error {
	var j job
	return rig.Serve(ctx, in, out, &j, func(ctx context.Context, tell func(any) error) error {
		switch j.Contender {
		case wholeBanyan:
			return rig.Profiled(j.Profile, func() error { return serveBanyan(ctx, j, tell) })
		case newService:
			return rig.Profiled(j.Profile, func() error { return serveOrders(ctx, j) })
		}
		return j.contend(ctx, tell)
	})
}

// contend runs a contender.
func (j job) contend(ctx context.Context, tell func(any) error) error {
	c, err := contenderNamed(j.Contender)
	if err != nil {
		return err
	}
	var first func() error
	if j.Record {
		first = func() error { return tell(rig.Begun{Begun: true}) }
	}
	var o rig.Outcome
	err = rig.Profiled(j.Profile, func() error {
		o, err = rig.Contest(ctx, c.name, j.Events, first, func(ctx context.Context, p *rig.Progress) error { return c.run(ctx, j, p) })
		return err
	})
	if err != nil {
		return err
	}
	if o.Peak, err = rig.PeakMemory(); err != nil {
		return err
	}
	return tell(o)
}
