package store_test

import (
	"database/sql"
	"errors"
	"fmt"
	"testing"

	"banyan.dev/banyan/adapters/store"
	"banyan.dev/banyan/strangler/control"
)

// What a coordinator that was taken over from announces late would be applied over what modern has written since.
func TestAnnouncementsComeBeforeTheFenceOrNotAtAll(t *testing.T) {
	onEach(t, func(t *testing.T, o store.Options) {
		o = migrated(t, o)
		l, db := openLedger(t, o), admin(t, o.DSN)
		announce := func(capability string, epoch uint64) error {
			return l.Announce(t.Context(), control.Announcement{Service: "s", Capability: capability, Epoch: epoch, Entity: "shop.v2.Order", IDs: []string{"1"}})
		}
		if err := l.SendFence(t.Context(), control.FenceRow{ID: id(1), Service: "s", Capability: "orders", Epoch: 7}); err != nil {
			t.Fatal(err)
		}
		if err := announce("orders", 6); !errors.Is(err, control.ErrPassed) {
			t.Errorf("got %v behind a fence", err)
		}
		if err := errors.Join(announce("orders", 7), announce("stock", 1)); err != nil || rowsOf(t, db, o, "announcements") != 2 {
			t.Errorf("got %v", err)
		}

		// Fences that were sent before there were epochs count, too.
		exec(t, db, "INSERT INTO `"+o.Schema+"`.fences (id, service, capability, epoch, reply_to, void) VALUES (?, 's', 'older', 8, '', '[]')", id(4))
		for range 2 {
			if err := announce("older", 7); !errors.Is(err, control.ErrPassed) {
				t.Errorf("got %v behind a fence of before", err)
			}
		}
		// So they do when the next fence is a late one, or the same once more.
		for i, late := range []control.FenceRow{{ID: id(6), Epoch: 5}, {ID: id(8), Epoch: 8}} {
			capability := fmt.Sprint("late", i)
			exec(t, db, "INSERT INTO `"+o.Schema+"`.fences (id, service, capability, epoch, reply_to, void) VALUES (?, 's', ?, 8, '', '[]')", id(7+i), capability)
			late.Service, late.Capability = "s", capability
			if err := l.SendFence(t.Context(), late); err != nil {
				t.Error(err)
			}
			if err := announce(capability, 7); !errors.Is(err, control.ErrPassed) {
				t.Errorf("got %v behind a fence of before and the late %+v", err, late)
			}
		}

		// A fence that is about to be committed is waited for.
		fence := begin(t, db, "UPDATE `"+o.Schema+"`.epochs SET epoch = 8 WHERE capability = ?", "orders")
		late := make(chan error, 1)
		go func() { late <- announce("orders", 7) }()
		blocked(t, db, "FOR UPDATE")
		if err := fence.Commit(); err != nil {
			t.Fatal(err)
		}
		if err := <-late; !errors.Is(err, control.ErrPassed) {
			t.Errorf("got %v behind a fence that was waited for", err)
		}

		// What no capability has is never too late, and waits for no fence.
		fence = begin(t, db, "UPDATE `"+o.Schema+"`.epochs SET epoch = 9 WHERE capability = ?", "orders")
		if err := announce("", 0); err != nil || rowsOf(t, db, o, "announcements") != 3 {
			t.Errorf("got %v", err)
		}
		if err := fence.Rollback(); err != nil {
			t.Fatal(err)
		}

		// A fence waits for an announcement that is about to be committed.
		slow, err := db.BeginTx(t.Context(), &sql.TxOptions{Isolation: sql.LevelRepeatableRead})
		if err != nil {
			t.Fatal(err)
		}
		defer slow.Rollback()
		if _, err := slow.ExecContext(t.Context(), "UPDATE `"+o.Schema+"`.announcements SET entity = entity WHERE id > 0"); err != nil {
			t.Fatal(err)
		}
		go func() { late <- announce("orders", 8) }()
		blocked(t, db, "INTO `"+o.Schema+"`.announcements")
		fenced := make(chan error, 1)
		go func() {
			fenced <- l.SendFence(t.Context(), control.FenceRow{ID: id(3), Service: "s", Capability: "orders", Epoch: 9})
		}()
		blocked(t, db, "FOR UPDATE")
		if err := slow.Rollback(); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(<-late, <-fenced); err != nil || rowsOf(t, db, o, "announcements") != 4 {
			t.Errorf("got %v", err)
		}
	})
}
