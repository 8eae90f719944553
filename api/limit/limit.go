package limit

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/strangler"
)

// retryAfter is what a refused caller is told: long enough for calls of the usual length to have ended.
const retryAfter = time.Second

// Options are the limits. All have to be positive.
type Options struct {
	// MaxInFlight is the most calls that run at once.
	MaxInFlight int
	// Default is the deadline of a unary call that has none, Max the most that it may have.
	Default, Max time.Duration
	// Stream is both for server streaming calls.
	Stream time.Duration
}

// Backend limits the calls to another Backend.
type Backend struct {
	opts     Options
	next     strangler.Backend
	inFlight atomic.Int64
}

// New limits next.
func New(opts Options, next strangler.Backend) *Backend { return &Backend{opts: opts, next: next} }

// InFlight is the number of calls that run now.
func (b *Backend) InFlight() int { return int(b.inFlight.Load()) }

// Call answers by the other Backend, or with RESOURCE_EXHAUSTED when too many calls run.
func (b *Backend) Call(ctx context.Context, call *strangler.Call, send func(*strangler.Reply) error) error {
	defer b.inFlight.Add(-1)
	if b.inFlight.Add(1) > int64(b.opts.MaxInFlight) {
		return strangler.Fail(codes.ResourceExhausted, "TOO_MANY_CALLS",
			"too many calls run at once here; try again in a moment, and back off while this lasts").WithRetry(retryAfter)
	}
	byDefault, most := b.opts.Default, b.opts.Max
	if call.Operation.ServerStreaming {
		byDefault, most = b.opts.Stream, b.opts.Stream
	}
	allowed := byDefault
	if deadline, ok := ctx.Deadline(); ok {
		if time.Until(deadline) <= most {
			return stopped(ctx, b.next.Call(ctx, call, send))
		}
		allowed = most
	}
	limited, cancel := context.WithTimeout(ctx, allowed)
	defer cancel()
	err := b.next.Call(limited, call, send)
	if err != nil && ctx.Err() == nil && errors.Is(limited.Err(), context.DeadlineExceeded) {
		return timedOut(err, allowed, most)
	}
	return stopped(ctx, err)
}

// stopped tells a caller whose call was ended from here why, where the context's cause is an error for callers.
func stopped(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	var why *strangler.Error
	if !errors.As(context.Cause(ctx), &why) {
		return err
	}
	told := *why // many calls may have the same cause
	return told.WithCause(err)
}

// timedOut tells a caller who didn't choose the deadline what it was.
func timedOut(err error, allowed, most time.Duration) error {
	if code := strangler.AsError(err).Code; code != codes.DeadlineExceeded && code != codes.Canceled {
		return err
	}
	next := "ask for less"
	if allowed < most {
		next = "bring a deadline of up to " + most.String() + ", or ask for less"
	}
	return strangler.Fail(codes.DeadlineExceeded, "DEADLINE_EXCEEDED",
		"the call took longer than %s, which is the limit here; %s", allowed, next).WithCause(err)
}
