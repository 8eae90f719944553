package chaos_test

import (
	"context"
	"errors"
	"sync"

	"banyan.dev/banyan/mirror"
	"banyan.dev/banyan/mirror/change"
)

// memory is a broker in memory. What it has not confirmed is lost when it crashes.
type memory struct {
	mu     sync.Mutex
	prompt bool // confirms at once
	safe   []change.Message
	feed   *memoryFeed
}

var errCrashed = errors.New("the broker has crashed")

func (b *memory) Open(context.Context) (change.Feed, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.feed = &memoryFeed{broker: b, failed: make(chan struct{}), news: make(chan struct{})}
	return b.feed, nil
}

// hold keeps messages unconfirmed from now on.
func (b *memory) hold() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.prompt = false
}

// crash loses what is not confirmed, and is up again at once, confirming promptly.
func (b *memory) crash() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.prompt = true
	b.feed.waiting = nil
	b.feed.err = errCrashed
	close(b.feed.failed)
	b.feed.wake()
}

// waiting counts messages that are not confirmed.
func (b *memory) waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.feed.waiting)
}

// arrived counts messages that are safe.
func (b *memory) arrived() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.safe)
}

// take gives all that is safe, and forgets it.
func (b *memory) take() []change.Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	taken := b.safe
	b.safe = nil
	return taken
}

type memoryFeed struct {
	broker    *memory
	waiting   []change.Message
	sent      uint64
	confirmed uint64
	err       error
	failed    chan struct{}
	news      chan struct{}
}

func (f *memoryFeed) wake() {
	close(f.news)
	f.news = make(chan struct{})
}

func (f *memoryFeed) Send(_ context.Context, m *change.Message) error {
	f.broker.mu.Lock()
	defer f.broker.mu.Unlock()
	if f.err != nil {
		return f.err
	}
	kept := *m
	kept.Body = append([]byte(nil), m.Body...)
	f.sent++
	f.waiting = append(f.waiting, kept)
	if f.broker.prompt {
		f.broker.safe = append(f.broker.safe, f.waiting...)
		f.waiting, f.confirmed = nil, f.sent
		f.wake()
	}
	return nil
}

func (f *memoryFeed) Flush(ctx context.Context) error {
	for {
		f.broker.mu.Lock()
		err, done, news := f.err, f.confirmed == f.sent, f.news
		f.broker.mu.Unlock()
		if err != nil || done {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-news:
		}
	}
}

func (f *memoryFeed) Confirmed() uint64 {
	f.broker.mu.Lock()
	defer f.broker.mu.Unlock()
	return f.confirmed
}

func (f *memoryFeed) Status() change.FeedStatus { return change.FeedStatus{} }
func (f *memoryFeed) Failed() <-chan struct{}   { return f.failed }
func (f *memoryFeed) Close() error              { return nil }

// keeper is a store in memory, for one mirror at a time.
type keeper struct {
	mu    sync.Mutex
	state mirror.State
	lost  chan struct{}
}

func newKeeper() *keeper { return &keeper{lost: make(chan struct{})} }

func (k *keeper) Lead(context.Context) (mirror.Term, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.depose()
	return &seat{keeper: k, state: k.state, lost: k.lost}, nil
}

// depose begins another term. k.mu is held.
func (k *keeper) depose() {
	k.state.Term++
	close(k.lost)
	k.lost = make(chan struct{})
}

func (k *keeper) State(context.Context) (mirror.State, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.state, nil
}

func (k *keeper) Reset(_ context.Context, to change.Position) (mirror.State, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.state.Epoch++
	k.state.Position = to
	k.depose()
	return k.state, nil
}

type seat struct {
	keeper *keeper
	state  mirror.State
	lost   chan struct{}
}

func (s *seat) State() mirror.State   { return s.state }
func (s *seat) Lost() <-chan struct{} { return s.lost }
func (s *seat) Close() error          { return nil }

func (s *seat) save(p change.Position, raise uint32) (uint32, error) {
	s.keeper.mu.Lock()
	defer s.keeper.mu.Unlock()
	if s.keeper.state.Term != s.state.Term {
		return 0, mirror.ErrDeposed
	}
	s.keeper.state.Position = p
	s.keeper.state.Epoch += raise
	return s.keeper.state.Epoch, nil
}

func (s *seat) Save(_ context.Context, p change.Position) error {
	_, err := s.save(p, 0)
	return err
}

func (s *seat) NewEpoch(_ context.Context, p change.Position) (uint32, error) { return s.save(p, 1) }
