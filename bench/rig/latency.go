package rig

import (
	"fmt"
	"slices"
	"time"

	"banyan.dev/banyan/bench/figure"
)

// Latency is how long it took, in milliseconds.
type Latency struct{ P50, P99, Max float64 }

// LatencyOf sums up what took some milliseconds each, one at least.
func LatencyOf(all []float64) Latency {
	all = slices.Sorted(slices.Values(all))
	return Latency{P50: figure.Quantile(all, 0.5), P99: figure.Quantile(all, 0.99), Max: all[len(all)-1]}
}

// Latency compares receipts with commits: committed has when each key was, from first on. Those of the first warmUp keys are not
// looked at. Each key has to have a receipt; of several the first counts.
func (o Outcome) Latency(first int, committed []int64, warmUp int) (Latency, error) {
	latencies := make([]float64, 0, len(committed))
	seen := make([]bool, len(committed))
	for _, r := range o.Receipts {
		i := int(r.Key) - first
		if i < 0 || i >= len(seen) {
			return Latency{}, fmt.Errorf("a message of row %d, which was not written", r.Key)
		}
		if seen[i] {
			continue // sent again
		}
		seen[i] = true
		if i >= warmUp {
			// A server's log is read before the writer is answered, so that the confirm can be first.
			latencies = append(latencies, max(0, time.Duration(r.At-committed[i]).Seconds()*1000))
		}
	}
	if i := slices.Index(seen, false); i >= 0 {
		return Latency{}, fmt.Errorf("no message of row %d was confirmed", first+i)
	}
	if len(latencies) == 0 {
		return Latency{}, fmt.Errorf("all %d rows were for warming up", len(committed))
	}
	return LatencyOf(latencies), nil
}
