package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"banyan.dev/banyan/adapters/store"
	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/strangler"
)

// marking begins a transaction by a writer's mark, which is left open, and gives how many rows the mark has found.
func marking(t *testing.T, db *sql.DB, w *store.Writer, slot int) (tx *sql.Tx, found int64) {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback() })
	statement, args := w.Mark(slot)
	done, err := tx.ExecContext(t.Context(), statement, args[0], args[1], args[2])
	if err != nil {
		t.Fatal(err)
	}
	found, err = done.RowsAffected()
	if err != nil {
		t.Fatal(err)
	}
	return tx, found
}

// busy lets a transaction's connection work on something until stop is called.
func busy(t *testing.T, db *sql.DB, tx *sql.Tx) (stop func()) {
	t.Helper()
	var connection int64
	if err := tx.QueryRowContext(t.Context(), "SELECT CONNECTION_ID()").Scan(&connection); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		var interrupted sql.NullBool
		_ = tx.QueryRowContext(context.Background(), "SELECT SLEEP(600)").Scan(&interrupted) // some servers call it an error
	}()
	stop = sync.OnceFunc(func() {
		_, _ = db.ExecContext(context.Background(), fmt.Sprintf("KILL QUERY %d", connection)) // it may have gone with its server
		<-done
	})
	t.Cleanup(stop)
	blocked(t, db, "SELECT SLEEP(600)")
	return stop
}

// marksOf says whether a writer can mark in each of its slots: true, all; false, none.
func marksOf(t *testing.T, db *sql.DB, w *store.Writer) bool {
	t.Helper()
	n := 0
	for slot := range w.Slots() {
		tx, found := marking(t, db, w, slot)
		n += int(found)
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
	}
	if n != 0 && n != w.Slots() {
		t.Fatalf("a writer marks in %d of %d slots", n, w.Slots())
	}
	return n > 0
}

func TestFencedWritersCantWrite(t *testing.T) {
	onEach(t, func(t *testing.T, o store.Options) {
		l, db := openLedger(t, migrated(t, o)), admin(t, o.DSN)
		w, other := writer(t, o, "one", 4), writer(t, o, "two", 4)
		there := func(want bool) {
			t.Helper()
			if is, err := w.Registered(t.Context()); err != nil || is != want || marksOf(t, db, w) != want {
				t.Errorf("the marks are there: %t, %v, want %t", is, err, want)
			}
		}
		there(true)
		for _, replica := range []string{"nobody", "one", "one"} {
			if err := l.FenceWriter(t.Context(), replica); err != nil {
				t.Fatal(err)
			}
		}
		there(false)
		if !marksOf(t, db, other) {
			t.Error("another replica was stopped")
		}
		old, args := w.Mark(0)
		for range 2 {
			if err := w.Reregister(t.Context()); err != nil {
				t.Fatal(err)
			}
			there(true)
			if n := exec(t, db, old, args[0], args[1], args[2]); n != 0 {
				t.Error("an old mark is good again")
			}
		}
		if err := l.FenceWriter(t.Context(), "one"); err != nil {
			t.Fatal(err)
		}
		if err := w.Register(t.Context()); err != nil {
			t.Fatal(err)
		}
		there(true)
	})
}

