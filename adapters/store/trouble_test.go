package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"banyan.dev/banyan/adapters/store"
	"banyan.dev/banyan/strangler"
	"banyan.dev/banyan/strangler/control"
)

// operations are all that change something, by what they do.
func operations(c *store.Control, l *store.Ledger) map[string]func(ctx context.Context) error {
	return map[string]func(ctx context.Context) error{
		"ensure":   func(ctx context.Context) error { return c.Ensure(ctx, record("new", 1, 0)) },
		"save":     func(ctx context.Context) error { return c.Save(ctx, record("orders", 2, 1)) },
		"join":     func(ctx context.Context) error { return c.Join(ctx, control.Joining{Replica: "one"}) },
		"exchange": func(ctx context.Context) error { return exchange(ctx, c) },
		"leave":    func(ctx context.Context) error { return c.Leave(ctx, "one") },
		"forget":   func(ctx context.Context) error { return c.Forget(ctx, "one") },
		"fence": func(ctx context.Context) error {
			_, err := c.Fence(ctx, "one")
			return err
		},
		"fence a writer": func(ctx context.Context) error { return l.FenceWriter(ctx, "one") },
		"void": func(ctx context.Context) error {
			_, err := l.Void(ctx, "orders", 9, []string{id(1)}, "")
			return err
		},
		"sweep": func(ctx context.Context) error {
			_, err := l.SweepWrites(ctx)
			return err
		},
		"send a fence": func(ctx context.Context) error { return l.SendFence(ctx, control.FenceRow{ID: id(1)}) },
		"announce": func(ctx context.Context) error {
			return l.Announce(ctx, control.Announcement{Service: "orders", IDs: []string{"1"}})
		},
	}
}

func exchange(ctx context.Context, c *store.Control) error {
	_, err := c.Exchange(ctx, control.Report{Replica: "one", Renew: true})
	return err
}

// looks are all that only read.
func looks(c *store.Control, l *store.Ledger) map[string]func(ctx context.Context) error {
	return map[string]func(ctx context.Context) error{
		"records": func(ctx context.Context) error {
			_, err := c.Records(ctx)
			return err
		},
		"replicas": func(ctx context.Context) error {
			_, err := c.Replicas(ctx)
			return err
		},
		"history": func(ctx context.Context) error {
			_, err := c.History(ctx, "", 1)
			return err
		},
		"open": func(ctx context.Context) error {
			_, err := l.Open(ctx, "orders", 0, strangler.Write{}, 1)
			return err
		},
		"stale": func(ctx context.Context) error {
			_, err := l.Stale(ctx, "orders", 0, strangler.Write{}, 1)
			return err
		},
		"list": func(ctx context.Context) error {
			_, err := l.List(ctx, "", strangler.WriteOpen, 1)
			return err
		},
	}
}

func TestWhatIsMissingIsSaid(t *testing.T) {
	onEach(t, func(t *testing.T, o store.Options) {
		for name, do := range looks(openControl(t, o), openLedger(t, o)) {
			if stop := wantStop(t, do(t.Context())); !strings.Contains(stop.Fix, "start Banyan again") {
				t.Errorf("%s: got %v", name, stop)
			}
		}
		migrated(t, o)
		ensure(t, openControl(t, o), "orders")
		w := writer(t, o, "one", 1)
		db := admin(t, o.DSN)
		put(t, db, o, strangler.Write{ID: id(1), Capability: "orders", State: strangler.WriteOpen}, time.Hour)
		put(t, db, o, strangler.Write{ID: id(2), Capability: "orders", State: strangler.WriteClosed}, 48*time.Hour)
		user := "u_" + o.Schema[len(o.Schema)-8:]
		exec(t, db, fmt.Sprintf("CREATE USER '%s'@'127.0.0.%%' IDENTIFIED BY 'Secret-1'", user))
		t.Cleanup(func() { _, _ = admin(t, o.DSN).Exec(fmt.Sprintf("DROP USER '%s'@'127.0.0.%%'", user)) })
		exec(t, db, fmt.Sprintf("GRANT SELECT ON `%s`.* TO '%s'@'127.0.0.%%'", o.Schema, user))
		cfg, err := mysql.ParseDSN(o.DSN)
		if err != nil {
			t.Fatal(err)
		}
		cfg.User, cfg.Passwd = user, "Secret-1"
		poor := o
		poor.DSN = cfg.FormatDSN()
		c, l := openControl(t, poor), openLedger(t, poor)
		for name, do := range operations(c, l) {
			if stop := wantStop(t, do(t.Context())); !strings.Contains(stop.Fix, fmt.Sprintf("GRANT SELECT, INSERT, UPDATE, DELETE ON `%s`.* TO '%s'", o.Schema, user)) {
				t.Errorf("%s: got %v", name, stop)
			}
		}
		for name, do := range looks(c, l) {
			if err := do(t.Context()); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if !marksOf(t, db, w) {
			t.Error("who may not fence has fenced")
		}
	})
}

func TestWhoeverIsAskedInVainIsNotWaitedFor(t *testing.T) {
	link := startLink(t, "127.0.0.1:1") // accepts, and never says a word
	link.freeze()
	o := store.Options{DSN: "root@tcp(" + link.addr() + ")/", Timeout: time.Second}
	c, l := openControl(t, o), openLedger(t, o)
	all := operations(c, l)
	for name, do := range looks(c, l) {
		all[name] = do
	}
	ended := make(chan string, len(all))
	for name, do := range all {
		go func() {
			if err := do(t.Context()); err == nil || errors.Is(err, control.ErrFenced) || errors.Is(err, control.ErrConflict) {
				t.Errorf("%s: got %v of a silent server", name, err)
			}
			ended <- name
		}()
	}
	late := time.After(15 * time.Second)
	for range all {
		select {
		case <-ended:
		case <-late:
			t.Fatal("some wait for ever")
		}
	}
}
