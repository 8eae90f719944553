package strangler_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"banyan.dev/banyan/strangler"
)

// verdict collects what a world finds wrong, instead of failing the test.
type verdict struct {
	testing.TB
	mu    sync.Mutex
	wrong []string
}

func (v *verdict) Errorf(format string, args ...any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.wrong = append(v.wrong, fmt.Sprintf(format, args...))
}

func (v *verdict) Logf(string, ...any) {}

// Each safety step is left out, and the run has to notice: what nobody would miss protects nobody. Marks and epochs are left
// out in the walk of strangler/shift.
func TestEachSafetyStepIsMissed(t *testing.T) {
	for _, without := range []string{"hold", "fence", "void", "lock", "write-back before the reply"} {
		t.Run(without, func(t *testing.T) {
			for range 40 {
				if wrong := runWithout(t, without); len(wrong) > 0 {
					t.Logf("%d times, the first: %s", len(wrong), wrong[0])
					return
				}
			}
			t.Error("nobody has missed it")
		})
	}
}

// runWithout runs a world with a step left out, and gives what was wrong in it.
func runWithout(t *testing.T, without string) (wrong []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		v := &verdict{TB: t}
		w := newWorld(v)
		w.without, w.ledger.unlocked, w.ledger.hasty = without, without == "lock", without == "write-back before the reply"
		sweeping, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		var clients, others sync.WaitGroup
		for n := range 10 {
			clients.Go(func() { w.client(n) })
		}
		others.Go(func() { w.coordinate(done) })
		others.Go(func() {
			strangler.NewSweeper(strangler.SweeperOptions{Capabilities: []*strangler.Capability{orders(w.modern)}, Ledger: w.ledger, Stale: w.stale}).Run(sweeping)
		})
		clients.Wait()
		close(done)
		<-time.After(5 * time.Minute)
		stop()
		others.Wait()
		for _, r := range w.replicas {
			r.router.Close()
		}
		w.judge()
		wrong = v.wrong
	})
	return wrong
}
