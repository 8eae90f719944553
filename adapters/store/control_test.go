package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"banyan.dev/banyan/adapters/store"
	"banyan.dev/banyan/flags"
	"banyan.dev/banyan/strangler/control"
)

func openControl(t testing.TB, o store.Options) *store.Control {
	t.Helper()
	c, err := store.NewControl(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("close the control store: %v", err)
		}
	})
	return c
}

// record gives a capability's record with a flag of some version.
func record(capability string, version, revision uint64) control.Record {
	definition := json.RawMessage(`{"state": "ENABLED", "variants": {"off": "off"}, "defaultVariant": "off"}`)
	return control.Record{
		Capability: capability, Revision: revision, State: json.RawMessage(fmt.Sprintf(`{"version": %d}`, version)),
		Flag: flags.Flag{Capability: capability, Version: version, Phase: flags.Steady, From: definition, To: definition},
	}
}

func ensure(t testing.TB, c *store.Control, capabilities ...string) {
	t.Helper()
	for _, capability := range capabilities {
		if err := c.Ensure(t.Context(), record(capability, 1, 0)); err != nil {
			t.Fatal(err)
		}
	}
}

// records gives all, by name.
func records(t *testing.T, c *store.Control) map[string]control.Record {
	t.Helper()
	all, err := c.Records(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]control.Record{}
	for _, r := range all {
		named[r.Capability] = r
	}
	return named
}

func TestSaveComparesAndReplaces(t *testing.T) {
	onEach(t, func(t *testing.T, o store.Options) {
		c := openControl(t, migrated(t, o))
		ensure(t, c, "orders", "stock", "orders")
		got := records(t, c)
		if len(got) != 2 || got["orders"].Revision != 1 || got["orders"].Flag.Version != 1 || got["orders"].Flag.Phase != flags.Steady {
			t.Fatalf("got %+v", got)
		}
		if r := got["orders"]; r.Now.Before(r.Changed) || r.Now.Sub(r.Changed) > time.Minute {
			t.Errorf("changed %s, read %s", r.Changed, r.Now)
		}
		audit := control.Audit{Capability: "orders", Version: 2, Who: "ann", What: "shift begun", From: "shadow", To: "live 25%, shadow 75%", Reason: "it is Tuesday"}
		if err := c.Save(t.Context(), record("orders", 2, 1), audit, audit); err != nil {
			t.Fatal(err)
		}
		if err := c.Save(t.Context(), record("orders", 3, 1), audit); !errors.Is(err, control.ErrConflict) {
			t.Errorf("an old revision was saved: %v", err)
		}
		if err := c.Save(t.Context(), record("nothing", 3, 1), audit); !errors.Is(err, control.ErrConflict) {
			t.Errorf("a record that is not there was saved: %v", err)
		}
		if r := records(t, c)["orders"]; r.Revision != 2 || r.Flag.Version != 2 || !strings.Contains(string(r.State), "2") {
			t.Errorf("got %+v", r)
		}
		history, err := c.History(t.Context(), "orders", 10)
		if err != nil || len(history) != 2 {
			t.Fatalf("got %+v, %v: what was not saved has no history", history, err)
		}
		if history[0].At.IsZero() {
			t.Error("no time")
		}
		history[0].At = time.Time{}
		if history[0] != audit {
			t.Errorf("got %+v", history[0])
		}
	})
}

func TestBadRecordsAreRefused(t *testing.T) {
	onEach(t, func(t *testing.T, o store.Options) {
		c := openControl(t, migrated(t, o))
		ensure(t, c, "orders")
		other, stateless, broken, long := record("orders", 2, 1), record("orders", 2, 1), record("orders", 2, 1), record(strings.Repeat("o", 65), 2, 1)
		other.Flag.Capability, stateless.State, broken.Flag.To = "stock", nil, json.RawMessage("{")
		for name, r := range map[string]control.Record{"the flag of another": other, "no state": stateless, "a flag that is no JSON": broken} {
			if err := c.Save(t.Context(), r); err == nil || errors.Is(err, control.ErrConflict) {
				t.Errorf("%s: got %v", name, err)
			}
		}
		if err := c.Ensure(t.Context(), long); err == nil {
			t.Error("a name that is too long was kept")
		}
		if r := records(t, c); len(r) != 1 || r["orders"].Revision != 1 {
			t.Errorf("got %+v", r)
		}
	})
}

