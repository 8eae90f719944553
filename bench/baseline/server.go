package baseline

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/protobuf/encoding/protojson"

	benchv1 "banyan.dev/banyan/bench/contract/bench/v1"
)

// NewGRPC serves a Service over gRPC, set up as Banyan's server is.
func NewGRPC(service *Service) *grpc.Server {
	server := grpc.NewServer(
		grpc.MaxConcurrentStreams(1000),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: time.Minute, Timeout: 20 * time.Second}),
	)
	benchv1.RegisterItemServiceServer(server, service)
	return server
}

// NewREST serves a Service over HTTP by grpc-gateway, in process: no gRPC connection is in between.
func NewREST(ctx context.Context, service *Service) (http.Handler, error) {
	mux := runtime.NewServeMux(runtime.WithMarshalerOption(runtime.MIMEWildcard, &runtime.JSONPb{
		MarshalOptions:   protojson.MarshalOptions{EmitUnpopulated: true},
		UnmarshalOptions: protojson.UnmarshalOptions{DiscardUnknown: false},
	}))
	if err := benchv1.RegisterItemServiceHandlerServer(ctx, mux, service); err != nil {
		return nil, fmt.Errorf("register the service: %w", err)
	}
	return mux, nil
}
