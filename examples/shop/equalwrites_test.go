package shop_test

import (
	"fmt"
	"strings"
	"testing"
)

// Whatever is ordered, both say the same and take the same order; and the old shop can hold each that the new one takes.
func TestNewServiceTakesOrdersAsTheOldShop(t *testing.T) {
	eachLab(t, func(t *testing.T, l *lab) {
		b := newBeside(t, l)
		one, two := b.prepare(t)
		good := anOrder(8, fmt.Sprintf(`{"sku": %q, "quantity": 1}, {"sku": %q, "quantity": 2}`, one, two))
		with := func(old, new string) string {
			if !strings.Contains(good, old) {
				t.Fatalf("%s is not in %s", old, good)
			}
			return strings.Replace(good, old, new, 1)
		}
		const card = `"card": {"brand": "VISA", "holder": "Zoë", "lastFour": "0042"}`
		long := strings.Repeat("x", 129)
		requests := []string{
			good, `{}`, `{"order": {}}`, `{"order": {"customerId": 8}}`, `{"order": {"customerId": -8}}`, `{"order": {"customerId": 9999999999}}`, anOrder(9, ""), anOrder(12345, ""), anOrder(8, ""),
			`{"order": {"customerId": 8, "shippingMethod": 1, "shippingAddress": {"countryCode": "DE"}}}`,
			`{"order": {"customerId": 8, "shippingMethod": 1, "shippingAddress": {"countryCode": "DE"}, "lines": [{}]}}`,
			fmt.Sprintf(`{"order": {"customerId": 8, "shippingMethod": 1, "shippingAddress": {"countryCode": "DE"}, "lines": [{"sku": %q, "quantity": 1}]}}`, one),
			// addresses
			with(`"Weg 1"`, `"Łódź"`), with(`"Weg 1"`, `"€ \u0081"`), with(`"Weg 1"`, `"\u0080"`), with(`"Weg 1"`, `"`+long+`"`), with(`"Weg 1"`, `"`+strings.Repeat("x", 127)+`  "`), with(`"Weg 1"`, `"a  "`),
			with(`"A & B"`, `"`+strings.Repeat("&", 30)+`"`), with(`"A & B"`, `"&lt;&amp;<>\"&quot;"`), with(`"A & B"`, `"日本"`), with(`"Zoë Groß"`, `"日本"`), with(`"8000"`, `"12345678901"`), with(`"Zürich"`, `"`+long+`"`),
			with(`"CH"`, `"XX"`), with(`"CH"`, `"日本"`), with(`"CH"`, `""`), with(`"CH"`, `"DE"`), with(`"CH"`, `"AT"`), with(`"CH"`, `"CI"`),
			with(`"payment"`, `"billingAddress": {}, "payment"`), with(`"payment"`, `"billingAddress": {"countryCode": "at"}, "payment"`), with(`"payment"`, `"billingAddress": {"countryCode": "XX"}, "payment"`),
			with(`"payment"`, `"billingAddress": {"countryCode": "AT", "company": "`+strings.Repeat("&", 30)+`"}, "payment"`), with(`"payment"`, `"billingAddress": {"countryCode": "AT", "city": "日"}, "payment"`),
			// texts
			with(`"5 > 3 & \"ok\""`, `"日本"`), with(`"5 > 3 & \"ok\""`, `"`+strings.Repeat("&", 14000)+`"`), with(`"5 > 3 & \"ok\""`, `"`+strings.Repeat("&", 13107)+`"`), with(`"5 > 3 & \"ok\""`, `"a\u0000b"`), with(`"5 > 3 & \"ok\""`, `"\ufeff"`), with(`"5 > 3 & \"ok\""`, `""`),
			with(`"payment"`, `"email": "日", "payment"`), with(`"payment"`, `"email": "`+long+`", "payment"`), with(`"payment"`, `"email": " ", "payment"`), with(`"payment"`, `"email": "me@example.org ", "payment"`),
			// payments
			with(`"VISA"`, `"日本"`), with(`"VISA"`, `"12345678901234567"`), with(`"0042"`, `""`), with(`"0042"`, `"12"`), with(`"0042"`, `"12345"`), with(`"0042"`, `"123456789012345678901"`), with(`"0042"`, `"本"`), with(`"0042"`, `"ä€1"`),
			with(card, ``), with(card, `"card": {}`), with(card, `"bankTransfer": {}`), with(card, `"bankTransfer": {"reference": "Grüße"}`), with(card, `"bankTransfer": {"reference": "`+long+`"}`), with(card, `"invoice": {}`), with(card, `"invoice": {"dueDays": 14}`), with(card, `"invoice": {"dueDays": -14}`),
			// currencies, fees
			with(`"CHF"`, `"chf"`), with(`"CHF"`, `"日"`), with(`"CHF"`, `" "`), with(`"CHF"`, `""`), with(`"CHF"`, `"EUR"`), with(`"CHF"`, `"CZK"`), with(`"CHF"`, `"GBP"`), with(`"CHF"`, `"XAU"`),
			with(`"SHIPPING_METHOD_EXPRESS"`, `17`), with(`"SHIPPING_METHOD_EXPRESS"`, `"SHIPPING_METHOD_PICKUP"`), with(`"SHIPPING_METHOD_EXPRESS"`, `"SHIPPING_METHOD_STANDARD"`), with(`"SHIPPING_METHOD_EXPRESS"`, `"SHIPPING_METHOD_UNSPECIFIED"`),
			// lines
			with(one, strings.ToLower(one)), with(one, "日本"), with(one, one+" "), with(one, two), with(one, "NONE"), with(`"quantity": 1`, `"quantity": 0`), with(`"quantity": 1`, `"quantity": -1`), with(`"quantity": 1`, `"quantity": 100000`), with(one, "GONE"),
			with(`"quantity": 1}`, `"quantity": 13}`), strings.Replace(with(one, two), `"quantity": 1}`, `"quantity": 2999}`, 1),
		}
		for _, sku := range strings.Split(l.value(t, "SELECT GROUP_CONCAT(products_sku) FROM products"), ",") { // each price, each tax, and what can't be bought
			requests = append(requests, anOrder(10, fmt.Sprintf(`{"sku": %q, "quantity": 3}, {"sku": %q, "quantity": 1}`, sku, one)))
		}
		for _, request := range requests {
			b.placesAreEqual(t, request)
		}
		// None of it has moved the old shop's counter into the new service's ids.
		if n := l.number(t, "SELECT counters_value FROM counters WHERE counters_name = 'orders'"); n < small().Orders || n >= 1_000_000_000 {
			t.Errorf("the counter is at %d", n)
		}
	})
}

