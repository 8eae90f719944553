package shop_test

import (
	"slices"
	"strings"
	"testing"

	"banyan.dev/banyan/examples/shop/generate"
	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/legacy/annotated"
)

// Lists read an index in its order, and never sort, for the order that a caller gets who asks for none and for those
// that have an index. Otherwise each page of a long list would cost as much as all of it.
func TestListsDontSort(t *testing.T) {
	plans := []struct {
		block, statement string
		order            string // the last words of the ORDER BY
		with             string // part of the one optional line that is in
	}{
		{"CustomerService.ListCustomers", "customers", "c.customers_id", ""},
		{"CustomerService.ListCustomers", "customers", "c.customers_lastname, c.customers_id", ""},
		{"CustomerService.ListCustomers", "customers", "c.customers_since DESC, c.customers_id DESC", ""},
		{"ProductService.ListProducts", "products", "p.products_id", ""},
		{"ProductService.ListProducts", "products", "p.products_price, p.products_id", ""},
		{"ProductService.ListProducts", "products", "p.products_added DESC, p.products_id DESC", ""},
		{"ProductService.SearchProducts", "products", "p.products_id", ""},
		{"ProductService.ListReviews", "reviews", "r.products_id, r.reviews_nr", ""},
		{"ProductService.ListReviews", "reviews", "r.products_id, r.reviews_nr", "r.products_id ="},
		{"OrderService.ListOrders", "orders", "o.orders_id", ""},
		{"OrderService.ListOrders", "orders", "o.orders_id", "o.orders_customer ="},
		{"OrderService.ListOrders", "orders", "o.orders_id", "o.orders_status ="},
		{"OrderService.ListOrders", "orders", "o.orders_purchased, o.orders_id", ""},
		{"OrderService.ListOrders", "orders", "o.orders_purchased DESC, o.orders_id DESC", "o.orders_purchased >="},
		{"OrderService.SearchOrders", "orders", "o.orders_purchased DESC, o.orders_id DESC", ""},
		{"OrderService.StreamOrders", "orders", "o.orders_id", ""},
	}
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			l := newLab(t, server, generate.Options{Customers: 2000, Products: 1000, Orders: 3000})
			for _, table := range []string{"customers", "products", "orders", "orders_total", "products_reviews"} {
				if _, err := l.db.ExecContext(t.Context(), "ANALYZE TABLE "+table); err != nil {
					t.Fatal(err)
				}
			}
			for _, p := range plans {
				s := find(t, p.block, p.statement)
				query := assemble(s, p.order, p.with)
				if strings.Count(query, "ORDER BY") != 1 {
					t.Fatalf("%s has no one order %q:\n%s", p.block, p.order, query)
				}
				if extra := l.extras(t, query+" LIMIT 20"); slices.ContainsFunc(extra, func(s string) bool { return strings.Contains(s, "filesort") }) {
					t.Errorf("%s ordered by %s with %q sorts: %v", p.block, p.order, p.with, extra)
				}
			}
		})
	}
}

// extras gives the remarks of the server's plan for a query.
func (l *lab) extras(t *testing.T, query string) []string {
	t.Helper()
	rows, err := l.db.QueryContext(t.Context(), "EXPLAIN FORMAT=TRADITIONAL "+query)
	if err != nil {
		t.Fatalf("%v\n%s", err, query)
	}
	defer rows.Close() //nolint:errcheck // Err is asked.
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for rows.Next() {
		values := make([]*string, len(columns))
		into := make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		if last := values[len(values)-1]; last != nil {
			out = append(out, *last)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

func find(t *testing.T, target, name string) *annotated.Statement {
	t.Helper()
	for _, f := range files(t) {
		for _, b := range f.Blocks {
			if b.Target != "shop.v2."+target {
				continue
			}
			for _, s := range b.Statements {
				if s.Name == name {
					return s
				}
			}
		}
	}
	t.Fatalf("there is no statement %s of %s", name, target)
	return nil
}

// assemble gives a statement's SQL with one of its orders, and of its optional lines only the one that has with in it.
func assemble(s *annotated.Statement, order, with string) string {
	var b strings.Builder
	for _, l := range s.Lines {
		text := strings.TrimSpace(lineText(l))
		switch {
		case strings.HasPrefix(text, "ORDER BY"):
			if text != "ORDER BY "+order {
				continue
			}
		case l.Condition != annotated.Always && (with == "" || !strings.Contains(text, with)):
			continue
		}
		b.WriteString(text + "\n")
	}
	return b.String()
}

// lineText gives a line with 1 instead of its parameters.
func lineText(l annotated.Line) string {
	var b strings.Builder
	for _, p := range l.Pieces {
		switch {
		case p.Param == nil:
			b.WriteString(p.Text)
		case p.Param.IsPage():
			b.WriteString("TRUE")
		case strings.HasPrefix(p.Param.String(), ":created_"):
			b.WriteString("'2020-01-01'")
		default:
			b.WriteString("1")
		}
	}
	return b.String()
}
