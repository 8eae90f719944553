package store_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"testing"
	"time"

	"banyan.dev/banyan/adapters/store"
	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/strangler/control"
)

func TestExchangeGivesWhatHasChanged(t *testing.T) {
	onEach(t, func(t *testing.T, o store.Options) {
		c := openControl(t, migrated(t, o))
		look := func(since uint64) control.News {
			t.Helper()
			news, err := c.Exchange(t.Context(), control.Report{Replica: "one", Since: since})
			if err != nil {
				t.Fatal(err)
			}
			return news
		}
		if news := look(0); news.Change != 0 || len(news.Flags) != 0 {
			t.Errorf("an empty store has news: %+v", news)
		}
		ensure(t, c, "orders", "stock")
		first := look(0)
		if len(first.Flags) != 2 || first.Change != 2 {
			t.Errorf("got %+v", first)
		}
		if news := look(first.Change); news.Change != first.Change || len(news.Flags) != 0 {
			t.Errorf("news without a change: %+v", news)
		}
		if err := c.Save(t.Context(), record("stock", 2, 1)); err != nil {
			t.Fatal(err)
		}
		news := look(first.Change)
		if len(news.Flags) != 1 || news.Flags[0].Capability != "stock" || news.Flags[0].Version != 2 || news.Change != 3 {
			t.Errorf("got %+v", news)
		}
		if news := look(4711); len(news.Flags) != 2 || news.Change != 3 {
			t.Errorf("a store that has gone back gives %+v, want all", news)
		}
		exec(t, admin(t, o.DSN), "UPDATE `"+o.Schema+"`.capabilities SET flag = '{}' WHERE name = 'stock'")
		if _, err := c.Exchange(t.Context(), control.Report{Replica: "one"}); err == nil {
			t.Error("a flag that is none was given")
		}
	})
}

// saver changes one capability again and again, until ctx ends, and gives the last version that it knows to be saved.
func saver(ctx context.Context, c *store.Control, capability string, mayFail func(error) bool) (last uint64, err error) {
	revision := uint64(1)
	for ctx.Err() == nil {
		err := c.Save(ctx, record(capability, revision+1, revision), control.Audit{Capability: capability, Version: revision + 1, Who: "test", What: "test"})
		switch {
		case err == nil:
			revision++
		case ctx.Err() != nil:
		case errors.Is(err, control.ErrConflict): // it was saved, and the answer lost
			revision++
		case !mayFail(err):
			return revision, fmt.Errorf("%s: %w", capability, err)
		}
	}
	return revision, nil
}

// Whoever only asks for what is new knows, whenever he looks, all that had been saved before. Each capability changes but
// a few times, so that what was missed once is not made good by a later change.
func TestExchangeMissesNothing(t *testing.T) {
	onEach(t, func(t *testing.T, o store.Options) {
		migrated(t, o)
		const savers, readers, versions = 8, 3, 3
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		acknowledged := &acknowledgements{versions: map[string]uint64{}}
		var saved, read sync.WaitGroup
		for i := range savers {
			c := openControl(t, o)
			saved.Go(func() {
				for n := 0; ctx.Err() == nil; n++ {
					name := fmt.Sprintf("capability-%d-%d", i, n/versions)
					version := uint64(n%versions) + 1
					var err error
					if version == 1 {
						err = c.Ensure(t.Context(), record(name, 1, 0))
					} else {
						err = c.Save(t.Context(), record(name, version, version-1), control.Audit{Capability: name, Version: version})
					}
					if err != nil {
						t.Error(err)
						return
					}
					acknowledged.set(name, version)
				}
			})
		}
		ended := make(chan struct{})
		for range readers {
			c := openControl(t, o)
			read.Go(func() { reads(t, c, acknowledged, ended) })
		}
		saved.Wait()
		close(ended)
		read.Wait()
		t.Logf("%d capabilities changed %d times by %d at once", len(acknowledged.versions), versions, savers)
	})
}

