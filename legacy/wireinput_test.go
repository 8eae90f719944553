package legacy

import (
	"testing"
	"testing/fstest"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/legacy/annotated"
)

const wireProto = `syntax = "proto3";
package lab.v1;
import "google/protobuf/empty.proto";
enum K { K_UNSPECIFIED = 0; K_ONE = 1; }
message Sub { string x = 1; optional int64 y = 2; Deep deep = 3; }
message Deep { bool z = 1; }
message In { int32 a = 1; int64 b = 2; uint32 c = 3; uint64 d = 4; bool e = 5; double f = 6; string g = 7; bytes h = 8; K k = 9; Sub sub = 10;
  optional string og = 11; string unbound = 12; oneof one { string p = 13; string q = 14; } repeated string many = 15; }
service S {
  rpc Do(In) returns (google.protobuf.Empty);
  rpc One(In) returns (google.protobuf.Empty);
  rpc Optional(In) returns (google.protobuf.Empty);
  rpc Each(In) returns (google.protobuf.Empty);
  rpc Whole(In) returns (google.protobuf.Empty);
}`

const wireSQL = `-- rpc: lab.v1.S.Do
-- name: do :exec
-- expect: >= 0 else ABORTED NONE "none for {sub.x}"
INSERT INTO t VALUES (:a, :b, :c, :d, :e, :f, :g, :h, :k, :sub.x, :sub.y, :og, :sub.deep.z, :g);
-- rpc: lab.v1.S.One
-- name: do :exec
INSERT INTO t VALUES (:p);
-- rpc: lab.v1.S.Optional
-- name: do :exec
DELETE FROM t WHERE TRUE
   AND a = :a -- ?
;
-- rpc: lab.v1.S.Each
-- name: do :exec each=many as=m
INSERT INTO t VALUES (:m);
-- rpc: lab.v1.S.Whole
-- name: do :exec
INSERT INTO t VALUES (:json(sub));
`

func wireProgram(tb testing.TB) *Program {
	tb.Helper()
	c, faults := contract.Load(tb.Context(), []contract.Root{{FS: fstest.MapFS{"lab.proto": {Data: []byte(wireProto)}}}})
	file, parsed := annotated.Parse("lab.sql", []byte(wireSQL))
	faults.Append(parsed)
	p, bound := Compile(c, []*annotated.File{file}, Options{})
	faults.Append(bound)
	if err := faults.Err(); err != nil {
		tb.Fatal(err)
	}
	return p
}

func TestOnlyOperationsOverSingleFieldsReadTheWireForm(t *testing.T) {
	p := wireProgram(t)
	for name, want := range map[string]bool{"Do": true, "One": false, "Optional": false, "Each": false, "Whole": false} {
		if got := p.ops[protoreflect.FullName("lab.v1.S."+name)].wire != nil; got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

// What read takes from the wire form is what the message says, whatever the bytes; and it takes it where it can.
func FuzzReadWireForm(f *testing.F) {
	op := wireProgram(f).ops["lab.v1.S.Do"]
	encode := func(text string) []byte {
		m := dynamicpb.NewMessage(op.input)
		if err := prototext.Unmarshal([]byte(text), m); err != nil {
			f.Fatal(err)
		}
		b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		return b
	}
	for text, plain := range map[string]bool{
		"": true,
		`a: -1 b: -2 c: 4294967295 d: 18446744073709551615 e: true f: -0.5 g: "g" h: "\xff" k: K_ONE sub { x: "x" y: 0 deep { z: true } } og: ""`: true,
		`sub {} og: "x"`: true,
		`k: 77`:          true,
		`unbound: "u"`:   false,
		`p: "p"`:         false,
		`many: "m"`:      false,
	} {
		b := encode(text)
		in, err := op.read(contract.FromWire(op.input, b))
		if err != nil || (in.message == nil) != plain {
			f.Errorf("%q: without a message: %v, want %v (%v)", text, in.message == nil, plain, err)
		}
		f.Add(b)
		f.Add(append(b, b...))
	}
	f.Add([]byte{0x3a, 1, 0xff})    // a string that is no UTF-8
	f.Add([]byte{0x0a, 1, 0})       // a number as bytes
	f.Add([]byte{0x52, 2, 0x0a})    // too short
	f.Add([]byte{0x3b, 0x3c, 0x38}) // a group
	f.Fuzz(func(t *testing.T, b []byte) {
		in, err := op.read(contract.FromWire(op.input, b))
		m, merr := contract.FromWire(op.input, b).Message()
		if (err == nil) != (merr == nil) {
			t.Fatalf("%x: %v, and as a message %v", b, err, merr)
		}
		if in.values == nil {
			return
		}
		for _, l := range op.statements[0].lines {
			for _, piece := range l.pieces {
				if piece.param == nil {
					continue
				}
				got, want := in.values[piece.param.place], fieldValue(m, piece.param.path)
				if got.IsValid() != want.IsValid() || want.IsValid() && !got.Equal(want) {
					t.Errorf("%x: %s is %v, and of the message %v", b, piece.param.ast, got, want)
				}
			}
		}
	})
}
