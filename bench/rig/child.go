package rig

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/pprof"
)

// Serve does a job in this process, which Start has started: it reads the job from in and calls do, whose ctx ends early when in
// does. tell writes what the one who started it reads.
func Serve(ctx context.Context, in io.Reader, out io.Writer, job any, do func(ctx context.Context, tell func(any) error) error) error {
	if err := json.NewDecoder(in).Decode(job); err != nil {
		return fmt.Errorf("read what to do: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, in) // however it ends, the parent is gone
		cancel()
	}()
	return do(ctx, json.NewEncoder(out).Encode)
}

// Profiled does something, with a profile of the CPU into a file; with an empty name there is none.
func Profiled(file string, do func() error) (err error) {
	if file == "" {
		return do()
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := pprof.StartCPUProfile(f); err != nil {
		return err
	}
	defer pprof.StopCPUProfile()
	return do()
}
