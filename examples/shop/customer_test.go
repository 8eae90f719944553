package shop_test

import (
	"fmt"
	"strings"
	"testing"
)

func TestCustomerIsCreatedAndChanged(t *testing.T) {
	eachLab(t, func(t *testing.T, l *lab) {
		const request = `{"customer": {"email": "zoe@example.com", "givenName": "Zoë", "familyName": "Weiß", "company": "A & B", "phone": "1", "birthDate": {"year": 1990, "month": 1, "day": 31},
			"loyaltyPoints": "5", "address": {"recipient": "Zoë", "street": "Weg 1", "countryCode": "AT"}, "otherAddresses": [{"recipient": "Opa", "countryCode": "NL"}], "labels": {"source": "fair"}}}`
		created := l.one(t, "CustomerService.CreateCustomer", request)
		for path, want := range map[string]any{
			"id": "61", "email": "zoe@example.com", "company": "A & B", "phone": "1", "birthDate.day": 31.0, "loyaltyPoints": "5", "group": "CUSTOMER_GROUP_RETAIL",
			"address.countryCode": "AT", "otherAddresses.0.countryCode": "NL", "labels.source": "fair", "lastLoginTime": nil, "updateTime": nil,
		} {
			if got := created.at(path); got != want {
				t.Errorf("%s is %v, want %v", path, got, want)
			}
		}
		l.fails(t, "CustomerService.CreateCustomer", request, "AlreadyExists EMAIL_TAKEN")
		l.fails(t, "CustomerService.CreateCustomer", strings.NewReplacer("zoe@", "y@", `"AT"`, `"XX"`).Replace(request), "InvalidArgument UNKNOWN_COUNTRY")
		l.fails(t, "CustomerService.CreateCustomer", strings.NewReplacer("zoe@", "y@", `"NL"`, `"XX"`).Replace(request), "InvalidArgument UNKNOWN_COUNTRY")
		l.fails(t, "CustomerService.CreateCustomer", strings.NewReplacer("zoe@", "y@", "Weiß", "Łukasz").Replace(request), "InvalidArgument "+storable)

		for _, c := range []struct {
			customer, mask string
			want           map[string]any
		}{
			{`"givenName": "Zora", "phone": "2"`, `"given_name"`, map[string]any{"givenName": "Zora", "phone": "1", "familyName": "Weiß"}},
			{`"familyName": "Groß"`, `"phone,family_name"`, map[string]any{"phone": nil, "familyName": "Groß"}},
			{`"address": {"city": "Linz"}`, `"address.city"`, map[string]any{"address.city": "Linz", "address.street": "Weg 1"}},
			{`"address": {"city": "Wien", "countryCode": "CH"}`, `"address"`, map[string]any{"address.city": "Wien", "address.street": nil, "address.countryCode": "CH"}},
			{`"company": "C <& D>"`, `""`, map[string]any{"company": "C <& D>", "givenName": "Zora"}},
			{`"group": "CUSTOMER_GROUP_STAFF", "newsletter": true`, `"group,newsletter,birth_date"`, map[string]any{"group": "CUSTOMER_GROUP_STAFF", "newsletter": true, "birthDate": nil}},
		} {
			got := l.one(t, "CustomerService.UpdateCustomer", fmt.Sprintf(`{"customer": {"id": 61, %s}, "updateMask": %s}`, c.customer, camel(c.mask)))
			for path, want := range c.want {
				if got.at(path) != want {
					t.Errorf("%s with mask %s: %s is %v, want %v", c.customer, c.mask, path, got.at(path), want)
				}
			}
		}
		l.fails(t, "CustomerService.UpdateCustomer", `{"customer": {"id": 999}, "updateMask": "email"}`, "NotFound CUSTOMER_NOT_FOUND")
		l.fails(t, "CustomerService.UpdateCustomer", `{"customer": {"id": 61}, "updateMask": "labels"}`, "InvalidArgument INVALID_FIELD")
		l.fails(t, "CustomerService.UpdateCustomer", `{"customer": {"id": 61, "address": {"countryCode": "XX"}}}`, "InvalidArgument UNKNOWN_COUNTRY")
		taken := l.value(t, "SELECT customers_login FROM customers WHERE customers_id = 1")
		if _, err := l.call(t, "CustomerService.UpdateCustomer", fmt.Sprintf(`{"customer": {"id": 61, "email": %q}}`, taken)); err == nil || !strings.Contains(err.Error(), "AlreadyExists") {
			t.Errorf("an address that is taken gave %v", err)
		}

		l.one(t, "CustomerService.BlockCustomer", `{"id": 61}`)
		l.one(t, "CustomerService.BlockCustomer", `{"id": 61}`)
		if got := l.one(t, "CustomerService.GetCustomer", `{"id": 61}`); got.at("blocked") != true {
			t.Errorf("blocked is %v", got.at("blocked"))
		}
		l.fails(t, "CustomerService.BlockCustomer", `{"id": 999}`, "NotFound CUSTOMER_NOT_FOUND")
	})
}

