package shop_test

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/genproto/googleapis/type/date"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"banyan.dev/banyan/examples/shop/shopv1"
	"banyan.dev/banyan/examples/shop/shopv2"
)

// script is what clients of both versions do side by side.
type script struct {
	ctx        context.Context
	db         *sql.DB
	name       string
	customers1 shopv1.CustomerServiceClient
	customers2 shopv2.CustomerServiceClient
	orders1    shopv1.OrderServiceClient
	orders2    shopv2.OrderServiceClient
}

func newScript(t *testing.T, db *sql.DB, conn grpc.ClientConnInterface, name string) *script {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return &script{
		ctx: ctx, db: db, name: name,
		customers1: shopv1.NewCustomerServiceClient(conn), customers2: shopv2.NewCustomerServiceClient(conn),
		orders1: shopv1.NewOrderServiceClient(conn), orders2: shopv2.NewOrderServiceClient(conn),
	}
}

func (s *script) run(t *testing.T) {
	t.Run("a customer", s.customer)
	t.Run("updates of a customer", s.updates)
	t.Run("lists of customers", s.listCustomers)
	t.Run("orders", s.orders)
	t.Run("lists of orders", s.listOrders)
	t.Run("a stream of orders", s.stream)
	t.Run("errors", s.errors)
}

