package mirror

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"banyan.dev/banyan/mirror/change"
)

// script is a log in memory, with the faults that a test asks for.
type script struct {
	mu      sync.Mutex
	txs     [][]change.Event // what is between Begin and End
	grown   chan struct{}
	server  string
	openErr error
	behind  error          // what Behind gives
	commits map[int]string // the XA transactions that transactions commit, these counted from 1
	left    map[int]string // those that are undecided behind transactions
	xa      int            // the transaction before which an undecided one was prepared, counted from 1; 0 for none
	opened  []change.Position
}

func newScript() *script { return &script{grown: make(chan struct{}), server: "a"} }

func (s *script) at(n int) change.Position {
	return change.Position{Server: "a", File: "b.000001", Offset: uint64(100 * n)}
}

// add appends a transaction.
func (s *script) add(events ...change.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.txs = append(s.txs, events)
	close(s.grown)
	s.grown = make(chan struct{})
}

func (s *script) Tail(context.Context) (change.Position, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at(len(s.txs)), nil
}

func (s *script) Behind(context.Context, change.Position) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return 7, s.behind
}

// set changes the log while it is read.
func (s *script) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

func (s *script) Open(_ context.Context, from change.Position) (change.Stream, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.openErr != nil {
		return nil, s.openErr
	}
	s.opened = append(s.opened, from)
	return &reading{script: s, tx: int(from.Offset / 100), step: -1}, nil
}

type reading struct {
	script   *script
	tx, step int
}

func (r *reading) Server() string { return r.script.server }
func (r *reading) Close() error   { return nil }

func (r *reading) Next(ctx context.Context) (change.Event, error) {
	for {
		r.script.mu.Lock()
		grown, left := r.script.grown, len(r.script.txs)-r.tx
		var tx []change.Event
		commits, undecided := r.script.commits[r.tx+1], r.script.left[r.tx+1]
		if left > 0 {
			tx = r.script.txs[r.tx]
		}
		r.script.mu.Unlock()
		if left == 0 {
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-grown:
				continue
			}
		}
		switch step := r.step; {
		case step == -1:
			r.step++
			return &change.Begin{Transaction: change.Transaction{ID: fmt.Sprintf("0-1-%d", r.tx+1), File: 1, Offset: uint64(100 * r.tx), Committed: time.Unix(0, 0), XA: commits}}, nil
		case step < len(tx):
			r.step++
			return tx[step], nil
		default:
			r.tx, r.step = r.tx+1, -1
			end := &change.End{Next: r.script.at(r.tx), At: r.script.at(r.tx)}
			end.At.Undecided = undecided
			r.script.set(func() {
				if r.script.xa > 0 && r.tx >= r.script.xa {
					end.Next = r.script.at(r.script.xa - 1)
				}
			})
			return end, nil
		}
	}
}

// inbox is a broker in memory. It confirms when it is told to.
type inbox struct {
	mu        sync.Mutex
	got       []change.Message // over all feeds
	opened    int
	feed      *pipe
	automatic bool   // confirms at once
	large     string // what is in bodies that are too large; empty: none is
}

func (b *inbox) Open(context.Context) (change.Feed, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.opened++
	b.feed = &pipe{inbox: b, failed: make(chan struct{}), progress: make(chan struct{})}
	return b.feed, nil
}

func (b *inbox) ids() (ids []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.got {
		ids = append(ids, m.ID)
	}
	return ids
}

type pipe struct {
	inbox     *inbox
	sent      uint64
	confirmed uint64
	returned  uint64
	err       error
	failed    chan struct{}
	progress  chan struct{}
}

func (p *pipe) Send(_ context.Context, m *change.Message) error {
	p.inbox.mu.Lock()
	defer p.inbox.mu.Unlock()
	if p.err != nil {
		return p.err
	}
	if large := p.inbox.large; large != "" && strings.Contains(string(m.Body), large) {
		return &change.TooLargeError{Bytes: 20, Most: 10, Fix: "raise it"}
	}
	kept := *m
	kept.Body = append([]byte(nil), m.Body...)
	p.inbox.got = append(p.inbox.got, kept)
	p.sent++
	if p.inbox.automatic {
		p.confirmed = p.sent
	}
	return nil
}

func (p *pipe) Flush(ctx context.Context) error {
	for {
		p.inbox.mu.Lock()
		err, done, progress := p.err, p.confirmed == p.sent, p.progress
		p.inbox.mu.Unlock()
		if err != nil || done {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-progress:
		}
	}
}

func (p *pipe) Confirmed() uint64 {
	p.inbox.mu.Lock()
	defer p.inbox.mu.Unlock()
	return p.confirmed
}

func (p *pipe) Status() change.FeedStatus {
	p.inbox.mu.Lock()
	defer p.inbox.mu.Unlock()
	return change.FeedStatus{Sent: p.sent, Confirmed: p.confirmed, Returned: p.returned}
}

func (p *pipe) Failed() <-chan struct{} { return p.failed }
func (p *pipe) Close() error            { return nil }

// confirm confirms so many messages of the feed that is open, and fails it when err is set.
func (b *inbox) confirm(n uint64, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.feed.confirmed = n
	close(b.feed.progress)
	b.feed.progress = make(chan struct{})
	if err != nil {
		if change.Stops(err) != nil {
			b.feed.returned++
		}
		b.feed.err = err
		close(b.feed.failed)
	}
}

// keeper is a store in memory.
type keeper struct {
	mu    sync.Mutex
	state State
	saves []change.Position
	lost  chan struct{}
}

func (k *keeper) Lead(context.Context) (Term, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.state.Term++
	k.lost = make(chan struct{})
	return &seat{keeper: k, state: k.state, lost: k.lost}, nil
}

func (k *keeper) State(context.Context) (State, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.state, nil
}

func (k *keeper) Reset(_ context.Context, to change.Position) (State, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.state.Epoch++
	k.state.Term++
	k.state.Position = to
	return k.state, nil
}

type seat struct {
	keeper *keeper
	state  State
	lost   chan struct{}
}

func (s *seat) State() State          { return s.state }
func (s *seat) Lost() <-chan struct{} { return s.lost }
func (s *seat) Close() error          { return nil }

func (s *seat) Save(_ context.Context, p change.Position) error {
	s.keeper.mu.Lock()
	defer s.keeper.mu.Unlock()
	if s.keeper.state.Term != s.state.Term {
		return ErrDeposed
	}
	s.keeper.state.Position = p
	s.keeper.saves = append(s.keeper.saves, p)
	return nil
}

func (s *seat) NewEpoch(_ context.Context, p change.Position) (uint32, error) {
	s.keeper.mu.Lock()
	defer s.keeper.mu.Unlock()
	s.keeper.state.Epoch++
	s.keeper.state.Position = p
	return s.keeper.state.Epoch, nil
}

var errCut = errors.New("cut")
