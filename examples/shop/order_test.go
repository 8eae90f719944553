package shop_test

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/strangler"
)

// anOrder gives a request for PlaceOrder with these lines.
func anOrder(customer int, lines string) string {
	return fmt.Sprintf(`{"order": {"customerId": %d, "shippingMethod": "SHIPPING_METHOD_EXPRESS", "currencyCode": "CHF", "gift": true, "comment": "5 > 3 & \"ok\"",
		"shippingAddress": {"recipient": "Zoë Groß", "company": "A & B", "street": "Weg 1", "postalCode": "8000", "city": "Zürich", "countryCode": "CH"},
		"payment": {"card": {"brand": "VISA", "holder": "Zoë", "lastFour": "0042"}}, "lines": [%s]}}`, customer, lines)
}

// articles gives two articles that can be bought and are on stock.
func (l *lab) articles(t *testing.T) (one, two string) {
	t.Helper()
	const query = "SELECT products_sku FROM products p JOIN products_stock s ON s.stock_sku = p.products_sku WHERE products_active = 'J' AND stock_count BETWEEN 20 AND 400 ORDER BY products_id"
	return l.value(t, query+" LIMIT 1"), l.value(t, query+" DESC LIMIT 1")
}

func TestOrderIsPlacedAndCancelled(t *testing.T) {
	eachLab(t, func(t *testing.T, l *lab) {
		one, two := l.articles(t)
		const stock = "SELECT stock_count FROM products_stock WHERE stock_sku = ?"
		before := l.number(t, stock, one)
		order := l.one(t, "OrderService.PlaceOrder", anOrder(7, fmt.Sprintf(`{"sku": %q, "quantity": 3}, {"sku": %q, "quantity": 1}`, one, two)))
		for path, want := range map[string]any{
			"id": "121", "customerId": "7", "state": "ORDER_STATE_PENDING", "currencyCode": "CHF", "exchangeRate.value": "1.083400", "gift": true,
			"comment": `5 > 3 & "ok"`, "shippingMethod": "SHIPPING_METHOD_EXPRESS", "shippingAddress.company": "A & B", "shippingAddress.countryCode": "CH",
			"billingAddress.city": "Zürich", "customerAddress.countryCode": "DE", "payment.card.lastFour": "0042", "lines.0.sku": one, "lines.0.quantity": 3.0,
			"lines.1.sku": two, "totals.0.kind": "KIND_SUBTOTAL", "totals.1.kind": "KIND_SHIPPING", "totals.1.amount.units": "53", // 49 EUR
			"totals.3.kind": "KIND_GRAND_TOTAL", "history.0.state": "ORDER_STATE_PENDING",
		} {
			if got := order.at(path); got != want {
				t.Errorf("%s is %v, want %v", path, got, want)
			}
		}
		for what, query := range map[string]string{
			"sums don't add up":         "SELECT COUNT(*) FROM (SELECT 1 FROM orders_total WHERE orders_id = 121 HAVING SUM(IF(total_class IN ('sub', 'ship'), total_value, 0)) <> SUM(IF(total_class = 'total', total_value, 0))) x",
			"lines don't add up":        "SELECT COUNT(*) FROM orders_total WHERE orders_id = 121 AND total_class = 'sub' AND total_value <> (SELECT SUM(positions_price * positions_quantity) FROM orders_positions WHERE orders_id = 121)",
			"text differs from number":  "SELECT COUNT(*) FROM orders_total WHERE orders_id = 121 AND REPLACE(REPLACE(REPLACE(REPLACE(total_text, 'CHF ', ''), ',', ''), '<b>', ''), '</b>', '') <> ROUND(total_value, 2)",
			"counter was not raised":    "SELECT COUNT(*) FROM counters WHERE counters_name = 'orders' AND counters_value <> 121",
			"company was not escaped":   "SELECT COUNT(*) FROM orders WHERE orders_id = 121 AND orders_ship_company <> 'A &amp; B'",
			"country is not as spelled": "SELECT COUNT(*) FROM orders WHERE orders_id = 121 AND orders_ship_country <> 'Schweiz'",
		} {
			if l.number(t, query) != 0 {
				t.Error(what)
			}
		}
		if got := l.number(t, stock, one); got != before-3 {
			t.Errorf("%d on stock, want %d", got, before-3)
		}
		cancelled := l.one(t, "OrderService.CancelOrder", `{"id": 121, "reason": "too <dear>"}`)
		if cancelled.text("state") != "ORDER_STATE_CANCELLED" || cancelled.text("history.1.note") != "too <dear>" || cancelled.at("updateTime") == nil {
			t.Errorf("cancelling gave %s", cancelled.json())
		}
		if got := l.number(t, stock, one); got != before {
			t.Errorf("%d on stock after cancelling, want %d", got, before)
		}
		l.fails(t, "OrderService.CancelOrder", `{"id": 121}`, "FailedPrecondition NOT_CANCELLABLE")
		if events := l.one(t, "OrderService.ListOrderEvents", `{"id": 121}`); events.size("events") != 2 {
			t.Errorf("events are %s", events.json())
		}
	})
}

