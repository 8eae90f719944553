package store_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"banyan.dev/banyan/adapters/store"
	"banyan.dev/banyan/strangler"
)

// A process that is frozen between its mark and its COMMIT holds nobody up: its connection is ended, and nothing of it is there.
func TestATransactionThatHangsIsEnded(t *testing.T) {
	onEach(t, func(t *testing.T, o store.Options) {
		l, db := openLedger(t, migrated(t, o)), admin(t, o.DSN)
		w, other := writer(t, o, "one", 4), writer(t, o, "two", 4)
		put(t, db, o, strangler.Write{ID: id(1), Capability: "orders", State: strangler.WriteOpen}, 0)
		for slot := range 3 { // some have been there before, and have ended
			tx, _ := marking(t, db, w, slot)
			if err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
		}
		frozen, _ := marking(t, db, w, 1)
		bystander, _ := marking(t, db, other, 1)
		if _, err := frozen.ExecContext(t.Context(), "UPDATE `"+o.Schema+"`.writes SET state = 'closed' WHERE id = ?", id(1)); err != nil {
			t.Fatal(err)
		}
		// What others run may be no text: MySQL fails whoever asks it for that as text.
		var beside sync.WaitGroup
		running, end := context.WithCancel(t.Context())
		defer beside.Wait()
		defer end()
		beside.Go(func() {
			if _, err := db.ExecContext(running, "DO SLEEP(60), LENGTH(_binary'\x84\xfc\x8b')"); err == nil {
				t.Error("it has ended")
			}
		})
		began := time.Now()
		soon, cancel := context.WithTimeout(t.Context(), 15*time.Second)
		defer cancel()
		if err := l.FenceWriter(soon, "one"); err != nil {
			t.Fatal(err)
		}
		t.Logf("fenced after %s", time.Since(began))
		if err := frozen.Commit(); err == nil {
			t.Error("what was frozen has committed")
		}
		got, err := l.Open(t.Context(), "orders", 0, strangler.Write{}, 10)
		want(t, "still open", got, err, 1)
		if marksOf(t, db, w) {
			t.Error("a fenced replica marks")
		}
		if err := bystander.Commit(); err != nil {
			t.Errorf("another replica's transaction was ended: %v", err)
		}
	})
}
