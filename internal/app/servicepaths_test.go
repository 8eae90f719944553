package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/adapters/store"
	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/internal/app/apptest"
	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/internal/fault"
	"banyan.dev/banyan/legacy"
	"banyan.dev/banyan/legacy/annotated"
	"banyan.dev/banyan/legacy/entities"
	"banyan.dev/banyan/legacy/pool"
	"banyan.dev/banyan/mirror"
	"banyan.dev/banyan/protocol"
)

const pathsProto = `syntax = "proto3"; package shop.v2;
message Order { int64 id = 1; repeated string positions = 2; repeated string options = 3; repeated string notes = 4; int64 stock = 5; }
message Stock { int64 id = 1; int64 n = 2; }
message GetRequest { int64 id = 1; }
service S {
  rpc GetOrder(GetRequest) returns (Order) { option idempotency_level = NO_SIDE_EFFECTS; }
  rpc GetStock(GetRequest) returns (Stock) { option idempotency_level = NO_SIDE_EFFECTS; }
}`

const pathsSQL = `-- event: shop.v2.Order id=id on=orders(id),positions(order_id),options(position_id>positions.id),notes(option_id>options.id) via=shop.v2.S.GetOrder
-- event: shop.v2.Stock id=id on=stock(id) via=shop.v2.S.GetStock
-- rpc: shop.v2.S.GetOrder
-- name: order :one
SELECT id, n AS stock FROM orders WHERE id = :id;
-- name: positions :many into=positions
SELECT CONCAT(id, ' ', text) AS positions FROM positions WHERE order_id = :id ORDER BY id;
-- name: options :many into=options
SELECT CONCAT(o.id, ' ', o.position_id, ' ', o.text) AS options FROM options o JOIN positions p ON p.id = o.position_id WHERE p.order_id = :id ORDER BY o.id;
-- name: notes :many into=notes
SELECT CONCAT(n.id, ' ', n.option_id, ' ', n.text) AS notes FROM notes n JOIN options o ON o.id = n.option_id JOIN positions p ON p.id = o.position_id WHERE p.order_id = :id ORDER BY n.id;
-- rpc: shop.v2.S.GetStock
-- name: stock :one
SELECT id, n FROM stock WHERE id = :id;
`

// usePaths gives the rig's stream entities of annotated SQL, whose rows lead to them over others.
func (r *serviceRig) usePaths(t *testing.T) {
	t.Helper()
	r.exec(t, "CREATE TABLE positions (id INT PRIMARY KEY, order_id BIGINT, text INT NOT NULL)",
		"CREATE TABLE options (id INT PRIMARY KEY, position_id INT, text INT NOT NULL, KEY (position_id))",
		"CREATE TABLE notes (id INT PRIMARY KEY, option_id INT, text INT NOT NULL, KEY (option_id))",
		"CREATE TABLE stock (id INT PRIMARY KEY, n INT NOT NULL)")
	r.useEntities(t, pathsProto, pathsSQL)
}

