package shop_test

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/examples/shop/orders"
	"banyan.dev/banyan/strangler"
)

// told gives a caller's view of what a call gave: its replies, without ids and times where they are each side's own, or its
// error with all details.
func told(t *testing.T, replies []protoreflect.Message, err error, own bool) string {
	t.Helper()
	if err == nil {
		var out []string
		for _, r := range replies {
			if own {
				r = without(r, "id", "create_time", "update_time")
			}
			out = append(out, reply{t, r}.json())
		}
		return strings.Join(out, "\n")
	}
	st := status.Convert(err)
	out := st.Code().String() + ": " + st.Message()
	for _, d := range st.Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			out += " | " + d.GetDomain() + " " + d.GetReason()
		case *errdetails.BadRequest:
			for _, v := range d.GetFieldViolations() {
				out += " | " + v.GetField() + ": " + v.GetDescription()
			}
		}
	}
	return out
}

// without gives a copy of a message without what each side makes by itself: ids of orders, and times.
func without(m protoreflect.Message, names ...protoreflect.Name) protoreflect.Message {
	m = proto.Clone(m.Interface()).ProtoReflect()
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		for _, name := range names {
			if fd.Name() == name {
				m.Clear(fd)
				return true
			}
		}
		if fd.Name() == "history" {
			for i := range v.List().Len() {
				v.List().Get(i).Message().Clear(fd.Message().Fields().ByName("create_time"))
			}
		}
		return true
	})
	return m
}

// oldErrors gives an error of the heart as gRPC does.
func oldErrors(err error) error {
	if err == nil {
		return nil
	}
	return strangler.AsError(err).GRPCStatus().Err()
}

