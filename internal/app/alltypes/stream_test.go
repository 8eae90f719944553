package alltypes

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"testing"

	"banyan.dev/banyan/adapters/binlog"
	"banyan.dev/banyan/internal/app/apptest"
	"banyan.dev/banyan/mirror"
	"banyan.dev/banyan/mirror/change"
)

// change of a row, as its events have it: the column v of the inserted row, and of the deleted one.
type seen struct{ inserted, deleted string }

// rowOf names a row.
type rowOf struct {
	table string
	id    int64
}

// endTable has the row after which nothing more is awaited.
const endTable = "ended"

// events runs a mirror from a position until the row of endTable has come, and gives what its events have.
func events(t *testing.T, source change.Source, from change.Position) map[rowOf]*seen {
	t.Helper()
	box := &inbox{rows: map[rowOf]*seen{}, ended: make(chan struct{})}
	m := mirror.New(mirror.Options{
		Name: "main", Source: source, Sink: box, Store: &shelf{state: mirror.State{Epoch: 1, Position: from}},
		Ledger: "no_ledger", Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { m.Run(ctx) })
	defer running.Wait()
	defer cancel()
	apptest.Poll(t, "all events come", func() error {
		select {
		case <-box.ended:
			return nil
		default:
			status := m.Status()
			if status.Stop != nil {
				t.Fatalf("the mirror has stopped: %v", status.Stop)
			}
			return fmt.Errorf("the mirror is %+v", status)
		}
	})
	if box.err != nil {
		t.Fatal(box.err)
	}
	return box.rows
}

// openSource gives a source of one schema's changes.
func openSource(t *testing.T, dsn, schema string) *binlog.Source {
	t.Helper()
	source, err := binlog.New(binlog.Options{DSN: dsn, Scope: func(s, _ string) bool { return s == schema }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := source.Close(); err != nil {
			t.Error(err)
		}
	})
	return source
}

// inbox keeps what is sent, and confirms it at once.
type inbox struct {
	mu    sync.Mutex
	sent  uint64
	rows  map[rowOf]*seen
	ended chan struct{}
	err   error
}

func (b *inbox) Open(context.Context) (change.Feed, error) { return b, nil }
func (b *inbox) Flush(context.Context) error               { return nil }
func (b *inbox) Failed() <-chan struct{}                   { return nil }
func (b *inbox) Close() error                              { return nil }

func (b *inbox) Confirmed() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sent
}

func (b *inbox) Status() change.FeedStatus { return change.FeedStatus{Sent: b.Confirmed()} }

func (b *inbox) Send(_ context.Context, m *change.Message) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sent++
	var body struct {
		Op    change.Op
		Table string
		Key   struct {
			ID int64 `json:",string"`
		}
		Before, After *struct{ V json.RawMessage }
	}
	if err := json.Unmarshal(m.Body, &body); err != nil {
		b.err = fmt.Errorf("%w: %.300s", err, m.Body)
		return nil
	}
	at := rowOf{body.Table, body.Key.ID}
	if b.rows[at] == nil {
		b.rows[at] = &seen{}
	}
	switch {
	case body.Op == change.Insert && body.Table == endTable:
		select {
		case <-b.ended:
		default:
			close(b.ended)
		}
	case body.Op == change.Insert:
		b.rows[at].inserted = string(body.After.V)
	case body.Op == change.Delete:
		b.rows[at].deleted = string(body.Before.V)
	}
	return nil
}

// shelf keeps a position in memory.
type shelf struct {
	mu    sync.Mutex
	state mirror.State
}

func (s *shelf) State(context.Context) (mirror.State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state, nil
}

func (s *shelf) Lead(ctx context.Context) (mirror.Term, error) {
	state, _ := s.State(ctx)
	return &term{shelf: s, state: state}, nil
}

func (s *shelf) Reset(ctx context.Context, _ change.Position) (mirror.State, error) {
	return s.State(ctx)
}

type term struct {
	shelf *shelf
	state mirror.State
}

func (t *term) State() mirror.State   { return t.state }
func (t *term) Lost() <-chan struct{} { return nil }
func (t *term) Close() error          { return nil }

func (t *term) Save(_ context.Context, p change.Position) error {
	t.shelf.mu.Lock()
	defer t.shelf.mu.Unlock()
	t.shelf.state.Position = p
	return nil
}

func (t *term) NewEpoch(ctx context.Context, p change.Position) (uint32, error) {
	return t.state.Epoch, t.Save(ctx, p)
}