// ok ends the test unless a call went well.
func ok[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// equal holds messages against each other.
func equal(t *testing.T, got, want proto.Message) {
	t.Helper()
	if !proto.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// customer is opened in one version and read in both.
func (s *script) customer(t *testing.T) {
	login := strings.ToLower(s.name) + "@example.org"
	added := ok[*shopv1.Customer](t)(s.customers1.AddCustomer(s.ctx, &shopv1.AddCustomerRequest{Customer: &shopv1.Customer{
		Login: login, Title: shopv1.Customer_TITLE_MS, FirstName: "Zoë", LastName: "Groß", Birthday: "1976-08-02", Kind: shopv1.Customer_KIND_TRADE,
		Newsletter: true, Street: "Weg 1", Zip: "50667", City: "Köln", Country: "DE",
	}}))
	newer := ok[*shopv2.Customer](t)(s.customers2.GetCustomer(s.ctx, &shopv2.GetCustomerRequest{Id: int64(added.GetId())}))
	equal(t, added, customerOf(newer))
	if newer.GetEmail() != login || newer.GetSalutation() != shopv2.Salutation_SALUTATION_MS || newer.GetGroup() != shopv2.CustomerGroup_CUSTOMER_GROUP_TRADE ||
		!proto.Equal(newer.GetBirthDate(), &date.Date{Year: 1976, Month: 8, Day: 2}) || newer.GetAddress().GetCity() != "Köln" || newer.GetLoyaltyPoints() != nil {
		t.Errorf("shop.v2 has %v", newer)
	}
	equal(t, ok[*shopv1.Customer](t)(s.customers1.GetCustomer(s.ctx, &shopv1.GetCustomerRequest{Id: added.GetId()})), added)

	created := ok[*shopv2.Customer](t)(s.customers2.CreateCustomer(s.ctx, &shopv2.CreateCustomerRequest{Customer: &shopv2.Customer{
		Email: "2" + login, FamilyName: "Young", Phone: proto.String("+49 30 1"), Group: shopv2.CustomerGroup_CUSTOMER_GROUP_RETAIL, OtherAddresses: []*shopv2.Address{{Recipient: "R", City: "Bonn", CountryCode: "DE"}},
	}}))
	equal(t, ok[*shopv1.Customer](t)(s.customers1.GetCustomer(s.ctx, &shopv1.GetCustomerRequest{Id: int32(created.GetId())})), customerOf(created))
	ok[any](t)(s.customers1.LockCustomer(s.ctx, &shopv1.LockCustomerRequest{Id: int32(created.GetId())}))
	if !ok[*shopv2.Customer](t)(s.customers2.GetCustomer(s.ctx, &shopv2.GetCustomerRequest{Id: created.GetId()})).GetBlocked() {
		t.Error("LockCustomer blocked nobody")
	}
}

// updates of one version change in the other what they name, and nothing else.
func (s *script) updates(t *testing.T) {
	created := ok[*shopv2.Customer](t)(s.customers2.CreateCustomer(s.ctx, &shopv2.CreateCustomerRequest{Customer: &shopv2.Customer{
		Email: "u" + strings.ToLower(s.name) + "@example.org", GivenName: "A", FamilyName: "B", Phone: proto.String("1"), BirthDate: &date.Date{Year: 1990, Month: 1, Day: 2},
		Group:          shopv2.CustomerGroup_CUSTOMER_GROUP_RESELLER,
		Address:        &shopv2.Address{Recipient: "A B", Company: "AB", Street: "S 1", PostalCode: "1", City: "C", CountryCode: "DE"},
		OtherAddresses: []*shopv2.Address{{Recipient: "R", City: "Bonn", CountryCode: "DE"}},
	}}))
	id := int32(created.GetId())
	want := proto.CloneOf(created)
	for _, step := range []struct {
		what   string
		set    *shopv1.Customer
		mask   []string
		change func(*shopv2.Customer)
	}{
		{"renamed fields", &shopv1.Customer{FirstName: "Ada", Phone: "2"}, []string{"first_name"}, func(c *shopv2.Customer) { c.GivenName = "Ada" }},
		{"a field of a message", &shopv1.Customer{City: "Trier", Street: "not this"}, []string{"city"}, func(c *shopv2.Customer) { c.Address.City = "Trier" }},
		{"what is made of texts", &shopv1.Customer{Birthday: "1991-10-11"}, []string{"birthday"}, func(c *shopv2.Customer) { c.BirthDate = &date.Date{Year: 1991, Month: 10, Day: 11} }},
		{"values", &shopv1.Customer{Title: shopv1.Customer_TITLE_MR, Kind: shopv1.Customer_KIND_PRIVATE}, []string{"title", "kind"}, func(c *shopv2.Customer) {
			c.Salutation, c.Group = shopv2.Salutation_SALUTATION_MR, shopv2.CustomerGroup_CUSTOMER_GROUP_RETAIL
		}},
		{"to nothing", &shopv1.Customer{}, []string{"birthday", "phone", "first_name"}, func(c *shopv2.Customer) { c.BirthDate, c.Phone, c.GivenName = nil, nil, "" }},
	} {
		step.set.Id = id
		got := ok[*shopv1.Customer](t)(s.customers1.UpdateCustomer(s.ctx, &shopv1.UpdateCustomerRequest{Customer: step.set, UpdateMask: &fieldmaskpb.FieldMask{Paths: step.mask}}))
		step.change(want)
		newer := ok[*shopv2.Customer](t)(s.customers2.GetCustomer(s.ctx, &shopv2.GetCustomerRequest{Id: created.GetId()}))
		want.UpdateTime = newer.GetUpdateTime()
		if !proto.Equal(newer, want) {
			t.Errorf("%s:\ngot  %v\nwant %v", step.what, newer, want)
		}
		equal(t, got, customerOf(newer))
	}
	// Without a mask, what is set is changed. (Over REST the body is the mask.)
	ok[*shopv1.Customer](t)(s.customers1.UpdateCustomer(s.ctx, &shopv1.UpdateCustomerRequest{Customer: &shopv1.Customer{Id: id, LastName: "Byron", Zip: "54290"}}))
	want.FamilyName, want.Address.PostalCode = "Byron", "54290"
	newer := ok[*shopv2.Customer](t)(s.customers2.GetCustomer(s.ctx, &shopv2.GetCustomerRequest{Id: created.GetId()}))
	want.UpdateTime = newer.GetUpdateTime()
	equal(t, newer, want)

	if strings.Contains(t.Name(), "/REST") {
		return // protojson, which its clients encode by here, refuses what follows
	}
	// All that shop.v1 knows is changed by "*", and nothing else.
	all := ok[*shopv1.Customer](t)(s.customers1.GetCustomer(s.ctx, &shopv1.GetCustomerRequest{Id: id}))
	all.LastName, all.City = "King", "London"
	ok[*shopv1.Customer](t)(s.customers1.UpdateCustomer(s.ctx, &shopv1.UpdateCustomerRequest{Customer: all, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"*"}}}))
	want.FamilyName, want.Address.City = "King", "London"
	newer = ok[*shopv2.Customer](t)(s.customers2.GetCustomer(s.ctx, &shopv2.GetCustomerRequest{Id: created.GetId()}))
	want.UpdateTime = newer.GetUpdateTime()
	equal(t, newer, want)
}

