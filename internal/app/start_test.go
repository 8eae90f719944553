package app_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"banyan.dev/banyan/internal/app"
	"banyan.dev/banyan/internal/app/apptest"
	"banyan.dev/banyan/internal/devstack"
)

// large writes a project of n services with five operations each, one table a service, and gives its directory.
func large(t testing.TB, n int) (dir, schema string) {
	t.Helper()
	var archive, tables strings.Builder
	archive.WriteString(`-- banyan.yaml --
contract: {paths: [contract]}
sql: [sql/*.sql]
legacy: {dsn: "${DSN}"}
listen: {rest: "127.0.0.1:0", grpc: "127.0.0.1:0", admin: "127.0.0.1:0"}
auth: {off: true}
`)
	for i := range n {
		replace := strings.NewReplacer("$", fmt.Sprint(i))
		_, _ = replace.WriteString(&archive, `-- contract/large/v1/s$.proto --
syntax = "proto3";
package large.v1;
import "google/api/annotations.proto";
import "google/protobuf/timestamp.proto";
service Thing$Service {
  rpc GetThing$(GetThing$Request) returns (Thing$) { option (google.api.http) = {get: "/v1/things$/{id}"}; }
  rpc ListThing$(ListThing$Request) returns (ListThing$Response) { option (google.api.http) = {get: "/v1/things$"}; }
  rpc CreateThing$(CreateThing$Request) returns (Thing$) { option (google.api.http) = {post: "/v1/things$" body: "thing"}; }
  rpc RenameThing$(RenameThing$Request) returns (Thing$) { option (google.api.http) = {post: "/v1/things$/{id}:rename" body: "*"}; }
  rpc StreamThing$(StreamThing$Request) returns (stream Thing$) { option (google.api.http) = {get: "/v1/things$:stream"}; }
}
message GetThing$Request { int64 id = 1; }
message ListThing$Request { int32 page_size = 1; string page_token = 2; string name = 3; }
message ListThing$Response { repeated Thing$ things = 1; string next_page_token = 2; }
message CreateThing$Request { Thing$ thing = 1; }
message RenameThing$Request { int64 id = 1; string name = 2; }
message StreamThing$Request {}
message Thing$ { int64 id = 1; string name = 2; google.protobuf.Timestamp create_time = 3; double weight = 4; bool active = 5; }
-- sql/s$.sql --
-- rpc: large.v1.Thing$Service.GetThing$
-- name: thing :one
SELECT t.id, t.name, t.created AS create_time, t.weight, t.active FROM thing$ t WHERE t.id = :id;

-- rpc: large.v1.Thing$Service.ListThing$
-- name: things :many into=things
SELECT t.id, t.name, t.created AS create_time, t.weight, t.active FROM thing$ t
 WHERE :page
   AND t.name = :name -- ?
 ORDER BY t.id;

-- rpc: large.v1.Thing$Service.CreateThing$
-- name: add :exec
INSERT INTO thing$ (id, name, created, weight, active) VALUES (:thing.id, :thing.name, :thing.create_time, :thing.weight, :thing.active);
-- name: reply :call GetThing$ id=:thing.id

-- rpc: large.v1.Thing$Service.RenameThing$
-- name: rename :exec
UPDATE thing$ SET name = :name WHERE id = :id;
-- name: reply :call GetThing$ id=:id

-- rpc: large.v1.Thing$Service.StreamThing$
-- name: things :many
SELECT t.id, t.name, t.created AS create_time, t.weight, t.active FROM thing$ t ORDER BY t.id;
`)
		_, _ = replace.WriteString(&tables, "CREATE TABLE thing$ (id BIGINT PRIMARY KEY, name VARCHAR(40) NOT NULL, created DATETIME NOT NULL, weight DOUBLE NOT NULL, active TINYINT(1) NOT NULL) ENGINE=InnoDB;\n")
	}
	return apptest.Files(t, archive.String()), tables.String()
}

// largest is as many services as a shop of any size has.
const largest = 170

func TestALargeProjectStarts(t *testing.T) {
	dir, schema := large(t, largest)
	dsn := devstack.MariaDB(t).NewSchema(t)
	if err := execute(dsn, schema); err != nil {
		t.Fatal(err)
	}
	s := apptest.Start(t, dir, dsn)
	if got := len(s.Project.Contract.Operations()); got != 5*largest {
		t.Errorf("%d operations", got)
	}
	if err := s.LogLine(`"msg":"serving"`, `"start_ms":`); err != nil {
		t.Error(err)
	}
	for line := range strings.Lines(s.Logs()) {
		if strings.Contains(line, `"msg":"loaded"`) || strings.Contains(line, `"msg":"checked"`) || strings.Contains(line, `"msg":"serving"`) {
			t.Log(line)
		}
	}
}

// BenchmarkLoad tells how long config, contract and SQL of a large project take, without the legacy.
func BenchmarkLoad(b *testing.B) {
	dir, _ := large(b, largest)
	dsn := func(string) (string, bool) { return "u:p@tcp(127.0.0.1:1)/x", true }
	for b.Loop() {
		if _, faults := app.Load(b.Context(), filepath.Join(dir, "banyan.yaml"), dsn); faults.Failed() {
			b.Fatal(faults.Err())
		}
	}
}
