package shop_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/contract"
)

// entities are the messages that have a put: where they are read, and how many a lab has.
func entities() []struct {
	get string
	n   int
} {
	return []struct {
		get string
		n   int
	}{
		{"CustomerService.GetCustomer", small().Customers},
		{"ProductService.GetProduct", small().Products},
		{"OrderService.GetOrder", small().Orders},
	}
}

// Putting what Get gave changes nothing: not the message, not the goods on stock, and no column that the message is
// made of or that is none of its business.
func TestPutOfWhatIsThereChangesNothing(t *testing.T) {
	eachLab(t, func(t *testing.T, l *lab) {
		before := l.untouched(t)
		for _, e := range entities() {
			if strings.HasPrefix(e.get, "Product") && !l.mixesEngines(t) {
				continue
			}
			for id := 1; id <= e.n; id++ {
				request := fmt.Sprintf(`{"id": %d}`, id)
				was := l.one(t, e.get, request)
				if err := l.backend.Put(t.Context(), contract.FromMessage(was.Message)); err != nil {
					t.Fatalf("put %s: %v", was.json(), err)
				}
				if is := l.one(t, e.get, request); !proto.Equal(was.Interface(), is.Interface()) {
					t.Fatalf("put changed it\nfrom %s\nto   %s", was.json(), is.json())
				}
			}
		}
		after := l.untouched(t)
		for what, was := range before {
			if after[what] != was {
				t.Errorf("%s changed", what)
			}
		}
	})
}

// untouched gives digests of what a put of an unchanged message must leave as it is.
func (l *lab) untouched(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for what, c := range map[string][2]string{
		"stock":        {"products_stock", "stock_sku, stock_count, stock_place, stock_changed"},
		"passwords":    {"customers", "customers_id, customers_password, customers_logins"},
		"card numbers": {"orders", "orders_id, orders_card_number, orders_card_expires, orders_ip, orders_language"},
		"log":          {"orders_log", "orders_id, log_nr, log_status, log_time, log_mailed"},
		"lines":        {"orders_positions", "orders_id, products_id, positions_sku, positions_name, positions_quantity, positions_price, positions_tax"},
		"totals":       {"orders_total", "orders_id, total_class, total_label, total_text, total_value"},
		"addresses":    {"customers_addresses", "customers_id, addresses_name, addresses_company, addresses_street, addresses_zip, addresses_city, addresses_country"},
		"labels":       {"customers_extra", "customers_id, `group`, `key`, `value`, order_"},
		"attributes":   {"products_attributes", "products_id, `group`, `key`, `value`, order_"},
		"categories":   {"products_categories", "products_id, categories_id"},
		"products":     {"products", "products_id, products_sku, products_maker, products_price, products_taxclass, products_weight, products_active, products_featured, products_download, products_image, COALESCE(HEX(products_image_md5), ''), products_added, products_changed, products_removed"},
		"texts":        {"products_texts", "products_id, language_id, products_name, products_description, products_views"},
		"points":       {"customers_points", "points_customer, points_balance, points_changed"},
		"counters":     {"counters", "counters_name, counters_value"},
	} {
		out[what] = l.value(t, "SELECT COALESCE(SUM(CAST(CRC32(CONCAT_WS('|', "+c[1]+")) AS UNSIGNED)), 0) FROM "+c[0])
	}
	return out
}

