package jsonwire_test

import (
	"fmt"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/context/attribute_context"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/timestamppb"

	"banyan.dev/banyan/api/rest/jsonwire"
)

// samples are generated messages: one with nested messages, maps and times, and a list of 100 small ones.
func samples() map[string]proto.Message {
	list := &errdetails.BadRequest{}
	for i := range 100 {
		list.FieldViolations = append(list.FieldViolations, &errdetails.BadRequest_FieldViolation{
			Field: fmt.Sprintf("orders[%d].lines", i), Description: "is longer than it may be: at most 20", Reason: "TOO_LONG",
		})
	}
	return map[string]proto.Message{
		"nested": &attribute_context.AttributeContext{
			Source: &attribute_context.AttributeContext_Peer{Ip: "10.1.2.3", Port: 4711, Labels: map[string]string{"app": "shop", "zone": "a"}},
			Request: &attribute_context.AttributeContext_Request{
				Id: "4f1c", Method: "GET", Headers: map[string]string{"accept": "*/*"}, Path: "/v2/orders/1", Host: "shop.example",
				Time: &timestamppb.Timestamp{Seconds: 1700000000, Nanos: 123000000}, Size: 1 << 40,
			},
			Response: &attribute_context.AttributeContext_Response{Code: 200, Size: 123, Time: &timestamppb.Timestamp{Seconds: 1700000001}},
		},
		"list100": list,
	}
}

func BenchmarkJSON(b *testing.B) {
	for name, m := range samples() {
		wire, err := proto.Marshal(m)
		if err != nil {
			b.Fatal(err)
		}
		plan := jsonwire.New(protoregistry.GlobalTypes, jsonwire.Options{}).Message(m.ProtoReflect().Descriptor())
		b.Run(name+"/jsonwire", func(b *testing.B) {
			var buf []byte
			b.ReportAllocs()
			for b.Loop() {
				if buf, err = plan.Append(buf[:0], wire); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(int64(len(buf)))
		})
		b.Run(name+"/protojson", func(b *testing.B) {
			var buf []byte
			b.ReportAllocs()
			for b.Loop() {
				if buf, err = (protojson.MarshalOptions{EmitUnpopulated: true}).MarshalAppend(buf[:0], m); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(int64(len(buf)))
		})
	}
}
