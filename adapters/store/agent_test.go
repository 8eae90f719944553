package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"banyan.dev/banyan/adapters/store"
	"banyan.dev/banyan/flags"
	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/strangler/control"
)

// process is a replica: an agent over a real store, with real writer marks.
type process struct {
	*store.Control
	writer *store.Writer
	agent  *control.Agent
	// cut says that the store can't be reached.
	cut atomic.Bool

	mu       sync.Mutex
	versions map[string]uint64
	until    time.Time
}

func (p *process) Exchange(ctx context.Context, r control.Report) (control.News, error) {
	if p.cut.Load() {
		return control.News{}, errors.New("the network is down")
	}
	return p.Control.Exchange(ctx, r)
}

func (p *process) Join(ctx context.Context, j control.Joining) error {
	if p.cut.Load() {
		return errors.New("the network is down")
	}
	return p.Control.Join(ctx, j)
}

func (p *process) Set(given []flags.Flag) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range given {
		p.versions[f.Capability] = f.Version
	}
	return nil
}

func (p *process) SetLease(until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.until = until
}

func (p *process) Versions() map[string]uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.versions)
}

func (p *process) leased() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Now().Before(p.until)
}

// runs starts a replica, and stops it when the test ends.
func runs(t *testing.T, o store.Options, name string) *process {
	t.Helper()
	w, err := store.NewWriter(o, name, 2)
	if err != nil {
		t.Fatal(err)
	}
	p := &process{Control: openControl(t, o), writer: w, versions: map[string]uint64{}}
	t.Cleanup(func() { _ = w.Deregister(context.Background()) })
	p.agent, err = control.NewAgent(control.AgentOptions{
		Membership: p, Flags: p, Capabilities: map[string]string{"orders": "d"}, Settled: func(string, uint64) bool { return true },
		Rejoin: w.Renew, Registered: w.Registered, Replica: name, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.agent.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.agent.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return p
}

// acknowledged waits until all replicas have settled a version.
func acknowledged(t *testing.T, c *store.Control, version uint64, replicas ...string) time.Duration {
	t.Helper()
	began := time.Now()
	eventually(t, func() error {
		all, err := c.Replicas(t.Context())
		if err != nil {
			return err
		}
		if len(all) != len(replicas) {
			return fmt.Errorf("%d replicas: %+v", len(all), all)
		}
		for _, r := range all {
			if r.Acks["orders"].Settled != version || r.Acks["orders"].Applied != version {
				return fmt.Errorf("%+v", r)
			}
		}
		return nil
	})
	return time.Since(began)
}

func TestAgentsFollowFlags(t *testing.T) {
	onEach(t, func(t *testing.T, o store.Options) {
		c, l, db := openControl(t, migrated(t, o)), openLedger(t, o), admin(t, o.DSN)
		ensure(t, c, "orders")
		one, two := runs(t, o, "one"), runs(t, o, "two")
		acknowledged(t, c, 1, "one", "two")
		save := func(version uint64) time.Duration {
			t.Helper()
			if err := c.Save(t.Context(), record("orders", version, version-1)); err != nil {
				t.Fatal(err)
			}
			return acknowledged(t, c, version, "one", "two")
		}
		var longest time.Duration
		for version := uint64(2); version <= 20; version++ {
			longest = max(longest, save(version))
		}
		t.Logf("both have acknowledged within %s", longest.Round(time.Millisecond))

		// One is cut off: it has no lease before it is fenced, and can't write afterwards.
		one.cut.Store(true)
		cut := time.Now()
		eventually(t, func() error {
			fenced, err := c.Fence(t.Context(), "one")
			if err == nil && fenced && one.leased() {
				t.Fatal("fenced with a lease")
			}
			if err == nil && !fenced {
				err = errors.New("not fenced")
			}
			return err
		})
		t.Logf("fenced %s after it was cut off", time.Since(cut).Round(time.Millisecond))
		if err := l.FenceWriter(t.Context(), "one"); err != nil {
			t.Fatal(err)
		}
		if canMark(t, db, one) || !canMark(t, db, two) || !two.leased() || one.agent.Status().Leased {
			t.Error("the wrong one can write")
		}
		if err := c.Save(t.Context(), record("orders", 21, 20)); err != nil {
			t.Fatal(err)
		}
		one.cut.Store(false)
		acknowledged(t, c, 21, "one", "two")
		if !canMark(t, db, one) || !one.leased() {
			t.Error("who has joined again can't write")
		}
		// Whoever has fenced it is late with its marks.
		if err := l.FenceWriter(t.Context(), "one"); err != nil {
			t.Fatal(err)
		}
		eventually(t, func() error {
			if !canMark(t, db, one) || !one.leased() {
				return errors.New("it can't write")
			}
			return nil
		})
		acknowledged(t, c, 21, "one", "two")
	})
}

func canMark(t *testing.T, db *sql.DB, p *process) bool {
	t.Helper()
	tx, found := marking(t, db, p.writer, 0)
	_ = tx.Rollback()
	return found == 1
}

func TestAgentsOutliveTheirServer(t *testing.T) {
	db := devstack.OwnMariaDB(t)
	o := migrated(t, fresh(t, &db.Server))
	o.Timeout = 2 * time.Second
	c := openControl(t, o)
	ensure(t, c, "orders")
	one, two := runs(t, o, "one"), runs(t, o, "two")
	acknowledged(t, c, 1, "one", "two")
	db.Kill()
	eventually(t, func() error {
		if one.leased() || two.leased() {
			return errors.New("a lease without a store")
		}
		return nil
	})
	if s := one.agent.Status(); s.Leased || s.Trouble == "" || s.Silent < control.Lease {
		t.Errorf("got %+v", s)
	}
	if err := db.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		if !one.leased() || !two.leased() {
			return errors.New("no lease")
		}
		return nil
	})
	if err := c.Save(t.Context(), record("orders", 2, 1)); err != nil {
		t.Fatal(err)
	}
	acknowledged(t, c, 2, "one", "two")
}