// Marks that were made and not taken into use yet let nothing through; once they were taken away, using them doesn't either.
func TestNewMarksAreGoodOnceTheyAreUsed(t *testing.T) {
	onEach(t, func(t *testing.T, o store.Options) {
		l, db := openLedger(t, migrated(t, o)), admin(t, o.DSN)
		w := writer(t, o, "one", 2)
		use, err := w.Renew(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if marksOf(t, db, w) {
			t.Error("it writes before it may")
		}
		if use(); !marksOf(t, db, w) {
			t.Error("it doesn't write, although it may")
		}
		if use, err = w.Renew(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := l.FenceWriter(t.Context(), "one"); err != nil {
			t.Fatal(err)
		}
		if use(); marksOf(t, db, w) {
			t.Error("it writes by marks that were taken away")
		}
		if _, err = w.Renew(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := w.Deregister(t.Context()); err != nil {
			t.Fatal(err)
		}
		var left int
		if err := db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM `"+o.Schema+"`.writers WHERE replica = 'one' AND token <> REPEAT(X'00', 16)").Scan(&left); err != nil || left > 0 {
			t.Errorf("%d marks are left that nobody uses, %v", left, err)
		}
	})
}

func TestFencingWaitsForRunningTransactions(t *testing.T) {
	onEach(t, func(t *testing.T, o store.Options) { fencesBesideTransactions(t, o) })
}

// Such a server undoes a whole transaction whose wait was too long, where others undo one statement.
func TestFencingWhereTimeoutsUndoAll(t *testing.T) {
	db, err := devstack.StartDatabase(t.Context(), devstack.DatabaseOptions{Relaxed: true, Settings: map[string]string{"innodb_rollback_on_timeout": "ON"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Stop(context.Background()) })
	fencesBesideTransactions(t, fresh(t, &db.Server))
}

func fencesBesideTransactions(t *testing.T, o store.Options) {
	quick := migrated(t, o)
	quick.Timeout = 2 * time.Second // so that the server gives up waiting for a lock after one
	l, db := openLedger(t, quick), admin(t, o.DSN)
	w := writer(t, o, "one", 4)
	running, _ := marking(t, db, w, 1)
	work := busy(t, db, running)

	ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
	defer cancel()
	if err := l.FenceWriter(ctx, "one"); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "INNODB_TRX") {
		t.Errorf("got %v while a transaction runs", err)
	}
	c := make(chan error, 1)
	go func() { c <- l.FenceWriter(t.Context(), "one") }()
	blocked(t, db, "SET token")
	select {
	case err := <-c:
		t.Fatalf("got %v without waiting", err)
	default:
	}
	work()
	if err := running.Commit(); err != nil {
		t.Errorf("what ran could not commit: %v", err)
	}
	if err := <-c; err != nil {
		t.Error(err)
	}
	if marksOf(t, db, w) {
		t.Error("a fenced replica marks")
	}
}

// Writers that mark all the time, a fence, and the same replica anew, at once: once a fence has returned, no transaction
// that had asked for its mark before commits.
func TestFencesBesideManyWriters(t *testing.T) {
	onEach(t, func(t *testing.T, o store.Options) {
		l, db := openLedger(t, migrated(t, o)), admin(t, o.DSN)
		const slots = 4
		w := writer(t, o, "one", slots)
		exec(t, db, "CREATE TABLE `"+o.Schema+"`.seen (epoch INT PRIMARY KEY, fenced BOOLEAN NOT NULL, n INT NOT NULL DEFAULT 0) ENGINE = InnoDB")
		const rounds = 20
		for round := range rounds {
			exec(t, db, "INSERT INTO `"+o.Schema+"`.seen (epoch, fenced) VALUES (?, FALSE)", round)
			stop := make(chan struct{})
			var writers sync.WaitGroup
			for slot := range slots {
				statement, args := w.Mark(slot) // of this round, however long the writer takes
				writers.Go(func() {
					for {
						select {
						case <-stop:
							return
						default:
						}
						if !writes(t, db, o, round, statement, args[0], args[1], args[2]) {
							return
						}
					}
				})
			}
			eventually(t, func() error {
				var n int
				if err := db.QueryRow("SELECT n FROM `"+o.Schema+"`.seen WHERE epoch = ?", round).Scan(&n); err != nil || n > 3 {
					return err
				}
				return errors.New("nobody writes")
			})
			if round%2 == 0 {
				if err := l.FenceWriter(t.Context(), "one"); err != nil {
					t.Fatal(err)
				}
				exec(t, db, "UPDATE `"+o.Schema+"`.seen SET fenced = TRUE WHERE epoch = ?", round)
			}
			if err := w.Reregister(t.Context()); err != nil {
				t.Fatal(err)
			}
			if round%2 == 1 {
				exec(t, db, "UPDATE `"+o.Schema+"`.seen SET fenced = TRUE WHERE epoch = ?", round)
			}
			writers.Wait() // each of them was stopped
			close(stop)
		}
		var late int
		if err := db.QueryRow("SELECT COUNT(*) FROM `" + o.Schema + "`.seen WHERE n < 0").Scan(&late); err != nil || late > 0 {
			t.Errorf("%d rounds were written to after their fence, %v", late, err)
		}
		if !marksOf(t, db, w) {
			t.Error("the replica can't write in the end")
		}
	})
}

// writes runs one marked transaction, and gives false when the mark was refused. Behind a fence it leaves a negative count.
func writes(t *testing.T, db *sql.DB, o store.Options, round int, mark string, args ...any) bool {
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Error(err)
		return false
	}
	defer tx.Rollback()
	done, err := tx.ExecContext(t.Context(), mark, args...)
	if err != nil {
		t.Error(err)
		return false
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		return false
	}
	if _, err := tx.ExecContext(t.Context(), "UPDATE `"+o.Schema+"`.seen SET n = IF(fenced, -1000000, n + 1) WHERE epoch = ?", round); err != nil {
		t.Error(err)
		return false
	}
	if err := tx.Commit(); err != nil {
		t.Error(err)
	}
	return true
}

// Whoever asks for a mark while the replica registers anew gets the old token or the new one, whole.
func TestMarksAreNeverTorn(t *testing.T) {
	onEach(t, func(t *testing.T, o store.Options) {
		w := writer(t, migrated(t, o), "one", 2)
		token := func() string {
			_, args := w.Mark(0)
			return string(args[2].([]byte))
		}
		var mu sync.Mutex
		seen := map[string]bool{}
		known := map[string]bool{token(): true}
		stop := make(chan struct{})
		var askers sync.WaitGroup
		for range 4 {
			askers.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					mu.Lock()
					seen[token()] = true
					mu.Unlock()
				}
			})
		}
		for range 30 {
			if err := w.Reregister(t.Context()); err != nil {
				t.Fatal(err)
			}
			known[token()] = true
		}
		close(stop)
		askers.Wait()
		if len(known) != 31 {
			t.Errorf("%d tokens of 31 registrations", len(known))
		}
		for one := range seen {
			if !known[one] {
				t.Errorf("a token that none was: %x", one)
			}
		}
	})
}

