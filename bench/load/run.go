package load

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Worker makes one request at a time; it is not safe for concurrent use.
type Worker interface {
	// Do makes a request and returns when its reply has been read. A reply other than success is an error.
	Do(ctx context.Context) error
	Close() error
}

// Result is what a run gave.
type Result struct {
	Requests int64
	Elapsed  time.Duration
	// Latencies in microseconds.
	Latencies *hdrhistogram.Histogram
}

// Rate is requests a second.
func (r Result) Rate() float64 { return float64(r.Requests) / r.Elapsed.Seconds() }

// Latencies are kept up to a minute, to 3 digits.
const (
	longest = int64(time.Minute / time.Microsecond)
	digits  = 3
)

// Run keeps the workers busy for d, and returns when the last of them has its reply. The first error ends it.
func Run(ctx context.Context, workers []Worker, d time.Duration) (Result, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	histograms := make([]*hdrhistogram.Histogram, len(workers))
	var running sync.WaitGroup
	began := time.Now()
	end := began.Add(d)
	for i, w := range workers {
		h := hdrhistogram.New(1, longest, digits)
		histograms[i] = h
		running.Go(func() {
			if err := work(ctx, w, end, h); err != nil {
				cancel(err)
			}
		})
	}
	running.Wait()
	result := Result{Elapsed: time.Since(began), Latencies: hdrhistogram.New(1, longest, digits)}
	if err := context.Cause(ctx); err != nil {
		return result, err
	}
	for _, h := range histograms {
		if dropped := result.Latencies.Merge(h); dropped > 0 {
			return result, fmt.Errorf("%d latencies were too long to be kept", dropped)
		}
	}
	result.Requests = result.Latencies.TotalCount()
	return result, nil
}

func work(ctx context.Context, w Worker, end time.Time, h *hdrhistogram.Histogram) error {
	began := time.Now()
	for began.Before(end) {
		if err := w.Do(ctx); err != nil {
			return err
		}
		now := time.Now()
		if err := h.RecordValue(now.Sub(began).Microseconds()); err != nil {
			return fmt.Errorf("keep a latency: %w", err)
		}
		began = now
	}
	return nil
}
