package versions_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/strangler"
)

const listed = `-- a/v1/a.proto --
syntax = "proto3";
package a.v1;
service S { rpc Renamed(ListRequest) returns (RenamedList); rpc Computed(ListRequest) returns (ComputedList); }
message ListRequest {}
message RenamedList { repeated Renamed found = 1; }
message ComputedList { repeated Computed found = 1; }
message Renamed { int64 number = 1; bool sold = 2; string title = 3; string sku = 4; string price = 5; int64 in_stock = 6; int64 created_at = 7; string remark = 8; }
message Computed { int32 number = 1; bool available = 2; string title = 3; string sku = 4; string price = 5; int64 created_at = 7; string remark = 8; }
-- a/v2/a.proto --
syntax = "proto3";
package a.v2;
import "google/protobuf/timestamp.proto";
service S { rpc List(ListRequest) returns (ListResponse); }
message ListRequest {}
message ListResponse { repeated Item items = 1; }
message Item {
  int64 id = 1; string name = 2; string sku = 3; string price = 4; int32 quantity = 5; google.protobuf.Timestamp create_time = 6; bool active = 7;
  optional string note = 8;
}
-- rules --
version a.v1 of a.v2
operation a.v1.S.Renamed to a.v2.S.List
operation a.v1.S.Computed to a.v2.S.List
message a.v1.RenamedList from a.v2.ListResponse
  found: items
message a.v1.ComputedList from a.v2.ListResponse
  found: items
message a.v1.Renamed from a.v2.Item
  number: id
  sold: active
  title: name
  in_stock: quantity
  created_at: create_time.seconds
  remark: note
message a.v1.Computed from a.v2.Item
  number: int(id)
  available: active && quantity > 0
  title: name
  created_at: create_time.seconds
  remark: note
`

// What a list of 100 costs to translate.
func BenchmarkList(b *testing.B) {
	for _, name := range []string{"Renamed", "Computed"} {
		b.Run(name, func(b *testing.B) {
			l, faults := load(b, txtar.Parse([]byte(listed)))
			if err := faults.Err(); err != nil {
				b.Fatal(err)
			}
			op := l.operation(b, "a.v1.S."+name)
			var items []string
			for i := range 100 {
				items = append(items, fmt.Sprintf(`{"id": %d, "name": "Garden table, round, no. %d", "sku": "GT-%d", "price": "129.90", "quantity": %d, "createTime": "2026-11-25T10:00:00.5Z", "active": true, "note": "Untreated oak; deliver to the front door"}`, i+1, i, i, i%50))
			}
			newer := l.versions.Translated(op).Output
			given := wire(b, message(b, newer, `{"items": [`+strings.Join(items, ",")+`]}`))
			backend := l.versions.Backend(strangler.BackendFunc(func(_ context.Context, _ *strangler.Call, send func(*strangler.Reply) error) error {
				return send(&strangler.Reply{Message: contract.FromWire(newer, given)})
			}), nil)
			call := &strangler.Call{Operation: op, Request: contract.FromWire(op.Input, nil)}
			b.ReportAllocs()
			for b.Loop() {
				if err := backend.Call(b.Context(), call, func(*strangler.Reply) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
