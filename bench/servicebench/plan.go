package servicebench

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"banyan.dev/banyan/protocol"
)

// Plan is how much and how often is measured.
type Plan struct {
	// Orders are inserted, and changed in some ways, each in a transaction of its own. Each way is drained Rounds times by each
	// contender, into Queues queues.
	Orders, Rounds, Queues int
	// Paces are orders a second that are inserted while latency is measured, each for Duration after WarmUp. None: it is not measured.
	Paces            []int
	WarmUp, Duration time.Duration

	// Layouts are numbers of queues that fences are timed with, without load and while Changes rows a second change. Fences begin Every
	// so often, each once the one before is answered, for Duration after WarmUp.
	Layouts []int
	Changes int
	Every   time.Duration
	// Profiles is where profiles of the CPU go; empty: nowhere.
	Profiles string
}

// Full is what a report for the documentation takes.
func Full() Plan {
	return Plan{
		Orders: 20_000, Rounds: 3, Queues: 4, Paces: []int{100, 500}, WarmUp: 3 * time.Second, Duration: 30 * time.Second,
		Layouts: []int{1, 4}, Changes: 1000, Every: 50 * time.Millisecond,
	}
}

// Quick is for a first look.
func Quick() Plan {
	p := Full()
	p.Orders, p.Rounds, p.Paces, p.WarmUp, p.Duration = 4000, 1, p.Paces[:1], time.Second, 4*time.Second
	return p
}

// Flags lets a command line change the plan.
func (p *Plan) Flags(set *flag.FlagSet) {
	set.IntVar(&p.Orders, "entity-orders", p.Orders, "inserted, and changed in some ways, for services to be told of")
	set.IntVar(&p.Rounds, "entity-rounds", p.Rounds, "drains by each contender of each way")
	set.DurationVar(&p.Duration, "service-duration", p.Duration, "of each measurement of an entity event's or a fence's latency")
	set.IntVar(&p.Changes, "fence-changes", p.Changes, "rows a second that change while fences are timed")
	set.DurationVar(&p.Every, "fence-every", p.Every, "the time from one fence to the next")
	numbers := func(into *[]int) func(string) error {
		return func(text string) error {
			*into = nil
			for one := range strings.SplitSeq(text, ",") {
				n, err := strconv.Atoi(one)
				if err != nil {
					return errors.New("write whole numbers with commas between")
				}
				*into = append(*into, n)
			}
			return p.check()
		}
	}
	set.Func("entity-paces", "orders a second to measure latency at, such as 100,500", numbers(&p.Paces))
	set.Func("fence-queues", "numbers of queues to time fences with, such as 1,4", numbers(&p.Layouts))
}

// check refuses a plan that can't be run.
func (p Plan) check() error {
	if p.Orders < 1 || p.Rounds < 1 || p.Changes < 1 || p.Every <= 0 || p.Duration <= 0 {
		return fmt.Errorf("%d orders, %d rounds, %d changes a second, a fence each %s, for %s: each must be more than 0", p.Orders, p.Rounds, p.Changes, p.Every, p.Duration)
	}
	for _, pace := range p.Paces {
		if pace < 1 {
			return fmt.Errorf("%d orders a second is no pace", pace)
		}
	}
	for _, n := range append([]int{p.Queues}, p.Layouts...) {
		if !slices.Contains(protocol.QueueLayouts(), n) {
			return fmt.Errorf("%d is no number of queues: there are %v", n, protocol.QueueLayouts())
		}
	}
	return nil
}
