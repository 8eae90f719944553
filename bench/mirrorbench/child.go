package mirrorbench

import (
	"context"
	"io"
	"time"

	"banyan.dev/banyan/bench/canal"
	"banyan.dev/banyan/bench/rig"
	"banyan.dev/banyan/mirror/change"
)

// ChildVariable is set in the environment of a contender's process, which calls Child.
const ChildVariable = "BENCH_MIRROR_CHILD"

// job is what a contender does.
type job struct {
	Contender string
	Server    canal.Server
	DSN       string // of the same server
	Broker    string
	// StreamPort is where the broker listens for its native protocol.
	StreamPort int
	From       change.Position
	// Rows is how many rows are to be confirmed, or seen; then it is done.
	Rows uint64
	// Record asks for receipts, and to be told once the first row is confirmed.
	Record bool
	// Dir is for files.
	Dir string
	// Profile is the file for a profile of the CPU; empty: none.
	Profile string
}

// place is From as the others know it.
func (j job) place() canal.Position { return canal.Position{File: j.From.File, Offset: j.From.Offset} }

// start runs this program again to do the job.
func (j job) start(ctx context.Context) (*rig.Process, error) {
	return rig.Start(ctx, ChildVariable, j.Contender, j)
}

// Child runs a contender in this process: it reads a job from in and writes the outcome to out. It ends early when in does.
func Child(ctx context.Context, in io.Reader, out io.Writer) error {
	var j job
	return rig.Serve(ctx, in, out, &j, func(ctx context.Context, tell func(any) error) error {
		var o rig.Outcome
		err := rig.Profiled(j.Profile, func() (err error) {
			o, err = j.do(ctx, func() error { return tell(rig.Begun{Begun: true}) })
			return err
		})
		if err != nil {
			return err
		}
		if o.Peak, err = rig.PeakMemory(); err != nil {
			return err
		}
		return tell(o)
	})
}

// do runs the contender until the job is done. It calls first once the first row is confirmed, where receipts are asked for.
func (j job) do(ctx context.Context, first func() error) (rig.Outcome, error) {
	c, err := contenderNamed(j.Contender)
	if err != nil {
		return rig.Outcome{}, err
	}
	if !c.sends {
		began := time.Now()
		err := c.run(ctx, j, nil)
		return rig.Outcome{Elapsed: time.Since(began)}, err
	}
	if !j.Record {
		first = nil
	}
	return rig.Contest(ctx, c.name, j.Rows, first, func(ctx context.Context, p *rig.Progress) error { return c.run(ctx, j, p) })
}
