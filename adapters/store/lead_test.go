package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"banyan.dev/banyan/adapters/store"
	"banyan.dev/banyan/mirror"
)

// takeover is the longest that nobody may lead.
const takeover = 5 * time.Second

type won struct {
	term mirror.Term
	err  error
}

// contend waits for leadership beside the test, which closes the term it gets.
func contend(t *testing.T, s *store.Store) <-chan won {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	c, done := make(chan won, 1), make(chan struct{})
	go func() {
		defer close(done)
		term, err := s.Lead(ctx)
		c <- won{term, err}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return c
}

// take waits for who contends.
func take(t *testing.T, c <-chan won, limit time.Duration) mirror.Term {
	t.Helper()
	select {
	case w := <-c:
		if w.err != nil {
			t.Fatal(w.err)
		}
		t.Cleanup(func() { _ = w.term.Close() })
		return w.term
	case <-time.After(limit):
		t.Fatalf("nobody leads after %s", limit)
		return nil
	}
}

// waits polls until somebody waits for the lock.
func waits(t *testing.T, o store.Options) {
	t.Helper()
	db := admin(t, o.DSN)
	eventually(t, func() error {
		var n int
		err := db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO LIKE 'SELECT GET%' AND LOCATE(?, INFO) > 0 AND ID <> CONNECTION_ID()", store.LockName(o)).Scan(&n)
		if err == nil && n == 0 {
			err = errors.New("nobody waits")
		}
		return err
	})
}

func stillWaits(t *testing.T, c <-chan won) {
	t.Helper()
	select {
	case w := <-c:
		t.Fatalf("two lead: %+v", w)
	default:
	}
}

func TestCloseLetsTheNextLeadAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, o store.Options) {
		s := open(t, migrated(t, o))
		first := lead(t, s)
		next := contend(t, open(t, o))
		waits(t, o)
		stillWaits(t, next)
		began := time.Now()
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		second := take(t, next, takeover)
		if d := time.Since(began); d > time.Second {
			t.Errorf("took %s", d)
		}
		if second.State().Term != first.State().Term+1 {
			t.Errorf("the terms are %d and %d", first.State().Term, second.State().Term)
		}
		within(t, time.Second, first.Lost(), "the end of a closed term")
	})
}

func TestKilledLeadersConnection(t *testing.T) {
	onEach(t, func(t *testing.T, o store.Options) {
		s := open(t, migrated(t, o))
		first := lead(t, s)
		next := contend(t, open(t, o))
		waits(t, o)
		db := admin(t, o.DSN)
		exec(t, db, fmt.Sprintf("KILL %d", holder(t, db, o)))
		began := time.Now()
		second := take(t, next, takeover)
		t.Logf("taken over %s after the kill", time.Since(began).Round(time.Millisecond))
		wantDeposed(t, first.Save(t.Context(), at(1)))
		within(t, takeover, first.Lost(), "the old leader's own notice")
		if err := second.Save(t.Context(), at(2)); err != nil {
			t.Fatal(err)
		}
	})
}

// A process that hangs says nothing on its connection, like one that never asks.
func TestSilentLeaderIsEnded(t *testing.T) {
	onEach(t, func(t *testing.T, o store.Options) {
		migrated(t, o)
		silent := o
		silent.KeepAlive = time.Hour
		first := lead(t, open(t, silent))
		began := time.Now()
		next := contend(t, open(t, o))
		second := take(t, next, takeover)
		t.Logf("taken over %s after the last word", time.Since(began).Round(time.Millisecond))
		wantDeposed(t, first.Save(t.Context(), at(1)))
		within(t, time.Second, first.Lost(), "the deposed leader's notice")
		if _, err := first.NewEpoch(t.Context(), at(1)); !errors.Is(err, mirror.ErrDeposed) {
			t.Errorf("got %v, want ErrDeposed", err)
		}
		if err := second.Save(t.Context(), at(2)); err != nil {
			t.Fatal(err)
		}
		state, err := open(t, o).State(t.Context())
		if err != nil || state.Position != at(2) || state.Term != second.State().Term {
			t.Errorf("got %+v, %v", state, err)
		}
	})
}

func TestCutLeaderIsEnded(t *testing.T) {
	onEach(t, func(t *testing.T, o store.Options) {
		migrated(t, o)
		cfg, err := mysql.ParseDSN(o.DSN)
		if err != nil {
			t.Fatal(err)
		}
		link := startLink(t, cfg.Addr)
		cfg.Addr = link.addr()
		far := o
		far.DSN, far.Timeout = cfg.FormatDSN(), 2*time.Second
		first := lead(t, open(t, far))
		next := contend(t, open(t, o))
		waits(t, o)
		began := time.Now()
		link.freeze()
		second := take(t, next, takeover)
		t.Logf("taken over %s after the cut", time.Since(began).Round(time.Millisecond))
		within(t, takeover, first.Lost(), "the cut leader's notice")
		if err := first.Save(t.Context(), at(1)); err == nil {
			t.Error("a leader without a server saved")
		}
		if err := second.Save(t.Context(), at(2)); err != nil {
			t.Fatal(err)
		}
		began = time.Now()
		if err := first.Close(); err != nil {
			t.Errorf("closing what was lost before: %v", err)
		}
		if d := time.Since(began); d > takeover {
			t.Errorf("closing took %s", d)
		}
	})
}

func TestLeadEndsWithItsContext(t *testing.T) {
	onEach(t, func(t *testing.T, o store.Options) {
		s := open(t, migrated(t, o))
		_ = lead(t, s)
		ctx, cancel := context.WithCancel(t.Context())
		c := make(chan error, 1)
		go func() {
			_, err := s.Lead(ctx)
			c <- err
		}()
		waits(t, o)
		cancel()
		select {
		case err := <-c:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want context.Canceled", err)
			}
		case <-time.After(takeover):
			t.Fatal("Lead goes on")
		}
	})
}

func TestOneLeaderAmongMany(t *testing.T) {
	onEach(t, func(t *testing.T, o store.Options) {
		migrated(t, o)
		var all []<-chan won
		for range 4 {
			all = append(all, contend(t, open(t, o)))
		}
		var last uint64
		for range 4 {
			var w won
			select {
			case w = <-all[0]:
			case w = <-all[1]:
			case w = <-all[2]:
			case w = <-all[3]:
			case <-time.After(takeover):
				t.Fatal("nobody leads")
			}
			if w.err != nil {
				t.Fatal(w.err)
			}
			if n := w.term.State().Term; n <= last {
				t.Errorf("term %d after %d", n, last)
			} else {
				last = n
			}
			for _, c := range all {
				stillWaits(t, c)
			}
			if err := w.term.Save(t.Context(), at(last)); err != nil {
				t.Error(err)
			}
			if err := w.term.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestServersThatAreNotThere(t *testing.T) {
	link := startLink(t, "127.0.0.1:1") // accepts, and never says a word
	link.freeze()
	s := open(t, store.Options{DSN: "root@tcp(" + link.addr() + ")/", Timeout: time.Second, LockWait: time.Second})
	began := time.Now()
	if _, err := s.Lead(t.Context()); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := s.State(t.Context()); err == nil {
		t.Error("a silent server has a state")
	}
	if err := store.Migrate(t.Context(), store.Options{DSN: "root@tcp(127.0.0.1:1)/", Timeout: time.Second}); err == nil {
		t.Error("a server that is down was migrated")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := store.Migrate(ctx, store.Options{DSN: "root@tcp(" + link.addr() + ")/"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the context's end", err)
	}
	if d := time.Since(began); d > 10*time.Second {
		t.Errorf("took %s", d)
	}
}