// prepare makes customers that may order (8, 10) and may not (9), and gives two articles of which there are many.
func (b *beside) prepare(t *testing.T) (one, two string) {
	t.Helper()
	one, two = b.articles(t)
	for _, statement := range []string{
		"UPDATE customers SET customers_locked = customers_id = 9 WHERE customers_id IN (8, 9, 10)",
		"UPDATE customers SET customers_company = 'M&uuml;ller &amp; S&ouml;hne', customers_address = 0 WHERE customers_id = 10",
		"UPDATE products_stock SET stock_count = 3000",
	} {
		if _, err := b.db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	return one, two
}

// placesAreEqual orders the same at both sides, brings the new one's order back, and cancels both.
func (b *beside) placesAreEqual(t *testing.T, request string) {
	t.Helper()
	old, oldErr := b.call(t, "OrderService.PlaceOrder", request)
	fresh, newErr := b.fresh(t, "OrderService.PlaceOrder", request)
	if !b.same(t, "OrderService.PlaceOrder "+request, told(t, old, oldErrors(oldErr), true), told(t, fresh, newErr, true)) || newErr != nil {
		return
	}
	b.putBack(t, fresh[0])
	cancel := `{"id": %s, "reason": "too <dear> & late"}`
	if again, err := b.fresh(t, "OrderService.GetOrder", `{"id": `+(reply{t, fresh[0]}).text("id")+`}`); err != nil || (reply{t, again[0]}).json() != (reply{t, fresh[0]}).json() {
		t.Errorf("GetOrder gives %v, %v", again, err)
	}
	old, oldErr = b.call(t, "OrderService.CancelOrder", fmt.Sprintf(cancel, reply{t, old[0]}.text("id")))
	fresh, newErr = b.fresh(t, "OrderService.CancelOrder", fmt.Sprintf(cancel, reply{t, fresh[0]}.text("id")))
	if b.same(t, "OrderService.CancelOrder of "+request, told(t, old, oldErrors(oldErr), true), told(t, fresh, newErr, true)) && newErr == nil {
		b.putBack(t, fresh[0])
	}
}

// same fails when two sides have said different things.
func (b *beside) same(t *testing.T, what, was, is string) bool {
	t.Helper()
	if was != is {
		t.Errorf("%.1500s: the old shop gives\n%.3000s\nand the new service\n%.3000s", what, was, is)
	}
	return was == is
}

// Orders of the old shop are cancelled by the new service as by itself.
func TestNewServiceCancelsAsTheOldShop(t *testing.T) {
	eachLab(t, func(t *testing.T, l *lab) {
		b := newBeside(t, l)
		b.prepare(t)
		open, sent := l.number(t, "SELECT orders_id FROM orders WHERE orders_status IN (1, 2) ORDER BY orders_id DESC LIMIT 1"), l.number(t, "SELECT orders_id FROM orders WHERE orders_status = 3 LIMIT 1")
		b.tell(t, open, sent)
		for _, request := range []string{
			`{}`, `{"id": 999}`, fmt.Sprintf(`{"id": %d}`, sent), fmt.Sprintf(`{"id": %d, "reason": "日"}`, open), fmt.Sprintf(`{"id": %d, "reason": %q}`, open, strings.Repeat("&", 14000)),
		} {
			_, oldErr := b.call(t, "OrderService.CancelOrder", request)
			_, newErr := b.fresh(t, "OrderService.CancelOrder", request)
			b.same(t, "OrderService.CancelOrder "+request, told(t, nil, oldErrors(oldErr), true), told(t, nil, newErr, true))
		}
		held := l.number(t, "SELECT SUM(positions_quantity) FROM orders_positions WHERE orders_id = ?", open)
		before := l.number(t, "SELECT SUM(stock_count) FROM products_stock")
		fresh, err := b.fresh(t, "OrderService.CancelOrder", fmt.Sprintf(`{"id": %d, "reason": "ä"}`, open))
		if err != nil {
			t.Fatal(err)
		}
		b.putBack(t, fresh[0])
		if got := l.number(t, "SELECT SUM(stock_count) FROM products_stock"); got != before+held {
			t.Errorf("%d are on stock, want %d", got, before+held)
		}
		if got := l.value(t, "SELECT log_comment FROM orders_log WHERE orders_id = ? ORDER BY log_nr DESC LIMIT 1", open); got != "ä" {
			t.Errorf("the reason is %q", got)
		}
	})
}