// An order that can't be taken leaves nothing behind.
func TestOrderIsRefused(t *testing.T) {
	eachLab(t, func(t *testing.T, l *lab) {
		one, two := l.articles(t)
		if _, err := l.db.ExecContext(t.Context(), "UPDATE customers SET customers_locked = 1 WHERE customers_id = 9"); err != nil {
			t.Fatal(err)
		}
		if _, err := l.db.ExecContext(t.Context(), "UPDATE customers SET customers_locked = 0 WHERE customers_id = 8"); err != nil {
			t.Fatal(err)
		}
		before := l.untouched(t)
		good := anOrder(8, fmt.Sprintf(`{"sku": %q, "quantity": 1}, {"sku": %q, "quantity": %%s}`, one, two))
		for _, c := range []struct{ request, want string }{
			{fmt.Sprintf(good, "100000"), "FailedPrecondition OUT_OF_STOCK"},
			{fmt.Sprintf(good, "0"), "FailedPrecondition OUT_OF_STOCK"},
			{fmt.Sprintf(good, "-1"), "FailedPrecondition OUT_OF_STOCK"},
			{anOrder(8, `{"sku": "NONE", "quantity": 1}`), "FailedPrecondition NOT_BUYABLE"},
			{anOrder(8, ""), "InvalidArgument EMPTY_ORDER"},
			{anOrder(9, `{"sku": "NONE", "quantity": 1}`), "FailedPrecondition CUSTOMER_BLOCKED"},
			{anOrder(12345, ""), "InvalidArgument UNKNOWN_CUSTOMER"},
			{strings.Replace(fmt.Sprintf(good, "1"), `"CHF"`, `"XAU"`, 1), "InvalidArgument UNKNOWN_CURRENCY"},
			{strings.Replace(fmt.Sprintf(good, "1"), `"CH"`, `"XX"`, 1), "InvalidArgument UNKNOWN_COUNTRY"},
			{strings.Replace(fmt.Sprintf(good, "1"), `"payment"`, `"billingAddress": {"countryCode": "XX"}, "payment"`, 1), "InvalidArgument UNKNOWN_COUNTRY"},
			{strings.Replace(fmt.Sprintf(good, "1"), "SHIPPING_METHOD_EXPRESS", "SHIPPING_METHOD_UNSPECIFIED", 1), "InvalidArgument UNKNOWN_SHIPPING_METHOD"},
		} {
			l.fails(t, "OrderService.PlaceOrder", c.request, c.want)
		}
		for what, was := range before {
			if l.untouched(t)[what] != was {
				t.Errorf("%s changed", what)
			}
		}
		l.fails(t, "OrderService.GetOrder", `{"id": 999}`, "NotFound ORDER_NOT_FOUND")
		l.fails(t, "OrderService.CancelOrder", `{"id": 999}`, "NotFound ORDER_NOT_FOUND")
		l.fails(t, "OrderService.ListOrderEvents", `{"id": 999}`, "NotFound ORDER_NOT_FOUND")
	})
}

