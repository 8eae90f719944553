package pool

import (
	"context"
	"sync/atomic"
	"time"
)

// watch stops a connection's statement when its context ends. One registration with a context serves all statements that
// run under it, since registering costs more than the rest.
//
// state has a phase in its two lowest bits and the number of the registration above. Only a callback of the same
// registration can move it from running to ended, so that one that comes late stops nothing of anyone else's.
type watch struct {
	state atomic.Uint64
	count uint64
	done  <-chan struct{}
	grace time.Duration
	quit  func() bool
}

const (
	phaseIdle uint64 = iota
	phaseRunning
	phaseDeadline
	phaseCancelled
	phaseMask uint64 = 3
)

// start begins a watched time. The caller asks ctx.Err() afterwards: a context that ended before start may go unseen here.
func (w *watch) start(ctx context.Context, grace time.Duration, s *session, k *killer) {
	if done := ctx.Done(); done != w.done || grace != w.grace {
		w.stop()
		w.done, w.grace = done, grace
		if done != nil {
			running := w.count<<2 | phaseRunning
			end := func() {
				to := phaseCancelled
				if ctx.Err() == context.DeadlineExceeded { //nolint:errorlint // Err gives exactly this
					to = phaseDeadline
				}
				if w.state.CompareAndSwap(running, running&^phaseMask|to) {
					abort(s, k)
				}
			}
			if grace > 0 {
				w.quit = context.AfterFunc(ctx, func() { time.AfterFunc(grace, end) })
			} else {
				w.quit = context.AfterFunc(ctx, end)
			}
		}
	}
	w.state.Store(w.count<<2 | phaseRunning)
}

// leave ends the watched time. It gives the context's error when that ended within and the connection was cut.
func (w *watch) leave() error {
	idle := w.count << 2
	if w.state.CompareAndSwap(idle|phaseRunning, idle) {
		return nil
	}
	switch w.state.Load() & phaseMask {
	case phaseDeadline:
		return context.DeadlineExceeded
	case phaseCancelled:
		return context.Canceled
	}
	return nil
}

// stop ends the registration.
func (w *watch) stop() {
	if w.quit != nil {
		w.quit()
		w.quit = nil
	}
	w.done, w.grace = nil, 0
	w.count++
}

// abort cuts the connection, so that whoever waits on it goes on at once, and has the server end what ran there.
func abort(s *session, k *killer) {
	_ = s.net.Close() // the driver sees it as a broken connection
	k.kill(s.id)
}