func (s *script) listCustomers(t *testing.T) {
	var older, newer []string
	token := ""
	for {
		page := ok[*shopv1.ListCustomersResponse](t)(s.customers1.ListCustomers(s.ctx, &shopv1.ListCustomersRequest{PageSize: 7, PageToken: token, Country: "DE"}))
		for _, c := range page.GetCustomers() {
			older = append(older, c.String())
		}
		if token = page.GetNextPageToken(); token == "" {
			break
		}
	}
	for page := range pages(t, func(token string) (*shopv2.ListCustomersResponse, error) {
		return s.customers2.ListCustomers(s.ctx, &shopv2.ListCustomersRequest{PageSize: 11, PageToken: token, CountryCode: "DE"})
	}) {
		for _, c := range page.GetCustomers() {
			newer = append(newer, customerOf(c).String())
		}
	}
	if len(newer) < 12 || !slices.Equal(older, newer) {
		t.Errorf("shop.v1 lists %d customers, shop.v2 %d", len(older), len(newer))
	}
}

// pages gives the pages of a list to its end.
func pages[P interface{ GetNextPageToken() string }](t *testing.T, next func(token string) (P, error)) func(func(P) bool) {
	return func(yield func(P) bool) {
		for token := ""; ; {
			page := ok[P](t)(next(token))
			if token = page.GetNextPageToken(); !yield(page) || token == "" {
				return
			}
		}
	}
}

// buyer gives a customer who may order, and an article that can be had.
func (s *script) buyer(t *testing.T) (customer int32, article string) {
	t.Helper()
	const query = "SELECT products_sku FROM products p JOIN products_stock s ON s.stock_sku = p.products_sku WHERE products_active = 'J' AND stock_count BETWEEN 60 AND 400 ORDER BY products_id LIMIT 1"
	if err := s.db.QueryRowContext(s.ctx, query).Scan(&article); err != nil {
		t.Fatal(err)
	}
	if err := s.db.QueryRowContext(s.ctx, "SELECT customers_id FROM customers WHERE customers_locked = 0 ORDER BY customers_id LIMIT 1").Scan(&customer); err != nil {
		t.Fatal(err)
	}
	return customer, article
}

