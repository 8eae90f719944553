package alltypes

import (
	"cmp"
	"fmt"
	"strings"
)

// table is the name of a column's table.
func table(n int) string { return fmt.Sprintf("c%02d", n) }

// message is the name of the message that has a column in a field, and of its RPCs behind Get and Put.
func message(n int, f *field) string {
	return fmt.Sprintf("C%02d%s", n, strings.ReplaceAll(strings.ToUpper(f.name[:1])+f.name[1:], " ", ""))
}

// path is where REST has it.
func path(n int, f *field) string { return "/v1/" + strings.ToLower(message(n, f)) }

// project writes a project that reads and writes each column by each of its fields.
func project(all []*column, zone string) string {
	var proto, sql strings.Builder
	proto.WriteString(`syntax = "proto3";
package cells.v1;
import "google/api/annotations.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/empty.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/type/date.proto";
import "google/type/decimal.proto";
import "google/type/money.proto";
import "google/type/timeofday.proto";
enum Size { SIZE_UNSPECIFIED = 0; SIZE_NONE = 1; SIZE_SMALL = 2; SIZE_LARGER = 3; SIZE_TWO = 4; }
message GetRequest { int64 id = 1; }
service Cells {
`)
	sql.WriteString("-- enum: cells.v1.Size NONE='' SMALL='small' LARGER='größer' TWO='2'\n")
	var messages strings.Builder
	for n, c := range all {
		for _, f := range c.fields {
			name := message(n, f)
			fmt.Fprintf(&proto, "rpc Get%s(GetRequest) returns (%s) { option (google.api.http) = {get: %q}; }\n", name, name, path(n, f)+"/{id}")
			fmt.Fprintf(&messages, "message %s { int64 id = 1; %s value = 2; }\n", name, f.proto)
			fmt.Fprintf(&sql, "\n-- rpc: cells.v1.Cells.Get%s\n-- name: cell :one\nSELECT id, v AS value FROM %s WHERE id = :id;\n", name, table(n))
			if f.unput != "" {
				continue
			}
			fmt.Fprintf(&proto, "rpc Put%s(%s) returns (google.protobuf.Empty) { option (google.api.http) = {post: %q body: \"*\"}; }\n", name, name, path(n, f))
			fmt.Fprintf(&sql, "\n-- rpc: cells.v1.Cells.Put%s\n-- name: put :exec\nINSERT INTO %s (id, v) VALUES (:id, %s);\n", name, table(n), cmp.Or(f.put, ":value"))
		}
	}
	proto.WriteString("}\n" + messages.String())
	return "-- banyan.yaml --\n" +
		"contract: {paths: [contract]}\nsql: [cells.sql]\nauth: {off: true}\n" +
		"legacy: {dsn: \"${DSN}\", time_zone: \"" + zone + "\"}\n" +
		"listen: {rest: \"127.0.0.1:0\", grpc: \"127.0.0.1:0\", admin: \"127.0.0.1:0\"}\nlog: {level: info}\n" +
		"-- contract/cells/v1/cells.proto --\n" + proto.String() +
		"-- cells.sql --\n" + sql.String()
}
