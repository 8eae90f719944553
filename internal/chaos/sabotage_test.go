package chaos_test

import (
	"context"
	"testing"

	"banyan.dev/banyan/internal/devstack"
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
			store := newKeeper()
			store.unfenced = test.unfenced
			r.options.Store = store
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
			if _, err := store.Reset(t.Context(), begin); err != nil {
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
			judge(t, r.consume(r.memory.take()), test.unfenced)
		})
	}
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
