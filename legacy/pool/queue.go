package pool

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/strangler"
)

// queue has those who wait for a connection, in the order in which they came.
type queue struct {
	first, last *waiter
	length      int
}

type waiter struct {
	// ready gets one answer when the waiter is taken out of the queue by another.
	ready      chan answer
	queued     bool
	prev, next *waiter
}

type answer struct {
	session *session
	err     *strangler.Error
}

func (q *queue) push() *waiter {
	w := &waiter{ready: make(chan answer, 1), queued: true, prev: q.last}
	if q.last != nil {
		q.last.next = w
	} else {
		q.first = w
	}
	q.last = w
	q.length++
	return w
}

func (q *queue) remove(w *waiter) {
	if w.prev != nil {
		w.prev.next = w.next
	} else {
		q.first = w.next
	}
	if w.next != nil {
		w.next.prev = w.prev
	} else {
		q.last = w.prev
	}
	w.prev, w.next, w.queued = nil, nil, false
	q.length--
}

// hand gives s to the first; false when nobody waits.
func (q *queue) hand(s *session) bool {
	w := q.first
	if w == nil {
		return false
	}
	q.remove(w)
	w.ready <- answer{session: s}
	return true
}

func (q *queue) failAll(err *strangler.Error) {
	for q.first != nil {
		w := q.first
		q.remove(w)
		own := *err
		w.ready <- answer{err: &own}
	}
}

// enqueue puts a caller who found no idle connection into the queue, or refuses him. p.mu is held.
func (p *Pool) enqueue() (*waiter, error) {
	switch {
	case p.closed:
		return nil, closing()
	case p.hopeless():
		own := *p.down
		return nil, &own
	}
	// Those for whom a connection is being made, or can be, don't wait for others.
	if room := p.options.MaxOpen - p.open; p.queue.length-p.dialing-room >= p.options.MaxQueue {
		p.counts.refused++
		return nil, strangler.Fail(codes.ResourceExhausted, "LEGACY_QUEUE_FULL",
			"too many calls wait for the legacy database; try again in a moment").WithRetry(retrySoon)
	}
	p.counts.waited++
	w := p.queue.push()
	p.settle()
	return w, nil
}

// wait waits for what enqueue promised.
func (p *Pool) wait(ctx context.Context, w *waiter) (*session, error) {
	timer := time.NewTimer(p.options.QueueTimeout)
	defer timer.Stop()
	var err *strangler.Error
	select {
	case a := <-w.ready:
		return a.unpack()
	case <-ctx.Done():
		err = Translate(ctx.Err())
	case <-timer.C:
	}
	p.mu.Lock()
	if w.queued {
		p.queue.remove(w)
		if err == nil {
			p.counts.timedOut++
			err = p.tooLate()
		}
		p.mu.Unlock()
		return nil, err
	}
	p.mu.Unlock()
	a := <-w.ready // it came at the same moment
	if err == nil || a.session == nil {
		return a.unpack()
	}
	p.put(a.session)
	return nil, err
}

// tooLate is told to one whose time in the queue is over. p.mu is held.
func (p *Pool) tooLate() *strangler.Error {
	if p.open == p.dialing {
		return unavailable("the legacy database does not answer; try again in a moment")
	}
	return strangler.Fail(codes.ResourceExhausted, "LEGACY_QUEUE_TIMEOUT",
		"all connections to the legacy database were in use for too long; try again in a moment").WithRetry(retrySoon)
}

func (a answer) unpack() (*session, error) {
	if a.err != nil {
		return nil, a.err
	}
	return a.session, nil
}
