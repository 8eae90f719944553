package contract_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"banyan.dev/banyan/contract"
)

// large makes a contract of n services with five RPCs each, one file a service.
func large(n int) contract.Root {
	files := fstest.MapFS{}
	for i := range n {
		var b strings.Builder
		fmt.Fprintf(&b, `syntax = "proto3";
package big.v%[2]d;
import "google/api/annotations.proto";
import "google/protobuf/empty.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/timestamp.proto";
import "google/type/money.proto";
// Things of kind %[1]d.
service Thing%[1]dService {
  rpc GetThing%[1]d(GetThing%[1]dRequest) returns (Thing%[1]d) {
    option (google.api.http) = { get: "/v%[2]d/{name=things%[1]d/*}" };
  }
  rpc ListThing%[1]ds(ListThing%[1]dsRequest) returns (ListThing%[1]dsResponse) {
    option (google.api.http) = { get: "/v%[2]d/things%[1]d" };
  }
  rpc CreateThing%[1]d(CreateThing%[1]dRequest) returns (Thing%[1]d) {
    option (google.api.http) = { post: "/v%[2]d/things%[1]d" body: "thing" };
  }
  rpc UpdateThing%[1]d(UpdateThing%[1]dRequest) returns (Thing%[1]d) {
    option (google.api.http) = { patch: "/v%[2]d/{thing.name=things%[1]d/*}" body: "thing" };
  }
  rpc DeleteThing%[1]d(GetThing%[1]dRequest) returns (google.protobuf.Empty) {
    option (google.api.http) = { delete: "/v%[2]d/{name=things%[1]d/*}" };
  }
}
// A thing.
message Thing%[1]d {
  string name = 1;
  enum State { STATE_UNSPECIFIED = 0; OPEN = 1; CLOSED = 2; }
  State state = 2;
`, i, i%3+1)
		for f := 3; f < 20; f++ {
			fmt.Fprintf(&b, "  // Field %d.\n  string field_%d = %d;\n", f, f, f)
		}
		fmt.Fprintf(&b, `  google.protobuf.Timestamp create_time = 20;
  google.type.Money price = 21;
  map<string, string> labels = 22;
}
message GetThing%[1]dRequest { string name = 1; }
message ListThing%[1]dsRequest { int32 page_size = 1; string page_token = 2; string filter = 3; }
message ListThing%[1]dsResponse { repeated Thing%[1]d things = 1; string next_page_token = 2; }
message CreateThing%[1]dRequest { Thing%[1]d thing = 1; }
message UpdateThing%[1]dRequest { Thing%[1]d thing = 1; google.protobuf.FieldMask update_mask = 2; }
`, i)
		files[fmt.Sprintf("big/thing%d.proto", i)] = &fstest.MapFile{Data: []byte(b.String())}
	}
	return contract.Root{Name: "big", FS: files}
}

func TestALargeContractLoadsFast(t *testing.T) {
	start := time.Now()
	c := mustLoad(t, large(170))
	took := time.Since(start)
	t.Logf("170 services, %d operations: %v", len(c.Operations()), took)
	if n := len(c.Operations()); n != 850 {
		t.Errorf("%d operations", n)
	}
	if took > 10*time.Second { // far from the usual tenths of a second: a busy machine must not fail this
		t.Errorf("took %v", took)
	}
}

func BenchmarkLoad170Services(b *testing.B) {
	r := large(170)
	b.ReportAllocs()
	for b.Loop() {
		mustLoad(b, r)
	}
}
