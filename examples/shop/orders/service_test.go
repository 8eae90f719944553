package orders

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"banyan.dev/banyan/examples/shop/shopv2"
	"banyan.dev/banyan/protocol"
)

// facade stands for Banyan's: one customer, one product.
type facade struct {
	shopv2.UnimplementedCustomerServiceServer
	shopv2.UnimplementedProductServiceServer

	stock int32
	asked int
	fail  error
}

func (f *facade) GetCustomer(_ context.Context, in *shopv2.GetCustomerRequest) (*shopv2.Customer, error) {
	if f.asked++; f.fail != nil {
		return nil, f.fail
	}
	if in.GetId() != 7 {
		return nil, status.Error(codes.NotFound, "no")
	}
	return &shopv2.Customer{Id: 7, Email: "zoe@example.org", GivenName: "Zoë", FamilyName: "Groß", Address: &shopv2.Address{City: "Köln", CountryCode: "DE"}}, nil
}

func (f *facade) SearchProducts(_ context.Context, in *shopv2.SearchProductsRequest) (*shopv2.SearchProductsResponse, error) {
	p := &shopv2.Product{Id: 1, Sku: "A-1", DisplayName: "Säge", Price: &money.Money{CurrencyCode: "EUR", Units: 5, Nanos: 995000000}, AvailableQuantity: f.stock, Buyable: true}
	return &shopv2.SearchProductsResponse{Products: []*shopv2.Product{p}}, nil
}

// serveFacade serves a facade until the test ends, and gives its address.
func serveFacade(t *testing.T, f *facade) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	shopv2.RegisterCustomerServiceServer(server, f)
	shopv2.RegisterProductServiceServer(server, f)
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Stop()
		<-done
	})
	return l.Addr().String()
}

