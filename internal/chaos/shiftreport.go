package chaos

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// ShiftReport is what came of a shift run.
type ShiftReport struct {
	Seed uint64

	mu sync.Mutex
	// Acked, Failed and Refused count writes; Reads those that were answered.
	Acked, Failed, Refused, Reads, Old int
	// Stale, Lost and Doubled say what must not be.
	Stale, Lost, Doubled, Revived []string
	Faults                        map[string]int
	// Shifts and Rollbacks have moved keys, Idle are commands that found all as it was to be.
	Shifts, Rollbacks, Backs, Idle int
	// Live are writes that the new service has done and that came home.
	Live   int
	Voided int
	// Fills counts backfills by what became of them, with all as "asked". Parked counts parked events that were retried.
	Fills                     map[string]int
	Parked                    int
	rollbacks, pauses, writes []time.Duration
}

func (r *ShiftReport) set(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

func (r *ShiftReport) old() { r.set(func() { r.Old++ }) }

func (r *ShiftReport) fault(what string) {
	r.set(func() {
		if r.Faults == nil {
			r.Faults = map[string]int{}
		}
		r.Faults[what]++
	})
}

func (r *ShiftReport) filled(how string) {
	r.set(func() {
		if r.Fills == nil {
			r.Fills = map[string]int{}
		}
		r.Fills[how]++
	})
}

func (r *ShiftReport) read(what string, answered bool) {
	r.set(func() {
		if answered {
			r.Reads++
		}
		if what != "" {
			r.Stale = append(r.Stale, what)
		}
	})
}

func (r *ShiftReport) write(what promised, took time.Duration) {
	r.set(func() {
		switch what {
		case itIsDone:
			r.Acked++
			r.writes = append(r.writes, took)
		case nothingSaid:
			r.Failed++
		}
	})
}

func (r *ShiftReport) lost(what string) { r.set(func() { r.Lost = append(r.Lost, what) }) }

func (r *ShiftReport) command(what string, out outcome, err error) {
	r.set(func() {
		switch {
		case err != nil:
			return
		case !out.Done:
			r.Backs++
			return
		case out.Paused == "" || out.Paused == "0s":
			r.Idle++
			return
		case what == "rollback":
			r.Rollbacks++
			if took, err := time.ParseDuration(out.Took); err == nil {
				r.rollbacks = append(r.rollbacks, took)
			}
		default:
			r.Shifts++
		}
		r.Voided += out.Voided
		if paused, err := time.ParseDuration(out.Paused); err == nil && paused > 0 {
			r.pauses = append(r.pauses, paused)
		}
	})
}

// enough says what is missing before the run says something.
func (r *ShiftReport) enough() (err error) {
	r.set(func() {
		if r.Acked == 0 || r.Shifts == 0 || r.Rollbacks == 0 || r.Live == 0 {
			err = fmt.Errorf("nothing was shifted under load: %d writes acknowledged, %d of them live, %d shifts, %d rollbacks", r.Acked, r.Live, r.Shifts, r.Rollbacks)
		}
	})
	return err
}

// Err says what must not have been.
func (r *ShiftReport) Err() error {
	var out []error
	for what, list := range map[string][]string{"acknowledged writes are lost": r.Lost, "writes are doubled": r.Doubled, "reads are stale": r.Stale, "writes happened of which a client was told that they had not": r.Revived} {
		if len(list) > 0 {
			out = append(out, fmt.Errorf("%d %s: %v", len(list), what, list[:min(len(list), 5)]))
		}
	}
	return errors.Join(out...)
}

// String tells it for people.
func (r *ShiftReport) String() string {
	percentile := func(of []time.Duration, p int) time.Duration {
		if len(of) == 0 {
			return 0
		}
		sorted := slices.Sorted(slices.Values(of))
		return sorted[min(len(sorted)*p/100, len(sorted)-1)].Round(time.Millisecond)
	}
	return fmt.Sprintf("shift run, seed %d\n  faults %v\n  %d shifts, %d rollbacks, %d gone back by themselves, %d commands with nothing to do; %d open writes given up\n"+
		"  writes: %d acknowledged (%d came home from the new service), %d failed or without an answer, %d refused; by the old application %d; reads %d\n"+
		"  backfills %v; %d parked events were retried\n"+
		"  lost %d, doubled %d, stale reads %d, revived %d\n"+
		"  write pauses of shifts and rollbacks p50 %s p99 %s; rollbacks until all replicas read legacy p50 %s p99 %s; writes p50 %s p99 %s",
		r.Seed, r.Faults, r.Shifts, r.Rollbacks, r.Backs, r.Idle, r.Voided, r.Acked, r.Live, r.Failed, r.Refused, r.Old, r.Reads, r.Fills, r.Parked, len(r.Lost), len(r.Doubled), len(r.Stale), len(r.Revived),
		percentile(r.pauses, 50), percentile(r.pauses, 99), percentile(r.rollbacks, 50), percentile(r.rollbacks, 99), percentile(r.writes, 50), percentile(r.writes, 99))
}