func TestHistoryCutsAndIsBounded(t *testing.T) {
	onEach(t, func(t *testing.T, o store.Options) {
		c := openControl(t, migrated(t, o))
		ensure(t, c, "orders", "stock")
		long := strings.Repeat("ä€𝄞", 1000)
		for revision := range uint64(3) {
			for _, capability := range []string{"orders", "stock"} {
				audit := control.Audit{Capability: capability, Version: revision, Who: long, What: long, From: long, To: long, Reason: long + "\xff"}
				if err := c.Save(t.Context(), record(capability, revision+2, revision+1), audit); err != nil {
					t.Fatal(err)
				}
			}
		}
		all, err := c.History(t.Context(), "", 5)
		if err != nil || len(all) != 5 || all[0].Capability != "stock" || all[0].Version != 2 || all[1].Capability != "orders" {
			t.Fatalf("got %+v, %v", all, err)
		}
		for _, text := range []struct {
			got  string
			want int
		}{{all[0].Who, 255}, {all[0].What, 255}, {all[0].From, 255}, {all[0].To, 255}, {all[0].Reason, 1000}} {
			if n := utf8.RuneCountInString(text.got); n != text.want || !strings.HasSuffix(text.got, "…") || !utf8.ValidString(text.got) {
				t.Errorf("%d characters: %q", n, text.got)
			}
		}
		if few, err := c.History(t.Context(), "orders", 0); err != nil || len(few) != 3 {
			t.Errorf("got %+v, %v", few, err)
		}
	})
}

