package rig

import (
	"context"
	"sync"
	"time"
)

// Receipt says when the message of a key was confirmed: Unix time in nanoseconds.
type Receipt struct{ Key, At int64 }

// Progress is what is seen of a contender that sends. Its methods may be called concurrently. The zero value is ready.
type Progress struct {
	mu        sync.Mutex
	confirmed func() uint64
	keys      []int64 // of what was sent, since the last Follow
	receipts  []Receipt
}

// Follow says how to ask for the number of confirmed messages. It begins anew at 0.
func (p *Progress) Follow(confirmed func() uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.confirmed, p.keys = confirmed, nil
	p.receipts = nil
}

// Sent notes the key of what is sent next.
func (p *Progress) Sent(key int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = append(p.keys, key)
}

// Look gives the number of confirmed messages, and dates those that are new.
func (p *Progress) Look() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.confirmed == nil {
		return 0
	}
	n := p.confirmed()
	for now := time.Now().UnixNano(); len(p.receipts) < int(min(n, uint64(len(p.keys)))); { //nolint:gosec // no more than keys
		p.receipts = append(p.receipts, Receipt{p.keys[len(p.receipts)], now})
	}
	return n
}

// Receipts gives what was confirmed, in the order in which it was sent.
func (p *Progress) Receipts() []Receipt {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.receipts
}

// Await looks every so often until n messages are confirmed. It returns early when ctx ends.
func (p *Progress) Await(ctx context.Context, n uint64, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for p.Look() < n {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