// open opens a service on a file.
func open(t *testing.T, f *facade, path string) *Service {
	t.Helper()
	s, err := Open(t.Context(), Options{
		Database: path, Facade: []string{serveFacade(t, f)}, Logger: slog.New(slog.DiscardHandler), AskWithin: 30 * time.Second,
		Now: func() time.Time { return time.Date(2026, 5, 1, 12, 0, 0, 999, time.UTC) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func wish(quantity int32) *shopv2.PlaceOrderRequest {
	return &shopv2.PlaceOrderRequest{Order: &shopv2.Order{
		CustomerId: 7, ShippingMethod: shopv2.ShippingMethod_SHIPPING_METHOD_STANDARD, ShippingAddress: &shopv2.Address{CountryCode: "DE"},
		Lines: []*shopv2.OrderLine{{Sku: "a-1", Quantity: quantity}},
	}}
}

// live gives the context of a live write.
func live(t *testing.T, id, epoch string) context.Context {
	return metadata.NewIncomingContext(t.Context(), metadata.Pairs(protocol.MetadataWrite, id, protocol.MetadataEpoch, epoch))
}

// tell applies an event as the kit does.
func tell(t *testing.T, s *Service, e protocol.EntityEvent) error {
	t.Helper()
	tx, err := s.db.write.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.apply(t.Context(), tx, e); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

func orderEvent(t *testing.T, id string, o *shopv2.Order) protocol.EntityEvent {
	t.Helper()
	data, err := protojson.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return protocol.EntityEvent{Entity: orderName, ID: id, Data: data}
}

func TestWritesOfBanyanAreTakenOnce(t *testing.T) {
	f := &facade{stock: 3}
	path := filepath.Join(t.TempDir(), "orders ä?#%.db")
	s := open(t, f, path)
	first, err := s.PlaceOrder(live(t, "w1", "4"), wish(2))
	if err != nil {
		t.Fatal(err)
	}
	if first.GetId() != FirstID || first.GetGrandTotal().GetUnits() != 16 || first.GetGrandTotal().GetNanos() != 900000000 || first.GetCreateTime().GetNanos() != 0 || first.GetLines()[0].GetSku() != "A-1" {
		t.Errorf("the order is %v", first)
	}
	// It is the same however late it is asked for again, whatever the others say by then.
	f.stock, f.fail = 0, status.Error(codes.Internal, "down")
	asked := f.asked
	for range 2 {
		again, err := s.PlaceOrder(live(t, "w1", "4"), wish(2))
		if err != nil || !proto.Equal(first, again) {
			t.Errorf("the second try gives %v, %v", again, err)
		}
	}
	if f.asked != asked {
		t.Error("others were asked for a known write")
	}
	if _, err := s.PlaceOrder(live(t, "w2", "4"), wish(2)); status.Code(err) != codes.Unavailable {
		t.Errorf("without the others: %v", err)
	}
	f.fail = nil
	if _, err := s.PlaceOrder(live(t, "w2", "4"), wish(2)); reasonOf(err) != "shop.v2 OUT_OF_STOCK" {
		t.Errorf("got %v", err)
	}
	f.stock = 9
	second, err := s.PlaceOrder(live(t, "w2", "4"), wish(2)) // nothing of a refusal is kept
	if err != nil || second.GetId() != FirstID+1 {
		t.Errorf("the second order is %v, %v", second, err)
	}
	for range 2 {
		cancelled, err := s.CancelOrder(live(t, "w3", "4"), &shopv2.CancelOrderRequest{Id: first.GetId(), Reason: "no"})
		if err != nil || cancelled.GetState() != shopv2.OrderState_ORDER_STATE_CANCELLED || len(cancelled.GetHistory()) != 2 {
			t.Errorf("cancelling gives %v, %v", cancelled, err)
		}
	}
	if _, err := s.CancelOrder(t.Context(), &shopv2.CancelOrderRequest{Id: first.GetId()}); reasonOf(err) != "shop.v2 NOT_CANCELLABLE" {
		t.Errorf("got %v", err)
	}
	if _, err := s.PlaceOrder(live(t, "w4", "x"), wish(1)); status.Code(err) != codes.InvalidArgument {
		t.Errorf("a tag that can't be read gives %v", err)
	}
	// Another process goes on where this one ended.
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, f, path)
	third, err := s.PlaceOrder(t.Context(), wish(1))
	if err != nil || third.GetId() != FirstID+2 {
		t.Errorf("the third order is %v, %v", third, err)
	}
}

func reasonOf(err error) string {
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			return info.GetDomain() + " " + info.GetReason()
		}
	}
	return status.Code(err).String()
}

// Ids go on behind those that come back from the old shop, whose own are below.
func TestIDsGoOnBehindAllThatWereSeen(t *testing.T) {
	s := open(t, &facade{stock: 9}, filepath.Join(t.TempDir(), "orders.db"))
	for id, n := range map[string]int64{"17": 17, "1000000041": 1_000_000_041} {
		if err := tell(t, s, orderEvent(t, id, &shopv2.Order{Id: n})); err != nil {
			t.Fatal(err)
		}
	}
	o, err := s.PlaceOrder(t.Context(), wish(1))
	if err != nil || o.GetId() != 1_000_000_042 {
		t.Errorf("the id is %d, %v", o.GetId(), err)
	}
	if err := tell(t, s, orderEvent(t, "2147483647", &shopv2.Order{Id: LastID})); err != nil {
		t.Fatal(err)
	}
	if o, err := s.PlaceOrder(t.Context(), wish(1)); err == nil {
		t.Errorf("there is an id behind the last: %d", o.GetId())
	}
}

// Where no id is left, that is a definite answer: an order whose outcome is open would be tried again for ever.
func TestWithoutIDsOrdersAreRefused(t *testing.T) {
	s := open(t, &facade{stock: 5}, filepath.Join(t.TempDir(), "orders.db"))
	if _, err := s.db.write.ExecContext(t.Context(), "UPDATE ids SET last = ?", LastID-1); err != nil {
		t.Fatal(err)
	}
	if o, err := s.PlaceOrder(live(t, "1", "1"), wish(1)); err != nil || o.GetId() != LastID {
		t.Fatalf("the last order: %v, %v", o, err)
	}
	for range 2 {
		_, err := s.PlaceOrder(live(t, "2", "1"), wish(1))
		if status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), "no ids left") {
			t.Errorf("without ids: %v", err)
		}
	}
}

