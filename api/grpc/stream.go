package grpc

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"

	"banyan.dev/banyan/api/edge"
	"banyan.dev/banyan/contract"
)

// boundStreams gives every stream its longest time where it arrives. A handler could not: the transport waits for a
// caller who doesn't read as long as the context goes on that it has itself.
func boundStreams(c *contract.Contract, timeout time.Duration) tap.ServerInHandle {
	streams := map[string]bool{}
	for _, op := range c.Operations() {
		if op.ServerStreaming {
			streams[op.FullMethod] = true
		}
	}
	tooLong := edge.StreamTooLong(timeout)
	return func(ctx context.Context, info *tap.Info) (context.Context, error) {
		if !streams[info.FullMethodName] {
			return ctx, nil
		}
		bounded, cancel := context.WithTimeoutCause(ctx, timeout, tooLong)
		_ = cancel // the transport cancels ctx when the stream ends
		return bounded, nil
	}
}

// unsent makes a failure to send a reply what REST says of it: a caller who is gone has cancelled the call.
func unsent(ctx context.Context, err error) error {
	switch status.Code(err) {
	case codes.Canceled, codes.DeadlineExceeded, codes.Unavailable:
		return edge.Unsent(ctx, err)
	}
	if ctx.Err() != nil {
		return edge.Unsent(ctx, err)
	}
	return err
}
