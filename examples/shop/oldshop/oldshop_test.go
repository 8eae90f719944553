package oldshop_test

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"banyan.dev/banyan/examples/shop/generate"
	"banyan.dev/banyan/examples/shop/oldshop"
	"banyan.dev/banyan/examples/shop/schema"
	"banyan.dev/banyan/internal/devstack"
)

func openShop(t *testing.T, server *devstack.Server) *sql.DB {
	t.Helper()
	config, err := mysql.ParseDSN(server.NewSchema(t))
	if err != nil {
		t.Fatal(err)
	}
	config.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() { _ = db.Close() })
	if err := schema.Create(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	if err := generate.Generate(t.Context(), db, generate.Options{Seed: 3, Customers: 50, Products: 40, Orders: 60}); err != nil {
		t.Fatal(err)
	}
	return db
}

func number(t *testing.T, db *sql.DB, query string) int {
	t.Helper()
	var n int
	if err := db.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

func TestShopKeepsItsBooks(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			db := openShop(t, server)
			const stock = "SELECT COALESCE(SUM(stock_count), 0) FROM products_stock"
			const sold = "SELECT COALESCE(SUM(positions_quantity), 0) FROM orders_positions p JOIN orders o ON o.orders_id = p.orders_id WHERE o.orders_status <> 9"
			before := number(t, db, stock) + number(t, db, sold)
			done := map[oldshop.Action]int{}
			err := oldshop.Run(t.Context(), db, oldshop.Options{Seed: 1, Rate: -1, Actions: 400, Done: func(a oldshop.Action, err error) {
				if err == nil {
					done[a]++
				} else if !errors.Is(err, oldshop.ErrNothing) {
					t.Errorf("%s: %v", a, err)
				}
			}})
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range []oldshop.Action{
				oldshop.PlaceOrder, oldshop.MoveOrder, oldshop.CancelOrder, oldshop.EditProduct,
				oldshop.Restock, oldshop.Register, oldshop.EditCustomer, oldshop.Browse,
			} {
				if done[a] == 0 {
					t.Errorf("%s was never done", a)
				}
			}
			if got, want := number(t, db, "SELECT COUNT(*) FROM orders"), 60+done[oldshop.PlaceOrder]; got != want {
				t.Errorf("there are %d orders, want %d", got, want)
			}
			if got, want := number(t, db, "SELECT COUNT(*) FROM customers"), 50+done[oldshop.Register]; got != want {
				t.Errorf("there are %d customers, want %d", got, want)
			}
			if got := number(t, db, stock) + number(t, db, sold); got < before || done[oldshop.Restock] == 0 {
				t.Errorf("goods vanished: %d before, %d now", before, got)
			}
			for what, query := range wrong {
				if n := number(t, db, query); n != 0 {
					t.Errorf("%d %s", n, what)
				}
			}
		})
	}
}

var wrong = map[string]string{
	"articles sold that were not there": "SELECT COUNT(*) FROM products_stock WHERE stock_count < 0",
	"orders without lines":              "SELECT COUNT(*) FROM orders WHERE orders_id NOT IN (SELECT orders_id FROM orders_positions)",
	"orders whose sums are wrong": "SELECT COUNT(*) FROM orders_total t WHERE total_class = 'sub' AND total_value <> " +
		"(SELECT SUM(positions_price * positions_quantity) FROM orders_positions p WHERE p.orders_id = t.orders_id)",
	"orders in another state than their log": "SELECT COUNT(*) FROM orders o WHERE orders_status <> " +
		"(SELECT log_status FROM orders_log l WHERE l.orders_id = o.orders_id ORDER BY log_nr DESC LIMIT 1)",
	"ids above their counter": "SELECT COUNT(*) FROM counters c WHERE counters_name = 'orders' AND counters_value <> (SELECT MAX(orders_id) FROM orders)",
}

// The seed decides what is done.
func TestSeedDecides(t *testing.T) {
	run := func(seed uint64) (names []oldshop.Action) {
		db := openShop(t, &devstack.MariaDB(t).Server)
		err := oldshop.Run(t.Context(), db, oldshop.Options{Seed: seed, Rate: -1, Actions: 60, Done: func(a oldshop.Action, _ error) { names = append(names, a) }})
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	first := run(5)
	if again := run(5); !slices.Equal(first, again) {
		t.Errorf("the same seed did %v, then %v", first, again)
	}
	if other := run(6); slices.Equal(first, other) {
		t.Error("another seed did the same")
	}
}

// A server that is killed in the middle is waited for, and work goes on; the end of ctx ends the run.
func TestShopWaitsForTheServer(t *testing.T) {
	server := devstack.OwnMariaDB(t)
	db := openShop(t, &server.Server)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	const (
		working = iota
		gone
		back
	)
	state := working
	err := oldshop.Run(ctx, db, oldshop.Options{Rate: 500, Pause: 10 * time.Millisecond, Done: func(_ oldshop.Action, err error) {
		failed := err != nil && !errors.Is(err, oldshop.ErrNothing)
		switch {
		case state == working && !failed:
			server.Kill()
			state = gone
		case state == gone && failed:
			if err := server.Restart(ctx); err != nil {
				t.Errorf("restart: %v", err)
			}
			state = back
		case state == back && !failed:
			cancel()
		}
	}})
	if err != nil {
		t.Errorf("Run gave %v", err)
	}
	if state != back || !errors.Is(ctx.Err(), context.Canceled) {
		t.Errorf("ended in state %d: %v", state, ctx.Err())
	}
}
