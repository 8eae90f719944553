package pool

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"
)

// settle starts as many connections as are waited for and allowed, and fails those who wait for nothing. It is called
// after every change of those numbers. p.mu is held.
func (p *Pool) settle() {
	if p.closed {
		return
	}
	if !p.breaker.IsClosed() {
		if p.queue.length > 0 && p.hopeless() {
			p.queue.failAll(p.down)
		}
		return
	}
	for p.queue.length > p.dialing && p.open < p.options.MaxOpen {
		p.startDial()
	}
}

// hopeless tells whether waiting is of no use: connecting fails, and no connection in use will come free soon, or there
// would be room for more and the server is not merely full. p.mu is held.
func (p *Pool) hopeless() bool {
	if p.down == nil || p.breaker.IsClosed() || p.open >= p.options.MaxOpen {
		return false
	}
	inUse := p.open - p.dialing - len(p.idle)
	return inUse == 0 || p.down.Code != codes.ResourceExhausted
}

// startDial begins to make a connection. p.mu is held.
func (p *Pool) startDial() {
	p.open++
	p.dialing++
	p.dials.Go(p.dial)
}

func (p *Pool) dial() {
	ctx, cancel := context.WithTimeout(p.base, p.options.ConnectTimeout)
	defer cancel()
	s, server, err := p.dialer.connect(ctx)

	p.mu.Lock()
	defer p.mu.Unlock()
	p.dialing--
	switch {
	case p.closed:
		p.open--
		if s != nil {
			s.close()
		}
		return
	case err != nil:
		p.open--
		p.unreachable(err)
	default:
		p.counts.opened++
		p.enter(s)
		p.reached(server)
		p.give(s)
	}
	p.settle()
}

// unreachable notes that connecting failed. p.mu is held.
func (p *Pool) unreachable(err error) {
	p.counts.connectFailed++
	if p.breaker.IsClosed() {
		p.log.Error("the legacy database can't be connected to; trying on", "error", err)
	}
	p.down = connectError(err)
	p.breaker.RecordFailure()
	if p.probe == nil {
		p.probe = time.AfterFunc(probeEvery, p.tryProbe)
	}
}

// reached notes that connecting worked. p.mu is held.
func (p *Pool) reached(server Server) {
	if p.server == nil || *p.server != server {
		p.log.Info("connected to the legacy database", "server", server.String(), "version", server.Version)
	} else if !p.breaker.IsClosed() {
		p.log.Info("the legacy database can be connected to again")
	}
	p.server = &server
	p.down = nil
	p.breaker.Close()
}

// tryProbe connects once while connecting fails, so that no caller has to.
func (p *Pool) tryProbe() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.probe = nil
	if p.closed || p.breaker.IsClosed() {
		return
	}
	if p.open < p.options.MaxOpen && p.breaker.TryAcquirePermit() {
		p.startDial()
		return
	}
	p.probe = time.AfterFunc(probeEvery, p.tryProbe)
}
