package strangler_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/strangler"
)

// ledger keeps live writes in memory, beside a legacy side, as strangler.Ledger says. Each fault is asked at its place.
type ledger struct {
	legacy *side
	trace  *trace
	t      testing.TB

	onOpen, opened, onWriteBack, writtenBack, onFinish, finished, onFind func(w *strangler.Write) error

	// unlocked leaves the entity's lock out, hasty answers before the write-back is done.
	unlocked, hasty bool

	mu    sync.Mutex
	rows  map[string]*row
	order []string
	locks map[string]chan struct{}
	// keys are idempotency keys.
	keys keyTable
	// barred is the least epoch that rows may still be opened with.
	barred uint64
}

type row struct {
	strangler.Write
	reply []byte
}

func newLedger(t testing.TB, legacy *side) *ledger {
	return &ledger{t: t, legacy: legacy, trace: legacy.trace, rows: map[string]*row{}, locks: map[string]chan struct{}{}}
}

func asked(f func(*strangler.Write) error, w *strangler.Write) error {
	if f == nil {
		return nil
	}
	return f(w)
}

func (l *ledger) Open(ctx context.Context, w *strangler.Write) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := asked(l.onOpen, w); err != nil {
		return err
	}
	if w.Idempotency != nil {
		unlock, err := l.keys.claim(ctx, l, w.Idempotency)
		if err != nil {
			return err
		}
		defer unlock()
	}
	l.mu.Lock()
	if w.Epoch < l.barred {
		l.t.Errorf("a write was opened under version %d when the router had settled before %d", w.Epoch, l.barred)
	}
	l.rows[w.ID] = &row{Write: *w}
	l.rows[w.ID].Created = time.Now()
	l.order = append(l.order, w.ID)
	if w.Idempotency != nil {
		l.keys.set(w.Idempotency, keyRow{request: w.Idempotency.Request, write: w.ID})
	}
	l.mu.Unlock()
	l.trace.add("open")
	return asked(l.opened, w)
}

func (l *ledger) WriteBack(ctx context.Context, w *strangler.Write, reply []byte, read func(context.Context) (*contract.Payload, error)) error {
	if w.Entity == "" {
		l.t.Errorf("a write-back without an entity")
	}
	if l.hasty {
		kept := *w
		time.AfterFunc(20*time.Millisecond, func() { _ = l.writeBack(context.Background(), &kept, reply, read) })
		return nil
	}
	return l.writeBack(ctx, w, reply, read)
}

func (l *ledger) writeBack(ctx context.Context, w *strangler.Write, reply []byte, read func(context.Context) (*contract.Payload, error)) error {
	lock := l.lock(w.Entity)
	if l.unlocked {
		lock = make(chan struct{}, 1)
	}
	select {
	case lock <- struct{}{}:
		defer func() { <-lock }()
	case <-ctx.Done():
		return ctx.Err()
	}
	l.trace.add("lock")
	state, err := read(ctx)
	if err != nil {
		return err
	}
	if err := asked(l.onWriteBack, w); err != nil {
		return err
	}
	var lines []string
	if state != nil {
		lines = linesOf(l.t, state)
	}
	l.mu.Lock()
	r := l.rows[w.ID]
	if r == nil || r.State != strangler.WriteOpen && r.State != strangler.WriteDoubt {
		l.mu.Unlock()
		return strangler.ErrNotOpen
	}
	l.legacy.put(w.Entity, lines, state != nil)
	r.State, r.reply, r.Entity = strangler.WriteClosed, slices.Clone(reply), w.Entity
	r.Changed = time.Now()
	l.mu.Unlock()
	l.trace.add("close")
	return asked(l.writtenBack, w)
}

func (l *ledger) lock(entity string) chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.locks[entity] == nil {
		l.locks[entity] = make(chan struct{}, 1)
	}
	return l.locks[entity]
}

