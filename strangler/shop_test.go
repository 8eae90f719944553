package strangler_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/fstest"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/strangler"
)

// The contract of these tests: orders of customers, to which lines are added.
const shopProto = `syntax = "proto3";
package shop.v1;
service Orders {
  rpc GetOrder(Ref) returns (Order) { option idempotency_level = NO_SIDE_EFFECTS; }
  rpc WatchOrders(Ref) returns (stream Order) { option idempotency_level = NO_SIDE_EFFECTS; }
  rpc PlaceOrder(Placing) returns (Order);
  rpc AddLine(Adding) returns (Order);
  rpc DeleteOrder(Ref) returns (Deleted);
  rpc CountOrders(Ref) returns (Counted);
  rpc ImportOrders(Ref) returns (stream Order);
  rpc ListOrders(Listing) returns (Listed) { option idempotency_level = NO_SIDE_EFFECTS; }
  rpc GetShop(Ref) returns (Order) { option idempotency_level = NO_SIDE_EFFECTS; }
}
message Ref { string id = 1; string customer = 2; }
message Placing { string customer = 1; string line = 2; }
message Adding { string id = 1; string customer = 2; string line = 3; bool validate_only = 4; }
message Order { string id = 1; repeated string lines = 2; Address to = 3; }
message Address { string city = 1; }
message Listing { string customer = 1; string page_token = 2; }
message Listed { repeated Order orders = 1; string next_page_token = 2; }
message Deleted {}
message Counted { int64 n = 1; }
`

var shop = sync.OnceValue(func() *contract.Contract {
	c, faults := contract.Load(context.Background(), []contract.Root{{Name: "shop", FS: fstest.MapFS{"shop/v1/shop.proto": {Data: []byte(shopProto)}}}})
	if err := faults.Err(); err != nil {
		panic(err)
	}
	return c
})

func operation(name string) *contract.Operation {
	return shop().Operation(protoreflect.FullName("shop.v1.Orders." + name))
}

// message makes a message of texts.
func message(desc protoreflect.MessageDescriptor, texts map[string]string) *contract.Payload {
	m := dynamicpb.NewMessage(desc)
	for name, text := range texts {
		m.Set(desc.Fields().ByName(protoreflect.Name(name)), protoreflect.ValueOfString(text))
	}
	return contract.FromMessage(m)
}

func text(p *contract.Payload, field string) string {
	m, err := p.Message()
	if err != nil {
		panic(err)
	}
	fd := m.Descriptor().Fields().ByName(protoreflect.Name(field))
	if fd == nil {
		return ""
	}
	return m.Get(fd).String()
}

// order makes an order's message.
func order(id string, lines []string) *contract.Payload {
	desc := shop().Message("shop.v1.Order")
	m := dynamicpb.NewMessage(desc)
	m.Set(desc.Fields().ByName("id"), protoreflect.ValueOfString(id))
	list := m.Mutable(desc.Fields().ByName("lines")).List()
	for _, line := range lines {
		list.Append(protoreflect.ValueOfString(line))
	}
	return contract.FromMessage(m)
}

func linesOf(t testing.TB, p *contract.Payload) []string {
	t.Helper()
	m, err := p.Message()
	if err != nil {
		t.Fatal(err)
	}
	list := m.Get(m.Descriptor().Fields().ByName("lines")).List()
	var lines []string
	for i := range list.Len() {
		lines = append(lines, list.Get(i).String())
	}
	return lines
}

// byCustomer routes by the request's customer.
func byCustomer(_ context.Context, call *strangler.Call) (string, bool, error) {
	key := text(call.Request, "customer")
	if key == "?" {
		return "", false, strangler.Invalid("customer", "there is none of this name")
	}
	return key, key != "", nil
}

// orders makes the capability of these tests.
func orders(modern strangler.Backend) *strangler.Capability {
	entity, ref := shop().Message("shop.v1.Order"), shop().Message("shop.v1.Ref")
	c := &strangler.Capability{
		Name: "orders", Service: "orders", Modern: modern,
		Entity: &strangler.Entity{Message: entity, Get: operation("GetOrder"), ID: entity.Fields().ByName("id"), GetID: ref.Fields().ByName("id")},
		Routes: map[*contract.Operation]*strangler.Route{},
	}
	for _, name := range []string{"GetOrder", "WatchOrders", "PlaceOrder", "AddLine", "DeleteOrder", "CountOrders", "ImportOrders", "ListOrders"} {
		op := operation(name)
		route := &strangler.Route{Key: byCustomer}
		if slices.Contains([]string{"AddLine", "DeleteOrder"}, name) {
			route.EntityID = op.Input.Fields().ByName("id")
		}
		c.Routes[op] = route
	}
	return c
}

func payload(desc protoreflect.MessageDescriptor, wire []byte) *contract.Payload {
	return contract.FromWire(desc, slices.Clone(wire))
}
