package store_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"banyan.dev/banyan/adapters/store"
	"banyan.dev/banyan/strangler"
	"banyan.dev/banyan/strangler/control"
)

func openLedger(t testing.TB, o store.Options) *store.Ledger {
	t.Helper()
	l, err := store.NewLedger(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("close the ledger: %v", err)
		}
	})
	return l
}

// id gives the id of a test's nth write.
func id(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) }

// put puts a write into the ledger that was begun and changed some time ago.
func put(t *testing.T, db *sql.DB, o store.Options, w strangler.Write, ago time.Duration) {
	t.Helper()
	exec(t, db, "INSERT INTO `"+o.Schema+"`.writes (id, capability, operation, routed_by, entity, epoch, replica, state, request, created_at, changed_at) "+
		"VALUES (?, ?, 'shop.v2.OrderService.PlaceOrder', ?, ?, ?, 'one', ?, ?, NOW(6) - INTERVAL ? MICROSECOND, NOW(6) - INTERVAL ? MICROSECOND)",
		w.ID, w.Capability, sql.NullString{String: w.Key, Valid: w.Keyed}, w.Entity, w.Epoch, w.State, append([]byte{}, w.Request...), ago.Microseconds(), ago.Microseconds())
}

func idsOf(writes []strangler.Write) (ids []string) {
	for _, w := range writes {
		ids = append(ids, w.ID)
	}
	return ids
}

func want(t *testing.T, what string, got []strangler.Write, err error, ids ...int) {
	t.Helper()
	var wanted []string
	for _, n := range ids {
		wanted = append(wanted, id(n))
	}
	if err != nil || !slices.Equal(idsOf(got), wanted) {
		t.Errorf("%s: got %q, %v, want %q", what, idsOf(got), err, wanted)
	}
}

func TestWritesAreListed(t *testing.T) {
	onEach(t, func(t *testing.T, o store.Options) {
		l, db := openLedger(t, migrated(t, o)), admin(t, o.DSN)
		const orders, stock = "orders", "stock"
		for n, w := range []strangler.Write{
			{Capability: orders, Epoch: 3, State: strangler.WriteOpen, Key: "7", Keyed: true, Entity: "4711"},
			{Capability: orders, Epoch: 4, State: strangler.WriteDoubt},
			{Capability: orders, Epoch: 5, State: strangler.WriteOpen},
			{Capability: stock, Epoch: 3, State: strangler.WriteOpen},
			{Capability: stock, Epoch: 3, State: strangler.WriteClosed},
			{Capability: orders, Epoch: 3, State: strangler.WriteFailed},
			{Capability: orders, Epoch: 3, State: strangler.WriteVoid, Keyed: true},
		} {
			w.ID, w.Request = id(n), []byte{1, 2, 3}
			put(t, db, o, w, time.Duration(10-n)*time.Minute)
		}
		got, err := l.Open(t.Context(), orders, 0, strangler.Write{}, 100)
		want(t, "all that are unfinished", got, err, 0, 1, 2)
		if w := got[0]; w.Key != "7" || !w.Keyed || w.Entity != "4711" || w.Epoch != 3 || w.Replica != "one" || w.State != strangler.WriteOpen || len(w.Request) != 0 || time.Since(w.Created) > time.Hour || got[1].Keyed {
			t.Errorf("got %+v", w)
		}
		got, err = l.Open(t.Context(), orders, 5, strangler.Write{}, 100)
		want(t, "those of an earlier epoch", got, err, 0, 1)
		got, err = l.Open(t.Context(), orders, 0, strangler.Write{}, 2)
		want(t, "the oldest", got, err, 0, 1)
		got, err = l.Open(t.Context(), orders, 0, got[1], 2)
		want(t, "those behind the oldest", got, err, 2)
		got, err = l.Open(t.Context(), orders, 0, got[0], 2)
		want(t, "those behind the last", got, err)
		got, err = l.Open(t.Context(), "nothing", 0, strangler.Write{}, 2)
		want(t, "of no capability", got, err)

		got, err = l.Stale(t.Context(), orders, 7*time.Minute+30*time.Second, strangler.Write{}, 100)
		want(t, "those left open", got, err, 0, 2)
		if len(got[0].Request) != 3 {
			t.Error("the sweeper gets no request")
		}
		got, err = l.Stale(t.Context(), orders, 0, strangler.Write{}, 1)
		want(t, "the oldest one left open", got, err, 0)
		got, err = l.Stale(t.Context(), orders, 0, got[0], 1)
		want(t, "the next one left open", got, err, 2)
		got, err = l.Stale(t.Context(), orders, 0, got[0], 1)
		want(t, "behind the last one", got, err)

		got, err = l.List(t.Context(), "", "", 0)
		want(t, "all", got, err, 6, 5, 4, 3, 2, 1, 0)
		got, err = l.List(t.Context(), "", "", 2)
		want(t, "the newest", got, err, 6, 5)
		got, err = l.List(t.Context(), orders, "", 3)
		want(t, "a capability's newest", got, err, 6, 5, 2)
		got, err = l.List(t.Context(), "", strangler.WriteOpen, 2)
		want(t, "the newest open ones", got, err, 3, 2)
		got, err = l.List(t.Context(), orders, strangler.WriteVoid, 2)
		want(t, "a capability's void ones", got, err, 6)
		if len(got) == 1 && (!got[0].Keyed || got[0].Key != "") {
			t.Error("an empty key is none")
		}
		if _, err = l.List(t.Context(), orders, "gone", 2); err == nil {
			t.Error("a state that is none has writes")
		}
	})
}

