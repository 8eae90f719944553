package mirrorbench

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Plan is how much and how often is measured.
type Plan struct {
	// Rows are inserted, and as many updated, in transactions of Transaction rows. They are drained Rounds times by each
	// contender into each kind of queue.
	Rows, Transaction, Rounds int
	// Kinds are the kinds of queues: classic, quorum, stream.
	Kinds []string
	// Paces are at what latency is measured, each for Duration after WarmUp. None: it is not measured.
	Paces            []Pace
	WarmUp, Duration time.Duration
	// Profiles is where profiles of Banyan's mirror go; empty: nowhere.
	Profiles string
}

// Pace is a steady rate of writing.
type Pace struct {
	// Rate is in rows a second, in transactions of Transaction rows each.
	Rate, Transaction int
}

// String is the pace as people read it.
func (p Pace) String() string {
	if p.Transaction == 1 {
		return fmt.Sprintf("%d rows/s, one a transaction", p.Rate)
	}
	return fmt.Sprintf("%d rows/s, %d a transaction", p.Rate, p.Transaction)
}

// Full is what a report for the documentation takes.
func Full() Plan {
	return Plan{
		Rows: 200_000, Transaction: 10, Rounds: 3, Kinds: kinds(),
		Paces:  []Pace{{1000, 1}, {1000, 10}, {5000, 10}},
		WarmUp: 3 * time.Second, Duration: 10 * time.Second,
	}
}

// Quick is for a first look.
func Quick() Plan {
	p := Full()
	p.Rows, p.Rounds, p.Paces, p.WarmUp, p.Duration = 20_000, 1, p.Paces[1:], time.Second, 3*time.Second
	return p
}

func kinds() []string { return []string{"classic", "quorum", streamKind} }

// Flags lets a command line change the plan.
func (p *Plan) Flags(set *flag.FlagSet) {
	set.IntVar(&p.Rows, "mirror-rows", p.Rows, "inserted, and as many updated, for the mirror to drain")
	set.IntVar(&p.Rounds, "mirror-rounds", p.Rounds, "drains by each contender into each kind of queue")
	set.IntVar(&p.Transaction, "mirror-transaction", p.Transaction, "rows a transaction, of those to drain")
	set.DurationVar(&p.Duration, "mirror-duration", p.Duration, "of each measurement of the mirror's latency")
	set.Func("mirror-queues", "kinds of queues, such as classic,stream", func(text string) error {
		p.Kinds = strings.Split(text, ",")
		return p.check()
	})
	set.Func("mirror-paces", "rows a second × rows a transaction to measure latency at, such as 1000x1,5000x10, or none", func(text string) (err error) {
		p.Paces, err = parsePaces(text)
		return err
	})
}

func parsePaces(text string) ([]Pace, error) {
	if text == "none" {
		return nil, nil
	}
	var paces []Pace
	for one := range strings.SplitSeq(text, ",") {
		rate, transaction, _ := strings.Cut(one, "x")
		var p Pace
		var err1, err2 error
		p.Rate, err1 = strconv.Atoi(rate)
		p.Transaction, err2 = strconv.Atoi(transaction)
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		paces = append(paces, p)
	}
	return paces, nil
}

// check refuses a plan that can't be run.
func (p Plan) check() error {
	if p.Rows < 1 || p.Transaction < 1 || p.Rounds < 1 {
		return fmt.Errorf("%d rows in transactions of %d, %d rounds: each must be 1 or more", p.Rows, p.Transaction, p.Rounds)
	}
	for _, kind := range p.Kinds {
		if !slices.Contains(kinds(), kind) {
			return fmt.Errorf("%q is no kind of queue: there are %s", kind, strings.Join(kinds(), ", "))
		}
	}
	for _, pace := range p.Paces {
		if pace.Rate < 1 || pace.Transaction < 1 {
			return fmt.Errorf("%s is no pace", pace)
		}
	}
	return nil
}
