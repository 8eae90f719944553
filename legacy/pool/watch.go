package pool

import (
	"context"
	"sync"
	"time"
)

// watch stops a session's statement when its context ends.
//
// Registering with a context costs some five per cent of a point read, and most statements end long before their context. So start
// only notes the context; the pool's patrol registers with those of statements that have been running for a while. An end
// that comes before is acted upon when the patrol gets there: within two rounds.
type watch struct {
	mu      sync.Mutex
	running bool
	// ctx is kept for the patrol, while an operation has the session.
	ctx   context.Context
	grace time.Duration
	// seen says that the patrol met this statement before.
	seen bool
	// quit ends the registration with ctx; done is what it is registered with.
	quit func() bool
	done <-chan struct{}
	// count tells registrations apart, so that one of an earlier operation stops nothing of a later one's.
	count uint64
	// ended is the error of the context that cut the session.
	ended error
}

// patrolEvery is the patrol's round.
const patrolEvery = 4 * time.Millisecond

// start begins a watched time. The statement is stopped grace after ctx's end.
func (w *watch) start(ctx context.Context, grace time.Duration) {
	w.mu.Lock()
	if w.quit != nil && (grace != w.grace || ctx.Done() != w.done) {
		w.forget()
	}
	if w.quit == nil {
		w.ctx, w.grace = ctx, grace
	}
	w.running, w.seen = true, false
	w.mu.Unlock()
}

// leave ends the watched time. It gives the context's error when that ended within and the connection was cut.
func (w *watch) leave() error {
	w.mu.Lock()
	w.running = false
	err := w.ended
	w.mu.Unlock()
	return err
}

// stop ends what an operation left behind.
func (w *watch) stop() {
	w.mu.Lock()
	w.running, w.ctx = false, nil
	w.forget()
	w.mu.Unlock()
}

// forget ends the registration. w.mu is held.
func (w *watch) forget() {
	if w.quit != nil {
		w.quit()
		w.quit, w.done = nil, nil
	}
	w.count++
}

// look registers with the context of a statement that was running at the last look, too.
func (w *watch) look(s *session, k *killer) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.running || w.quit != nil || w.ctx == nil {
		return
	}
	if !w.seen {
		w.seen = true
		return
	}
	ctx, grace, count := w.ctx, w.grace, w.count
	if w.done = ctx.Done(); w.done == nil {
		return
	}
	end := func() { w.end(count, ctx.Err(), s, k) }
	if grace > 0 {
		w.quit = context.AfterFunc(ctx, func() { time.AfterFunc(grace, end) })
		return
	}
	w.quit = context.AfterFunc(ctx, end)
}

// end cuts the session when the statement of that registration still runs.
func (w *watch) end(count uint64, err error, s *session, k *killer) {
	w.mu.Lock()
	hit := w.running && w.count == count && w.ended == nil
	if hit {
		w.ended = err
	}
	w.mu.Unlock()
	if hit {
		abort(s, k)
	}
}

// abort cuts the connection, so that whoever waits on it goes on at once, and has the server end what ran there.
func abort(s *session, k *killer) {
	_ = s.net.Close() // the driver sees it as a broken connection
	k.kill(s.id)
}

// arm starts the patrol unless it is about. p.mu is held.
func (p *Pool) arm() {
	switch {
	case p.patrolling:
		return
	case p.patrol == nil:
		p.patrol = time.AfterFunc(patrolEvery, p.goRound)
	default:
		p.patrol.Reset(patrolEvery)
	}
	p.patrolling = true
}

// goRound looks at all sessions, and goes again while any is lent.
func (p *Pool) goRound() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open-p.dialing == len(p.idle) {
		p.patrolling = false
		return
	}
	for s := range p.sessions {
		s.watch.look(s, p.killer)
	}
	p.patrol.Reset(patrolEvery)
}
