package legacy_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/legacy/pool"
	"banyan.dev/banyan/strangler"
)

// A rollback voids a write while modern is asked for its entity, without waiting for that; nothing of it gets to legacy.
func TestAWriteIsVoidedWhileModernIsAsked(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			b := newBoxes(t, server)
			w := b.open(t, "1")
			err := b.writes.WriteBack(t.Context(), w, []byte("reply"), func(context.Context) (*contract.Payload, error) {
				if err := b.writes.Finish(t.Context(), w.ID, strangler.WriteVoid, "rolled back"); err != nil {
					t.Error(err)
				}
				return b.box(t, `{"id":1,"label":"a"}`), nil
			})
			if !errors.Is(err, strangler.ErrNotOpen) {
				t.Errorf("got %v", err)
			}
			if got := b.all(t); got != "" {
				t.Errorf("legacy has %q", got)
			}
			if found, reply, err := b.writes.Find(t.Context(), w.ID, ""); err != nil || found.State != strangler.WriteVoid || found.Reason != "rolled back" || reply != nil {
				t.Errorf("found %+v, %q, %v", found, reply, err)
			}
		})
	}
}

// What a deadlock has undone is done again whole: modern's state may be another by then.
func TestAWriteBackThatDeadlocksReadsModernAgain(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			b := newBoxes(t, server)
			first := b.open(t, "1")
			if err := b.writes.WriteBack(t.Context(), first, nil, func(context.Context) (*contract.Payload, error) { return b.box(t, `{"id":1,"label":"a"}`), nil }); err != nil {
				t.Fatal(err)
			}
			tx, err := b.db.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, statement := range []string{ // the server ends the transaction that has changed less
				"INSERT INTO boxes (id, label) WITH RECURSIVE n AS (SELECT 100 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 900) SELECT i, 'x' FROM n",
				"UPDATE boxes SET label = 'z' WHERE id = 1",
			} {
				if _, err := tx.ExecContext(t.Context(), statement); err != nil {
					t.Fatal(err)
				}
			}
			w := b.open(t, "1")
			var other sync.WaitGroup
			reads := 0
			err = b.writes.WriteBack(t.Context(), w, nil, func(context.Context) (*contract.Payload, error) {
				if reads++; reads == 1 {
					other.Go(func() {
						_, err := tx.ExecContext(t.Context(), "UPDATE `"+b.marks.schema+"`.locks SET n = n + 1")
						if err := errors.Join(err, tx.Commit()); err != nil {
							t.Error(err)
						}
					})
					waitForLock(t, b.db, "UPDATE%.locks SET%")
					return b.box(t, `{"id":1,"label":"b"}`), nil
				}
				return b.box(t, `{"id":1,"label":"c"}`), nil
			})
			other.Wait()
			if err != nil || reads != 2 {
				t.Errorf("after %d reads: %v", reads, err)
			}
			if got := b.rows(t, "SELECT label FROM boxes WHERE id = 1"); got != "c" {
				t.Errorf("legacy has %s", got)
			}
		})
	}
}

// waitForLock polls until a statement waits for a lock.
func waitForLock(t *testing.T, db *sql.DB, like string) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(150 * time.Millisecond) // MariaDB renews the table only when nobody has looked for 100 ms
	defer tick.Stop()
	for {
		var n int
		if err := db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM information_schema.INNODB_TRX WHERE trx_state = 'LOCK WAIT' AND trx_query LIKE ?", like).Scan(&n); err != nil {
			t.Error(err)
			return
		}
		if n > 0 {
			return
		}
		select {
		case <-deadline:
			t.Errorf("nobody waits in %s", like)
			return
		case <-tick.C:
		}
	}
}

