package contract_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"google.golang.org/protobuf/encoding/protojson"

	"banyan.dev/banyan/contract"
)

// root makes a root named "contract" of files given as path and text in turn.
func root(files ...string) contract.Root {
	m := fstest.MapFS{}
	for i := 0; i < len(files); i += 2 {
		m[files[i]] = &fstest.MapFile{Data: []byte(files[i+1])}
	}
	return contract.Root{Name: "contract", FS: m}
}

const shop = `syntax = "proto3";
package shop.v2;

import "google/api/annotations.proto";
import "google/protobuf/timestamp.proto";
import "google/type/money.proto";

service OrderService {
  // Gets an order.
  rpc GetOrder(GetOrderRequest) returns (Order) {
    option (google.api.http) = {
      get: "/v2/{name=shops/*/orders/*}"
      additional_bindings { get: "/v2/orders/{name}" response_body: "total" }
    };
  }
  rpc CancelOrder(GetOrderRequest) returns (Order) {
    option (google.api.http) = { post: "/v2/{name=shops/*/orders/*}:cancel" body: "*" };
  }
  rpc Count(GetOrderRequest) returns (Order) { option idempotency_level = NO_SIDE_EFFECTS; }
  rpc WatchOrders(GetOrderRequest) returns (stream Order);
  rpc Probe(GetOrderRequest) returns (Order) {
    option (google.api.http) = { custom: { kind: "HEAD" path: "/v2/probe" } };
  }
}

message GetOrderRequest { string name = 1; }
message Order {
  string name = 1;
  google.protobuf.Timestamp create_time = 2;
  google.type.Money total = 3;
}
`

func mustLoad(t testing.TB, roots ...contract.Root) *contract.Contract {
	t.Helper()
	c, faults := contract.Load(t.Context(), roots)
	if err := faults.Err(); err != nil {
		t.Fatalf("Load: %v", err)
	}
	return c
}

func TestLoadFillsTheContract(t *testing.T) {
	c := mustLoad(t, root("shop/v2/order.proto", shop))
	if len(c.Versions) != 1 || c.Versions[0].Package != "shop.v2" || len(c.Versions[0].Services) != 1 {
		t.Fatalf("versions: %+v", c.Versions)
	}
	got := c.Operation("shop.v2.OrderService.GetOrder")
	if got == nil {
		t.Fatal("GetOrder is not there")
	}
	if got.FullMethod != "/shop.v2.OrderService/GetOrder" || !got.Read || got.ServerStreaming {
		t.Errorf("GetOrder: %+v", got)
	}
	if at := got.Pos.String(); at != "contract/shop/v2/order.proto:10:3" {
		t.Errorf("GetOrder is at %s", at)
	}
	want := []contract.Rule{
		{Method: "GET", Template: "/v2/{name=shops/*/orders/*}"},
		{Method: "GET", Template: "/v2/orders/{name}", ResponseBody: "total"},
	}
	if fmt.Sprint(got.Rules) != fmt.Sprint(want) {
		t.Errorf("rules: %v, want %v", got.Rules, want)
	}
	reads := map[string]bool{}
	for _, op := range c.Operations() {
		reads[string(op.Descriptor.Name())] = op.Read
	}
	if fmt.Sprint(reads) != "map[CancelOrder:false Count:true GetOrder:true Probe:false WatchOrders:false]" {
		t.Errorf("reads: %v", reads)
	}
	if !c.Operation("shop.v2.OrderService.WatchOrders").ServerStreaming {
		t.Error("WatchOrders does not stream")
	}
	if r := c.Operation("shop.v2.OrderService.Probe").Rules; len(r) != 1 || r[0].Method != "HEAD" {
		t.Errorf("Probe: %v", r)
	}
	if c.Message("shop.v2.Order") == nil || c.Message("google.type.Money") == nil || c.Message("shop.v2.Nothing") != nil {
		t.Error("Message finds the wrong things")
	}
}