func TestEventsAreAppliedOrRefused(t *testing.T) {
	s := open(t, &facade{}, filepath.Join(t.TempDir(), "orders.db"))
	o := &shopv2.Order{Id: 5, CustomerId: 7, Comment: "a & b", Lines: []*shopv2.OrderLine{{Sku: "A-1"}, {Sku: "A-1"}}}
	for _, comment := range []string{"a & b", "c"} {
		o.Comment = comment
		if err := tell(t, s, orderEvent(t, "5", o)); err != nil {
			t.Fatal(err)
		}
		if got, err := s.GetOrder(t.Context(), &shopv2.GetOrderRequest{Id: 5}); err != nil || !proto.Equal(got, o) {
			t.Errorf("got %v, %v", got, err)
		}
	}
	for _, e := range []protocol.EntityEvent{
		{Entity: "shop.v2.Customer", ID: "5", Data: []byte(`{}`)},
		{Entity: orderName, ID: "five", Data: []byte(`{}`)},
		{Entity: orderName, ID: "5", Data: []byte(`{"id": "6"}`)},
		{Entity: orderName, ID: "5", Data: []byte(`{"id": "5", "fromTomorrow": true}`)},
		{Entity: orderName, ID: "5", Data: []byte(`{"id": "5", "exchangeRate": {"value": "1.0000001"}}`)},
		{Entity: orderName, ID: "5", Data: []byte(`{"id": "5", "grandTotal": {"nanos": 1}}`)},
	} {
		if err := tell(t, s, e); err == nil {
			t.Errorf("%s was applied", e.Data)
		}
	}
	if found, err := s.SearchOrders(t.Context(), &shopv2.SearchOrdersRequest{Sku: "a-1"}); err != nil || len(found.GetOrders()) != 1 {
		t.Errorf("found %v, %v", found, err)
	}
	if err := tell(t, s, protocol.EntityEvent{Entity: orderName, ID: "5", Deleted: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.GetOrder(t.Context(), &shopv2.GetOrderRequest{Id: 5}); reasonOf(err) != "shop.v2 ORDER_NOT_FOUND" {
		t.Errorf("got %v", err)
	}
	if found, err := s.SearchOrders(t.Context(), &shopv2.SearchOrdersRequest{Sku: "a-1"}); err != nil || len(found.GetOrders()) != 0 {
		t.Errorf("found %v, %v", found, err)
	}
}

// A token is for the list that it was given for, and for no other.
func TestPageTokensAreSealed(t *testing.T) {
	s := open(t, &facade{}, filepath.Join(t.TempDir(), "orders.db"))
	for _, id := range []string{"1", "2", "3"} {
		if err := tell(t, s, orderEvent(t, id, &shopv2.Order{Id: int64(id[0] - '0')})); err != nil {
			t.Fatal(err)
		}
	}
	page, err := s.ListOrders(t.Context(), &shopv2.ListOrdersRequest{PageSize: 2})
	if err != nil || len(page.GetOrders()) != 2 || page.GetNextPageToken() == "" {
		t.Fatalf("got %v, %v", page, err)
	}
	if last, err := s.ListOrders(t.Context(), &shopv2.ListOrdersRequest{PageSize: 1, PageToken: page.GetNextPageToken()}); err != nil || len(last.GetOrders()) != 1 || last.GetNextPageToken() != "" {
		t.Errorf("the last page is %v, %v", last, err)
	}
	for _, in := range []*shopv2.ListOrdersRequest{
		{PageToken: page.GetNextPageToken(), OrderBy: "create_time"},
		{PageToken: page.GetNextPageToken()[1:]},
		{PageToken: strings.ToLower(page.GetNextPageToken())},
		{PageToken: "AAAA"},
	} {
		if got, err := s.ListOrders(t.Context(), in); reasonOf(err) != "banyan INVALID_FIELD" {
			t.Errorf("%v gives %v, %v", in, got, err)
		}
	}
}

func TestServiceServesAndStops(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(t.Context(), Options{
		Listen: "127.0.0.1:0", Database: filepath.Join(dir, "o.db"), Facade: []string{" " + serveFacade(t, &facade{stock: 5}), ""},
		Logger: slog.New(slog.DiscardHandler), ReadyFile: filepath.Join(dir, "ready.json"), Delay: time.Millisecond, DelayShare: 100,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	var ready map[string]string
	for tick := time.NewTicker(5 * time.Millisecond); ready == nil; <-tick.C {
		if text, err := os.ReadFile(filepath.Join(dir, "ready.json")); err == nil {
			if err := json.Unmarshal(text, &ready); err != nil {
				t.Fatal(err)
			}
		}
	}
	conn, err := grpc.NewClient(ready["grpc"], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if h, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: "shop.v2.OrderService"}); err != nil || h.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Errorf("health is %v, %v", h, err)
	}
	if o, err := shopv2.NewOrderServiceClient(conn).PlaceOrder(ctx, wish(1)); err != nil || o.GetId() != FirstID {
		t.Errorf("got %v, %v", o, err)
	}
	cancel()
	if err := errors.Join(<-done, s.Close()); err != nil {
		t.Error(err)
	}
	if _, err := Open(t.Context(), Options{Database: filepath.Join(dir, "none", "o.db"), Facade: []string{"x"}}); err == nil {
		t.Error("a database in no directory was opened")
	}
	if _, err := Open(t.Context(), Options{Database: filepath.Join(dir, "o.db")}); err == nil {
		t.Error("a service without a facade was opened")
	}
}
