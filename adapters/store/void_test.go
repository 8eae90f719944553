package store_test

import (
	"testing"
	"time"

	"banyan.dev/banyan/adapters/store"
	"banyan.dev/banyan/strangler"
	"banyan.dev/banyan/strangler/control"
)

// Which writes a way back has given up is kept until the new service knows it, by the hold that did it.
func TestVoidWritesAreKept(t *testing.T) {
	onEach(t, func(t *testing.T, o store.Options) {
		l, db := openLedger(t, migrated(t, o)), admin(t, o.DSN)
		for n := range 250 {
			capability := "orders"
			if n >= 240 {
				capability = "stock"
			}
			put(t, db, o, strangler.Write{ID: id(n), Capability: capability, State: strangler.WriteOpen}, 0)
		}
		void := func(capability string, epoch uint64, from, to int) {
			t.Helper()
			var ids []string
			for n := from; n < to; n++ {
				ids = append(ids, id(n))
			}
			if _, err := l.Void(t.Context(), capability, epoch, ids, "a test"); err != nil {
				t.Fatal(err)
			}
		}
		listed := func(capability string, first, last uint64, after string, limit, wantAll int, from, to int) {
			t.Helper()
			ids, all, err := l.Voids(t.Context(), capability, first, last, after, limit)
			if err != nil || all != wantAll || len(ids) != to-from || to > from && (ids[0] != id(from) || ids[len(ids)-1] != id(to-1)) {
				t.Errorf("from %d to %d behind %q: %d, %q, %v", first, last, after, all, ids, err)
			}
		}
		void("orders", 5, 0, 100)
		void("orders", 9, 90, 230) // some of them again
		void("stock", 7, 240, 245)
		void("orders", 9, 240, 250) // which aren't of that capability
		listed("orders", 5, 9, "", 1000, 230, 0, 230)
		listed("orders", 5, 5, "", 1000, 100, 0, 100)
		listed("orders", 5, 9, "", 50, 230, 0, 50)
		listed("orders", 5, 9, id(49), 50, 230, 50, 100)
		listed("orders", 5, 9, id(229), 50, 230, 0, 0)
		listed("orders", 9, 9, "", 0, 130, 0, 0)
		listed("stock", 1, 99, "", 1000, 5, 240, 245)
		for range 2 {
			if err := l.Settled(t.Context(), "orders", 5); err != nil {
				t.Fatal(err)
			}
		}
		listed("orders", 1, 99, "", 1000, 130, 100, 230)
		if err := l.Settled(t.Context(), "orders", 9); err != nil {
			t.Fatal(err)
		}
		listed("orders", 1, 99, "", 1000, 0, 0, 0)
		listed("stock", 1, 99, "", 1000, 5, 240, 245)
	})
}

func TestTheGreatestVersionIsKnown(t *testing.T) {
	onEach(t, func(t *testing.T, o store.Options) {
		l, db := openLedger(t, migrated(t, o)), admin(t, o.DSN)
		is := func(capability string, want uint64) {
			t.Helper()
			if got, err := l.Greatest(t.Context(), capability); err != nil || got != want {
				t.Errorf("of %s: got %d, %v, want %d", capability, got, err, want)
			}
		}
		is("orders", 0)
		put(t, db, o, strangler.Write{ID: id(1), Capability: "orders", State: strangler.WriteClosed, Epoch: 4}, time.Minute)
		put(t, db, o, strangler.Write{ID: id(2), Capability: "orders", State: strangler.WriteOpen, Epoch: 3}, time.Minute)
		put(t, db, o, strangler.Write{ID: id(3), Capability: "stock", State: strangler.WriteOpen, Epoch: 30}, time.Minute)
		is("orders", 4)
		if err := l.SendFence(t.Context(), control.FenceRow{ID: id(4), Capability: "orders", Service: "s", Epoch: 7}); err != nil {
			t.Fatal(err)
		}
		is("orders", 7)
		if _, err := l.Void(t.Context(), "orders", 9, []string{id(2)}, "a test"); err != nil {
			t.Fatal(err)
		}
		is("orders", 9)
		is("stock", 30)
	})
}
