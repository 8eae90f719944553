// Bench compares Banyan with what a team would write by hand, side by side in one run: the facade with a service that
// answers the same contract from the same database, then the mirror with a program that sends the same table's changes to
// the same broker. Between them it compares an older version of the contract with the newer one that it is a translation of, and
// at the end a backfill of a table with a plain SELECT of it, what feeds a new service with programs that tell of the same
// orders, and fences with messages that go the last part of their way alone.
// Run it from anywhere:
//
//	go run ./bench                 an hour
//	go run ./bench -quick          some minutes
//	go run ./bench -part facade    one of them: facade, versions, mirror, backfill, entities, fences
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

	"banyan.dev/banyan/bench/mirrorbench"
	"banyan.dev/banyan/bench/servicebench"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if name, child := os.LookupEnv(sideVariable); child {
		exit(serve(ctx, name, os.Stdin, os.Stdout))
	}
	if _, child := os.LookupEnv(mirrorbench.ChildVariable); child {
		exit(mirrorbench.Child(ctx, os.Stdin, os.Stdout))
	}
	if _, child := os.LookupEnv(servicebench.ChildVariable); child {
		exit(servicebench.Child(ctx, os.Stdin, os.Stdout))
	}
	p, m, v := full(), mirrorbench.Full(), servicebench.Full()
	flag.BoolFunc("quick", "a short run, for a first look; flags after it change it", func(string) error {
		p.rounds, p.warmUp, p.duration = 3, 200*time.Millisecond, 700*time.Millisecond
		m, v = mirrorbench.Quick(), servicebench.Quick()
		return nil
	})
	part := flag.String("part", "", "measure only one of "+strings.Join(allParts(), ", "))
	flag.IntVar(&p.workers, "workers", p.workers, "requests under way at once")
	flag.IntVar(&p.rounds, "rounds", p.rounds, "measurements of each side, by turns")
	flag.DurationVar(&p.warmUp, "warm-up", p.warmUp, "before each measurement")
	flag.DurationVar(&p.duration, "duration", p.duration, "of each measurement")
	flag.StringVar(&p.only, "only", "", "measure rows whose name contains this, such as \"list\" or \"point read, gRPC\"")
	flag.StringVar(&p.profiles, "profiles", "", "write CPU and allocation profiles into this directory, which makes the figures worse")
	m.Flags(flag.CommandLine)
	v.Flags(flag.CommandLine)
	into := flag.String("into", "", "also put the reports into this page, such as docs/performance.md")
	flag.Parse()
	m.Profiles, v.Profiles = p.profiles, p.profiles
	exit(measureParts(ctx, *part, *into, map[string]func(io.Writer) error{
		facadePart:   func(out io.Writer) error { return run(ctx, p, out) },
		versionsPart: func(out io.Writer) error { return runVersions(ctx, p, out) },
		mirrorPart:   func(out io.Writer) error { return mirrorbench.Run(ctx, m, mirrorMachine, out) },
		backfillPart: func(out io.Writer) error { return mirrorbench.RunFills(ctx, m, mirrorMachine, out) },
		entitiesPart: func(out io.Writer) error { return servicebench.RunEntities(ctx, v, mirrorMachine, out) },
		fencesPart:   func(out io.Writer) error { return servicebench.RunFences(ctx, v, mirrorMachine, out) },
	}))
}

// The parts of the benchmark.
const (
	facadePart   = "facade"
	versionsPart = "versions"
	mirrorPart   = "mirror"
	backfillPart = "backfill"
	entitiesPart = "entities"
	fencesPart   = "fences"
)

// allParts gives them in the order in which they are measured.
func allParts() []string {
	return []string{facadePart, versionsPart, mirrorPart, backfillPart, entitiesPart, fencesPart}
}

// measureParts runs one part, or all, one after the other, and puts what each prints into a page, if that has a name.
func measureParts(ctx context.Context, only, into string, parts map[string]func(io.Writer) error) error {
	if _, known := parts[only]; !known && only != "" {
		return fmt.Errorf("no part is named %q: there are %s", only, strings.Join(allParts(), ", "))
	}
	for i, part := range allParts() {
		if only != "" && only != part {
			continue
		}
		if i > 0 && only == "" {
			fmt.Println()
		}
		var text strings.Builder
		if err := parts[part](io.MultiWriter(os.Stdout, &text)); err != nil {
			return err
		}
		if into != "" {
			if err := writeInto(into, part, text.String()); err != nil {
				return err
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
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
