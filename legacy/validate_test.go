package legacy_test

import (
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"banyan.dev/banyan/internal/devstack"
)

// customersLab has etags as docs/sql.md writes them, and validate_only.
func customersLab(t *testing.T, server *devstack.Server) *lab {
	t.Helper()
	l := newLab(t, server, &txtar.Archive{Files: []txtar.File{
		{Name: "lab.proto", Data: []byte(`syntax = "proto3"; package lab.v1; import "google/protobuf/empty.proto"; import "google/protobuf/field_mask.proto";
			message Customer { int64 id = 1; string display_name = 2; optional string phone = 3; string etag = 4; }
			message Ref { int64 id = 1; }
			message Update { Customer customer = 1; google.protobuf.FieldMask update_mask = 2; bool validate_only = 3; }
			message Create { Customer customer = 1; bool validate_only = 2; }
			service S {
				rpc GetCustomer(Ref) returns (Customer) { option idempotency_level = NO_SIDE_EFFECTS; }
				rpc UpdateCustomer(Update) returns (Customer);
				rpc CreateCustomer(Create) returns (Customer);
				rpc Log(Create) returns (google.protobuf.Empty);
			}`)},
		{Name: "schema.sql", Data: []byte("CREATE TABLE customers (customers_id BIGINT AUTO_INCREMENT PRIMARY KEY, customers_name VARCHAR(20) NOT NULL, customers_phone VARCHAR(20) NULL, UNIQUE (customers_name)) ENGINE=InnoDB;" +
			"INSERT INTO customers VALUES (7, 'Ann', NULL); CREATE TABLE log (name VARCHAR(20)) ENGINE=MyISAM")},
		{Name: "s.sql", Data: []byte(`-- rpc: lab.v1.S.GetCustomer
-- name: customer :one
SELECT c.customers_id AS id, c.customers_name AS display_name, c.customers_phone AS phone,
       SHA2(JSON_ARRAY(c.customers_name, c.customers_phone), 256) AS etag
  FROM customers c WHERE c.customers_id = :id;
-- rpc: lab.v1.S.UpdateCustomer
-- name: found :one into=-
-- expect: 1 else NOT_FOUND CUSTOMER_NOT_FOUND "there is no customer {customer.id}"
SELECT c.customers_id AS _id FROM customers c WHERE c.customers_id = :customer.id FOR UPDATE;
-- name: unchanged :one into=-
-- expect: 1 else ABORTED ETAG_MISMATCH "the customer was changed since it was read; read it again"
SELECT c.customers_id AS _id FROM customers c WHERE c.customers_id = :customer.id
   AND SHA2(JSON_ARRAY(c.customers_name, c.customers_phone), 256) = :customer.etag  -- if: customer.etag != ""
   FOR UPDATE;
-- name: update :exec
UPDATE customers SET customers_id = customers_id
  , customers_name = :customer.display_name   -- ?
  , customers_phone = :customer.phone   -- ?
 WHERE customers_id = :customer.id;
-- name: reply :call GetCustomer id=:customer.id
-- rpc: lab.v1.S.CreateCustomer
-- name: insert :exec
INSERT INTO customers (customers_name, customers_phone) VALUES (:customer.display_name, :customer.phone);
-- name: reply :call GetCustomer id=:insert.last_insert_id
-- rpc: lab.v1.S.Log
-- name: log :exec
INSERT INTO log (name) VALUES (:customer.display_name);
`)},
	}})
	if l.faults.Failed() {
		t.Fatal(l.faults.Err())
	}
	for _, f := range l.faults.All() {
		if strings.Contains(f.Message, "validate_only") {
			t.Errorf("a field that Banyan uses itself is called unused: %s", f.Message)
		}
	}
	return l
}

// etagOf gives the etag in a reply, as JSON; "" where there is none.
func etagOf(reply string) string {
	_, rest, found := strings.Cut(reply, `"etag"`)
	if parts := strings.Split(rest, `"`); found && len(parts) > 1 {
		return parts[1]
	}
	return ""
}

