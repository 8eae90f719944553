package upstream

import (
	"fmt"

	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
)

// frame is a message of the contract as bytes.
type frame struct{ bytes []byte }

// codec passes frames through as they are.
type codec struct{}

// Name says that the bytes are protobuf's.
func (codec) Name() string { return proto.Name }

// Marshal hands a frame's bytes over without a copy.
func (codec) Marshal(v any) (mem.BufferSlice, error) {
	f, ok := v.(*frame)
	if !ok {
		return nil, fmt.Errorf("%T is no frame", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(f.bytes)}, nil
}

// Unmarshal copies the data, because gRPC takes its buffers back.
func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	f, ok := v.(*frame)
	if !ok {
		return fmt.Errorf("%T is no frame", v)
	}
	f.bytes = data.Materialize()
	return nil
}
