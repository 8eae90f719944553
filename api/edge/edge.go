package edge

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/strangler"
)

// Edge calls a Backend for a server. It is safe for concurrent use.
type Edge struct {
	Backend strangler.Backend
	Logger  *slog.Logger
	// MaxReplyBytes bounds one reply message, in bytes of its wire form; 0 means no bound.
	MaxReplyBytes int
}

// Call answers a call by way of send, which gets each reply and its wire form. A unary call's only reply is sent after
// the Backend has ended without an error, so that a failure at its end (a commit) is never behind a reply. The error is
// what the caller is to be told; nil means that all went well.
func (e *Edge) Call(ctx context.Context, call *strangler.Call, send func(*contract.Payload, []byte) error) *strangler.Error {
	err := e.call(ctx, call, send)
	if err == nil {
		return nil
	}
	told := strangler.AsError(err)
	if told.Code != codes.InvalidArgument {
		if _, malformed := call.Request.Message(); malformed != nil {
			told = Malformed(malformed)
		}
	}
	e.log(ctx, call, told)
	return told
}

func (e *Edge) call(ctx context.Context, call *strangler.Call, send func(*contract.Payload, []byte) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = strangler.AsError(&panicError{value: p, stack: debug.Stack()})
		}
	}()
	if call.Operation.ServerStreaming {
		return e.Backend.Call(ctx, call, func(r *strangler.Reply) error {
			wire, err := e.wire(r)
			if err != nil {
				return err
			}
			return send(r.Message, wire)
		})
	}
	var only *strangler.Reply
	err = e.Backend.Call(ctx, call, func(r *strangler.Reply) error {
		if only != nil {
			return broken(call, "it sent a second reply")
		}
		only = r
		return nil
	})
	switch {
	case err != nil:
		return err
	case only == nil:
		return broken(call, "it sent no reply")
	}
	wire, err := e.wire(only)
	if err != nil {
		return err
	}
	return send(only.Message, wire)
}

// wire gives a reply's wire form within the limit.
func (e *Edge) wire(r *strangler.Reply) ([]byte, error) {
	wire, err := r.Message.Wire()
	if err != nil {
		return nil, fmt.Errorf("encoding the reply: %w", err)
	}
	if e.MaxReplyBytes > 0 && len(wire) > e.MaxReplyBytes {
		return nil, strangler.Fail(codes.ResourceExhausted, "REPLY_TOO_LARGE",
			"the reply has %d bytes, more than the limit of %d; ask for fewer or smaller items", len(wire), e.MaxReplyBytes)
	}
	return wire, nil
}

// broken says that the Backend did not keep its promise to a unary call.
func broken(call *strangler.Call, what string) error {
	return fmt.Errorf("the backend of %s is broken: %s", call.Operation.Name, what)
}

// Malformed is the error for a request that can't be decoded as its type.
func Malformed(cause error) *strangler.Error {
	return strangler.Fail(codes.InvalidArgument, "MALFORMED_REQUEST",
		"the request can't be decoded as its message type; encode it with the contract's current .proto files").WithCause(cause)
}

// RequestTooLarge is the reason of TooLarge.
const RequestTooLarge = "REQUEST_TOO_LARGE"

// TooLarge is the error for a request of more than limit bytes.
func TooLarge(limit int) *strangler.Error {
	return strangler.Fail(codes.ResourceExhausted, RequestTooLarge,
		"the request is larger than the limit of %d bytes; send fewer or smaller items", limit)
}

// log writes what failed: faults of our own as errors, those of what we stand on as warnings, the rest only for debugging.
func (e *Edge) log(ctx context.Context, call *strangler.Call, err *strangler.Error) {
	if e.Logger == nil || err.Logged {
		return
	}
	level := slog.LevelDebug
	switch err.Code {
	case codes.Internal, codes.Unknown, codes.DataLoss:
		level = slog.LevelError
	case codes.Unavailable:
		level = slog.LevelWarn
	default:
	}
	if !e.Logger.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("operation", string(call.Operation.Name)), slog.String("request_id", call.RequestID),
		slog.String("code", err.Code.String()), slog.String("reason", err.Reason), slog.String("message", err.Message),
	}
	if err.Cause != nil {
		attrs = append(attrs, slog.String("cause", err.Cause.Error()))
	}
	if p, ok := err.Cause.(*panicError); ok { //nolint:errorlint // it is set there by call, unwrapped
		attrs = append(attrs, slog.String("stack", string(p.stack)))
	}
	e.Logger.LogAttrs(ctx, level, "call failed", attrs...)
}

// panicError is a panic of a Backend as an error.
type panicError struct {
	value any
	stack []byte
}

func (p *panicError) Error() string { return fmt.Sprintf("panic: %v", p.value) }
