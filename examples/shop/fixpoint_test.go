package shop_test

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/examples/shop/generate"
	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/strangler"
)

// Every order that legacy may have comes back from a put as it was: those of a larger shop, those that were placed and
// cancelled through the facade, and what the old application could have left behind.
func TestPuttingAnOrderIsAFixPoint(t *testing.T) {
	l := newLab(t, &devstack.MariaDB(t).Server, generate.Options{Seed: 3, Customers: 300, Products: 120, Orders: 1200})
	sku := l.value(t, "SELECT stock_sku FROM products_stock s JOIN products p ON p.products_sku = s.stock_sku WHERE p.products_active = 'J' AND p.products_removed = 0 AND s.stock_count > 9 ORDER BY stock_sku LIMIT 1")
	for i := range 6 {
		payment := []string{`{}`, `{"card": {"brand": "VISA", "holder": "Ö", "lastFour": "1234"}}`, `{"invoice": {"dueDays": 14}}`, `{"bankTransfer": {"reference": "R<1>"}}`, `{"card": {}}`, `{"bankTransfer": {}}`}[i]
		placed := l.one(t, "OrderService.PlaceOrder", fmt.Sprintf(`{"order": {"customerId": %d, "lines": [{"sku": %q, "quantity": 1}], "shippingMethod": "SHIPPING_METHOD_STANDARD",
			"shippingAddress": {"recipient": "A & B", "company": "<b>", "street": "1", "postalCode": "2", "city": "3", "countryCode": "DE"}, "payment": %s, "comment": "a\nb"}}`,
			l.number(t, "SELECT MIN(customers_id) FROM customers WHERE customers_locked = 0"), sku, payment))
		if i%2 == 0 {
			l.one(t, "OrderService.CancelOrder", fmt.Sprintf(`{"id": %q, "reason": "\"no\""}`, placed.text("id")))
		}
	}
	for _, change := range []string{
		"UPDATE orders SET orders_payment = 'cc', orders_card_number = '' WHERE orders_id = 1",
		"UPDATE orders SET orders_payment = 'cc', orders_card_number = '123' WHERE orders_id = 2",
		"UPDATE orders SET orders_payment = 'gone', orders_comment = NULL WHERE orders_id = 3",
		"UPDATE orders SET orders_cust_country = 'Atlantis', orders_purchased = '0000-00-00 00:00:00' WHERE orders_id = 4",
		"UPDATE orders_positions SET products_id = '12{3}4' WHERE orders_id = 5",
		"DELETE FROM orders_total WHERE orders_id = 6",
		"DELETE FROM orders_log WHERE orders_id = 7",
		"UPDATE orders_log SET log_time = '' WHERE orders_id = 8",
		"UPDATE orders_positions SET positions_price = -1.2345, positions_tax = 7.5 WHERE orders_id = 9",
		"UPDATE orders SET orders_payment = 'invoice', orders_payment_days = 0, orders_currency_rate = 0.000001 WHERE orders_id = 10",
	} {
		if _, err := l.db.ExecContext(t.Context(), change); err != nil {
			t.Fatalf("%s: %v", change, err)
		}
	}
	last := l.number(t, "SELECT MAX(orders_id) FROM orders")
	for id := 1; id <= last; id++ {
		request := fmt.Sprintf(`{"id": %d}`, id)
		was := l.one(t, "OrderService.GetOrder", request)
		if err := l.backend.Put(t.Context(), contract.FromMessage(was.Message)); err != nil {
			t.Fatalf("put %s: %v", was.json(), err)
		}
		if is := l.one(t, "OrderService.GetOrder", request); !proto.Equal(was.Interface(), is.Interface()) {
			t.Errorf("put changed %s: %s", request, strangler.DiffersAt(was.Message, is.Message))
		}
	}
	if last < 1200 {
		t.Errorf("%d orders", last)
	}
}
