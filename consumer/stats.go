package consumer

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Stats are what this process has done with a Store since that was made, and where it is now. They are for the service's own
// metrics: the counters only grow.
type Stats struct {
	// Applied are events that were applied, Retried parked ones that were applied later, Ignored those that were no news, and Kept
	// those of the service's own writes, of which only the version counts.
	Applied, Retried, Ignored, Kept uint64
	// Parked are events that were parked. How many there are now only the database knows: see Store.CountParked.
	Parked uint64
	// Fences are copies of fences that were answered.
	Fences uint64
	// Written are live writes that were done, Replayed those that were known already, and Refused those whose epoch has passed.
	Written, Replayed, Refused uint64
	// Queues are those that are consumed here, by name.
	Queues []QueueStats
	// Processes is how many share the queues; 0 before it is known.
	Processes int
}

// QueueStats is where a queue's consumer is.
type QueueStats struct {
	Name string
	// Due says that the queue is due to this process.
	Due bool
	// Lag is how old the change is that is at work, by the clocks of legacy and of this process; 0 while nothing is.
	// MariaDB tells times in whole seconds.
	Lag time.Duration
}

// counters are the Stats that count.
type counters struct {
	applied, retried, ignored, kept, parked, fences, written, replayed, refused atomic.Uint64
}

// running are the Runs of a Store.
type running struct {
	mu      sync.Mutex
	runners []*runner
}

func (r *running) add(one *runner) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.runners = append(r.runners, one)
}

func (r *running) remove(one *runner) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.runners = slices.DeleteFunc(r.runners, func(other *runner) bool { return other == one })
}

func (r *running) all() []*runner {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.runners)
}

// at is where the consumer of a queue is.
type at struct {
	queue
	since atomic.Int64 // when what is at work was committed, in seconds since 1970; 0 while nothing is
}

// enter says that a queue is consumed, leave that it is no longer.
func (r *runner) enter(name string, q queue) *at {
	here := &at{queue: q}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.places == nil {
		r.places = map[string]*at{}
	}
	r.places[name] = here
	return here
}

func (r *runner) leave(name string, here *at) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.places[name] == here {
		delete(r.places, name)
	}
}

// queueStats gives those of a Run.
func (r *runner) queueStats() (stats []QueueStats, processes int) {
	now := r.Store.options.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, here := range r.places {
		q := QueueStats{Name: name, Due: r.due(here.i)}
		if since := here.since.Load(); since > 0 {
			q.Lag = max(0, now.Sub(time.Unix(since, 0)))
		}
		stats = append(stats, q)
	}
	if members := r.members.Load(); members != nil {
		processes = len(*members)
	}
	return stats, processes
}

// Stats gives what this process has done, and where it is.
func (s *Store) Stats() Stats {
	c := &s.counted
	stats := Stats{
		Applied: c.applied.Load(), Retried: c.retried.Load(), Ignored: c.ignored.Load(), Kept: c.kept.Load(), Parked: c.parked.Load(), Fences: c.fences.Load(),
		Written: c.written.Load(), Replayed: c.replayed.Load(), Refused: c.refused.Load(),
	}
	for _, r := range s.running.all() {
		queues, processes := r.queueStats()
		stats.Queues = append(stats.Queues, queues...)
		stats.Processes = max(stats.Processes, processes)
	}
	slices.SortFunc(stats.Queues, func(a, b QueueStats) int { return strings.Compare(a.Name, b.Name) })
	return stats
}
