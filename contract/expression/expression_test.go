package expression_test

import (
	"testing"

	"cel.dev/cel-go/cel"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"banyan.dev/banyan/contract/expression"
)

// A contract's file may have the path and the names of one that is linked into this program, as a copy of the demo's has:
// what counts is what it says itself, new fields and other numbers.
func TestFilesThatAreLinked(t *testing.T) {
	linked := protodesc.ToFileDescriptorProto(grpc_health_v1.File_grpc_health_v1_health_proto)
	request, reply := linked.GetMessageType()[0], linked.GetMessageType()[1]
	request.Field = append(request.Field, &descriptorpb.FieldDescriptorProto{
		Name: proto.String("etag"), Number: proto.Int32(19), JsonName: proto.String("etag"),
		Type: descriptorpb.FieldDescriptorProto_TYPE_STRING.Enum(), Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
	})
	reply.GetEnumType()[0].GetValue()[1].Number = proto.Int32(12)
	file, err := protodesc.NewFile(linked, nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := expression.NewCompiler([]protoreflect.FileDescriptor{file})
	if err != nil {
		t.Fatal(err)
	}
	asked := dynamicpb.NewMessage(file.Messages().ByName(protoreflect.Name(request.GetName())))
	asked.Set(asked.Descriptor().Fields().ByName("etag"), protoreflect.ValueOfString("e"))
	answered := dynamicpb.NewMessage(file.Messages().ByName(protoreflect.Name(reply.GetName())))
	answered.Set(answered.Descriptor().Fields().ByName("status"), protoreflect.ValueOfEnum(12))
	for _, test := range []struct {
		message *dynamicpb.Message
		src     string
	}{
		{asked, `etag == "e" && request.etag == etag && has(request.etag)`},
		{answered, `status == HealthCheckResponse.ServingStatus.SERVING`},
	} {
		e, issues, err := c.Compile(test.message.Descriptor(), test.src, "a truth", cel.BoolType)
		if err != nil || issues != nil {
			t.Errorf("%s: %v %v", test.src, err, issues)
			continue
		}
		if holds, err := e.Eval(test.message); err != nil || holds != true {
			t.Errorf("%s: %v, %v", test.src, holds, err)
		}
	}
}
