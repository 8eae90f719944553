package legacy

import (
	"context"
	"sync"

	"banyan.dev/banyan/strangler"
)

// room lets write-backs in, before they take a connection. Each holds one while modern is asked: a modern that hangs must
// not take all of them from legacy's own calls. Those of one slot come one after the other, so that none waits for another
// with a connection in its hands.
type room struct {
	places chan struct{}

	mu    sync.Mutex
	turns map[int64]*turn
}

// turn is a slot that someone is in, or waits for.
type turn struct {
	taken  chan struct{}
	wanted int
}

func newRoom(places int) *room {
	return &room{places: make(chan struct{}, max(places, 1)), turns: map[int64]*turn{}}
}

// enter waits for the slot and for a place. leave has to be called unless there is an error.
func (r *room) enter(ctx context.Context, slot int64) (leave func(), err error) {
	r.mu.Lock()
	t := r.turns[slot]
	if t == nil {
		t = &turn{taken: make(chan struct{}, 1)}
		r.turns[slot] = t
	}
	t.wanted++
	r.mu.Unlock()
	select {
	case t.taken <- struct{}{}:
	case <-ctx.Done():
		r.drop(slot, t)
		return nil, strangler.AsError(ctx.Err())
	}
	select {
	case r.places <- struct{}{}:
	case <-ctx.Done():
		<-t.taken
		r.drop(slot, t)
		return nil, strangler.AsError(ctx.Err())
	}
	return func() {
		<-r.places
		<-t.taken
		r.drop(slot, t)
	}, nil
}

// drop forgets a slot that nobody wants.
func (r *room) drop(slot int64, t *turn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t.wanted--; t.wanted == 0 {
		delete(r.turns, slot)
	}
}