func TestEtags(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			l := customersLab(t, server)
			etag := func() string { return etagOf(strings.Join(l.call(t, "S.GetCustomer", `{"id": 7}`), "")) }
			first := etag()
			for _, step := range []struct{ request, want string }{
				{`{"customer": {"id": 7, "phone": "1", "etag": "` + first + `"}}`, `"phone":"1"`},
				{`{"customer": {"id": 7, "phone": "2", "etag": "` + first + `"}}`, "Aborted ETAG_MISMATCH"},
				{`{"customer": {"id": 7, "phone": "3"}, "updateMask": "phone"}`, `"phone":"3"`},
				{`{"customer": {"id": 7, "phone": "4", "etag": "` + first + `"}, "updateMask": "phone"}`, "Aborted ETAG_MISMATCH"},
				{`{"customer": {"id": 8, "etag": "` + first + `"}}`, "NOT_FOUND"},
				// The mask of a PATCH is its body.
				{`{"customer": {"id": 7, "phone": "5", "etag": "` + first + `"}, "updateMask": "phone,etag"}`, "Aborted ETAG_MISMATCH"},
				{`{"customer": {"id": 7, "phone": "3", "etag": "now"}, "updateMask": "phone,etag"}`, `"phone":"3"`},
				{`{"customer": {"id": 7, "etag": "now"}, "updateMask": "etag"}`, `"phone":"3"`},
			} {
				step.request = strings.ReplaceAll(step.request, `"etag": "now"`, `"etag": "`+etag()+`"`)
				got := strings.ReplaceAll(strings.Join(l.call(t, "S.UpdateCustomer", step.request), ""), `": `, `":`)
				if !strings.Contains(got, step.want) {
					t.Errorf("%s: got %s, want %s", step.request, got, step.want)
				}
			}
			// Texts that run into each other are told apart, and so are NULL and empty.
			seen := map[string]string{}
			for _, row := range []string{"'x|0', 'y'", "'x', '0|y'", "'x', NULL", "'x', ''"} {
				if _, err := l.db.ExecContext(t.Context(), "REPLACE INTO customers VALUES (9, "+row+")"); err != nil {
					t.Fatal(err)
				}
				tag := etagOf(strings.Join(l.call(t, "S.GetCustomer", `{"id": 9}`), ""))
				if other, twice := seen[tag]; twice || tag == "" {
					t.Errorf("%s and %s have the etag %q", row, other, tag)
				}
				seen[tag] = row
			}
			if now := etag(); now == first || l.rows(t, "SELECT customers_phone FROM customers WHERE customers_id = 7") != "3" {
				t.Errorf("the etag is %s, was %s, and the table has %s", now, first, l.rows(t, "SELECT customers_phone FROM customers WHERE customers_id = 7"))
			}
		})
	}
}

// A write that is only validated answers what it would, and leaves nothing.
func TestValidateOnly(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			l := customersLab(t, server)
			before := l.rows(t, "SELECT * FROM customers")
			for _, step := range []struct{ method, request, want string }{
				{"CreateCustomer", `{"customer": {"displayName": "Bob"}, "validateOnly": true}`, `"displayName":"Bob"`},
				{"CreateCustomer", `{"customer": {"displayName": "Ann"}, "validateOnly": true}`, "ALREADY_EXISTS"},
				{"UpdateCustomer", `{"customer": {"id": 7, "phone": "1"}, "validateOnly": true}`, `"phone":"1"`},
				{"UpdateCustomer", `{"customer": {"id": 9}, "validateOnly": true}`, "NOT_FOUND"},
				{"Log", `{"customer": {"displayName": "Bob"}, "validateOnly": true}`, "Unimplemented VALIDATE_ONLY_UNSUPPORTED"},
			} {
				got := strings.ReplaceAll(strings.Join(l.call(t, "S."+step.method, step.request), ""), `": `, `":`)
				if !strings.Contains(got, step.want) {
					t.Errorf("%s %s: got %s, want %s", step.method, step.request, got, step.want)
				}
			}
			if after := l.rows(t, "SELECT * FROM customers"); after != before || l.rows(t, "SELECT COUNT(*) FROM log") != "0" {
				t.Errorf("it was %s, and is %s", before, after)
			}
			l.ok(t, "S.CreateCustomer", `{"customer": {"displayName": "Bob"}, "validateOnly": false}`)
			if n := l.rows(t, "SELECT COUNT(*) FROM customers"); n != "2" {
				t.Errorf("there are %s", n)
			}
		})
	}
}