func TestVoidTakesOpenWritesOnly(t *testing.T) {
	onEach(t, func(t *testing.T, o store.Options) {
		l, db := openLedger(t, migrated(t, o)), admin(t, o.DSN)
		const many = 450
		all := []string{id(9999)} // is not there
		for n := range many {
			state := strangler.WriteOpen
			if n < 5 {
				state = []strangler.WriteState{strangler.WriteOpen, strangler.WriteClosed, strangler.WriteFailed, strangler.WriteDoubt, strangler.WriteVoid}[n]
			}
			put(t, db, o, strangler.Write{ID: id(n), Capability: "orders", State: state}, time.Minute)
			all = append(all, id(n), id(n))
		}
		for range 2 {
			voided, err := l.Void(t.Context(), "orders", 9, all, strings.Repeat("ä", 2000))
			slices.Sort(voided)
			if err != nil || len(voided) != many-2 || voided[0] != id(0) || voided[1] != id(3) || voided[2] != id(4) {
				t.Errorf("got %d, %v", len(voided), err)
			}
		}
		got, err := l.List(t.Context(), "", strangler.WriteDoubt, 0)
		want(t, "in doubt", got, err)
		got, err = l.List(t.Context(), "", strangler.WriteClosed, 0)
		want(t, "closed", got, err, 1)
		got, err = l.List(t.Context(), "", strangler.WriteVoid, 1)
		if err != nil || len([]rune(got[0].Reason)) != 1000 {
			t.Errorf("got %+v, %v", got, err)
		}
		if voided, err := l.Void(t.Context(), "orders", 9, nil, ""); err != nil || len(voided) != 0 {
			t.Errorf("got %q, %v", voided, err)
		}
	})
}

// A write-back has closed its write and is about to commit: Void waits, and does not take it.
func TestVoidWaitsForWriteBacks(t *testing.T) {
	onEach(t, func(t *testing.T, o store.Options) {
		quick := migrated(t, o)
		quick.Timeout = 2 * time.Second // so that the server gives up waiting for a lock after one
		l, db := openLedger(t, quick), admin(t, o.DSN)
		for n := range 2 {
			put(t, db, o, strangler.Write{ID: id(n), Capability: "orders", State: strangler.WriteOpen}, time.Minute)
		}
		closing := begin(t, db, "UPDATE `"+o.Schema+"`.writes SET state = 'closed' WHERE id = ? AND state IN ('open', 'doubt')", id(0))

		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		if voided, err := l.Void(ctx, "orders", 9, []string{id(0)}, "rollback"); !errors.Is(err, context.DeadlineExceeded) || len(voided) > 0 {
			t.Errorf("got %q, %v of one that is about to be closed", voided, err)
		}
		type answer struct {
			voided []string
			err    error
		}
		c := make(chan answer, 1)
		go func() {
			voided, err := l.Void(t.Context(), "orders", 9, []string{id(1), id(0)}, "rollback")
			c <- answer{voided, err}
		}()
		blocked(t, db, "SET state = 'void'")
		select {
		case a := <-c:
			t.Fatalf("got %+v without waiting", a)
		default:
		}
		if err := closing.Commit(); err != nil {
			t.Fatal(err)
		}
		if a := <-c; a.err != nil || !slices.Equal(a.voided, []string{id(1)}) {
			t.Errorf("got %+v", a)
		}
	})
}