func (l *ledger) Finish(ctx context.Context, id string, state strangler.WriteState, reason string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := asked(l.onFinish, &strangler.Write{ID: id, State: state, Reason: reason}); err != nil {
		return err
	}
	l.mu.Lock()
	r := l.rows[id]
	if r == nil || r.State != strangler.WriteOpen && r.State != strangler.WriteDoubt && (r.State != strangler.WriteFailed || state != strangler.WriteDoubt) {
		l.mu.Unlock()
		return strangler.ErrNotOpen
	}
	r.State, r.Reason = state, reason
	r.Settled = state == strangler.WriteVoid // by modern's word
	l.mu.Unlock()
	l.trace.add("finish %s", state)
	return asked(l.finished, &strangler.Write{ID: id, State: state, Reason: reason})
}

func (l *ledger) Find(ctx context.Context, id, entity string) (*strangler.Write, []byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	if err := asked(l.onFind, &strangler.Write{ID: id}); err != nil {
		return nil, nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.rows[id]
	if r == nil {
		return nil, nil, nil
	}
	w := r.Write
	l.fate(&w, entity)
	return &w, r.reply, nil
}

// fate says whether what was done for a void write may have come to legacy with another, as legacy's SQL does.
func (l *ledger) fate(w *strangler.Write, entity string) {
	if w.State != strangler.WriteVoid || w.Settled {
		return
	}
	if w.Entity != "" {
		entity = w.Entity
	}
	w.Carried = l.carriedBy(w, func(o *row) bool {
		if entity == "" {
			return o.Key == w.Key || !o.Keyed || !w.Keyed
		}
		return o.Entity == entity
	})
}

func (l *ledger) carriedBy(w *strangler.Write, may func(o *row) bool) bool {
	for _, o := range l.rows {
		if o.ID != w.ID && o.State == strangler.WriteClosed && !o.Changed.Before(w.Created) && may(o) {
			return true
		}
	}
	return false
}

// settle keeps what modern says of the void writes that it is asked about, which it can't do any more.
func (l *ledger) settle(about map[string]string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.rows {
		if r.State != strangler.WriteVoid || r.Settled {
			continue
		}
		entity, committed := about[r.ID]
		r.Settled, r.Carried = true, committed && l.carriedBy(&r.Write, func(o *row) bool { return o.Entity == entity })
	}
}

// void does what a rollback does with open writes; it gives the ids of those that it has voided.
func (l *ledger) void(before uint64) (ids []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, r := range l.rows {
		if r.State == strangler.WriteOpen && r.Epoch < before {
			r.State, r.Reason = strangler.WriteVoid, "rolled back"
			ids = append(ids, id)
		}
	}
	return ids
}

// writes gives all rows, oldest first.
func (l *ledger) writes() []strangler.Write {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []strangler.Write
	for _, id := range l.order {
		out = append(out, l.rows[id].Write)
	}
	return out
}

// states gives the states of all rows, oldest first.
func (l *ledger) states() []strangler.WriteState {
	var out []strangler.WriteState
	for _, w := range l.writes() {
		out = append(out, w.State)
	}
	return out
}

// Errors of legacy.
var (
	errFenced    = strangler.Fail(codes.Unavailable, "WRITES_FENCED", "not now")
	errCommit    = strangler.Fail(codes.Unavailable, "COMMIT_OUTCOME_UNKNOWN", "lost")
	errLegacy    = strangler.Fail(codes.Unavailable, "LEGACY_UNAVAILABLE", "away")
	errUntakable = strangler.Fail(codes.InvalidArgument, "VALUE_TOO_LONG", "too long")
)

// first gives a fault for the first n times.
func first(n int, err error) func(*strangler.Write) error {
	var mu sync.Mutex
	return func(*strangler.Write) error {
		mu.Lock()
		defer mu.Unlock()
		if n--; n >= 0 {
			return err
		}
		return nil
	}
}

func always(err error) func(*strangler.Write) error {
	return func(*strangler.Write) error { return err }
}
