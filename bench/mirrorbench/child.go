package mirrorbench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/pprof"
	"time"

	"banyan.dev/banyan/bench/canal"
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
	// Record asks for receipts, and for a line of output once the first row is confirmed.
	Record bool
	// Dir is for files.
	Dir string
	// Profile is the file for a profile of the CPU; empty: none.
	Profile string
}

// place is From as the others know it.
func (j job) place() canal.Position { return canal.Position{File: j.From.File, Offset: j.From.Offset} }

// outcome is what a contender has done.
type outcome struct {
	// Elapsed is from the start to the last confirm. CPU is user and system time of the whole process.
	Elapsed, CPU time.Duration
	// Peak is the most memory that was resident, in bytes.
	Peak     int64
	Receipts []receipt
}

// Child runs a contender in this process: it reads a job from in and writes the outcome to out. It ends early when in does.
func Child(ctx context.Context, in io.Reader, out io.Writer) error {
	var j job
	decoder := json.NewDecoder(in)
	if err := decoder.Decode(&j); err != nil {
		return fmt.Errorf("read what to do: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, in) // however it ends, the parent is gone
		cancel()
	}()
	results := json.NewEncoder(out)
	o, err := profiled(j.Profile, func() (outcome, error) { return j.do(ctx, func() error { return results.Encode(begun{true}) }) })
	if err != nil {
		return err
	}
	if o.Peak, err = peakMemory(); err != nil {
		return err
	}
	return results.Encode(o)
}

// begun is the line that tells of the first confirmed row.
type begun struct{ Begun bool }

// do runs the contender until the job is done. It calls first once the first row is confirmed, where receipts are asked for.
func (j job) do(ctx context.Context, first func() error) (outcome, error) {
	c, err := contenderNamed(j.Contender)
	if err != nil {
		return outcome{}, err
	}
	began := time.Now()
	if !c.sends {
		err := c.run(ctx, j, nil)
		return outcome{Elapsed: time.Since(began)}, err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	p := &progress{}
	ended := make(chan error, 1)
	go func() {
		ended <- c.run(ctx, j, p)
		stop()
	}()
	every := 2 * time.Millisecond
	var told error
	if j.Record {
		every = 500 * time.Microsecond
		p.await(ctx, 1, every)
		told = first()
	}
	p.await(ctx, j.Rows, every)
	elapsed := time.Since(began)
	stop()
	if err := errors.Join(<-ended, told); err != nil {
		return outcome{}, err
	}
	if got := p.look(); got < j.Rows {
		return outcome{}, fmt.Errorf("%s ended at %d of %d rows", c.name, got, j.Rows)
	}
	return outcome{Elapsed: elapsed, Receipts: p.receipts}, nil
}

func profiled(file string, do func() (outcome, error)) (o outcome, err error) {
	if file == "" {
		return do()
	}
	f, err := os.Create(file)
	if err != nil {
		return outcome{}, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := pprof.StartCPUProfile(f); err != nil {
		return outcome{}, err
	}
	defer pprof.StopCPUProfile()
	return do()
}