// useEntities gives the rig's stream entities of annotated SQL.
func (r *serviceRig) useEntities(t *testing.T, proto, sql string) {
	t.Helper()
	bound, faults := contract.Load(t.Context(), []contract.Root{{FS: fstest.MapFS{"shop.proto": {Data: []byte(proto)}}}})
	file, more := annotated.Parse("paths.sql", []byte(sql))
	faults.Append(more)
	if faults.Failed() {
		t.Fatal(faults.Err())
	}
	var program *legacy.Program
	if program, faults = legacy.Compile(bound, []*annotated.File{file}, legacy.Options{}); faults.Failed() {
		t.Fatal(faults.Err())
	}
	conns, err := pool.Open(pool.Options{DSN: r.dsn, TimeZone: "+00:00"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conns.Close)
	var found fault.List
	if found, err = program.Verify(t.Context(), conns); err != nil || found.Failed() {
		t.Fatal(err, found.Err())
	}
	all := map[protoreflect.FullName]entities.Entity{}
	for _, event := range program.Events() {
		all[event.Entity.FullName()] = entities.Entity{Event: event, Key: func(protoreflect.Message) (string, error) { return "k", nil }}
	}
	r.entities = entities.New(entities.Options{Backend: legacy.New(program, conns, 1<<20), Contract: bound, Schema: r.schema, Entities: all})
}

// had gives orders as they are, in a form that told gives, too.
func (r *serviceRig) had(t *testing.T) (out map[string]string) {
	t.Helper()
	out = map[string]string{}
	for _, query := range []string{
		"SELECT id, CONCAT('n', n) FROM orders ORDER BY id",
		"SELECT order_id, CONCAT('p', id, ' ', text) FROM positions ORDER BY id",
		"SELECT p.order_id, CONCAT('o', o.id, ' ', o.position_id, ' ', o.text) FROM options o JOIN positions p ON p.id = o.position_id ORDER BY o.id",
		"SELECT p.order_id, CONCAT('t', n.id, ' ', n.option_id, ' ', n.text) FROM notes n JOIN options o ON o.id = n.option_id JOIN positions p ON p.id = o.position_id ORDER BY n.id",
	} {
		rows, err := r.db.QueryContext(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var id, text string
			if err := rows.Scan(&id, &text); err != nil {
				t.Fatal(err)
			}
			if out[id] != "" || text[0] == 'n' {
				out[id] += text + ";"
			}
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		rows.Close()
	}
	return out
}

func unmarshal(t *testing.T, data []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(data, into); err != nil {
		t.Errorf("%s: %v", data, err)
	}
}

// text gives what was told of an order.
func (s *toldService) text(t *testing.T, id string) string {
	t.Helper()
	e, there := s.have[id]
	if !there || e.Deleted {
		return ""
	}
	var order struct {
		Stock                     string
		Positions, Options, Notes []string
	}
	unmarshal(t, e.Data, &order)
	if order.Stock == "" {
		order.Stock = "0"
	}
	out := "n" + order.Stock + ";"
	for _, lines := range []struct {
		kind string
		of   []string
	}{{"p", order.Positions}, {"o", order.Options}, {"t", order.Notes}} {
		for _, line := range lines.of {
			out += lines.kind + line + ";"
		}
	}
	return out
}

// step changes rows at random: they are made, changed, moved to another parent, and deleted, with what hangs on them or without.
func step(dice *rand.Rand) string {
	const ids = 8
	id, to, text := 1+dice.IntN(ids), 1+dice.IntN(ids), dice.IntN(1_000_000)
	level := dice.IntN(4)
	table := [...]string{"orders", "positions", "options", "notes"}[level]
	parent := [...]string{"", "order_id", "position_id", "option_id"}[level]
	switch n := dice.IntN(10); {
	case level == 0 && n < 7:
		return fmt.Sprintf("INSERT INTO orders (id, n) VALUES (%d, %d) ON DUPLICATE KEY UPDATE n = VALUES(n)", id, text)
	case n < 2:
		return fmt.Sprintf("DELETE FROM %s WHERE id = %d", table, id)
	case level == 0:
		return fmt.Sprintf("DELETE p, o FROM positions p LEFT JOIN options o ON o.position_id = p.id WHERE p.order_id = %d", id)
	case n < 4:
		return fmt.Sprintf("UPDATE %s SET %s = %d WHERE id = %d", table, parent, to, id)
	case n < 5:
		return fmt.Sprintf("UPDATE %s SET text = %d WHERE %s = %d", table, text, parent, to)
	default:
		return fmt.Sprintf("INSERT INTO %s (id, %s, text) VALUES (%d, %d, %d) ON DUPLICATE KEY UPDATE text = VALUES(text)", table, parent, id, to, text)
	}
}

// Rows of tables without the id are made, moved and deleted by several at once, in transactions of one statement and of many: at
// each fence that is sent while nothing is written, every order is told as it is.
func TestWhatHangsOnAnOrderIsToldWithIt(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			r := newServiceRig(t, server, devstack.RabbitMQ(t).NewVHost(t))
			r.usePaths(t)
			r.consume(t)
			m, _ := r.start(t)
			leads(t, m)
			for round := range 8 {
				var writers sync.WaitGroup
				for w := range 3 {
					dice := rand.New(rand.NewPCG(uint64(round), uint64(w)))
					writers.Go(func() {
						for range 40 {
							r.attempt(t, dice)
						}
					})
				}
				writers.Wait()
				id := fmt.Sprint("round", round)
				r.fence(t, id, uint64(round))
				r.fenced(t, id)
				have := r.had(t)
				r.told.mu.Lock()
				for order := range 10 {
					id := fmt.Sprint(order)
					if got := r.told.text(t, id); got != have[id] {
						t.Errorf("round %d, order %s\nis   %s\ntold %s", round, id, have[id], got)
					}
				}
				r.told.mu.Unlock()
			}
			if s := m.Status(); s.Restarts > 0 || s.Stop != nil {
				t.Errorf("status %+v", s)
			}
		})
	}
}

// attempt does some steps in one transaction, unless a deadlock is in the way.
func (r *serviceRig) attempt(t *testing.T, dice *rand.Rand) {
	t.Helper()
	tx, err := r.db.BeginTx(context.WithoutCancel(t.Context()), nil)
	if err != nil {
		t.Error(err)
		return
	}
	defer tx.Rollback()
	for range 1 + dice.IntN(4) {
		if _, err := tx.ExecContext(t.Context(), step(dice)); err != nil {
			if !strings.Contains(err.Error(), "1213") {
				t.Error(err)
			}
			return
		}
	}
	if err := tx.Commit(); err != nil {
		t.Error(err)
	}
}

