package mirrorbench

import (
	"context"
	"sync"
	"time"
)

// receipt says when a row's message was confirmed: Unix time in nanoseconds.
type receipt struct{ Key, At int64 }

// progress is what is seen of a contender that sends. Its methods may be called concurrently.
type progress struct {
	mu        sync.Mutex
	confirmed func() uint64
	keys      []int64 // of rows sent, since the last follow
	receipts  []receipt
}

// follow says how to ask for the number of confirmed messages. It begins anew at 0.
func (p *progress) follow(confirmed func() uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.confirmed, p.keys = confirmed, nil
	p.receipts = nil
}

// sent notes the key of the row whose message is sent next.
func (p *progress) sent(key int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = append(p.keys, key)
}

// look gives the number of confirmed messages, and dates those that are new.
func (p *progress) look() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.confirmed == nil {
		return 0
	}
	n := p.confirmed()
	for now := time.Now().UnixNano(); len(p.receipts) < int(min(n, uint64(len(p.keys)))); { //nolint:gosec // no more than keys
		p.receipts = append(p.receipts, receipt{p.keys[len(p.receipts)], now})
	}
	return n
}

// await looks every so often until n messages are confirmed. It returns early when ctx ends.
func (p *progress) await(ctx context.Context, n uint64, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for p.look() < n {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
