package generate_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"

	"banyan.dev/banyan/examples/shop/generate"
	"banyan.dev/banyan/examples/shop/schema"
	"banyan.dev/banyan/internal/devstack"
)

func shopOf(t *testing.T, server *devstack.Server, options generate.Options) *sql.DB {
	t.Helper()
	db, err := sql.Open("mysql", server.NewSchema(t)+"?charset=utf8mb4")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := schema.Create(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	if err := generate.Generate(t.Context(), db, options); err != nil {
		t.Fatal(err)
	}
	return db
}

// fingerprint gives a digest of each table's rows.
func fingerprint(t *testing.T, db *sql.DB) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, table := range column(t, db, "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()") {
		rows, err := db.QueryContext(t.Context(), "SELECT * FROM `"+table+"`")
		if err != nil {
			t.Fatal(err)
		}
		columns, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		values := make([]any, len(columns))
		for i := range values {
			values[i] = &sql.RawBytes{}
		}
		var sum [sha256.Size]byte // Of all rows, in whatever order the server gives them.
		n := 0
		for rows.Next() {
			if err := rows.Scan(values...); err != nil {
				t.Fatal(err)
			}
			var text []byte
			for _, v := range values {
				text = fmt.Appendf(text, "%q,", *v.(*sql.RawBytes))
			}
			for i, b := range sha256.Sum256(text) {
				sum[i] += b
			}
			n++
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		_ = rows.Close()
		out[table] = fmt.Sprintf("%d rows, %x", n, sum)
	}
	return out
}

func column(t *testing.T, db *sql.DB, query string) []string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close() //nolint:errcheck // Err is asked.
	var out []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// The same seed gives the same rows, on every server; another seed gives others.
func TestSeedDecides(t *testing.T) {
	options := generate.Options{Seed: 7, Customers: 60, Products: 40, Orders: 80}
	servers := devstack.Databases(t)
	first := fingerprint(t, shopOf(t, servers[0], options))
	for _, server := range servers {
		again := fingerprint(t, shopOf(t, server, options))
		for table, want := range first {
			if again[table] != want {
				t.Errorf("%s: %s has %s, want %s", server.Name, table, again[table], want)
			}
		}
	}
	options.Seed++
	other := fingerprint(t, shopOf(t, servers[0], options))
	for _, table := range []string{"customers", "products", "orders", "orders_positions", "products_reviews"} {
		if other[table] == first[table] {
			t.Errorf("%s is the same with another seed", table)
		}
	}
}

// What makes the shop awkward is really in its rows.
func TestRowsAreAwkward(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			db := shopOf(t, server, generate.Options{Seed: 1, Customers: 400, Products: 300, Orders: 900})
			for what, query := range someOf {
				if n := number(t, db, query); n == 0 {
					t.Errorf("there is no %s", what)
				}
			}
			for what, query := range noneOf {
				if n := number(t, db, query); n != 0 {
					t.Errorf("there are %d of: %s", n, what)
				}
			}
			for table, want := range map[string]int{"customers": 400, "products": 300, "orders": 900} {
				if n := number(t, db, "SELECT COUNT(*) FROM "+table); n != want {
					t.Errorf("%s has %d rows, want %d", table, n, want)
				}
			}
		})
	}
}

