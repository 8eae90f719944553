package legacy

import (
	"errors"
	"testing"
	"testing/fstest"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/types/dynamicpb"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/legacy/annotated"
	"banyan.dev/banyan/strangler"
)

// TestAMaskOfAllLosesNothing sends the mask *, which JSON has no form for.
func TestAMaskOfAllLosesNothing(t *testing.T) {
	c, faults := contract.Load(t.Context(), []contract.Root{{FS: fstest.MapFS{"lab.proto": {Data: []byte(`syntax = "proto3"; package lab.v1;
		import "google/api/field_behavior.proto"; import "google/protobuf/empty.proto"; import "google/protobuf/field_mask.proto";
		message Row { int64 id = 1; string name = 2; int64 made = 3 [(google.api.field_behavior) = OUTPUT_ONLY]; string lost = 4; string etag = 5; }
		message Req { Row row = 1; google.protobuf.FieldMask update_mask = 2; }
		service S { rpc Do(Req) returns (google.protobuf.Empty); }`)}}}})
	file, parsed := annotated.Parse("lab.sql", []byte("-- rpc: lab.v1.S.Do\n-- name: u :exec\nUPDATE t SET id = id\n , name = :row.name -- ?\n WHERE id = :row.id\n AND version = :row.etag -- if: row.etag != \"\"\n;\n"))
	faults.Append(parsed)
	p, bound := Compile(c, []*annotated.File{file}, Options{})
	faults.Append(bound)
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	op := p.ops["lab.v1.S.Do"]
	for text, refused := range map[string]bool{
		`row {id: 1 name: "x" made: 5} update_mask {paths: "*"}`:   false,
		`row {id: 1 name: "x" lost: "y"} update_mask {paths: "*"}`: true,
		`row {id: 1 name: "x" etag: "y"} update_mask {paths: "*"}`: false,
	} {
		req := dynamicpb.NewMessage(op.input)
		if err := prototext.Unmarshal([]byte(text), req); err != nil {
			t.Fatal(err)
		}
		mask, err := op.mask.read(req)
		var e *strangler.Error
		switch {
		case refused && (!errors.As(err, &e) || e.Reason != "INVALID_FIELD"):
			t.Errorf("%s: %v", text, err)
		case !refused && (err != nil || !mask.covers("name")):
			t.Errorf("%s: %v", text, err)
		}
	}
}