func TestReplicasComeAndGo(t *testing.T) {
	onEach(t, func(t *testing.T, o store.Options) {
		c := openControl(t, migrated(t, o))
		clock := time.Now()
		c.SetClock(func() time.Time { return clock })
		join := func(replica string) {
			t.Helper()
			if err := c.Join(t.Context(), control.Joining{Replica: replica, Address: "127.0.0.1:1"}); err != nil {
				t.Fatal(err)
			}
		}
		join("one")
		join("two")
		if err := c.Join(t.Context(), control.Joining{Replica: "no'name"}); err == nil {
			t.Error("an odd name joined")
		}
		acks := map[string]control.Ack{"orders": {Applied: 7, Settled: 6}}
		if _, err := c.Exchange(t.Context(), control.Report{Replica: "one", Renew: true, Acks: acks}); err != nil {
			t.Fatal(err)
		}
		all, err := c.Replicas(t.Context())
		if err != nil || len(all) != 2 || all[0].Name != "one" || all[0].Acks["orders"] != acks["orders"] || len(all[1].Acks) != 0 || all[0].Address != "127.0.0.1:1" || all[0].Silent > time.Minute {
			t.Fatalf("got %+v, %v", all, err)
		}
		fence := func(replica string) bool {
			t.Helper()
			fenced, err := c.Fence(t.Context(), replica)
			if err != nil {
				t.Fatal(err)
			}
			return fenced
		}
		look := func() (silent time.Duration) {
			t.Helper()
			all, err := c.Replicas(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return all[0].Silent
		}
		look()
		clock = clock.Add(control.Lease + control.Margin)
		if fence("one") {
			t.Error("a replica was fenced whose lease may not be over by its own clock")
		}
		if _, err := c.Exchange(t.Context(), control.Report{Replica: "two", Renew: true}); err != nil {
			t.Fatal(err)
		}
		clock = clock.Add(1)
		for _, replica := range []string{"one", "one", "nobody"} {
			if !fence(replica) {
				t.Errorf("%s is not fenced", replica)
			}
		}
		if fence("two") {
			t.Error("a replica was fenced that is not silent")
		}
		for _, replica := range []string{"one", "nobody"} {
			if _, err := c.Exchange(t.Context(), control.Report{Replica: replica, Renew: true}); !errors.Is(err, control.ErrFenced) {
				t.Errorf("%s renews its lease: %v", replica, err)
			}
		}
		if err := c.Forget(t.Context(), "two"); err != nil {
			t.Error(err)
		}
		join("one")
		if err := c.Forget(t.Context(), "one"); err != nil {
			t.Error(err)
		}
		if all, err := c.Replicas(t.Context()); err != nil || len(all) != 2 || all[0].Fenced || len(all[0].Acks) != 0 {
			t.Errorf("got %+v, %v: who is not fenced is not forgotten", all, err)
		}
		look()
		clock = clock.Add(control.Lease + control.Margin + 1)
		if look(); !fence("one") {
			t.Error("not fenced")
		}
		for range 2 {
			if err := errors.Join(c.Forget(t.Context(), "one"), c.Leave(t.Context(), "two")); err != nil {
				t.Error(err)
			}
		}
		if all, err := c.Replicas(t.Context()); err != nil || len(all) != 0 {
			t.Errorf("got %+v, %v", all, err)
		}
	})
}

// The server's clock is set forward, and back: who renews its lease is not fenced, and who doesn't, is.
func TestAServersClockIsSet(t *testing.T) {
	for name, by := range map[string]time.Duration{"forward": time.Hour, "back": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, o store.Options) {
				c, db := openControl(t, migrated(t, o)), admin(t, o.DSN)
				clock := time.Now()
				c.SetClock(func() time.Time { return clock })
				for _, replica := range []string{"alive", "dead"} {
					if err := c.Join(t.Context(), control.Joining{Replica: replica}); err != nil {
						t.Fatal(err)
					}
				}
				fenced := func(replica string) bool {
					t.Helper()
					if _, err := c.Replicas(t.Context()); err != nil {
						t.Fatal(err)
					}
					is, err := c.Fence(t.Context(), replica)
					if err != nil {
						t.Fatal(err)
					}
					return is
				}
				// What was written before is older, or in the future, by the clock as it is then.
				exec(t, db, "UPDATE `"+o.Schema+"`.replicas SET renewed_at = renewed_at - INTERVAL ? SECOND", int(by.Seconds()))
				for _, replica := range []string{"alive", "dead"} {
					if fenced(replica) {
						t.Errorf("%s is fenced when the clock is set", replica)
					}
				}
				for range 5 {
					clock = clock.Add(time.Second)
					if _, err := c.Exchange(t.Context(), control.Report{Replica: "alive", Renew: true}); err != nil {
						t.Fatal(err)
					}
					if fenced("alive") {
						t.Error("who renews its lease is fenced")
					}
				}
				if !fenced("dead") {
					t.Error("who doesn't renew its lease is not fenced")
				}
				other := openControl(t, o) // which hasn't looked
				if is, err := other.Fence(t.Context(), "alive"); err != nil || is {
					t.Errorf("fenced by who doesn't know: %t, %v", is, err)
				}
			})
		})
	}
}

func TestOneCoordinatorBesideTheMirror(t *testing.T) {
	onEach(t, func(t *testing.T, o store.Options) {
		c, other := openControl(t, migrated(t, o)), openControl(t, o)
		_ = lead(t, open(t, o)) // another seat
		first, err := c.Lead(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		if _, err := other.Lead(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("two coordinate: %v", err)
		}
		db := admin(t, o.DSN)
		var id int64
		if err := db.QueryRowContext(t.Context(), "SELECT IS_USED_LOCK(?)", store.CoordinatorLock(o)).Scan(&id); err != nil {
			t.Fatal(err)
		}
		exec(t, db, fmt.Sprintf("KILL %d", id))
		within(t, takeover, first.Lost(), "the end of a coordinator whose connection is gone")
		second, err := other.Lead(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(first.Close(), second.Close(), second.Close()); err != nil {
			t.Error(err)
		}
		within(t, time.Second, second.Lost(), "the end of a coordinator who closed")
	})
}
