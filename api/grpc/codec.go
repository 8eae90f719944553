package grpc

import (
	"fmt"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
)

// frame is a message of the contract as bytes: what arrived, or what is to leave.
type frame struct{ bytes []byte }

// codec passes frames through as they are. Health and reflection have generated messages, which gRPC's own codec takes.
type codec struct{}

// Name says that the bytes are protobuf's.
func (codec) Name() string { return proto.Name }

// Marshal hands a frame's bytes over without a copy.
func (codec) Marshal(v any) (mem.BufferSlice, error) {
	if f, ok := v.(*frame); ok {
		return mem.BufferSlice{mem.SliceBuffer(f.bytes)}, nil
	}
	own := encoding.GetCodecV2(proto.Name)
	if own == nil {
		return nil, fmt.Errorf("no codec for %T", v)
	}
	return own.Marshal(v)
}

// Unmarshal copies the data, because gRPC takes its buffers back.
func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	if f, ok := v.(*frame); ok {
		f.bytes = data.Materialize()
		return nil
	}
	own := encoding.GetCodecV2(proto.Name)
	if own == nil {
		return fmt.Errorf("no codec for %T", v)
	}
	return own.Unmarshal(data, v)
}
