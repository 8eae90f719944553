package strangler

import (
	"context"
	"log/slog"
	"sync"
)

// drain holds on to writes in trackers whose transaction in legacy may still be under way: the connection was lost while it
// was being committed. They are let go together, once no transaction of this replica is under way that was when they came.
type drain struct {
	// drained is RouterOptions.Drained; nil: nothing is held on to.
	drained func(ctx context.Context) error
	behind  *background
	logger  *slog.Logger

	mu      sync.Mutex
	waiting []func()
	running bool
}

// keep calls release once that is so.
func (d *drain) keep(release func()) {
	if d.drained == nil {
		release()
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.waiting = append(d.waiting, release)
	if !d.running {
		d.running = d.behind.run(d.run)
	}
}

func (d *drain) run(ctx context.Context) {
	for {
		d.mu.Lock()
		waiting := d.waiting
		d.waiting = nil
		d.running = len(waiting) > 0
		d.mu.Unlock()
		if len(waiting) == 0 || !d.wait(ctx) {
			return
		}
		for _, release := range waiting {
			release()
		}
	}
}

// wait waits until that is so; it gives false when ctx ends before.
func (d *drain) wait(ctx context.Context) bool {
	for wait := shortPause; ; wait = min(2*wait, longPause) {
		err := d.drained(ctx)
		if err == nil {
			return true
		}
		if wait == longPause {
			d.logger.Warn("it can't be found out yet whether changes in legacy have come to an end whose COMMIT was lost: shifts wait", slog.Any("error", err))
		}
		if !pause(ctx, wait) {
			return false
		}
	}
}
