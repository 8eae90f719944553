package contract

import (
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// Behaviors gives what a field's (google.api.field_behavior) says, in order (AIP-203); nil when it says nothing.
func Behaviors(fd protoreflect.FieldDescriptor) []annotations.FieldBehavior {
	options, ok := fd.Options().(*descriptorpb.FieldOptions)
	if !ok || options == nil {
		return nil
	}
	// The option may be held as httpRule says of its own.
	wire, err := proto.Marshal(options)
	if err != nil || len(wire) == 0 {
		return nil
	}
	var own descriptorpb.FieldOptions
	if err := proto.Unmarshal(wire, &own); err != nil {
		return nil
	}
	behaviors, _ := proto.GetExtension(&own, annotations.E_FieldBehavior).([]annotations.FieldBehavior)
	return behaviors
}