// While modern hangs, legacy answers its own calls: write-backs don't hold all connections.
func TestWriteBacksLeaveConnections(t *testing.T) {
	server := devstack.Databases(t)[0]
	b := newBoxes(t, server, func(o *pool.Options) { o.MaxOpen = 4 })
	b.exec(t, "INSERT INTO boxes VALUES (1, 'a')")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	asked := make(chan struct{}, 16)
	var all sync.WaitGroup
	for _, id := range []string{"1", "1", "2", "3", "4", "5", "6", "7"} {
		w := b.open(t, id)
		all.Go(func() {
			err := b.writes.WriteBack(ctx, w, nil, func(ctx context.Context) (*contract.Payload, error) {
				asked <- struct{}{}
				<-ctx.Done()
				return nil, ctx.Err()
			})
			if err == nil {
				t.Error("a write-back without modern")
			}
		})
	}
	<-asked
	<-asked
	if lines := b.call(t, "S.GetBox", `{"id":1}`); !strings.Contains(strings.Join(lines, ""), `"label":"a"`) {
		t.Errorf("got %v", lines)
	}
	if n := b.pool.Stats().InUse; n > 2 {
		t.Errorf("%d connections are held for a modern that hangs", n)
	}
	cancel()
	all.Wait()
	if n := len(asked); n != 0 {
		t.Errorf("%d more were asked after all", n)
	}
}

// What a void write had done may be in legacy: by the write-back of its entity, or, while that is not known, of its key.
func TestWhetherAVoidWriteWasCarried(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			b := newBoxes(t, server)
			open := func(entity, key string) *strangler.Write {
				w := &strangler.Write{ID: uuid.NewString(), Capability: "boxes", Operation: "lab.v1.S.X", Key: key, Keyed: key != "", Entity: entity, Epoch: 7}
				if err := b.writes.Open(t.Context(), w); err != nil {
					t.Fatal(err)
				}
				return w
			}
			old := open("1", "k")
			b.marks.exec(t, "UPDATE writes SET state = 'closed', changed_at = NOW(6) - INTERVAL 1 SECOND WHERE id = ?", old.ID) // before them all
			for _, test := range []struct {
				entity, key  string // of the void one, as its row has them
				learned      string
				other, ofKey string // what was written back
				carried      bool
			}{
				{"1", "k", "", "1", "k", true},
				{"1", "k", "", "2", "k", false},
				{"", "k", "", "2", "k", true},
				{"", "k", "", "2", "l", false},
				{"", "k", "", "2", "", true},
				{"", "", "", "2", "l", true},
				{"", "k", "1", "2", "k", false},
				{"", "k", "2", "2", "k", true},
				{"1", "k", "2", "2", "k", false},
			} {
				w := open(test.entity, test.key)
				other := open(test.other, test.ofKey)
				b.marks.exec(t, "UPDATE writes SET state = 'closed', changed_at = NOW(6) WHERE id = ?", other.ID)
				if found, _, err := b.writes.Find(t.Context(), w.ID, test.learned); err != nil || found.Carried || found.Settled {
					t.Errorf("%+v: while it is open: %+v, %v", test, found, err)
				}
				b.marks.exec(t, "UPDATE writes SET state = 'void' WHERE id = ?", w.ID)
				if found, _, err := b.writes.Find(t.Context(), w.ID, test.learned); err != nil || found.Carried != test.carried || found.Settled {
					t.Errorf("%+v: found %+v, %v", test, found, err)
				}
				b.marks.exec(t, "INSERT INTO settled (id, carried) VALUES (?, 0)", w.ID)
				if found, _, err := b.writes.Find(t.Context(), w.ID, test.learned); err != nil || found.Carried || !found.Settled {
					t.Errorf("%+v: once it is settled: %+v, %v", test, found, err)
				}
				b.marks.exec(t, "DELETE FROM writes WHERE id IN (?, ?)", w.ID, other.ID)
			}
			// Modern's own word settles it.
			w := open("1", "k")
			if err := b.writes.Finish(t.Context(), w.ID, strangler.WriteVoid, "the epoch is over"); err != nil {
				t.Fatal(err)
			}
			if found, _, err := b.writes.Find(t.Context(), w.ID, ""); err != nil || found.Carried || !found.Settled {
				t.Errorf("found %+v, %v", found, err)
			}
		})
	}
}