// pages walks through a list and gives the ids of its elements, page after page.
func (l *lab) pages(t *testing.T, operation, list, id, fields string, size int) []string {
	t.Helper()
	var ids []string
	for token := ""; ; {
		page := l.one(t, operation, fmt.Sprintf(`{"pageSize": %d, "pageToken": %q %s}`, size, token, fields))
		elements, _ := page.at(list).([]any)
		for _, e := range elements {
			ids = append(ids, fmt.Sprint(e.(map[string]any)[id]))
		}
		if token = page.text("nextPageToken"); token == "" {
			return ids
		}
	}
}

// An amount without its currency is refused: 300 EUR and 300 CHF are not the same.
func TestSearchWantsTheAmountsCurrency(t *testing.T) {
	eachLab(t, func(t *testing.T, l *lab) {
		for _, total := range []string{`{"units": 300}`, `{}`} {
			l.fails(t, "OrderService.SearchOrders", `{"minTotal": `+total+`}`, "InvalidArgument CURRENCY_MISSING")
		}
		for total, want := range map[string]string{
			`{"units": 300, "currencyCode": "EUR"}`: "total_value >= 300 AND orders_currency = 'EUR'",
			`{"currencyCode": "EUR"}`:               "total_value >= 0 AND orders_currency = 'EUR'",
		} {
			found := l.pages(t, "OrderService.SearchOrders", "orders", "id", `, "minTotal": `+total, 50)
			count := l.number(t, "SELECT COUNT(*) FROM orders o JOIN orders_total t ON t.orders_id = o.orders_id AND total_class = 'total' WHERE "+want)
			if all := l.number(t, "SELECT COUNT(*) FROM orders_total WHERE total_class = 'total' AND total_value >= 300"); count == 0 || count == all {
				t.Fatalf("%d orders of all %d tell nothing", count, all)
			}
			if len(found) != count {
				t.Errorf("%s finds %d, want %d", total, len(found), count)
			}
		}
	})
}

