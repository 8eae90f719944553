package store_test

import (
	"database/sql"
	"fmt"
	"testing"
	"time"

	"banyan.dev/banyan/adapters/store"
	"banyan.dev/banyan/strangler"
)

func TestVoidWritesAreSettled(t *testing.T) {
	onEach(t, func(t *testing.T, o store.Options) {
		l, db := openLedger(t, migrated(t, o)), admin(t, o.DSN)
		const many = 450
		var void []string
		for n := range many {
			put(t, db, o, strangler.Write{ID: id(n), Capability: "orders", State: strangler.WriteVoid}, time.Second)
			void = append(void, id(n))
		}
		for n, w := range []strangler.Write{
			{Capability: "orders", Entity: "7", State: strangler.WriteClosed},
			{Capability: "orders", Entity: "8", State: strangler.WriteFailed},
			{Capability: "stock", Entity: "9", State: strangler.WriteClosed},
		} {
			w.ID = id(1000 + n)
			put(t, db, o, w, 0)
		}
		put(t, db, o, strangler.Write{ID: id(2000), Capability: "orders", Entity: "10", State: strangler.WriteClosed}, time.Minute) // before them
		committed := map[string][]string{id(1): {"7"}, id(2): {"8"}, id(3): {"9"}, id(4): {"10"}, id(5): {"8", "7"}, id(6): nil, id(5000): {"7"}}
		for range 2 { // it may be done again
			if err := l.Settle(t.Context(), "orders", void, committed); err != nil {
				t.Fatal(err)
			}
		}
		var n int
		var carried sql.NullString
		if err := db.QueryRowContext(t.Context(), fmt.Sprintf("SELECT COUNT(*), GROUP_CONCAT(IF(carried, RIGHT(id, 3), NULL) ORDER BY id) FROM `%s`.settled", o.Schema)).Scan(&n, &carried); err != nil || n != many || carried.String != "001,005" {
			t.Errorf("%d are settled, carried are %s, %v", n, carried.String, err)
		}
		if err := l.Settle(t.Context(), "orders", nil, nil); err != nil {
			t.Error(err)
		}
		// They go with their writes.
		exec(t, db, "UPDATE `"+o.Schema+"`.settled SET created_at = NOW(6) - INTERVAL 2 DAY")
		exec(t, db, "DELETE FROM `"+o.Schema+"`.writes WHERE id = ?", id(1))
		if n, err := l.SweepWrites(t.Context()); err != nil || n != 1 {
			t.Errorf("swept %d, %v", n, err)
		}
	})
}

// A write that an idempotency key needs stays.
func TestWritesOfKeysAreKept(t *testing.T) {
	onEach(t, func(t *testing.T, o store.Options) {
		l, db := openLedger(t, migrated(t, o)), admin(t, o.DSN)
		for n := range 2 {
			put(t, db, o, strangler.Write{ID: id(n), Capability: "orders", State: strangler.WriteClosed}, 48*time.Hour)
		}
		exec(t, db, "INSERT INTO `"+o.Schema+"`.idempotency (id, client, idempotency_key, operation, request, write_id, expires_at) VALUES (REPEAT('i', 32), '', 'k', 'o', REPEAT('r', 32), ?, UTC_TIMESTAMP(6))", id(0))
		if n, err := l.SweepWrites(t.Context()); err != nil || n != 1 {
			t.Errorf("swept %d, %v", n, err)
		}
		exec(t, db, "DELETE FROM `"+o.Schema+"`.idempotency")
		if n, err := l.SweepWrites(t.Context()); err != nil || n != 1 {
			t.Errorf("swept %d, %v", n, err)
		}
	})
}
