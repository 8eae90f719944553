package grpc_test

import (
	"context"
	"testing"

	"google.golang.org/grpc"

	apigrpc "banyan.dev/banyan/api/grpc"
	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/strangler"
)

func BenchmarkUnary(b *testing.B) {
	wire := []byte("\x72\x05hello\x10\x07")
	bed := start(b, strangler.BackendFunc(func(_ context.Context, c *strangler.Call, send func(*strangler.Reply) error) error {
		return send(&strangler.Reply{Message: contract.FromWire(c.Operation.Output, wire)})
	}), apigrpc.Options{})
	b.ReportAllocs()
	for b.Loop() {
		var out []byte
		if err := bed.conn.Invoke(b.Context(), "/test.v1.AllService/Echo", &wire, &out, grpc.ForceCodec(raw{})); err != nil {
			b.Fatal(err)
		}
	}
}