// Every order of every list gives each element once.
func TestPagesGiveEachOnce(t *testing.T) {
	eachLab(t, func(t *testing.T, l *lab) {
		for _, c := range []struct {
			operation, list, id, fields string
			count                       string
		}{
			{"OrderService.ListOrders", "orders", "id", ``, "orders"},
			{"OrderService.ListOrders", "orders", "id", `, "orderBy": "create_time"`, "orders"},
			{"OrderService.ListOrders", "orders", "id", `, "orderBy": "create_time desc", "state": "ORDER_STATE_DELIVERED"`, "orders WHERE orders_status = 5"},
			{"OrderService.ListOrders", "orders", "id", `, "customerId": 7`, "orders WHERE orders_customer = 7"},
			{"OrderService.SearchOrders", "orders", "id", `, "orderBy": "grand_total desc"`, "orders"},
			{"OrderService.SearchOrders", "orders", "id", `, "countryCode": "DE", "states": ["ORDER_STATE_DELIVERED", "ORDER_STATE_CANCELLED"]`, "orders WHERE orders_ship_country = 'Deutschland' AND orders_status IN (5, 9)"},
			{"OrderService.SearchOrders", "orders", "id", `, "countryCode": "AT"`, "orders WHERE orders_ship_country = 'Österreich'"},
			{"OrderService.SearchOrders", "orders", "id", `, "gift": false, "createdAfter": "2010-01-01T00:00:00Z"`, "orders WHERE orders_gift = '' AND orders_purchased >= '2010-01-01'"},
			{"OrderService.SearchOrders", "orders", "id", `, "commentContains": "M > L"`, "orders WHERE orders_comment LIKE '%M &gt; L%'"},
			{"OrderService.SearchOrders", "orders", "id", `, "commentContains": "100% wie immer _"`, "orders WHERE orders_comment LIKE '100%'"},
			{"OrderService.SearchOrders", "orders", "id", `, "recipientPrefix": "Jö"`, "orders WHERE orders_ship_name LIKE 'Jö%' OR orders_cust_name LIKE 'Jö%'"},
			{"OrderService.SearchOrders", "orders", "id", `, "minTotal": {"currencyCode": "EUR", "units": 300}`, "orders o JOIN orders_total t ON t.orders_id = o.orders_id AND total_class = 'total' WHERE total_value >= 300 AND orders_currency = 'EUR'"},
			{"CustomerService.ListCustomers", "customers", "id", ``, "customers"},
			{"CustomerService.ListCustomers", "customers", "id", `, "orderBy": "family_name"`, "customers"},
			{"CustomerService.ListCustomers", "customers", "id", `, "orderBy": "create_time desc"`, "customers"},
			{"CustomerService.ListCustomers", "customers", "id", `, "newsletter": false, "group": "CUSTOMER_GROUP_RETAIL"`, "customers WHERE customers_newsletter = 'N' AND customers_group = 0"},
			{"CustomerService.ListCustomers", "customers", "id", `, "countryCode": "DE", "familyNamePrefix": "Sch"`, "customers c JOIN customers_addresses a ON addresses_id = customers_address WHERE addresses_country = 1 AND customers_lastname LIKE 'Sch%'"},
			{"ProductService.ListProducts", "products", "id", ``, "products WHERE products_removed + 0 = 0"},
			{"ProductService.ListProducts", "products", "id", `, "orderBy": "display_name", "showDeleted": true, "languageCode": "en"`, "products"},
			{"ProductService.ListProducts", "products", "id", `, "orderBy": "price desc", "showDeleted": true`, "products"},
			{"ProductService.SearchProducts", "products", "id", `, "orderBy": "price", "minPrice": {"units": 50}, "maxPrice": {"units": 200, "currencyCode": "EUR"}`, "products WHERE products_price BETWEEN 50 AND 200 AND products_removed + 0 = 0"},
			{"ProductService.SearchProducts", "products", "id", `, "orderBy": "create_time desc", "inStock": true`, "products JOIN products_stock ON stock_sku = products_sku WHERE stock_count > 0"},
			{"ProductService.SearchProducts", "products", "id", `, "query": "3/4\"", "languageCode": "en"`, "products p JOIN products_texts t ON t.products_id = p.products_id AND language_id = 2 WHERE products_name LIKE '%3/4&quot;%' AND products_removed + 0 = 0"},
			{"ProductService.SearchProducts", "products", "id", `, "category": "Garden", "languageCode": "en", "featured": false`, "products p JOIN products_categories c ON c.products_id = p.products_id AND categories_id = 1 WHERE products_featured = 'N'"},
			{"ProductService.SearchProducts", "products", "id", `, "manufacturer": "Löwe"`, "products JOIN makers ON makers_id = products_maker WHERE makers_name = 'Löwe' AND products_removed + 0 = 0"},
			{"ProductService.ListReviews", "reviews", "name", `, "parent": "products/-"`, "products_reviews"},
			{"ProductService.ListReviews", "reviews", "name", `, "parent": "products/-", "minRating": 4`, "products_reviews WHERE reviews_stars >= 4"},
		} {
			want := l.number(t, "SELECT COUNT(*) FROM "+c.count)
			ids := l.pages(t, c.operation, c.list, c.id, c.fields, 7)
			seen := map[string]bool{}
			for _, id := range ids {
				seen[id] = true
			}
			if len(ids) != want || len(seen) != want || want == 0 {
				t.Errorf("%s %s gave %d, %d of them different, want %d", c.operation, c.fields, len(ids), len(seen), want)
			}
		}
		// What latin1 can't hold is found nowhere (MariaDB) or refused (MySQL), and is no fault of ours.
		for _, c := range [][2]string{{"CustomerService.ListCustomers", "familyNamePrefix"}, {"CustomerService.ListCustomers", "email"}, {"ProductService.SearchProducts", "query"}, {"ProductService.SearchProducts", "manufacturer"}, {"OrderService.SearchOrders", "recipientPrefix"}, {"OrderService.SearchOrders", "sku"}} {
			got, err := l.call(t, c[0], fmt.Sprintf(`{%q: "Łódź 🌳"}`, c[1]))
			if err == nil && (reply{t, got[0]}).json() != "{}" || err != nil && strangler.AsError(err).Code != codes.InvalidArgument {
				t.Errorf("%s by a foreign %s gave %v and %v", c[0], c[1], got, err)
			}
		}
		l.fails(t, "OrderService.ListOrders", `{"orderBy": "weight"}`, "InvalidArgument INVALID_FIELD")
	})
}

