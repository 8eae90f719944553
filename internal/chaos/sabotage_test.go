package chaos_test

import (
	"context"
	"encoding/json"
	"testing"

	"banyan.dev/banyan/adapters/store"
	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/mirror"
	"banyan.dev/banyan/mirror/change"
)

// Each of these takes one safety step out of the mirror and makes what the step is there for happen. The judge has to
// see it, and has to see nothing where the step is left in.

// A position that is saved before the broker has confirmed loses what a crash of the broker loses.
func TestPositionBeforeConfirmIsNoticed(t *testing.T) {
	for _, test := range []struct {
		name     string
		sabotage func(change.Sink) change.Sink
		lost     bool
	}{
		{"as it is", func(s change.Sink) change.Sink { return s }, false},
		{"position before confirm", func(s change.Sink) change.Sink { return hasty{s} }, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, &devstack.MariaDB(t).Server)
			r.both("CREATE TABLE t (id int PRIMARY KEY, n int)")
			options := r.options
			options.Sink = test.sabotage(r.memory)
			r.start(options)
			r.exec("INSERT INTO t VALUES (1, 1), (2, 1)", "UPDATE t SET n = 2 WHERE id = 1")
			r.saved()
			r.memory.hold()
			r.exec("UPDATE t SET n = 3 WHERE id = 1", "INSERT INTO t VALUES (3, 3)")
			r.poll("the events are under way", func() error { return atLeast(r.memory.waiting(), 2) })
			if test.lost {
				r.saved() // although nothing of it is safe
			}
			r.memory.crash()
			r.exec("INSERT INTO t VALUES (4, 4)")
			r.saved()
			judge(t, r.consume(r.memory.take()), test.lost)
		})
	}
}

// hasty says that all is confirmed that was sent.
type hasty struct{ change.Sink }

func (h hasty) Open(ctx context.Context) (change.Feed, error) {
	f, err := h.Sink.Open(ctx)
	return &hastyFeed{Feed: f}, err
}

type hastyFeed struct {
	change.Feed
	sent counter
}

func (f *hastyFeed) Send(ctx context.Context, m *change.Message) error {
	err := f.Feed.Send(ctx, m)
	if err == nil {
		f.sent.add()
	}
	return err
}

func (f *hastyFeed) Confirmed() uint64 { return f.sent.get() }

// A leader that is not fenced by its term undoes a reset of the position: what a person wanted to be sent again is not.
func TestUnfencedLeaderIsNoticed(t *testing.T) {
	for _, test := range []struct {
		name     string
		unfenced bool
	}{{"as it is", false}, {"no fencing by terms", true}} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, &devstack.MariaDB(t).Server)
			real := r.realStore()
			r.options.Store = real
			if test.unfenced {
				r.options.Store = unfenced{real, r}
			}
			r.both("CREATE TABLE t (id int PRIMARY KEY, n int)")
			begin, err := r.source.Tail(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			stop := r.start(r.options)
			r.exec("INSERT INTO t VALUES (1, 1)", "UPDATE t SET n = 2")
			r.saved()
			// The broker's disk is lost, and the consumer with it. All is to be sent again.
			r.memory.take()
			if _, err := real.Reset(t.Context(), begin); err != nil {
				t.Fatal(err)
			}
			r.exec("INSERT INTO t VALUES (2, 2)")
			if test.unfenced {
				r.saved() // by the leader that does not know
			}
			stop()
			r.start(r.options)
			r.exec("INSERT INTO t VALUES (3, 3)")
			r.saved()
			events := r.memory.take()
			for len(events) > 0 && events[0].Term != events[len(events)-1].Term {
				events = events[1:] // what the old leader sent on is of an older epoch, and is sent again
			}
			judge(t, r.consume(events), test.unfenced)
		})
	}
}

// unfenced is a store whose leaders hear of no other, and save whatever they like.
type unfenced struct {
	*store.Store
	r *rig
}

func (u unfenced) Lead(ctx context.Context) (mirror.Term, error) {
	state, err := u.State(ctx)
	if err != nil {
		return nil, err
	}
	if state.Position.IsZero() {
		term, err := u.Store.Lead(ctx) // makes the row
		if err != nil {
			return nil, err
		}
		if err := term.Close(); err != nil {
			return nil, err
		}
		state = term.State()
	}
	state.Term++
	return &unfencedTerm{unfenced: u, state: state, lost: make(chan struct{})}, nil
}

type unfencedTerm struct {
	unfenced
	state mirror.State
	lost  chan struct{}
}

func (u *unfencedTerm) State() mirror.State   { return u.state }
func (u *unfencedTerm) Lost() <-chan struct{} { return u.lost }
func (u *unfencedTerm) Close() error          { return nil }

func (u *unfencedTerm) Save(ctx context.Context, p change.Position) error {
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	_, err = u.r.db.ExecContext(ctx, "UPDATE "+u.r.schema+"_ledger.mirrors SET position = ?", string(text))
	return err
}

func (u *unfencedTerm) NewEpoch(ctx context.Context, p change.Position) (uint32, error) {
	return u.state.Epoch + 1, u.Save(ctx, p)
}

// judge holds a verdict against what was done.
func judge(t *testing.T, verdict error, sabotaged bool) {
	t.Helper()
	switch {
	case sabotaged && verdict == nil:
		t.Error("nobody has noticed")
	case sabotaged:
		t.Logf("noticed: %v", verdict)
	case verdict != nil:
		t.Errorf("with the step left in: %v", verdict)
	}
}
