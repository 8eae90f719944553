package grpc

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"

	"banyan.dev/banyan/api/edge"
	"banyan.dev/banyan/contract"
)

// boundCalls gives every stream its longest time where it arrives. A handler could not: the transport waits for a
// caller who doesn't read as long as the context goes on that it has itself. It waits for a caller who doesn't send his
// request, too, so that a handler needs a way to end that.
func boundCalls(c *contract.Contract, timeout time.Duration) tap.ServerInHandle {
	streams := map[string]bool{} // by full method; true for streams. Others than the contract's are not bounded.
	for _, op := range c.Operations() {
		streams[op.FullMethod] = op.ServerStreaming
	}
	tooLong := edge.StreamTooLong(timeout)
	return func(ctx context.Context, info *tap.Info) (context.Context, error) {
		streaming, known := streams[info.FullMethodName]
		if !known {
			return ctx, nil
		}
		if streaming {
			bounded, cancel := context.WithTimeoutCause(ctx, timeout, tooLong)
			_ = cancel // the transport cancels ctx when the stream ends
			ctx = bounded
		}
		return endable(ctx), nil
	}
}

type endKey struct{}

// endable gives a context that receive can end. Unlike one with a deadline, it is not the caller's choice of one.
func endable(ctx context.Context) context.Context {
	ctx, end := context.WithCancelCause(ctx) // the transport cancels the one before when the call ends
	return context.WithValue(ctx, endKey{}, end)
}

// receive has a request read, and ends the call when that takes too long. gRPC itself tells the caller, with CANCELLED; the error
// is for who counts.
func (h handler) receive(ctx context.Context, read func() error) error {
	end, ok := ctx.Value(endKey{}).(context.CancelCauseFunc)
	if !ok {
		return h.received(read())
	}
	timer := time.AfterFunc(h.receiveTimeout, func() { end(h.late) })
	err := read()
	if !timer.Stop() && err != nil && errors.Is(context.Cause(ctx), h.late) {
		return h.refuse(h.late)
	}
	return h.received(err)
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