func (s *script) stock(t *testing.T, article string) (n int) {
	t.Helper()
	if err := s.db.QueryRowContext(s.ctx, "SELECT stock_count FROM products_stock WHERE stock_sku = ?", article).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// orders are placed and cancelled by either, and seen by both.
func (s *script) orders(t *testing.T) {
	customer, article := s.buyer(t)
	before := s.stock(t, article)
	placed := ok[*shopv1.Order](t)(s.orders1.PlaceOrder(s.ctx, &shopv1.PlaceOrderRequest{Order: &shopv1.Order{
		Customer: customer, ShipName: "Zoë", ShipStreet: "Weg 1", ShipZip: "50667", ShipCity: "Köln", ShipCountry: "DE",
		InvoiceAddress: &shopv1.PostalAddress{Name: "Firm", Street: "Allee 2", Zip: "10115", City: "Berlin", Country: "DE"},
		Shipping:       shopv1.Shipping_SHIPPING_EXPRESS, Gift: true, Remark: "5 > 3",
		Payment: &shopv1.Payment{Method: &shopv1.Payment_Invoice{Invoice: &shopv1.InvoicePayment{DueDays: 14}}},
		Items:   []*shopv1.Item{{Article: article, Count: 2}, {Article: article, Count: 1}},
	}}))
	newer := ok[*shopv2.Order](t)(s.orders2.GetOrder(s.ctx, &shopv2.GetOrderRequest{Id: int64(placed.GetId())}))
	equal(t, placed, orderOf(newer))
	if newer.GetShippingAddress().GetCity() != "Köln" || newer.GetBillingAddress().GetRecipient() != "Firm" || newer.GetPayment().GetInvoice().GetDueDays() != 14 ||
		len(newer.GetLines()) != 2 || newer.GetLines()[0].GetQuantity() != 2 || newer.GetShippingMethod() != shopv2.ShippingMethod_SHIPPING_METHOD_EXPRESS || !newer.GetGift() {
		t.Errorf("shop.v2 has %v", newer)
	}
	equal(t, ok[*shopv1.Order](t)(s.orders1.GetOrder(s.ctx, &shopv1.GetOrderRequest{Id: placed.GetId()})), placed)
	if got := s.stock(t, article); got != before-3 {
		t.Errorf("%d on stock, want %d", got, before-3)
	}
	cancelled := ok[*shopv1.Order](t)(s.orders1.CancelOrder(s.ctx, &shopv1.CancelOrderRequest{Id: placed.GetId(), Why: "too dear"}))
	newer = ok[*shopv2.Order](t)(s.orders2.GetOrder(s.ctx, &shopv2.GetOrderRequest{Id: int64(placed.GetId())}))
	equal(t, cancelled, orderOf(newer))
	if h := newer.GetHistory(); newer.GetState() != shopv2.OrderState_ORDER_STATE_CANCELLED || len(h) == 0 || h[len(h)-1].GetNote() != "too dear" {
		t.Errorf("shop.v2 has %v", newer)
	}
	if got := s.stock(t, article); got != before {
		t.Errorf("%d on stock after cancelling, want %d", got, before)
	}

	other := ok[*shopv2.Order](t)(s.orders2.PlaceOrder(s.ctx, &shopv2.PlaceOrderRequest{Order: &shopv2.Order{
		CustomerId: int64(customer), ShippingMethod: shopv2.ShippingMethod_SHIPPING_METHOD_STANDARD, Lines: []*shopv2.OrderLine{{Sku: article, Quantity: 1}},
		ShippingAddress: &shopv2.Address{Recipient: "R", Street: "S", PostalCode: "1", City: "C", CountryCode: "DE"},
	}}))
	equal(t, ok[*shopv1.Order](t)(s.orders1.GetOrder(s.ctx, &shopv1.GetOrderRequest{Id: int32(other.GetId())})), orderOf(other))
}

func (s *script) listOrders(t *testing.T) {
	customer, _ := s.buyer(t)
	for _, test := range []struct {
		what  string
		older *shopv1.ListOrdersRequest
		newer *shopv2.ListOrdersRequest
	}{
		{"all", &shopv1.ListOrdersRequest{}, &shopv2.ListOrdersRequest{}},
		{"a customer's, newest first", &shopv1.ListOrdersRequest{Customer: customer, Sort: "newest"}, &shopv2.ListOrdersRequest{CustomerId: int64(customer), OrderBy: "create_time desc"}},
	} {
		var older, newer []string
		for page := range pages(t, func(token string) (*shopv1.ListOrdersResponse, error) {
			test.older.PageSize, test.older.PageToken = 9, token
			return s.orders1.ListOrders(s.ctx, test.older)
		}) {
			for _, o := range page.GetOrders() {
				older = append(older, o.String())
			}
		}
		for page := range pages(t, func(token string) (*shopv2.ListOrdersResponse, error) {
			test.newer.PageSize, test.newer.PageToken = 13, token
			return s.orders2.ListOrders(s.ctx, test.newer)
		}) {
			for _, o := range page.GetOrders() {
				newer = append(newer, orderOf(o).String())
			}
		}
		if len(newer) == 0 || !slices.Equal(older, newer) {
			t.Errorf("%s: shop.v1 lists %d orders, shop.v2 %d", test.what, len(older), len(newer))
		}
	}
	for older, states := range map[shopv1.OrderStatus][]shopv2.OrderState{
		shopv1.OrderStatus_ORDER_STATUS_OPEN:      {shopv2.OrderState_ORDER_STATE_PENDING, shopv2.OrderState_ORDER_STATE_PROCESSING},
		shopv1.OrderStatus_ORDER_STATUS_CANCELLED: {shopv2.OrderState_ORDER_STATE_CANCELLED, shopv2.OrderState_ORDER_STATE_RETURNED},
	} {
		found := ok[*shopv1.FindOrdersResponse](t)(s.orders1.FindOrders(s.ctx, &shopv1.FindOrdersRequest{Status: older, PageSize: 200}))
		same := ok[*shopv2.SearchOrdersResponse](t)(s.orders2.SearchOrders(s.ctx, &shopv2.SearchOrdersRequest{States: states, PageSize: 200}))
		if len(same.GetOrders()) == 0 || len(found.GetOrders()) != len(same.GetOrders()) {
			t.Errorf("%s: shop.v1 finds %d orders, shop.v2 %d", older, len(found.GetOrders()), len(same.GetOrders()))
			continue
		}
		for i, o := range found.GetOrders() {
			equal(t, o, orderOf(same.GetOrders()[i]))
		}
	}
}

func (s *script) stream(t *testing.T) {
	older := ok[grpc.ServerStreamingClient[shopv1.StreamOrdersResponse]](t)(s.orders1.StreamOrders(s.ctx, &shopv1.StreamOrdersRequest{Since: 1}))
	newer := ok[grpc.ServerStreamingClient[shopv2.StreamOrdersResponse]](t)(s.orders2.StreamOrders(s.ctx, &shopv2.StreamOrdersRequest{}))
	n := 0
	for ; ; n++ {
		want, err := newer.Recv()
		got, err2 := older.Recv()
		if errors.Is(err, io.EOF) && errors.Is(err2, io.EOF) {
			break
		}
		if err != nil || err2 != nil {
			t.Fatalf("after %d orders: shop.v1 %v, shop.v2 %v", n, err2, err)
		}
		o := want.GetOrder()
		equal(t, got, &shopv1.StreamOrdersResponse{
			Id: int32(o.GetId()), Customer: int32(o.GetCustomerId()), Status: statusOf(o.GetState()), Country: o.GetCountryCode(),
			TotalCents: o.GetGrandTotal().GetUnits()*100 + int64(o.GetGrandTotal().GetNanos()/10_000_000), Currency: o.GetGrandTotal().GetCurrencyCode(),
		})
	}
	if n < 100 {
		t.Errorf("%d orders", n)
	}
}

// errors name what the caller of shop.v1 has sent.
func (s *script) errors(t *testing.T) {
	customer, article := s.buyer(t)
	order := func(change func(*shopv1.Order)) error {
		o := &shopv1.Order{
			Customer: customer, ShipName: "Zoë", ShipStreet: "Weg 1", ShipZip: "1", ShipCity: "Köln", ShipCountry: "DE",
			Shipping: shopv1.Shipping_SHIPPING_STANDARD, Items: []*shopv1.Item{{Article: article, Count: 1}},
		}
		change(o)
		_, err := s.orders1.PlaceOrder(s.ctx, &shopv1.PlaceOrderRequest{Order: o})
		return err
	}
	update := func(c *shopv1.Customer, mask ...string) error {
		c.Id = customer
		_, err := s.customers1.UpdateCustomer(s.ctx, &shopv1.UpdateCustomerRequest{Customer: c, UpdateMask: &fieldmaskpb.FieldMask{Paths: mask}})
		return err
	}
	_, missing := s.orders1.GetOrder(s.ctx, &shopv1.GetOrderRequest{Id: 99999})
	_, taken := s.customers1.AddCustomer(s.ctx, &shopv1.AddCustomerRequest{Customer: &shopv1.Customer{Login: strings.ToLower(s.name) + "@example.org", LastName: "X"}})
	_, token := s.orders1.ListOrders(s.ctx, &shopv1.ListOrdersRequest{PageToken: "nonsense"})
	for _, test := range []struct {
		what string
		err  error
		want string // code, domain and reason, then the message's beginning
		says string
	}{
		{"no such order", missing, "NotFound", ""},
		{"a login that is taken", taken, "AlreadyExists shop.v1 EMAIL_TAKEN", ""},
		{"a token of nobody's", token, "InvalidArgument", "page_token: "},
		{"a country that is none", order(func(o *shopv1.Order) { o.ShipCountry = "XX" }), "InvalidArgument shop.v1 UNKNOWN_COUNTRY", "order.ship_country: "},
		{"a customer that is none", order(func(o *shopv1.Order) { o.Customer = 99999 }), "InvalidArgument shop.v1 UNKNOWN_CUSTOMER", "order.customer: "},
		{"too many", order(func(o *shopv1.Order) { o.Items[0].Count = 1000000 }), "FailedPrecondition shop.v1 OUT_OF_STOCK", article + ": "},
		{"a way that is none", order(func(o *shopv1.Order) { o.Shipping = 77 }), "InvalidArgument", "order.shipping: "},
		{"an unknown country of an address", update(&shopv1.Customer{Country: "XX"}, "country"), "InvalidArgument shop.v1 UNKNOWN_COUNTRY", "country: "},
		{"a field of the other version", update(&shopv1.Customer{}, "given_name"), "InvalidArgument", `update_mask: "given_name" is no field of customer`},
		{"a field that can't be changed", update(&shopv1.Customer{}, "since"), "InvalidArgument", `update_mask: "since" can't be changed by this call`},
		{"a day that is none", update(&shopv1.Customer{Birthday: "tomorrow"}, "birthday"), "InvalidArgument", "customer.birthday: "},
		{"too long a name", update(&shopv1.Customer{FirstName: strings.Repeat("x", 500)}, "first_name"), "InvalidArgument", "customer.first_name: "},
	} {
		st, _ := status.FromError(test.err)
		got := st.Code().String()
		for _, d := range st.Details() {
			if info, ok := d.(*errdetails.ErrorInfo); ok {
				got += " " + info.GetDomain() + " " + info.GetReason()
			}
			if bad, ok := d.(*errdetails.BadRequest); ok && !strings.HasPrefix(st.Message(), bad.GetFieldViolations()[0].GetField()) {
				t.Errorf("%s: %q is about %s", test.what, st.Message(), bad.GetFieldViolations()[0].GetField())
			}
		}
		if !strings.HasPrefix(got, test.want) || !strings.HasPrefix(st.Message(), test.says) || strings.Contains(st.Message(), "shop.v2") {
			t.Errorf("%s: %s: %s", test.what, got, st.Message())
		}
	}
}