func TestTypesResolveAny(t *testing.T) {
	c := mustLoad(t, root("shop/v2/order.proto", shop))
	for _, url := range []string{
		"type.googleapis.com/shop.v2.Order", "type.googleapis.com/google.rpc.ErrorInfo",
		"type.googleapis.com/google.protobuf.StringValue",
	} {
		mt, err := c.Types.FindMessageByURL(url)
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		if _, err := protojson.Marshal(mt.New().Interface()); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// The google.api extension is then a dynamic type, not the generated one.
func TestRulesOfAVendoredAnnotationsFile(t *testing.T) {
	const http = `syntax = "proto3"; package google.api;
message HttpRule { string selector = 1; oneof pattern { string get = 2; string post = 4; } string body = 7; string future = 99; }`
	const annotations = `syntax = "proto3"; package google.api;
import "google/api/http.proto"; import "google/protobuf/descriptor.proto";
extend google.protobuf.MethodOptions { HttpRule http = 72295728; }`
	const own = `syntax = "proto3"; package a.v1; import "google/api/annotations.proto";
service S { rpc Get(M) returns (M) { option (google.api.http) = { get: "/a" future: "x" }; } }
message M {}`
	c := mustLoad(t, root("a.proto", own, "google/api/http.proto", http, "google/api/annotations.proto", annotations))
	if r := c.Operation("a.v1.S.Get").Rules; len(r) != 1 || r[0] != (contract.Rule{Method: "GET", Template: "/a"}) {
		t.Errorf("rules: %+v", r)
	}
	if len(c.Versions) != 1 {
		t.Errorf("versions: %+v", c.Versions)
	}
}

func TestLoadOfManyRootsAndVersions(t *testing.T) {
	v := func(version string) string {
		return fmt.Sprintf("syntax = \"proto3\"; package shop.%s; import \"common.proto\";\n"+
			"service S { rpc Get(common.M) returns (common.M); }\n", version)
	}
	c := mustLoad(t,
		contract.Root{Name: "a", FS: fstest.MapFS{
			"v1.proto": {Data: []byte(v("v1"))}, "v2.proto": {Data: []byte(v("v2"))},
			"shared/ignored.proto": {Data: []byte("not proto at all: it belongs to the root a/shared")},
			".git/x.proto":         {Data: []byte("hidden")},
		}},
		contract.Root{Name: "a/shared", FS: fstest.MapFS{
			"common.proto": {Data: []byte(`syntax = "proto3"; package common; message M {}`)},
		}})
	var got []string
	for _, v := range c.Versions {
		got = append(got, string(v.Package))
	}
	if strings.Join(got, " ") != "shop.v1 shop.v2" {
		t.Errorf("versions: %v", got)
	}
}

func TestLoadStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c, faults := contract.Load(ctx, []contract.Root{root("shop/v2/order.proto", shop)})
	if c != nil || !faults.Failed() {
		t.Errorf("Load of an ended context gives %v, %v", c, faults.All())
	}
}

// Whatever is in a file, loading it ends with a contract or with faults.
func FuzzLoad(f *testing.F) {
	f.Add(shop)
	f.Add(rpc(`get: "/v1/{id}" additional_bindings { post: "/v1/x:y" body: "n" response_body: "tags" }`))
	f.Add("syntax = \"proto2\"; package p; message M { optional group G = 1 { required int32 x = 1; } extensions 5 to 9; } extend M { optional M m = 5; }")
	f.Add("edition = \"2023\"; package e; option features.field_presence = IMPLICIT; message M { map<string, M> m = 1; oneof o { int32 a = 2; } }")
	f.Add("import \"a.proto\"; service S { rpc R(stream X) returns (X); }")
	f.Fuzz(func(t *testing.T, text string) {
		c, faults := contract.Load(t.Context(), []contract.Root{root("a.proto", text)})
		if c == nil && !faults.Failed() {
			t.Error("neither a contract nor faults")
		}
	})
}
