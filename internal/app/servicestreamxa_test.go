package app_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"banyan.dev/banyan/internal/devstack"
)

// prepare runs statements in an XA transaction of a connection, under a name.
func (r *serviceRig) prepare(ctx context.Context, conn *sql.Conn, xid string, statements ...string) error {
	for _, s := range slices.Concat([]string{"XA START " + xid}, statements, []string{"XA END " + xid, "XA PREPARE " + xid}) {
		if _, err := conn.ExecContext(ctx, s); err != nil {
			return fmt.Errorf("%.100s: %w", s, err)
		}
	}
	return nil
}

// xid gives a name that no other test has.
func (r *serviceRig) xid(name string) string { return "'" + r.schema + " " + name + "'" }

// wantTold waits for a fence, and compares so many orders with what they are.
func (r *serviceRig) wantTold(t *testing.T, fence string, orders int) {
	t.Helper()
	r.fence(t, fence, 0)
	r.fenced(t, fence)
	have := r.had(t)
	r.told.mu.Lock()
	defer r.told.mu.Unlock()
	wrong := 0
	for id := range orders {
		id := fmt.Sprint(id + 1)
		if got := r.told.text(t, id); got != have[id] {
			if wrong++; wrong <= 3 {
				t.Errorf("order %s\nis   %s\ntold %s", id, have[id], got)
			}
		}
	}
	if wrong > 0 {
		t.Errorf("%d of %d orders are not told as they are", wrong, orders)
	}
}

// MariaDB's log has XA COMMIT, and others see that place of it, before the engine commits. There that takes its time, since the words
// of a text are put into an index first. Each order is changed once, so that one that is read too early stays wrong. XA transactions
// that are left prepared meanwhile hold nothing up, under a name of before neither.
func TestEntitiesHaveXATransactions(t *testing.T) {
	const orders, writers = 60, 2
	r := newServiceRig(t, &devstack.MariaDB(t).Server, devstack.RabbitMQ(t).NewVHost(t))
	r.usePaths(t)
	r.exec(t, fmt.Sprintf("INSERT INTO orders (id, n) SELECT seq, 0 FROM seq_1_to_%d", orders), fmt.Sprintf("INSERT INTO positions SELECT seq, seq, 0 FROM seq_1_to_%d", orders))
	r.exec(t, "CREATE TABLE texts (id INT PRIMARY KEY, text MEDIUMTEXT NOT NULL, FULLTEXT (text)) ENGINE=InnoDB")
	var text strings.Builder
	for n := range 10_000 {
		fmt.Fprintf(&text, "word%d ", n)
	}
	r.consume(t)
	m, _ := r.start(t)
	leads(t, m)
	left := func(name string, id int) (decide func()) {
		t.Helper()
		conn, err := r.db.Conn(t.Context())
		if err == nil {
			err = r.prepare(t.Context(), conn, r.xid(name), fmt.Sprintf("INSERT INTO orders VALUES (%d, 1)", id))
		}
		if err != nil {
			t.Fatal(err)
		}
		return func() {
			t.Helper()
			if _, err := conn.ExecContext(t.Context(), "XA COMMIT "+r.xid(name)); err != nil {
				t.Fatal(err)
			}
			conn.Close()
		}
	}
	before := left("before", orders+1)
	var writing sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			conn, err := r.db.Conn(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			for id := w + 1; id <= orders && err == nil; id += writers {
				statement := fmt.Sprintf("UPDATE orders SET n = 1 WHERE id = %d", id)
				if id%4 == 0 { // what leads to an order is committed so, too
					statement = fmt.Sprintf("INSERT INTO options VALUES (%d, %d, 1)", id, id)
				}
				xid := r.xid(fmt.Sprint(id))
				if err = r.prepare(t.Context(), conn, xid, statement, fmt.Sprintf("INSERT INTO texts VALUES (%d, '%s')", id, text.String())); err == nil {
					_, err = conn.ExecContext(t.Context(), "XA COMMIT "+xid)
				}
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	writing.Wait()
	again := left(fmt.Sprint(orders), orders+2)
	r.wantTold(t, "committed", orders)
	before()
	again()
	r.wantTold(t, "all", orders+2)
	if s := m.Status(); s.Restarts > 0 || s.Stop != nil {
		t.Errorf("status %+v", s)
	}
}
