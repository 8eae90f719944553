package consumer

import (
	"context"
	"database/sql"
	"sync"

	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// Turn is for writes that have to ask others (a catalogue, a bank) before Write can do them: what others say now may differ from
// what they said when the same write was done. It waits until no other call in this process has the turn of the same write,
// and fills reply if the write is known: then replayed is true, and nobody need be asked. Otherwise the caller has the
// turn until it calls done, so that of two tries of one write the second can't be refused while the first still succeeds.
//
// done is never nil unless there is an error. A call without a tag has its turn at once. Banyan sends the tries of one write
// to one process where it can; processes that share a database need Write alone to be safe from doing a write twice.
func (s *Store) Turn(ctx context.Context, capability string, tag Tag, reply proto.Message) (done func(), replayed bool, err error) {
	if tag.ID == "" {
		return func() {}, false, nil
	}
	done, err = s.turns.take(ctx, tag.ID)
	if err != nil {
		return nil, false, status.FromContextError(err).Err()
	}
	err = s.within(ctx, func(tx *sql.Tx) error {
		replayed, err = s.replay(ctx, tx, capability, tag, reply)
		return err
	})
	if err != nil {
		done()
		return nil, false, asStatus(err)
	}
	if replayed {
		s.counted.replayed.Add(1)
	}
	return done, replayed, nil
}

// turns are writes that a call has the turn of. The zero value is ready.
type turns struct {
	mu   sync.Mutex
	held map[string]*turn
}

// turn is one that somebody has. It is closed when it is free.
type turn struct{ free chan struct{} }

func (t *turns) take(ctx context.Context, id string) (done func(), err error) {
	own := &turn{free: make(chan struct{})}
	for {
		t.mu.Lock()
		other, taken := t.held[id]
		if !taken {
			if t.held == nil {
				t.held = map[string]*turn{}
			}
			t.held[id] = own
			t.mu.Unlock()
			return sync.OnceFunc(func() {
				t.mu.Lock()
				delete(t.held, id)
				t.mu.Unlock()
				close(own.free)
			}), nil
		}
		t.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-other.free:
		}
	}
}
