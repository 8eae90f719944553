package app_test

import (
	"testing"

	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/strangler/backfill"
)

// A table that somebody has locked, or is altering, keeps no other from being sent.
func TestABackfillOfALockedTableKeepsNoOtherBack(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			r := newFillRig(t, server)
			r.exec(t, "CREATE TABLE held (id INT PRIMARY KEY)", "CREATE TABLE free (id INT PRIMARY KEY)", "INSERT INTO held VALUES (1), (2)", "INSERT INTO free VALUES (1), (2), (3)")
			r.consume(t)
			defer r.run(t)()
			locking, err := r.db.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer locking.Close()
			if _, err := locking.ExecContext(t.Context(), "LOCK TABLES held WRITE"); err != nil {
				t.Fatal(err)
			}
			ids := r.start(t, 0, "held", "free")
			if j := r.over(t, ids[1])[0]; j.State != backfill.Done || j.Done != 3 {
				t.Errorf("got %+v", j)
			}
			if j, err := r.book.Get(t.Context(), ids[0]); err != nil || j.State.Over() {
				t.Errorf("got %+v, %v", j, err)
			}
			if _, err := locking.ExecContext(t.Context(), "UNLOCK TABLES"); err != nil {
				t.Fatal(err)
			}
			if j := r.over(t, ids[0])[0]; j.State != backfill.Done || j.Done != 2 {
				t.Errorf("got %+v", j)
			}
		})
	}
}
