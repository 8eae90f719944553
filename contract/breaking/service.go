package breaking

import (
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// service compares the RPCs of a service, by name.
func (c *comparison) service(was, is protoreflect.ServiceDescriptor) {
	for i := range was.Methods().Len() {
		old := was.Methods().Get(i)
		now := is.Methods().ByName(old.Name())
		if now == nil {
			c.changed(is, nil, "RPC_NO_DELETE", "the RPC %s is gone", old.FullName())
			continue
		}
		if old.Input().FullName() != now.Input().FullName() {
			c.changed(now, []int32{methodInput}, "RPC_SAME_REQUEST_TYPE", "%s took %s and takes %s", now.FullName(), old.Input().FullName(), now.Input().FullName())
		}
		if old.Output().FullName() != now.Output().FullName() {
			c.changed(now, []int32{methodOutput}, "RPC_SAME_RESPONSE_TYPE", "%s gave %s and gives %s", now.FullName(), old.Output().FullName(), now.Output().FullName())
		}
		if old.IsStreamingServer() != now.IsStreamingServer() {
			c.changed(now, []int32{methodStreams}, "RPC_SAME_SERVER_STREAMING", "%s answered %s and answers %s", now.FullName(), answers(old), answers(now))
		}
		if before, after := level(old), level(now); before != after {
			c.changed(now, []int32{methodOptions, idempotency}, "RPC_SAME_IDEMPOTENCY_LEVEL", "%s had the idempotency level %s and has %s", now.FullName(), before, after)
		}
	}
}

func answers(md protoreflect.MethodDescriptor) string {
	if md.IsStreamingServer() {
		return "a stream"
	}
	return "one message"
}

func level(md protoreflect.MethodDescriptor) descriptorpb.MethodOptions_IdempotencyLevel {
	options, _ := md.Options().(*descriptorpb.MethodOptions)
	return options.GetIdempotencyLevel()
}