// A page has the same elements as a Get of each, but for what it leaves out.
func TestListsShowWhatGetsShow(t *testing.T) {
	eachLab(t, func(t *testing.T, l *lab) {
		for _, c := range []struct{ list, field, get, leftOut string }{
			{"OrderService.ListOrders", "orders", "OrderService.GetOrder", ""},
			{"ProductService.ListProducts", "products", "ProductService.GetProduct", ""},
			{"CustomerService.ListCustomers", "customers", "CustomerService.GetCustomer", "otherAddresses"},
		} {
			page := l.one(t, c.list, `{"pageSize": 40}`)
			elements, _ := page.at(c.field).([]any)
			for _, e := range elements {
				element, _ := e.(map[string]any)
				got := l.one(t, c.get, fmt.Sprintf(`{"id": %v}`, element["id"]))
				want := got.fields()
				delete(want, c.leftOut)
				if fmt.Sprint(element) != fmt.Sprint(want) {
					t.Errorf("%s has\n%v\n%s has\n%v", c.list, element, c.get, want)
				}
			}
			if len(elements) != 40 {
				t.Errorf("%s gave %d", c.list, len(elements))
			}
		}
	})
}

// An order that names a country as it was called then is found and shown by the country's code.
func TestOldNamesOfCountries(t *testing.T) {
	eachLab(t, func(t *testing.T, l *lab) {
		if _, err := l.db.ExecContext(t.Context(), "UPDATE orders SET orders_ship_country = 'Holland' WHERE orders_id = 5"); err != nil {
			t.Fatal(err)
		}
		if got := l.one(t, "OrderService.GetOrder", `{"id": 5}`).text("shippingAddress.countryCode"); got != "NL" {
			t.Errorf("the country is %q", got)
		}
		want := l.number(t, "SELECT COUNT(*) FROM orders WHERE orders_ship_country IN ('Holland', 'Niederlande')")
		if got := l.pages(t, "OrderService.SearchOrders", "orders", "id", `, "countryCode": "NL"`, 2); len(got) != want {
			t.Errorf("found %v, want %d", got, want)
		}
	})
}

func TestExportStreamsAll(t *testing.T) {
	eachLab(t, func(t *testing.T, l *lab) {
		all, err := l.call(t, "OrderService.StreamOrders", `{}`)
		if err != nil || len(all) != small().Orders {
			t.Errorf("got %d orders and %v, want %d", len(all), err, small().Orders)
		}
		some, err := l.call(t, "OrderService.StreamOrders", `{"states": ["ORDER_STATE_CANCELLED"], "createdBefore": "2015-01-01T00:00:00Z"}`)
		if want := l.number(t, "SELECT COUNT(*) FROM orders WHERE orders_status = 9 AND orders_purchased < '2015-01-01'"); err != nil || len(some) != want || want == 0 {
			t.Errorf("got %d cancelled orders and %v, want %d", len(some), err, want)
		}
	})
}
