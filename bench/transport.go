package main

import (
	"context"
	"errors"

	"google.golang.org/protobuf/proto"

	"banyan.dev/banyan/bench/load"
)

// transport is a way to reach a side.
type transport struct {
	name string
	// workers makes n of them for a workload.
	workers func(ctx context.Context, s *side, w workload, n int) ([]load.Worker, error)
}

func transports() []transport {
	return []transport{
		{"gRPC", func(_ context.Context, s *side, w workload, n int) ([]load.Worker, error) {
			return load.GRPC(s.at.GRPC, w.method, n, func() ([]byte, error) { return proto.Marshal(w.next()) })
		}},
		{"REST", func(ctx context.Context, s *side, w workload, n int) ([]load.Worker, error) {
			return load.HTTP(ctx, s.at.REST, n, func() (load.Request, error) { return w.http(w.next()) })
		}},
	}
}

func closeAll(workers []load.Worker) error {
	var errs []error
	for _, w := range workers {
		errs = append(errs, w.Close())
	}
	return errors.Join(errs...)
}