// storable is the reason of what a column can't store: a letter that latin1 does not have.
const storable = "VALUE_NOT_STORABLE"

// camel gives a mask as JSON has it.
func camel(mask string) string {
	for _, c := range []string{"n", "d", "c"} {
		mask = strings.ReplaceAll(mask, "_"+c, strings.ToUpper(c))
	}
	return mask
}

// A customer without an address gets one by an update that brings one, and not by any other.
func TestCustomerGetsAFirstAddress(t *testing.T) {
	eachLab(t, func(t *testing.T, l *lab) {
		id := l.number(t, "SELECT MIN(customers_id) FROM customers WHERE customers_address = 0")
		count := func() int {
			return l.number(t, "SELECT COUNT(*) FROM customers_addresses WHERE customers_id = ?", id)
		}
		update := func(mask string) reply {
			return l.one(t, "CustomerService.UpdateCustomer", fmt.Sprintf(`{"customer": {"id": %d, "phone": "7", "address": {"city": "Graz", "countryCode": "AT"}}, "updateMask": %q}`, id, mask))
		}
		if got := update("phone"); got.at("address") != nil || count() != 0 {
			t.Errorf("an update of the phone gave %s", got.json())
		}
		if got := update("address.city"); got.text("address.city") != "Graz" || got.at("address.countryCode") != nil || count() != 1 {
			t.Errorf("an update of the city gave %s", got.json())
		}
		if got := update(""); got.text("address.countryCode") != "AT" || count() != 1 {
			t.Errorf("an update without a mask gave %s", got.json())
		}
	})
}

// What must never be shown is in the tables, and in no reply.
func TestSecretsStayInside(t *testing.T) {
	eachLab(t, func(t *testing.T, l *lab) {
		var shown strings.Builder
		for _, c := range []struct{ operation, request string }{
			{"OrderService.ListOrders", `{"pageSize": 1000}`},
			{"OrderService.SearchOrders", `{"pageSize": 1000}`},
			{"CustomerService.ListCustomers", `{"pageSize": 1000}`},
		} {
			shown.WriteString(l.one(t, c.operation, c.request).json())
		}
		for id := 1; id <= small().Customers; id++ {
			shown.WriteString(l.one(t, "CustomerService.GetCustomer", fmt.Sprintf(`{"id": %d}`, id)).json())
		}
		for id := 1; id <= small().Orders; id++ {
			shown.WriteString(l.one(t, "OrderService.GetOrder", fmt.Sprintf(`{"id": %d}`, id)).json())
		}
		n := 0
		for _, query := range []string{
			"SELECT orders_card_number FROM orders WHERE orders_card_number <> ''",
			"SELECT customers_password FROM customers",
		} {
			rows, err := l.db.QueryContext(t.Context(), query)
			if err != nil {
				t.Fatal(err)
			}
			for rows.Next() {
				var secret string
				if err := rows.Scan(&secret); err != nil {
					t.Fatal(err)
				}
				n++
				if strings.Contains(shown.String(), secret) || strings.Contains(shown.String(), secret[:12]) {
					t.Errorf("a reply shows %s", secret)
				}
			}
			if err := rows.Err(); err != nil {
				t.Fatal(err)
			}
			_ = rows.Close()
		}
		if n < small().Customers+10 {
			t.Errorf("only %d secrets were looked for", n)
		}
	})
}
