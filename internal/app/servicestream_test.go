package app_test

import (
	"context"
	"database/sql/driver"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"banyan.dev/banyan/internal/app/apptest"
	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/mirror"
	"banyan.dev/banyan/protocol"
	"banyan.dev/banyan/strangler/control"
)

func (r *serviceRig) fence(t *testing.T, id string, epoch uint64) {
	t.Helper()
	err := r.control.SendFence(t.Context(), control.FenceRow{ID: id, Service: "orders", Capability: "orders", Epoch: epoch, ReplyTo: "answers", Void: []string{"w"}})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAServiceIsToldWhatItsEntitiesAre(t *testing.T) {
	server, broker := &devstack.MariaDB(t).Server, devstack.RabbitMQ(t)
	r := newServiceRig(t, server, broker.NewVHost(t))
	m, _ := r.start(t)
	leads(t, m)
	r.exec(t, "INSERT INTO orders (id, n) VALUES (18446744073709551615, 1)")

	// Without a queue, nothing is lost: the stream stops, says what to do, and goes on once the service is there.
	apptest.Poll(t, "the stream stops", func() error {
		if s := m.Status(); s.Stop == nil || !strings.Contains(s.Stop.Fix, "start the service") {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	r.consume(t)
	r.fence(t, "f1", 7)
	r.fenced(t, "f1")
	for i, step := range []func(){
		func() {
			r.banyan(t, false, "INSERT INTO orders (id, n) VALUES (1, 1), (2, 1)", "INSERT INTO order_lines (order_id, sku) VALUES (1, 'a'), (1, 'b')")
		},
		func() { r.banyan(t, true, "UPDATE orders SET n = 2 WHERE id = 1") },
		func() { r.exec(t, "UPDATE order_lines SET order_id = 2 WHERE sku = 'b'") },
		func() { r.exec(t, "DELETE FROM orders WHERE id = 1") },
		func() {
			ids := []string{"2", "3"}
			if err := r.control.Announce(t.Context(), control.Announcement{Service: "orders", Entity: orderEntity, IDs: ids}); err != nil {
				t.Fatal(err)
			}
			if err := r.control.Announce(t.Context(), control.Announcement{Service: "others", Entity: orderEntity, IDs: []string{"9"}}); err != nil {
				t.Fatal(err)
			}
		},
		func() {
			r.exec(t, "ALTER TABLE orders ADD COLUMN note TEXT", "UPDATE orders SET note = 'x' WHERE id = 2")
		},
		func() { // while it is not decided, the position waits, and nothing else
			prepared(t, r, "INSERT INTO orders (id, n) VALUES (5, 1)")
			r.exec(t, "INSERT INTO orders (id, n) VALUES (4, 1)")
		},
		func() { r.exec(t, "XA COMMIT '"+r.schema+"'") },
	} {
		step()
		id := fmt.Sprint("step", i)
		r.fence(t, id, 0)
		r.fenced(t, id)
	}
	r.told.mu.Lock()
	defer r.told.mu.Unlock()
	want := []string{
		"foreign 18446744073709551615", "fence f1",
		"legacy 2", "legacy 1", "fence step0", // in the order of their last rows: the lines of 1 come behind both orders
		"writeback 1", "fence step1",
		"foreign 1", "foreign 2", "fence step2",
		"foreign 1", "fence step3",
		"announce 2", "announce 3", "fence step4",
		"foreign 2", "fence step5",
		"foreign 4", "fence step6",
		"foreign 5", "fence step7",
	}
	sortPairs(want)
	got := append([]string(nil), r.told.order...)
	sortPairs(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(- want, + got):\n%s", diff)
	}
	two := r.told.have["2"]
	if string(two.Data) != `{"n":1,"lines":1}` || two.Key != "k" || two.Entity != orderEntity || !r.told.have["1"].Deleted || !r.told.have["3"].Deleted {
		t.Errorf("told %+v", r.told.have)
	}
	d := r.told.last
	if d.ReplyTo != "answers" || d.CorrelationId != "step7" || d.DeliveryMode != 2 || d.Headers["cloudEvents:source"] != "/mirrors/service.orders" || d.RoutingKey != protocol.RoutingKey(protocol.Partitions-1) {
		t.Errorf("the fence came as %+v", d)
	}
	if s := m.Status(); s.Entities < 12 || s.Fences < 9 || s.Waiting != 0 {
		t.Errorf("status %+v", s)
	}
	if len(r.told.broken) > 0 {
		t.Error(r.told.broken)
	}
}

// prepared prepares a statement under the schema's name, on a connection that ends.
func prepared(t *testing.T, r *serviceRig, statement string) {
	t.Helper()
	conn, err := r.db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, s := range []string{"XA START '" + r.schema + "'", statement, "XA END '" + r.schema + "'", "XA PREPARE '" + r.schema + "'"} {
		if _, err := conn.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	_ = conn.Raw(func(any) error { return driver.ErrBadConn }) // so that it is not used again
}

// sortPairs puts neighbours of one kind into one order: which of a transaction's rows comes first doesn't matter here.
func sortPairs(order []string) {
	for i := 1; i < len(order); i++ {
		a, _, _ := strings.Cut(order[i-1], " ")
		b, _, _ := strings.Cut(order[i], " ")
		if a == b && a != "fence" && order[i] < order[i-1] {
			order[i-1], order[i] = order[i], order[i-1]
		}
	}
}

func TestWhatChangesATableAsAWholeStopsAServicesStream(t *testing.T) {
	r := newServiceRig(t, &devstack.MariaDB(t).Server, devstack.RabbitMQ(t).NewVHost(t))
	r.consume(t)
	m, _ := r.start(t)
	leads(t, m)
	r.exec(t, "CREATE TABLE other (id INT PRIMARY KEY)", "INSERT INTO other VALUES (1)", "TRUNCATE other", "TRUNCATE order_lines")
	apptest.Poll(t, "the stream stops", func() error {
		if s := m.Status(); s.Stop == nil || !strings.Contains(s.Stop.What, "order_lines") || !strings.Contains(s.Stop.Fix, "reset") {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
}

func TestAHundredThousandEntitiesInOneTransaction(t *testing.T) {
	r := newServiceRig(t, &devstack.MariaDB(t).Server, devstack.RabbitMQ(t).NewVHost(t))
	const orders = 100_000
	r.exec(t, fmt.Sprintf("INSERT INTO orders (id, n) SELECT seq, 1 FROM seq_1_to_%d", orders)) // before the stream begins
	r.consume(t)
	m, _ := r.start(t)
	leads(t, m)
	r.banyan(t, false, "UPDATE orders SET n = 2", "UPDATE orders SET n = 3 WHERE id <= 10")
	r.fence(t, "f", 1)
	most := 0
	apptest.Poll(t, "the fence", func() error {
		most = max(most, m.Status().Waiting)
		r.told.mu.Lock()
		defer r.told.mu.Unlock()
		if r.told.fences["f"] == 0 {
			return fmt.Errorf("%d orders have come", len(r.told.have))
		}
		return nil
	})
	if most > 15_000 {
		t.Errorf("%d entities waited", most)
	}
	r.told.mu.Lock()
	defer r.told.mu.Unlock()
	if len(r.told.have) != orders {
		t.Errorf("%d orders have come", len(r.told.have))
	}
	for id, e := range r.told.have {
		want := 2
		if len(id) == 1 || id == "10" {
			want = 3
		}
		if e.Origin != protocol.OriginLegacy || r.told.n(id) != want {
			t.Fatalf("order %s is %+v", id, e)
		}
	}
}

// Whatever is killed in between: a fence comes behind all that was committed before it was sent, and nothing is missing in
// the end.
func TestFencesKeepTheirPlaceThroughKills(t *testing.T) {
	database, broker := devstack.OwnMariaDB(t), devstack.OwnRabbitMQ(t)
	noLeaks(t)
	r := newServiceRig(t, &database.Server, broker.URL(""))
	r.consume(t)
	m, stop := r.start(t)
	leads(t, m)

	var mu sync.Mutex
	committed := map[string]int{}
	var beside sync.WaitGroup
	writing, done := context.WithCancel(t.Context())
	defer done()
	for w := range 3 {
		dice := rand.New(rand.NewPCG(uint64(w), 1))
		beside.Go(func() {
			for n := 1; writing.Err() == nil; n++ {
				id := w*100 + 1 + dice.IntN(20)
				// Each writer has orders of its own: what it has committed of one only grows.
				if _, err := r.db.ExecContext(writing, fmt.Sprintf("INSERT INTO orders (id, n) VALUES (%d, %d) ON DUPLICATE KEY UPDATE n = VALUES(n)", id, n)); err != nil {
					continue // the database is killed, too
				}
				mu.Lock()
				committed[fmt.Sprint(id)] = n
				mu.Unlock()
			}
		})
	}
	fences := 0
	fence := func() (id string, sent bool) {
		id = fmt.Sprint("f", fences)
		fences++
		mu.Lock()
		promise := map[string]int{}
		for order, n := range committed {
			promise[order] = n
		}
		mu.Unlock()
		r.told.mu.Lock()
		r.told.promised[id] = promise
		r.told.mu.Unlock()
		return id, r.control.SendFence(t.Context(), control.FenceRow{ID: id, Service: "orders", Capability: "orders", ReplyTo: "q"}) == nil
	}
	for round := range 6 {
		for range 10 {
			id, sent := fence()
			if sent && round%2 == 0 {
				r.fenced(t, id)
			}
		}
		switch round {
		case 0, 4:
			broker.Kill()
			fence()
			if err := broker.Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
		case 1, 3:
			stop()
			fence()
			m, stop = r.start(t)
		case 2:
			database.Kill()
			if err := database.Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	done()
	beside.Wait()
	last := ""
	apptest.Poll(t, "the last fence is sent", func() error {
		id, sent := fence()
		if last = id; !sent {
			return fmt.Errorf("%s is not sent", id)
		}
		return nil
	})
	r.fenced(t, last)
	r.told.mu.Lock()
	defer r.told.mu.Unlock()
	for _, broken := range r.told.broken {
		t.Error(broken)
	}
	rows, err := r.db.QueryContext(t.Context(), "SELECT id, n FROM orders")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var n int
		if err := rows.Scan(&id, &n); err != nil {
			t.Fatal(err)
		}
		if got := r.told.n(id); got != n {
			t.Errorf("order %s is at %d, and was told at %d", id, n, got)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	s := m.Status()
	t.Logf("%d fences, %d orders, %d events in the last session; restarts %d", fences, len(r.told.have), s.Entities, s.Restarts)
	if s.Phase != mirror.PhaseLeading {
		t.Errorf("status %+v", s)
	}
	stop()
}
