package value

import (
	"context"
	"sync"
	"testing"

	"github.com/bufbuild/protocompile"
	_ "google.golang.org/genproto/googleapis/type/date"      // Registers google/type/date.proto.
	_ "google.golang.org/genproto/googleapis/type/decimal"   // Registers google/type/decimal.proto.
	_ "google.golang.org/genproto/googleapis/type/money"     // Registers google/type/money.proto.
	_ "google.golang.org/genproto/googleapis/type/timeofday" // Registers google/type/timeofday.proto.
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"
)

// contractSource has a field of each shape: plain, with presence (o…), in a oneof, repeated (r…) and in maps (m…).
const contractSource = `
syntax = "proto3";
package test.v1;
import "google/protobuf/any.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
import "google/type/date.proto";
import "google/type/decimal.proto";
import "google/type/money.proto";
import "google/type/timeofday.proto";
enum OrderStatus { ORDER_STATUS_UNSPECIFIED = 0; ORDER_STATUS_PENDING = 1; ORDER_STATUS_SHIPPED = 2; ORDER_STATUS_LOST = -1; }
enum Coded { CODED_UNSPECIFIED = 0; CODED_A = 1; CODED_B = 2; }
enum Lettered { LETTERED_UNSPECIFIED = 0; LETTERED_A = 1; LETTERED_B = 2; }
message Line { string sku = 1; int64 quantity = 2; repeated string tags = 3; }
message All {
  bool b = 1; int32 i32 = 2; int64 i64 = 3; uint32 u32 = 4; uint64 u64 = 5;
  sint32 s32 = 6; sint64 s64 = 7; fixed32 f32 = 8; fixed64 f64 = 9; sfixed32 sf32 = 10; sfixed64 sf64 = 11;
  float flt = 12; double dbl = 13; string str = 14; bytes byt = 15;
  OrderStatus status = 16; Coded coded = 17; Lettered lettered = 18;
  optional bool ob = 21; optional int32 oi32 = 22; optional string ostr = 23; optional bytes obyt = 24;
  optional double odbl = 25; optional OrderStatus ostatus = 26; optional float oflt = 27; optional uint64 ou64 = 28;
  oneof choice { string cstr = 31; int64 ci64 = 32; Line cline = 33; }
  google.protobuf.Timestamp ts = 41; google.protobuf.Duration dur = 42; google.type.Date date = 43;
  google.type.TimeOfDay tod = 44; google.type.Money money = 45; google.type.Decimal decimal = 46;
  google.protobuf.FieldMask mask = 47; google.protobuf.Struct object = 48; google.protobuf.Value any_value = 49;
  google.protobuf.ListValue items = 50; Line line = 51; google.protobuf.Any any = 52;
  google.protobuf.BoolValue wb = 61; google.protobuf.StringValue wstr = 62; google.protobuf.BytesValue wbyt = 63;
  google.protobuf.FloatValue wflt = 64; google.protobuf.DoubleValue wdbl = 65; google.protobuf.Int32Value wi32 = 66;
  google.protobuf.Int64Value wi64 = 67; google.protobuf.UInt32Value wu32 = 68; google.protobuf.UInt64Value wu64 = 69;
  repeated string rstr = 81; repeated int64 ri64 = 82; repeated OrderStatus rstatus = 83; repeated Line rline = 84;
  repeated Lettered rlettered = 85; repeated google.protobuf.Value rvalue = 86; repeated bool rb = 87;
  map<string, string> mstr = 91; map<int32, Line> mline = 92; map<string, google.protobuf.Value> mvalue = 93;
}
`

var contractFile = sync.OnceValues(func() (protoreflect.FileDescriptor, error) {
	sources := protocompile.SourceResolver{Accessor: protocompile.SourceAccessorFromMap(map[string]string{"all.proto": contractSource})}
	registered := protocompile.ResolverFunc(func(path string) (protocompile.SearchResult, error) {
		fd, err := protoregistry.GlobalFiles.FindFileByPath(path)
		return protocompile.SearchResult{Desc: fd}, err
	})
	compiler := protocompile.Compiler{Resolver: protocompile.CompositeResolver{&sources, registered}}
	files, err := compiler.Compile(context.Background(), "all.proto")
	if err != nil {
		return nil, err
	}
	return files[0], nil
})

func message(t testing.TB, name protoreflect.Name) protoreflect.MessageDescriptor {
	t.Helper()
	file, err := contractFile()
	if err != nil {
		t.Fatal(err)
	}
	return file.Messages().ByName(name)
}

// fieldNamed gives a field of All.
func fieldNamed(t testing.TB, name string) protoreflect.FieldDescriptor {
	t.Helper()
	fd := message(t, "All").Fields().ByName(protoreflect.Name(name))
	if fd == nil {
		t.Fatalf("All has no field %s", name)
	}
	return fd
}

func decode(t testing.TB, wire []byte) *dynamicpb.Message {
	t.Helper()
	m := dynamicpb.NewMessage(message(t, "All"))
	if err := proto.Unmarshal(wire, m); err != nil {
		t.Fatalf("decode %x: %v", wire, err)
	}
	return m
}