func number(t *testing.T, db *sql.DB, query string) int {
	t.Helper()
	var n int
	if err := db.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

var someOf = map[string]string{
	"umlaut":              "SELECT COUNT(*) FROM customers WHERE customers_lastname LIKE '%ü%'",
	"escaped HTML":        "SELECT COUNT(*) FROM customers WHERE customers_company LIKE '%&amp;%'",
	"quote in a name":     "SELECT COUNT(*) FROM customers WHERE customers_lastname LIKE '%''%'",
	"no birthday":         "SELECT COUNT(*) FROM customers WHERE customers_birthday + 0 = 0",
	"never logged in":     "SELECT COUNT(*) FROM customers WHERE customers_lastlogin = ''",
	"no address":          "SELECT COUNT(*) FROM customers WHERE customers_address = 0",
	"padded id":           "SELECT COUNT(*) FROM customers_points WHERE points_customer LIKE '000%'",
	"zero bytes at end":   "SELECT COUNT(*) FROM products WHERE RIGHT(products_image_md5, 1) = X'00'",
	"NULL digest":         "SELECT COUNT(*) FROM products WHERE products_image_md5 IS NULL",
	"deleted product":     "SELECT COUNT(*) FROM products WHERE products_removed + 0 > 0",
	"price below a cent":  "SELECT COUNT(*) FROM products WHERE products_price <> ROUND(products_price, 2)",
	"emoji":               "SELECT COUNT(*) FROM products_reviews WHERE reviews_text LIKE '%👍%'",
	"country's old name":  "SELECT COUNT(*) FROM orders WHERE orders_ship_country IN ('Holland', 'USA', 'Großbritannien')",
	"NULL comment":        "SELECT COUNT(*) FROM orders WHERE orders_comment IS NULL",
	"empty comment":       "SELECT COUNT(*) FROM orders WHERE orders_comment = ''",
	"card number":         "SELECT COUNT(*) FROM orders WHERE LENGTH(orders_card_number) = 16",
	"other currency":      "SELECT COUNT(*) FROM orders WHERE orders_currency <> 'EUR' AND orders_currency_rate <> 1",
	"amount for people":   "SELECT COUNT(*) FROM orders_total WHERE total_text LIKE '<b>%.%,% &euro;</b>'",
	"discount":            "SELECT COUNT(*) FROM orders_total WHERE total_value < 0",
	"cancelled order":     "SELECT COUNT(*) FROM orders WHERE orders_status = 9",
	"open order":          "SELECT COUNT(*) FROM orders WHERE orders_status = 1",
	"serialized array":    "SELECT COUNT(*) FROM configuration WHERE `value` LIKE 'a:%{%}'",
	"setting of no group": "SELECT COUNT(*) FROM products_attributes WHERE `group` = 'intern' AND `key` = 'EAN'",
}

var noneOf = map[string]string{
	"orders whose totals don't add up": "SELECT COUNT(*) FROM (SELECT orders_id FROM orders_total GROUP BY orders_id " +
		"HAVING SUM(IF(total_class IN ('sub', 'ship', 'voucher'), total_value, 0)) <> SUM(IF(total_class = 'total', total_value, 0))) x",
	"orders whose lines don't add up": "SELECT COUNT(*) FROM orders_total t WHERE total_class = 'sub' AND total_value <> " +
		"(SELECT SUM(positions_price * positions_quantity) FROM orders_positions p WHERE p.orders_id = t.orders_id)",
	"orders in another state than their log": "SELECT COUNT(*) FROM orders o WHERE orders_status <> " +
		"(SELECT log_status FROM orders_log l WHERE l.orders_id = o.orders_id ORDER BY log_nr DESC LIMIT 1)",
	"countries that the list does not have": "SELECT COUNT(*) FROM orders WHERE orders_ship_country <> '' AND orders_ship_country NOT IN " +
		"(SELECT countries_name FROM countries UNION SELECT countries_oldname FROM countries)",
	"orders of nobody":             "SELECT COUNT(*) FROM orders WHERE orders_customer NOT IN (SELECT customers_id FROM customers)",
	"products without texts":       "SELECT COUNT(*) FROM products WHERE products_id NOT IN (SELECT products_id FROM products_texts WHERE language_id = 1)",
	"repeated keys of a product":   "SELECT COUNT(*) FROM (SELECT 1 FROM products_attributes GROUP BY products_id, `key` HAVING COUNT(*) > 1) x",
	"repeated categories":          "SELECT COUNT(*) FROM (SELECT 1 FROM products_categories GROUP BY products_id, categories_id HAVING COUNT(*) > 1) x",
	"characters lost on the way":   "SELECT COUNT(*) FROM customers WHERE customers_lastname LIKE '%?%'",
	"ids behind the counter":       "SELECT COUNT(*) FROM counters WHERE counters_name = 'orders' AND counters_value < (SELECT MAX(orders_id) FROM orders)",
	"things that happen too late":  "SELECT COUNT(*) FROM orders WHERE orders_purchased > '2026-01-01'",
	"addresses of other customers": "SELECT COUNT(*) FROM customers c JOIN customers_addresses a ON a.addresses_id = c.customers_address WHERE a.customers_id <> c.customers_id",
}

func TestOptionsAreChecked(t *testing.T) {
	for what, o := range map[string]generate.Options{
		"orders without customers": {Customers: -1, Orders: 5},
		"orders without products":  {Products: -1},
		"more than points can pad": {Customers: 100_000_000},
		"before the opening":       {Until: time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		if err := generate.Generate(t.Context(), nil, o); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
}

func TestGenerateStops(t *testing.T) {
	db := shopOf(t, &devstack.MariaDB(t).Server, generate.Options{Customers: -1, Products: -1, Orders: -1})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := generate.Generate(ctx, db, generate.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want it cancelled", err)
	}
}
