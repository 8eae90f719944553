package strangler_test

import (
	"context"
	"sync"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/strangler"
)

// keyTable keeps idempotency keys in memory, as the ledger's table does: who has a key's row keeps others waiting.
type keyTable struct {
	mu    sync.Mutex
	rows  map[string]keyRow
	locks map[string]chan struct{}
}

type keyRow struct {
	request [32]byte
	write   string
	done    bool
	reply   []byte
}

func (k *keyTable) set(i *strangler.Idempotency, row keyRow) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.rows[i.Client+"\x00"+i.Key] = row
}

// claim locks a key, and says by an error what has become of an earlier use.
func (k *keyTable) claim(ctx context.Context, l *ledger, i *strangler.Idempotency) (unlock func(), err error) {
	name := i.Client + "\x00" + i.Key
	k.mu.Lock()
	if k.rows == nil {
		k.rows, k.locks = map[string]keyRow{}, map[string]chan struct{}{}
	}
	if k.locks[name] == nil {
		k.locks[name] = make(chan struct{}, 1)
	}
	lock := k.locks[name]
	k.mu.Unlock()
	select {
	case lock <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	k.mu.Lock()
	row, used := k.rows[name]
	k.mu.Unlock()
	if !used {
		return func() { <-lock }, nil
	}
	use := strangler.KeyUse{Same: row.request == i.Request, Done: row.done, Reply: row.reply}
	if row.write != "" {
		l.mu.Lock()
		w := l.rows[row.write].Write
		l.fate(&w, "")
		use.Write, use.Reply = &w, l.rows[row.write].reply
		l.mu.Unlock()
	}
	reply, free, err := use.Judge()
	switch {
	case err != nil:
		<-lock
		return nil, err
	case !free:
		<-lock
		return nil, &strangler.AlreadyDone{Reply: reply}
	}
	return func() { <-lock }, nil
}

// keyed is the legacy side with idempotency keys.
type keyed struct {
	*side
	ledger *ledger
}

func newKeyed(s *side, l *ledger) keyed {
	s.keep = func(call *strangler.Call, reply *contract.Payload) {
		if call.Idempotency != nil {
			l.keys.set(call.Idempotency, keyRow{request: call.Idempotency.Request, done: true, reply: wireOf(reply)})
		}
	}
	return keyed{s, l}
}

func (k keyed) Call(ctx context.Context, call *strangler.Call, send func(*strangler.Reply) error) error {
	if call.Idempotency == nil {
		return k.side.Call(ctx, call, send)
	}
	unlock, err := k.ledger.keys.claim(ctx, k.ledger, call.Idempotency)
	if done, ok := err.(*strangler.AlreadyDone); ok { //nolint:errorlint // it is made there
		call.Answer(strangler.ReplayedHeader, "true")
		return send(&strangler.Reply{Message: contract.FromWire(call.Operation.Output, done.Reply)})
	}
	if err != nil {
		return err
	}
	defer unlock()
	return k.side.Call(ctx, call, send)
}