// A fence, and a voiding, that a crash of the server has ended: both are told, and can be done again.
func TestFencingOutlivesItsServer(t *testing.T) {
	server := devstack.OwnMariaDB(t)
	o := migrated(t, fresh(t, &server.Server))
	l, db := openLedger(t, o), admin(t, o.DSN)
	w := writer(t, o, "one", 4)
	put(t, db, o, strangler.Write{ID: id(0), Capability: "orders", State: strangler.WriteOpen}, time.Minute)
	running, _ := marking(t, db, w, 2)
	if _, err := running.ExecContext(t.Context(), "UPDATE `"+o.Schema+"`.writes SET state = 'closed' WHERE id = ?", id(0)); err != nil {
		t.Fatal(err)
	}
	busy(t, db, running)
	ended := make(chan error, 2)
	go func() { ended <- l.FenceWriter(t.Context(), "one") }()
	go func() {
		voided, err := l.Void(t.Context(), "orders", 9, []string{id(0)}, "rollback")
		if err == nil {
			t.Errorf("void: got %q", voided)
		}
		ended <- err
	}()
	blocked(t, db, "SET token")
	blocked(t, db, "SET state")
	server.Kill()
	for range 2 {
		if err := <-ended; err == nil {
			t.Error("done, whatever happened to the server")
		}
	}
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error { return l.FenceWriter(t.Context(), "one") })
	if marksOf(t, db, w) {
		t.Error("a fenced replica marks")
	}
	if voided, err := l.Void(t.Context(), "orders", 9, []string{id(0)}, "rollback"); err != nil || len(voided) != 1 {
		t.Errorf("got %q, %v: what was not committed is open, and can be voided", voided, err)
	}
}