// begin runs a statement in a transaction that is left open.
func begin(t *testing.T, db *sql.DB, statement string, args ...any) *sql.Tx {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback() })
	done, err := tx.ExecContext(t.Context(), statement, args...)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := done.RowsAffected(); err != nil || n != 1 {
		t.Fatalf("%s: %d rows, %v", statement, n, err)
	}
	return tx
}

// blocked polls until a statement with that text runs, which then waits for a lock.
func blocked(t *testing.T, db *sql.DB, text string) {
	t.Helper()
	eventually(t, func() error {
		// Not information_schema's: MySQL fails whoever reads that while a statement runs that is no text.
		rows, err := db.QueryContext(t.Context(), "SHOW FULL PROCESSLIST")
		if err != nil {
			return err
		}
		defer rows.Close()
		columns, err := rows.Columns()
		if err != nil {
			return err
		}
		var does sql.NullString
		into := make([]any, len(columns))
		for i := range into {
			into[i] = new(sql.RawBytes)
		}
		into[7] = &does
		for rows.Next() {
			if err := rows.Scan(into...); err != nil {
				return err
			}
			if strings.Contains(does.String, text) {
				return rows.Err()
			}
		}
		return errors.Join(errors.New("it does not run"), rows.Err())
	})
}

func TestOldWritesAreSwept(t *testing.T) {
	onEach(t, func(t *testing.T, o store.Options) {
		l, db := openLedger(t, migrated(t, o)), admin(t, o.DSN)
		day := 25 * time.Hour
		for n := range 250 {
			put(t, db, o, strangler.Write{ID: id(n), Capability: "orders", State: []strangler.WriteState{strangler.WriteClosed, strangler.WriteFailed, strangler.WriteVoid}[n%3]}, day)
		}
		put(t, db, o, strangler.Write{ID: id(500), Capability: "orders", State: strangler.WriteOpen}, 2*day)
		put(t, db, o, strangler.Write{ID: id(501), Capability: "orders", State: strangler.WriteDoubt}, 2*day)
		put(t, db, o, strangler.Write{ID: id(502), Capability: "orders", State: strangler.WriteClosed}, 23*time.Hour)
		put(t, db, o, strangler.Write{ID: id(503), Capability: "orders", State: strangler.WriteClosed}, day)
		exec(t, db, "UPDATE `"+o.Schema+"`.writes SET changed_at = NOW(6) WHERE id = ?", id(503)) // a person has finished it now
		for n := range 3 {
			if err := errors.Join(l.SendFence(t.Context(), control.FenceRow{ID: id(n), Service: "orders"}), l.Announce(t.Context(), control.Announcement{Service: "orders", IDs: []string{"1"}})); err != nil {
				t.Fatal(err)
			}
			if n == 1 {
				exec(t, db, "UPDATE `"+o.Schema+"`.fences SET created_at = created_at - INTERVAL 25 HOUR")
				exec(t, db, "UPDATE `"+o.Schema+"`.announcements SET created_at = created_at - INTERVAL 25 HOUR")
			}
		}
		if n, err := l.SweepWrites(t.Context()); err != nil || n != 250+2+2 {
			t.Errorf("%d were swept, %v", n, err)
		}
		if n, err := l.SweepWrites(t.Context()); err != nil || n != 0 {
			t.Errorf("%d were swept twice, %v", n, err)
		}
		got, err := l.List(t.Context(), "", "", 0)
		want(t, "what stays", got, err, 502, 503, 501, 500)
		for _, table := range []string{"fences", "announcements"} {
			if n := rowsOf(t, db, o, table); n != 1 {
				t.Errorf("%d %s stay", n, table)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := l.SweepWrites(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func rowsOf(t *testing.T, db *sql.DB, o store.Options, table string) (n int) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM `"+o.Schema+"`."+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestFencesAndAnnouncementsAreSent(t *testing.T) {
	onEach(t, func(t *testing.T, o store.Options) {
		l, db := openLedger(t, migrated(t, o)), admin(t, o.DSN)
		f := control.FenceRow{ID: id(1), Service: "orders", Capability: "orders", Epoch: 7, ReplyTo: "amq.gen-1", Void: []string{id(2), id(3)}}
		for range 2 {
			if err := l.SendFence(t.Context(), f); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.SendFence(t.Context(), control.FenceRow{ID: id(2), Service: "orders"}); err != nil {
			t.Fatal(err)
		}
		var epoch uint64
		var replyTo, void string
		if err := db.QueryRow("SELECT epoch, reply_to, void FROM `"+o.Schema+"`.fences WHERE id = ? AND service = 'orders' AND capability = 'orders'", id(1)).Scan(&epoch, &replyTo, &void); err != nil {
			t.Fatal(err)
		}
		if epoch != 7 || replyTo != f.ReplyTo || void != fmt.Sprintf("[%q,%q]", id(2), id(3)) || rowsOf(t, db, o, "fences") != 2 {
			t.Errorf("got %d, %q, %q", epoch, replyTo, void)
		}
		// What tells the mirror that keys are legacy's again names its fence.
		for n, want := range map[int]string{4: id(4), 5: id(4)} {
			if err := l.SendFence(t.Context(), control.FenceRow{ID: id(4), Service: "orders", Capability: "orders", Epoch: 7, Back: true}); err != nil {
				t.Fatal(err)
			}
			if n == 5 {
				if err := l.SendFence(t.Context(), control.FenceRow{ID: id(5), Service: "orders", Capability: "orders", Epoch: 9}); err != nil {
					t.Fatal(err)
				}
			}
			var back string
			if err := db.QueryRow("SELECT back FROM `" + o.Schema + "`.epochs WHERE capability = 'orders'").Scan(&back); err != nil || back != want {
				t.Errorf("got %q, %v", back, err)
			}
		}
		if err := db.QueryRow("SELECT void FROM `"+o.Schema+"`.fences WHERE id = ?", id(2)).Scan(&void); err != nil || void != "[]" {
			t.Errorf("got %q, %v", void, err)
		}

		var ids []string
		for n := range 1201 {
			ids = append(ids, fmt.Sprintf(`"%d" & ä`, n))
		}
		if err := errors.Join(l.Announce(t.Context(), control.Announcement{Service: "orders", Entity: "shop.v2.Order", IDs: ids}), l.Announce(t.Context(), control.Announcement{Service: "orders"})); err != nil {
			t.Fatal(err)
		}
		rows, err := db.Query("SELECT ids FROM `" + o.Schema + "`.announcements WHERE service = 'orders' AND entity = 'shop.v2.Order' ORDER BY id")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		var got []string
		var lengths []int
		for rows.Next() {
			var text []byte
			var some []string
			if err := errors.Join(rows.Scan(&text), json.Unmarshal(text, &some)); err != nil {
				t.Fatal(err)
			}
			got, lengths = append(got, some...), append(lengths, len(some))
		}
		if err := rows.Err(); err != nil || !slices.Equal(got, ids) || !slices.Equal(lengths, []int{500, 500, 201}) {
			t.Errorf("got %d ids in %v, %v", len(got), lengths, err)
		}
		if err := l.Announce(t.Context(), control.Announcement{Service: "orders", IDs: []string{"a\xff"}}); err == nil {
			t.Error("an id that JSON can't say was announced")
		}
	})
}