// A put makes rows of what was not there, and takes away what is no longer there; twice is as good as once.
func TestPutMakesRowsEqual(t *testing.T) {
	eachLab(t, func(t *testing.T, l *lab) {
		for _, c := range []struct{ get, id, message string }{
			{"CustomerService.GetCustomer", "900", `{"id": 900, "email": "neu@example.com", "salutation": "SALUTATION_MS", "givenName": "Zoë", "familyName": "O'Höfer",
				"company": "A & B <\"C\"> &amp;", "phone": "0221/1", "birthDate": {"year": 1980, "month": 2, "day": 29}, "group": "CUSTOMER_GROUP_RESELLER", "newsletter": true,
				"loyaltyPoints": "0", "address": {"recipient": "Zoë", "countryCode": "CZ"}, "otherAddresses": [{"recipient": "b", "countryCode": "DE"}, {"recipient": "a", "countryCode": "DE"}],
				"labels": {"a.b": "1", "quote\"d": "ä"}, "createTime": "2020-02-29T12:00:01Z", "lastLoginTime": "2021-01-01T00:00:00Z"}`},
			{"CustomerService.GetCustomer", "900", `{"id": 900, "email": "alt@example.com", "familyName": "Höfer", "group": "CUSTOMER_GROUP_RETAIL", "labels": {"a.b": "2"}, "createTime": "2020-02-29T12:00:01Z"}`},
			{"ProductService.GetProduct", "900", `{"id": 900, "sku": "NEU-1", "displayName": "Säge <1> & \"2\"", "description": "x", "price": {"currencyCode": "EUR", "units": "12", "nanos": 340500000},
				"manufacturer": "Neuland", "weightKg": {"value": "1.250"}, "availableQuantity": -3, "buyable": true, "featured": true, "digital": true, "categories": ["Garten"],
				"attributes": {"Farbe": "blau", "Länge": ""}, "imageDigest": "AAECAwQFBgcICQoLDA0OAA==", "availableDate": {"year": 2030, "month": 1, "day": 2}, "createTime": "2019-01-01T00:00:00Z"}`},
			{"ProductService.GetProduct", "900", `{"id": 900, "sku": "NEU-2", "price": {"currencyCode": "EUR"}, "displayName": "Säge", "createTime": "2019-01-01T00:00:00Z", "deleteTime": "2019-01-02T00:00:00Z"}`},
			{"OrderService.GetOrder", "900", l.one(t, "OrderService.GetOrder", `{"id": 3}`).with(`{"id": 900, "payment": {"bankTransfer": {"reference": "r"}}, "state": "ORDER_STATE_PENDING", "gift": true}`)},
			{"OrderService.GetOrder", "900", l.one(t, "OrderService.GetOrder", `{"id": 4}`).with(`{"id": 900, "lines": [], "history": [], "state": "ORDER_STATE_RETURNED", "comment": ""}`)},
		} {
			if strings.HasPrefix(c.get, "Product") && !l.mixesEngines(t) {
				continue
			}
			md := l.contract.Operation(protoreflect.FullName("shop.v2." + c.get)).Output
			want := parse(t, md, c.message)
			for range 2 {
				if err := l.backend.Put(t.Context(), contract.FromMessage(want)); err != nil {
					t.Fatalf("put %s: %v", c.message, err)
				}
				if got := l.one(t, c.get, `{"id": `+c.id+`}`); !proto.Equal(got.Interface(), want.Interface()) {
					t.Errorf("put made\n%s\nof %s", got.json(), reply{t, want}.json())
				}
			}
		}
		for table, want := range map[string]int{
			"customers_addresses WHERE customers_id = 900": 0, "customers_points WHERE points_customer = '00000900'": 0,
			"products_stock WHERE stock_sku LIKE 'NEU-%'": 0, "counters WHERE counters_name = 'orders' AND counters_value = 900": 1,
		} {
			if n := l.number(t, "SELECT COUNT(*) FROM "+table); n != want {
				t.Errorf("%s: %d rows, want %d", table, n, want)
			}
		}
	})
}

// A message that contradicts itself is refused, and nothing of it is kept.
func TestPutRefusesWrongTotals(t *testing.T) {
	eachLab(t, func(t *testing.T, l *lab) {
		before := l.untouched(t)
		order := l.one(t, "OrderService.GetOrder", `{"id": 3}`)
		wrong := parse(t, order.Descriptor(), order.with(`{"grandTotal": {"currencyCode": "EUR", "units": 1}, "history": []}`))
		err := l.backend.Put(t.Context(), contract.FromMessage(wrong))
		if err == nil || !strings.Contains(err.Error(), "TOTALS_DIFFER") {
			t.Errorf("got %v", err)
		}
		if !maps.Equal(before, l.untouched(t)) {
			t.Error("something was kept")
		}
	})
}

// The stock of an order's lines follows a put, however often it is repeated.
func TestPutOfAnOrderMovesStock(t *testing.T) {
	eachLab(t, func(t *testing.T, l *lab) {
		sku := l.value(t, "SELECT stock_sku FROM products_stock ORDER BY stock_sku LIMIT 1")
		other := l.value(t, "SELECT stock_sku FROM products_stock ORDER BY stock_sku DESC LIMIT 1")
		stock := func(sku string) int {
			return l.number(t, "SELECT stock_count FROM products_stock WHERE stock_sku = ?", sku)
		}
		was := map[string]int{sku: stock(sku), other: stock(other)}
		base := l.one(t, "OrderService.GetOrder", `{"id": 3}`)
		for _, c := range []struct {
			change string
			held   map[string]int
		}{
			{`"lines": [{"sku": %q, "quantity": 4}, {"sku": %q, "quantity": 1}]`, map[string]int{sku: 4, other: 1}},
			{`"lines": [{"sku": %q, "quantity": 2}, {"sku": %[1]q, "quantity": 3}]`, map[string]int{sku: 5, other: 0}},
			{`"lines": [{"sku": %q, "quantity": 2}, {"sku": %q, "quantity": 3}], "state": "ORDER_STATE_CANCELLED"`, map[string]int{sku: 0, other: 0}},
			{`"lines": [{"sku": %q, "quantity": 1}, {"sku": %q, "quantity": 1}]`, map[string]int{sku: 1, other: 1}},
		} {
			message := base.with(`{"id": 901, "state": "ORDER_STATE_PENDING", ` + fmt.Sprintf(c.change, sku, other) + `}`)
			for range 2 {
				if err := l.backend.Put(t.Context(), contract.FromMessage(parse(t, base.Descriptor(), message))); err != nil {
					t.Fatal(err)
				}
				for _, name := range slices.Sorted(maps.Keys(c.held)) {
					if got, want := stock(name), was[name]-c.held[name]; got != want {
						t.Errorf("%s: %d of %s on stock, want %d", c.change, got, name, want)
					}
				}
			}
		}
	})
}
