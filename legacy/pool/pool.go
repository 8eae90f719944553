package pool

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/strangler"
)

// Pool lends connections. It is safe for concurrent use.
//
// Connections are made in the background, so that a caller who gives up wastes none, and whichever connection is ready
// first serves who has waited longest. Once connecting fails, callers are told so at once while the pool keeps trying.
type Pool struct {
	options Options
	log     *slog.Logger
	dialer  *dialer
	killer  *killer
	// breaker is closed while connecting works. Only probes connect while it is not.
	breaker circuitbreaker.CircuitBreaker[any]
	base    context.Context // the life of what the pool does by itself
	cancel  context.CancelFunc
	dials   sync.WaitGroup

	mu      sync.Mutex
	idle    []*session // the latest used is the last
	open    int        // connections that are there or being made
	dialing int
	queue   queue
	// sessions are those that exist, lent or idle; the patrol goes through them.
	sessions   map[*session]struct{}
	slots      slots
	patrol     *time.Timer
	patrolling bool
	probe      *time.Timer
	reaper     *time.Timer
	down       *strangler.Error // why connecting last failed
	server     *Server
	closed     bool
	counts     counts
}

// probeEvery is how often connecting is tried while it fails.
const probeEvery = 400 * time.Millisecond

// Open reads the options and starts the pool, which connects when first asked for a connection. Errors are about the
// options, for whoever wrote them; none shows a password.
func Open(options Options) (*Pool, error) {
	o := options.withDefaults()
	t, err := parseTarget(o.DSN, o.TimeZone)
	if err != nil {
		return nil, err
	}
	d, err := newDialer(t, o)
	if err != nil {
		return nil, err
	}
	if o.Marker != nil && o.Marker.Slots() < o.MaxOpen {
		return nil, fmt.Errorf("%d connections can't each have one of %d writer's marks: make as many marks as connections, better twice as many", o.MaxOpen, o.Marker.Slots())
	}
	p := &Pool{
		options: o, log: o.Logger, dialer: d, sessions: make(map[*session]struct{}),
		breaker: circuitbreaker.NewBuilder[any]().WithFailureThreshold(1).WithDelay(probeEvery / 2).Build(),
	}
	if o.Marker != nil {
		p.slots = newSlots(o.Marker.Slots())
	}
	p.base, p.cancel = context.WithCancel(context.Background())
	p.killer = startKiller(d, o.ConnectTimeout, o.Logger)
	return p, nil
}

// Acquire lends a connection, waiting for one where all are in use. It fails with RESOURCE_EXHAUSTED when too many wait
// already or it waited too long, with UNAVAILABLE at once while the legacy can't be reached, and with ctx's error.
func (p *Pool) Acquire(ctx context.Context) (*Conn, error) {
	s, err := p.acquire(ctx)
	if err != nil {
		return nil, err
	}
	return &Conn{pool: p, session: s}, nil
}

// Ping asks the server for a sign of life over a connection of the pool.
func (p *Pool) Ping(ctx context.Context) error {
	c, err := p.Acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	return c.ping(ctx)
}

// Server tells what the legacy runs on; false before the first connection was made.
func (p *Pool) Server() (Server, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.server == nil {
		return Server{}, false
	}
	return *p.server, true
}

// Close closes the idle connections and fails those who wait. Connections in use are closed when they are released; Close
// does not wait for them. It may be called twice.
func (p *Pool) Close() {
	p.mu.Lock()
	p.closed = true
	idle := p.idle
	p.idle, p.open = nil, p.open-len(p.idle)
	for _, s := range idle {
		p.leave(s)
	}
	p.queue.failAll(closing())
	for _, timer := range []*time.Timer{p.probe, p.reaper} {
		if timer != nil {
			timer.Stop()
		}
	}
	p.mu.Unlock()
	p.cancel()
	for _, s := range idle {
		s.close()
	}
	p.dials.Wait()
	p.killer.close()
}

func closing() *strangler.Error {
	return strangler.Fail(codes.Unavailable, "SHUTTING_DOWN", "the service is shutting down; try again").WithRetry(retrySoon)
}

func (p *Pool) acquire(ctx context.Context) (*session, error) {
	if err := ctx.Err(); err != nil {
		return nil, Translate(err)
	}
	for {
		p.mu.Lock()
		if s := p.popIdle(); s != nil {
			p.mu.Unlock()
			if s.usable(time.Now()) {
				return s, nil
			}
			p.discard(s)
			continue
		}
		w, err := p.enqueue()
		p.mu.Unlock()
		if err != nil {
			return nil, err
		}
		return p.wait(ctx, w)
	}
}

// put takes a session back that is fit for use.
func (p *Pool) put(s *session) {
	now := time.Now()
	s.idleSince = now
	p.mu.Lock()
	if p.closed || now.After(s.expires) {
		p.mu.Unlock()
		p.discard(s)
		return
	}
	p.give(s)
	p.mu.Unlock()
}

// discard closes a session that was lent or popped.
func (p *Pool) discard(s *session) {
	s.close()
	p.mu.Lock()
	p.open--
	p.leave(s)
	p.settle()
	p.mu.Unlock()
}

// enter adds a session that was made. p.mu is held.
func (p *Pool) enter(s *session) {
	p.sessions[s] = struct{}{}
	if p.Marks() {
		s.slot = p.slots.take()
	}
}

// leave takes a session out that is closed or about to be. p.mu is held.
func (p *Pool) leave(s *session) {
	delete(p.sessions, s)
	if p.Marks() {
		p.slots.giveBack(s.slot)
	}
}

// give hands a session to who has waited longest, or keeps it. p.mu is held.
func (p *Pool) give(s *session) {
	if p.queue.hand(s) {
		p.arm()
		return
	}
	p.idle = append(p.idle, s)
	if p.reaper == nil {
		p.reaper = time.AfterFunc(p.options.MaxIdleTime, p.reap)
	}
}

// popIdle gives the session used latest, so that those not needed grow old. p.mu is held.
func (p *Pool) popIdle() *session {
	n := len(p.idle)
	if n == 0 {
		return nil
	}
	s := p.idle[n-1]
	p.idle[n-1] = nil
	p.idle = p.idle[:n-1]
	p.arm()
	return s
}

// reap closes sessions that have been idle for too long.
func (p *Pool) reap() {
	p.mu.Lock()
	p.reaper = nil
	n, now := 0, time.Now()
	for n < len(p.idle) && now.Sub(p.idle[n].idleSince) >= p.options.MaxIdleTime {
		n++
	}
	old := append([]*session(nil), p.idle[:n]...)
	p.idle = append(p.idle[:0], p.idle[n:]...)
	p.open -= n
	for _, s := range old {
		p.leave(s)
	}
	if len(p.idle) > 0 && !p.closed {
		p.reaper = time.AfterFunc(p.options.MaxIdleTime-now.Sub(p.idle[0].idleSince), p.reap)
	}
	p.mu.Unlock()
	for _, s := range old {
		s.close()
	}
}