// Of a transaction of 100,000 rows that lead to a thousand orders, what waits is bounded, and each order is told a few times.
func TestAHundredThousandRowsThatLeadToOrders(t *testing.T) {
	r := newServiceRig(t, &devstack.MariaDB(t).Server, devstack.RabbitMQ(t).NewVHost(t))
	r.usePaths(t)
	r.exec(t, "INSERT INTO orders (id, n) SELECT seq, 1 FROM seq_1_to_1000", "INSERT INTO positions SELECT seq, seq, 0 FROM seq_1_to_1000", "INSERT INTO options SELECT seq, 1 + (seq - 1) DIV 100, 0 FROM seq_1_to_100000")
	r.consume(t)
	m, _ := r.start(t)
	leads(t, m)
	began := time.Now()
	r.exec(t, "UPDATE options SET text = 1")
	r.exec(t, "DELETE FROM options")
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
		t.Errorf("%d waited", most)
	}
	s := m.Status()
	if s.Entities == 0 || s.Entities > 5_000 || s.Stop != nil {
		t.Errorf("status %+v", s)
	}
	t.Logf("%d events of 1000 orders for 200,000 rows in %s", s.Entities, time.Since(began).Round(time.Millisecond))
}

// What one transaction has changed of several messages is told as it is at one moment: a stock's number and an order's are the same.
func TestMessagesThatChangeTogetherAreToldTogether(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			r := newServiceRig(t, server, devstack.RabbitMQ(t).NewVHost(t))
			r.usePaths(t)
			r.exec(t, "INSERT INTO orders (id, n) VALUES (1, 0)", "INSERT INTO stock VALUES (2, 0)")
			both := map[string][2]string{} // by the version without the row
			var mu sync.Mutex
			r.told.each = func(e protocol.EntityEvent) {
				mu.Lock()
				defer mu.Unlock()
				var state struct{ N, Stock string }
				unmarshal(t, e.Data, &state)
				at := e.Version[:strings.LastIndexByte(e.Version, '-')]
				pair := both[at]
				if e.Entity == "shop.v2.Stock" {
					pair[0] = state.N
				} else {
					pair[1] = state.Stock
				}
				both[at] = pair
			}
			r.consume(t)
			m, _ := r.start(t)
			leads(t, m)
			for i := range 300 {
				tx, err := r.db.BeginTx(t.Context(), nil)
				if err != nil {
					t.Fatal(err)
				}
				for _, s := range []string{fmt.Sprintf("UPDATE orders SET n = %d WHERE id = 1", 1+i), fmt.Sprintf("UPDATE stock SET n = %d WHERE id = 2", 1+i)} {
					if _, err := tx.ExecContext(t.Context(), s); err != nil {
						t.Fatal(err)
					}
				}
				if err := tx.Commit(); err != nil {
					t.Fatal(err)
				}
			}
			r.fence(t, "f", 0)
			r.fenced(t, "f")
			mu.Lock()
			defer mu.Unlock()
			for at, pair := range both {
				if pair[0] != pair[1] {
					t.Errorf("at %s the stock is told with %q, and the order with %q", at, pair[0], pair[1])
				}
			}
			t.Logf("%d transactions were told of in %d events' pairs", 300, len(both))
		})
	}
}

// A stock that can't be read holds no order up. It is kept apart, also by the next leader, and told once it is mended.
func TestWhatCantBeReadHoldsNothingUp(t *testing.T) {
	r := newServiceRig(t, &devstack.MariaDB(t).Server, devstack.RabbitMQ(t).NewVHost(t))
	r.usePaths(t)
	unread, err := store.NewUnread(r.options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unread.Close() })
	r.unread = unread
	kept, err := store.NewControl(r.options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = kept.Close() })
	r.consume(t)
	m, stop := r.start(t)
	leads(t, m)
	r.exec(t, "ALTER TABLE stock MODIFY n BIGINT UNSIGNED NOT NULL", "INSERT INTO stock VALUES (2, 18446744073709551615), (3, 3)", "INSERT INTO orders (id, n) VALUES (1, 1)")
	fence := func(fence string, passed bool) {
		t.Helper()
		r.fence(t, fence, 0)
		r.fenced(t, fence)
		for message, want := range map[string]bool{"shop.v2.Stock": passed, "shop.v2.Order": false} {
			if got, err := kept.Passed(t.Context(), fence, message); err != nil || got != want {
				t.Errorf("the fence %s has passed %s: %v, %v", fence, message, got, err)
			}
		}
	}
	told := func(id, want string) {
		t.Helper()
		r.told.mu.Lock()
		defer r.told.mu.Unlock()
		if got := string(r.told.have[id].Origin) + string(r.told.have[id].Data); strings.ReplaceAll(got, " ", "") != want {
			t.Errorf("told of %s: %s, want %s", id, got, want)
		}
	}
	fence("one", true)
	told("1", `foreign{"id":"1","stock":"1"}`)
	told("2", "")
	told("3", `foreign{"id":"3","n":"3"}`)
	if s := m.Status(); s.Unreadable != 1 || s.Unread[0].Entity != "shop.v2.Stock" || s.Unread[0].ID != "2" || s.Restarts > 0 || s.Phase != mirror.PhaseLeading {
		t.Errorf("status %+v", s)
	}
	stop()
	m, _ = r.start(t)
	leads(t, m)
	fence("two", true)
	r.exec(t, "UPDATE stock SET n = 5 WHERE id = 2")
	fence("three", false)
	told("2", `foreign{"id":"2","n":"5"}`)
	if s := m.Status(); s.Unreadable != 0 {
		t.Errorf("status %+v", s)
	}
}