// reads asks for what is new, until it has done so after the end.
func reads(t *testing.T, c *store.Control, acknowledged *acknowledgements, ended <-chan struct{}) {
	known := map[string]uint64{}
	var since uint64
	for final := false; !final; {
		select {
		case <-ended:
			final = true
		default:
		}
		seen := acknowledged.all()
		news, err := c.Exchange(t.Context(), control.Report{Replica: "one", Since: since})
		if err != nil {
			t.Error(err)
			return
		}
		if news.Change < since {
			t.Errorf("change %d after %d", news.Change, since)
		}
		since = news.Change
		for _, f := range news.Flags {
			known[f.Capability] = max(known[f.Capability], f.Version)
		}
		for name, version := range seen {
			if known[name] < version {
				t.Errorf("version %d of %s is known, %d had been saved", known[name], name, version)
			}
		}
	}
}

// acknowledgements are the versions that are known to be saved.
type acknowledgements struct {
	mu       sync.Mutex
	versions map[string]uint64
}

func (l *acknowledgements) set(name string, version uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.versions[name] = version
}

func (l *acknowledgements) all() map[string]uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.versions)
}

func TestControlOutlivesItsServer(t *testing.T) {
	db := devstack.OwnMariaDB(t)
	o := migrated(t, fresh(t, &db.Server))
	o.Timeout = 2 * time.Second
	c := openControl(t, o)
	ensure(t, c, "orders", "stock")
	if err := c.Join(t.Context(), control.Joining{Replica: "one"}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	last := make([]uint64, 2)
	for i, name := range []string{"orders", "stock"} {
		all.Go(func() {
			var err error
			if last[i], err = saver(ctx, c, name, func(error) bool { return true }); err != nil {
				t.Error(err)
			}
		})
	}
	known := map[string]uint64{}
	var since uint64
	look := func() error {
		news, err := c.Exchange(t.Context(), control.Report{Replica: "one", Since: since, Renew: true})
		if err != nil {
			return err
		}
		since = news.Change
		for _, f := range news.Flags {
			known[f.Capability] = f.Version
		}
		return nil
	}
	more := func(than uint64) func() error {
		return func() error {
			if err := look(); err != nil {
				return err
			}
			if known["orders"] < than || known["stock"] < than {
				return fmt.Errorf("only %v came", known)
			}
			return nil
		}
	}
	eventually(t, more(20))
	for range 2 {
		db.Kill()
		if err := look(); err == nil || errors.Is(err, control.ErrFenced) {
			t.Errorf("a server that is gone said %v", err)
		}
		if err := db.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		eventually(t, more(max(known["orders"], known["stock"])+20))
	}
	cancel()
	all.Wait()
	if err := look(); err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"orders", "stock"} {
		r := records(t, c)[name]
		if v := known[name]; v != r.Flag.Version || v < last[i] || v > last[i]+1 {
			t.Errorf("%s: known %d, stored %d, saved %d", name, v, r.Flag.Version, last[i])
		}
		history, err := c.History(t.Context(), name, 1)
		if err != nil || history[0].Version != r.Flag.Version {
			t.Errorf("got %+v, %v", history, err)
		}
	}
}

// BenchmarkExchange is what each replica does 40 times a second without news, and once a second with a renewal.
func BenchmarkExchange(b *testing.B) {
	for _, server := range devstack.Databases(b) {
		o := store.Options{DSN: server.DSN(""), Logger: slog.New(slog.DiscardHandler)}
		dsn := server.NewSchema(b)
		o.Schema = dsn[len(server.DSN("")):]
		if err := store.Migrate(b.Context(), o); err != nil {
			b.Fatal(err)
		}
		c := openControl(b, o)
		for i := range 20 {
			ensure(b, c, fmt.Sprint("capability-", i))
		}
		if err := c.Join(b.Context(), control.Joining{Replica: "one"}); err != nil {
			b.Fatal(err)
		}
		for _, renew := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/renew=%t", server.Name, renew), func(b *testing.B) {
				for b.Loop() {
					if _, err := c.Exchange(b.Context(), control.Report{Replica: "one", Since: 20, Renew: renew, Acks: map[string]control.Ack{"orders": {Applied: 1, Settled: 1}}}); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