// Whatever is asked for, both give the same.
func TestNewServiceListsAsTheOldShop(t *testing.T) {
	eachLab(t, func(t *testing.T, l *lab) {
		b := newBeside(t, l)
		for id, country := range map[int]string{5: "Holland", 6: "Großbritannien"} {
			if _, err := l.db.ExecContext(t.Context(), "UPDATE orders SET orders_ship_country = ? WHERE orders_id = ?", country, id); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := l.db.ExecContext(t.Context(), "UPDATE orders SET orders_purchased = '0000-00-00 00:00:00' WHERE orders_id IN (8, 9)"); err != nil {
			t.Fatal(err)
		}
		var all []int
		for id := 1; id <= small().Orders; id++ {
			all = append(all, id)
		}
		b.tell(t, all...)
		sku := l.value(t, "SELECT positions_sku FROM orders_positions LIMIT 1")
		email := l.value(t, "SELECT orders_email FROM orders WHERE orders_id = 20")
		zip := l.value(t, "SELECT orders_ship_zip FROM orders WHERE orders_id = 20")
		for _, c := range [][2]string{
			{"GetOrder", `{"id": 1}`},
			{"GetOrder", `{"id": 5}`},
			{"GetOrder", `{"id": 8}`},
			{"GetOrder", `{}`},
			{"GetOrder", `{"id": -1}`},
			{"GetOrder", `{"id": 99999999999}`},
			{"ListOrderEvents", `{"id": 3}`},
			{"ListOrderEvents", `{"id": 999}`},
			{"ListOrders", `{}`},
			{"ListOrders", `{"pageSize": 7}`},
			{"ListOrders", `{"pageSize": 5000}`},
			{"ListOrders", `{"pageSize": -1}`},
			{"ListOrders", `{"pageToken": "x"}`},
			{"ListOrders", `{"orderBy": "create_time", "pageSize": 7}`},
			{"ListOrders", `{"orderBy": "create_time desc", "pageSize": 7}`},
			{"ListOrders", `{"orderBy": "x"}`},
			{"ListOrders", `{"customerId": 7, "pageSize": 1}`},
			{"ListOrders", `{"customerId": -5}`},
			{"ListOrders", `{"state": "ORDER_STATE_DELIVERED", "pageSize": 9}`},
			{"ListOrders", `{"state": 17}`},
			{"ListOrders", `{"createdAfter": "2010-01-01T00:00:00Z", "createdBefore": "2020-01-01T00:00:00.5Z", "orderBy": "create_time", "pageSize": 11}`},
			{"ListOrders", `{"createdBefore": "2006-01-01T00:00:00Z"}`},
			{"ListOrders", `{"createdAfter": "2020-01-01T00:00:00.123456789Z"}`},
			{"SearchOrders", `{"pageSize": 7}`},
			{"SearchOrders", `{"orderBy": "create_time", "pageSize": 7}`},
			{"SearchOrders", `{"orderBy": "grand_total desc", "pageSize": 7}`},
			{"SearchOrders", `{"orderBy": "create_time asc"}`},
			{"SearchOrders", `{"recipientPrefix": "jo"}`},
			{"SearchOrders", `{"recipientPrefix": "JÖ"}`},
			{"SearchOrders", `{"recipientPrefix": "s"}`},
			{"SearchOrders", `{"recipientPrefix": "%"}`},
			{"SearchOrders", `{"recipientPrefix": "ÿ"}`},
			{"SearchOrders", fmt.Sprintf(`{"email": %q}`, strings.ToUpper(email))},
			{"SearchOrders", fmt.Sprintf(`{"email": "%s  "}`, email)},
			{"SearchOrders", `{"email": "nobody"}`},
			{"SearchOrders", fmt.Sprintf(`{"postalCodePrefix": %q, "pageSize": 3}`, zip[:2])},
			{"SearchOrders", `{"countryCode": "nl"}`},
			{"SearchOrders", `{"countryCode": "GB"}`},
			{"SearchOrders", `{"countryCode": "XX"}`},
			{"SearchOrders", `{"states": ["ORDER_STATE_CANCELLED", "ORDER_STATE_RETURNED"], "pageSize": 2}`},
			{"SearchOrders", `{"states": [0]}`},
			{"SearchOrders", `{"states": [17]}`},
			{"SearchOrders", fmt.Sprintf(`{"sku": %q}`, strings.ToLower(sku))},
			{"SearchOrders", `{"sku": "NONE"}`},
			{"SearchOrders", `{"minTotal": {"units": 300, "currencyCode": "EUR"}, "pageSize": 9}`},
			{"SearchOrders", `{"minTotal": {"units": 300, "nanos": 1, "currencyCode": "chf"}}`},
			{"SearchOrders", `{"minTotal": {"units": -3, "nanos": -1, "currencyCode": "CHF"}, "pageSize": 9}`},
			{"SearchOrders", `{"minTotal": {"units": 300}}`},
			{"SearchOrders", `{"minTotal": {"units": 3, "nanos": -1, "currencyCode": "EUR"}}`},
			{"SearchOrders", `{"minTotal": {"nanos": 1000000000, "currencyCode": "EUR"}}`},
			{"SearchOrders", `{"minTotal": {"units": "999999999999999", "currencyCode": "EUR"}}`},
			{"SearchOrders", `{"gift": true}`},
			{"SearchOrders", `{"gift": false, "pageSize": 50, "createdAfter": "2010-01-01T00:00:00Z"}`},
			{"SearchOrders", `{"commentContains": "m > l"}`},
			{"SearchOrders", `{"commentContains": "amp"}`},
			{"SearchOrders", `{"commentContains": "100% wie immer _"}`},
			{"SearchOrders", `{"commentContains": "&"}`},
			{"SearchOrders", `{"commentContains": "e"}`},
			{"StreamOrders", `{}`},
			{"StreamOrders", `{"states": ["ORDER_STATE_CANCELLED"], "createdBefore": "2015-01-01T00:00:00Z"}`},
			{"StreamOrders", `{"states": [0, 17]}`},
		} {
			b.pagesAreEqual(t, "OrderService."+c[0], c[1])
		}
	})
}

// pagesAreEqual compares what both sides give, page after page.
func (b *beside) pagesAreEqual(t *testing.T, name, request string) {
	t.Helper()
	oldToken, newToken := "", ""
	for page := 1; ; page++ {
		old, oldErr := b.call(t, name, withToken(request, oldToken))
		fresh, newErr := b.fresh(t, name, withToken(request, newToken))
		if oldErr == nil && newErr == nil && len(old) == 1 {
			oldToken, newToken = reply{t, old[0]}.text("nextPageToken"), reply{t, fresh[0]}.text("nextPageToken")
			if (oldToken == "") != (newToken == "") {
				t.Errorf("%s %s: page %d is the last of one only", name, request, page)
				return
			}
			old[0], fresh[0] = without(old[0], "next_page_token"), without(fresh[0], "next_page_token")
		}
		if was, is := told(t, old, oldErrors(oldErr), false), told(t, fresh, newErr, false); was != is {
			t.Errorf("%s %s, page %d: the old shop gives\n%.3000s\nand the new service\n%.3000s", name, request, page, was, is)
			return
		}
		if oldToken == "" {
			return
		}
	}
}

func withToken(request, token string) string {
	if token == "" {
		return request
	}
	return strings.Replace(fmt.Sprintf(`{"pageToken": %q, %s`, token, request[1:]), ", }", "}", 1)
}

// The configuration is what the old shop's tables say.
func TestNewServicesConfigurationIsTheOldShops(t *testing.T) {
	eachLab(t, func(t *testing.T, l *lab) {
		c, err := orders.DefaultConfig()
		if err != nil {
			t.Fatal(err)
		}
		if got := l.value(t, "SELECT `value` FROM configuration WHERE `key` = 'SHOP_CURRENCY'"); got != c.Currency {
			t.Errorf("the currency is %s", got)
		}
		for code, rate := range c.Currencies {
			if got := l.value(t, "SELECT currencies_rate FROM currencies WHERE currencies_code = ?", code); got != rate {
				t.Errorf("the rate of %s is %s", code, got)
			}
		}
		if n := l.number(t, "SELECT COUNT(*) FROM currencies"); n != len(c.Currencies) {
			t.Errorf("there are %d currencies", n)
		}
		if got := l.value(t, "SELECT GROUP_CONCAT(countries_iso ORDER BY countries_id) FROM countries"); got != strings.Join(c.Countries, ",") {
			t.Errorf("the countries are %s", got)
		}
		for method, fees := range c.Shipping {
			was := l.value(t, "SELECT `value` FROM configuration WHERE `key` = ?", "SHIPPING_"+strings.TrimPrefix(method, "SHIPPING_METHOD_"))
			if !strings.HasPrefix(was, fmt.Sprintf("a:%d:", len(fees))) {
				t.Errorf("%s: the fees are %s", method, was)
			}
			for country, fee := range fees {
				if !strings.Contains(was, fmt.Sprintf(`"%s";d:%s;`, country, fee)) {
					t.Errorf("%s: the fee to %s is among %s", method, country, was)
				}
			}
		}
	})
}

// putBack brings a message of the new service into the old shop, and fails unless that shows it as it was.
func (b *beside) putBack(t *testing.T, m protoreflect.Message) {
	t.Helper()
	for range 2 {
		if err := b.backend.Put(t.Context(), contract.FromMessage(m)); err != nil {
			t.Errorf("put %s: %v", reply{t, m}.json(), err)
			return
		}
	}
	is := b.one(t, "OrderService.GetOrder", fmt.Sprintf(`{"id": %s}`, reply{t, m}.text("id")))
	if !proto.Equal(is.Interface(), m.Interface()) {
		t.Errorf("put made\n%s\nof\n%s", is.json(), reply{t, m}.json())
	}
}
