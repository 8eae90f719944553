package strangler_test

import (
	"context"
	"strings"
	"testing"
	"testing/fstest"

	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/strangler"
)

func TestIDs(t *testing.T) {
	const proto = `syntax = "proto3";
package ids.v1;
service S { rpc Get(M) returns (M) { option idempotency_level = NO_SIDE_EFFECTS; } }
message M {
  string text = 1; int32 i32 = 2; sint64 i64 = 3; fixed32 u32 = 4; uint64 u64 = 5;
  double d = 6; repeated string list = 7; bytes b = 8;
}
message Other { string text = 1; }
`
	c, faults := contract.Load(context.Background(), []contract.Root{{Name: "ids", FS: fstest.MapFS{"ids/v1/ids.proto": {Data: []byte(proto)}}}})
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	desc := c.Message("ids.v1.M")
	for _, test := range []struct{ field, id, bad string }{
		{"text", "a/7 ö", ""},
		{"i32", "-2147483648", "2147483648"},
		{"i64", "-9223372036854775808", "9223372036854775808"},
		{"u32", "4294967295", "-1"},
		{"u64", "18446744073709551615", "x"},
	} {
		field := desc.Fields().ByName(protoreflect.Name(test.field))
		e := &strangler.Entity{Message: desc, Get: c.Operation("ids.v1.S.Get"), ID: field, GetID: field}
		request, err := e.Request(test.id)
		if err != nil {
			t.Errorf("%s: %v", test.field, err)
			continue
		}
		m, err := contract.FromWire(desc, wireOf(request)).Message()
		if err != nil {
			t.Fatal(err)
		}
		if got := strangler.IDText(m, field); got != test.id {
			t.Errorf("%s: %q became %q", test.field, test.id, got)
		}
		if got := strangler.IDText(m, c.Message("ids.v1.Other").Fields().ByNumber(1)); got != "" {
			t.Errorf("another message's field is %q", got)
		}
		if test.bad == "" {
			continue
		}
		if _, err := e.Request(test.bad); err == nil || !strings.Contains(err.Error(), test.bad) {
			t.Errorf("%s: %q: %v", test.field, test.bad, err)
		}
	}
	for _, name := range []string{"d", "list", "b"} {
		field := desc.Fields().ByName(protoreflect.Name(name))
		if name != "list" {
			e := &strangler.Entity{Message: desc, Get: c.Operation("ids.v1.S.Get"), ID: field, GetID: field}
			if _, err := e.Request("1"); err == nil {
				t.Errorf("%s is taken as an id", name)
			}
		}
		m, err := contract.FromWire(desc, nil).Message()
		if err != nil {
			t.Fatal(err)
		}
		if got := strangler.IDText(m, field); got != "" {
			t.Errorf("%s: %q", name, got)
		}
	}
}
