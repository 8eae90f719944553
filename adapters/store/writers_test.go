package store_test

import (
	"database/sql/driver"
	"fmt"
	"strings"
	"testing"

	"banyan.dev/banyan/adapters/store"
)

func TestHeartbeatCounts(t *testing.T) {
	onEach(t, func(t *testing.T, o store.Options) {
		migrated(t, o)
		for process := range 2 {
			h, err := store.NewHeartbeat(o)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 3 {
				beat, err := h.Beat(t.Context())
				if want := uint64(3*process + i + 1); err != nil || beat != want {
					t.Errorf("got beat %d, %v, want %d", beat, err, want)
				}
			}
			if err := h.Close(); err != nil {
				t.Error(err)
			}
		}
		var name string
		var beat int
		if err := admin(t, o.DSN).QueryRow("SELECT name, beat FROM `"+o.Schema+"`.heartbeat WHERE at > NOW() - INTERVAL 1 MINUTE").Scan(&name, &beat); err != nil || name != "mirror" || beat != 6 {
			t.Errorf("got %s %d, %v", name, beat, err)
		}
	})
}

func writer(t *testing.T, o store.Options, replica string, slots int) *store.Writer {
	t.Helper()
	w, err := store.RegisterWriter(t.Context(), o, replica, slots)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Deregister(t.Context()) })
	return w
}

func TestMarksFindTheirRows(t *testing.T) {
	onEach(t, func(t *testing.T, o store.Options) {
		migrated(t, o)
		db := admin(t, o.DSN)
		mark := func(w *store.Writer, slot int) int64 {
			statement, args := w.Mark(slot)
			plain := make([]any, len(args))
			for i, a := range args {
				if !driver.IsValue(a) {
					t.Fatalf("%T is no driver.Value", a)
				}
				plain[i] = a
			}
			return exec(t, db, statement, plain...)
		}
		rows := func(replica string) (n int) {
			if err := db.QueryRow("SELECT COUNT(*) FROM `"+o.Schema+"`.writers WHERE replica = ?", replica).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		unregistered, err := store.NewWriter(o, "", 4)
		if err != nil {
			t.Fatal(err)
		}
		if n := mark(unregistered, 0); n != 0 {
			t.Errorf("a writer that is not registered marks %d rows", n)
		}
		if err := unregistered.Register(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := mark(unregistered, 0); n != 1 {
			t.Errorf("a writer that is registered late marks %d rows", n)
		}
		if err := unregistered.Deregister(t.Context()); err != nil {
			t.Fatal(err)
		}

		old := writer(t, o, "shop-1", 8)
		for slot := range 9 {
			if n := mark(old, slot); n != 1 {
				t.Errorf("slot %d marks %d rows", slot, n)
			}
		}
		if err := old.Register(t.Context()); err != nil || mark(old, 1) != 1 {
			t.Errorf("registering again: %v", err)
		}
		next := writer(t, o, "shop-1", 2)
		if n := mark(old, 1); n != 0 {
			t.Errorf("a process whose name another has taken marks %d rows", n)
		}
		if n := mark(next, 1); n != 1 || rows("shop-1") != 3 {
			t.Errorf("the later process marks %d rows of %d", n, rows("shop-1"))
		}
		if err := old.Deregister(t.Context()); err != nil || rows("shop-1") != 3 {
			t.Errorf("the earlier process took the later one's marks: %v", err)
		}

		exec(t, db, "UPDATE `"+o.Schema+"`.writers SET seen_at = NOW() - INTERVAL 31 DAY WHERE replica = 'shop-1' AND slot = 0")
		other := writer(t, o, "shop-2", 2)
		if rows("shop-1") != 0 || rows("shop-2") != 3 {
			t.Errorf("%d marks of a replica long gone, %d of a new one", rows("shop-1"), rows("shop-2"))
		}
		for range 2 {
			if err := other.Deregister(t.Context()); err != nil || rows("shop-2") != 0 {
				t.Errorf("%d marks stay, %v", rows("shop-2"), err)
			}
		}
	})
}

func TestReplicaNames(t *testing.T) {
	o := store.Options{DSN: "root@tcp(127.0.0.1:1)/"}
	seen := map[string]bool{}
	for range 3 {
		w, err := store.NewWriter(o, "", 1)
		if err != nil {
			t.Fatal(err)
		}
		if r := w.Replica(); len(r) > 64 || seen[r] || !strings.Contains(r, ":") {
			t.Errorf("the name %q is too long, or taken", r)
		}
		seen[w.Replica()] = true
		if err := w.Deregister(t.Context()); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"a b", "a'b", "é", fmt.Sprintf("%065d", 1)} {
		if _, err := store.NewWriter(o, name, 1); err == nil {
			t.Errorf("%q is a replica's name", name)
		}
	}
}
