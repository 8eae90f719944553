// Bench compares Banyan with a hand-written service that answers the same contract from the same database, side by side
// in one run: requests a second, latencies, and what a request costs the serving process. Run it from anywhere:
//
//	go run ./bench          a few minutes
//	go run ./bench -quick   less than one
//
// docs/performance.md says how it measures and what that does and doesn't show.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if name, child := os.LookupEnv(sideVariable); child {
		exit(serve(ctx, name, os.Stdin, os.Stdout))
	}
	p := full()
	flag.BoolFunc("quick", "a short run, for a first look; flags after it change it", func(string) error {
		p.rounds, p.warmUp, p.duration = 3, 200*time.Millisecond, 700*time.Millisecond
		return nil
	})
	flag.IntVar(&p.workers, "workers", p.workers, "requests under way at once")
	flag.IntVar(&p.rounds, "rounds", p.rounds, "measurements of each side, by turns")
	flag.DurationVar(&p.warmUp, "warm-up", p.warmUp, "before each measurement")
	flag.DurationVar(&p.duration, "duration", p.duration, "of each measurement")
	flag.StringVar(&p.only, "only", "", "measure rows whose name contains this, such as \"list\" or \"point read, gRPC\"")
	flag.StringVar(&p.profiles, "profiles", "", "write CPU and allocation profiles into this directory, which makes the figures worse")
	into := flag.String("into", "", "also put the report into this page, such as docs/performance.md")
	flag.Parse()
	var text strings.Builder
	err := run(ctx, p, io.MultiWriter(os.Stdout, &text))
	if err == nil && *into != "" {
		err = writeInto(*into, text.String())
	}
	exit(err)
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// plan is how long and how often is measured.
type plan struct {
	workers          int
	rounds           int
	warmUp, duration time.Duration
	only, profiles   string
}

func full() plan {
	return plan{workers: 16, rounds: 7, warmUp: 500 * time.Millisecond, duration: 2 * time.Second}
}
