package app_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/internal/app"
	"banyan.dev/banyan/internal/chaos/boxes"
	"banyan.dev/banyan/strangler"
)

// lockless reads modern before it has the entity's lock. The first that does waits then until another has written back.
type lockless struct {
	strangler.Ledger
	begun      *atomic.Bool
	read, done chan struct{}
}

func (l lockless) WriteBack(ctx context.Context, w *strangler.Write, reply []byte, read func(context.Context) (*contract.Payload, error)) error {
	state, err := read(ctx)
	early := func(context.Context) (*contract.Payload, error) { return state, err }
	if !l.begun.CompareAndSwap(false, true) {
		defer close(l.done)
		return l.Ledger.WriteBack(ctx, w, reply, early)
	}
	close(l.read)
	select {
	case <-l.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	return l.Ledger.WriteBack(ctx, w, reply, early)
}

// Without the lock on the state, the write-back that has read first takes the other's thing out of legacy again.
func TestTheLockOnTheStateIsMissed(t *testing.T) {
	l := lockless{begun: &atomic.Bool{}, read: make(chan struct{}), done: make(chan struct{})}
	replace := func(p *app.Parts) {
		mine := l
		mine.Ledger = p.Ledger
		p.Ledger = mine
	}
	b := newShiftLab(t, boxes.Options{}, "20s", replace, replace)
	b.to(t, "live")
	var acked [mostBoxes + 1]atomic.Int64
	acked[7].Store(2)
	first := make(chan error, 1)
	go func() { first <- b.add(context.WithoutCancel(t.Context()), 0, 7) }()
	<-l.read
	if err := b.add(t.Context(), 1, 7); err != nil {
		t.Error(err)
	}
	if err := <-first; err != nil {
		t.Error(err)
	}
	b.noticed(t, b.differ(t, &acked), true)
}

// slowLedger writes back late, by chance.
type slowLedger struct{ strangler.Ledger }

func (l slowLedger) WriteBack(ctx context.Context, w *strangler.Write, reply []byte, read func(context.Context) (*contract.Payload, error)) error {
	<-time.After(rand.N(50 * time.Millisecond)) //nolint:gosec // a chance, not a secret
	return l.Ledger.WriteBack(ctx, w, reply, read)
}

// Two clients write one box through two replicas at once, and the write-backs come in any order.
func TestTwoClientsWriteOneEntity(t *testing.T) {
	const each = 50
	slow := func(p *app.Parts) { p.Ledger = slowLedger{p.Ledger} }
	b := newShiftLab(t, boxes.Options{}, "20s", slow, slow)
	b.to(t, "live")
	var clients sync.WaitGroup
	var acked [mostBoxes + 1]atomic.Int64
	for replica := range 2 {
		clients.Go(func() {
			for i := range each {
				if err := b.add(context.WithoutCancel(t.Context()), replica, 7); err != nil {
					t.Errorf("write %d through replica %d: %v", i+1, replica, err)
					return
				}
				acked[7].Add(1)
			}
		})
	}
	clients.Wait()
	if wrong := b.differ(t, &acked); wrong != "" {
		t.Error(wrong)
	}
	if things, err := b.get(t.Context(), 0, 7); err != nil || things != 2*each {
		t.Errorf("the box has %d things, %v; want %d", things, err, 2*each)
	}
}
