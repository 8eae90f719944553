package volume_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"banyan.dev/banyan/internal/app/apptest"
)

// One order is changed as fast as the server takes it: the service never goes back, ends at its last state, and is told of
// other orders meanwhile.
func TestAnOrderThatNeverRests(t *testing.T) {
	const others = 50
	l := newLab(t, options{before: func(l *lab) { l.fill(1 + others) }})
	writing, stop := context.WithCancel(t.Context())
	defer stop()
	var writers sync.WaitGroup
	var written atomic.Int64
	for range 4 {
		writers.Go(func() {
			for writing.Err() == nil {
				// Who is stopped in the middle doesn't know whether it was done.
				if _, err := l.db.ExecContext(t.Context(), "UPDATE orders SET n = n + 1, body = CONCAT('change ', n) WHERE id = 1"); err != nil {
					if t.Context().Err() == nil {
						t.Error(err)
					}
					return
				}
				written.Add(1)
			}
		})
	}
	defer writers.Wait()
	defer stop()
	var slowest time.Duration
	var early [2]int64
	probes, began := 0, time.Now()
	for ; time.Since(began) < *hotFor || probes < 5; probes++ {
		id := 2 + probes%others
		l.exec("UPDATE orders SET n = ? WHERE id = ?", probes+1, id)
		asked := time.Now()
		apptest.Poll(t, fmt.Sprintf("order %d is told while order 1 never rests", id), func() error {
			if n := l.look("SELECT COALESCE(MAX(n), 0) FROM orders WHERE id = ?", id); n != int64(probes+1) {
				return fmt.Errorf("it is at %d, and not at %d", n, probes+1)
			}
			return nil
		})
		slowest = max(slowest, time.Since(asked))
		if early[0] == 0 && time.Since(began) > *hotFor/10 {
			early = [2]int64{l.banyan.peak(), l.service.peak()}
		}
	}
	took := time.Since(began)
	stop()
	writers.Wait()
	last := l.fence()
	if n := l.look("SELECT n FROM orders WHERE id = 1"); n != written.Load() {
		t.Errorf("order 1 is at %d, and was changed %d times", n, written.Load())
	}
	l.exec("UPDATE orders SET n = n + 1") // those that nobody has touched, for the comparison
	l.fence()
	l.compare()
	t.Logf("one order is changed %d times in %s, %.0f a second; the service has applied %d states of it; %d others were told meanwhile, in %s at most; the fence behind the last one took %s; Banyan has had %s, the service %s",
		written.Load(), took.Round(time.Millisecond), float64(written.Load())/took.Seconds(), l.look("SELECT applied FROM orders WHERE id = 1"), probes, slowest.Round(time.Millisecond), last.Round(time.Millisecond),
		mib(l.banyan.peak()), mib(l.service.peak()))
	bounded(t, "Banyan", early[0], l.banyan.peak())
	bounded(t, "the service", early[1], l.service.peak())
}
