package rabbitmq

import "sync"

// fate is whether a feed has failed, and why. Feeds that only make sense together share one.
type fate struct {
	failed chan struct{}

	mu  sync.Mutex
	err error
}

func newFate() *fate { return &fate{failed: make(chan struct{})} }

// Failed implements change.Feed.
func (f *fate) Failed() <-chan struct{} { return f.failed }

func (f *fate) failure() error {
	select {
	case <-f.failed:
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.err
	default:
		return nil
	}
}

// fail ends the feed, unless it has ended before.
func (f *fate) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
		close(f.failed)
	}
}
