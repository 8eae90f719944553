package control

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/strangler"
)

// FenceTime is how long a fence took, and what its answer says.
type FenceTime struct {
	Service string
	// Took is from before the fence was written to its answer.
	Took time.Duration
	// Parked are keys of the service with parked events, by which it is behind; More says that there are others.
	Parked []string
	More   bool
}

// FenceSender is the part of a Ledger that a Fencer needs.
type FenceSender interface {
	SendFence(ctx context.Context, f FenceRow) error
}

// Fencer sends fences that only measure: of epoch 0 and of no capability, after which services refuse no write. It is safe for
// concurrent use.
type Fencer struct {
	// Ledger and Answers are those that shifts use.
	Ledger  FenceSender
	Answers Answers
	// Services are the names of those that have a stream.
	Services []string
	// Patience bounds waiting for an answer.
	Patience time.Duration
}

// look is the time between two looks for an answer. The coordinator is who is told when one arrives.
const look = time.Millisecond

// Time sends a fence down a service's stream and waits for its answer. Errors are *strangler.Error.
func (f *Fencer) Time(ctx context.Context, service string) (FenceTime, error) {
	if !slices.Contains(f.Services, service) {
		return FenceTime{}, strangler.Fail(codes.NotFound, "NO_SUCH_SERVICE", "no service %q has a stream; there is %s", service, strings.Join(f.Services, ", "))
	}
	ctx, cancel := context.WithTimeoutCause(ctx, f.Patience, errPatience)
	defer cancel()
	tick := time.NewTicker(look)
	defer tick.Stop()
	queue, err := f.queue(ctx, tick.C)
	if err != nil {
		return FenceTime{}, err
	}
	id, began := uuid.NewString(), time.Now()
	if err := f.Ledger.SendFence(ctx, FenceRow{ID: id, Service: service, ReplyTo: queue}); err != nil {
		return FenceTime{}, f.unsent(ctx, service, err)
	}
	for {
		if a, ok := f.Answers.Take(id); ok {
			took := time.Since(began)
			if a.Error != "" {
				return FenceTime{}, strangler.Fail(codes.FailedPrecondition, "FENCE_REFUSED", "the service %s can't answer a fence: %s", service, a.Error)
			}
			return FenceTime{Service: service, Took: took, Parked: a.Parked, More: a.More}, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return FenceTime{}, f.late(ctx, service, time.Since(began))
		}
	}
}

// connecting is how long a process that has just started, or whose broker has, may take until it can receive answers.
const connecting = 5 * time.Second

// queue gives the queue that answers go to.
func (f *Fencer) queue(ctx context.Context, tick <-chan time.Time) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, connecting)
	defer cancel()
	for {
		if queue := f.Answers.Queue(); queue != "" {
			return queue, nil
		}
		select {
		case <-tick:
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return "", context.Cause(ctx)
			}
			return "", strangler.Fail(codes.Unavailable, "NO_ANSWERS", "this process can't receive answers to fences: RabbitMQ can't be reached from it at present").WithRetry(time.Second)
		}
	}
}

var errPatience = errors.New("the fence was waited for long enough")

func (f *Fencer) unsent(ctx context.Context, service string, err error) error {
	if ctx.Err() != nil {
		return f.late(ctx, service, f.Patience)
	}
	return strangler.Fail(codes.Unavailable, "LEDGER_UNAVAILABLE", "the fence can't be written to the ledger; try again").WithRetry(time.Second).WithCause(err)
}

func (f *Fencer) late(ctx context.Context, service string, waited time.Duration) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return context.Cause(ctx)
	}
	return strangler.Fail(codes.DeadlineExceeded, "FENCE_NOT_ANSWERED",
		"the service %s has not answered the fence in %s: it is behind, or doesn't run, or its stream has stopped; `banyan status` shows the stream", service, waited.Round(time.Millisecond))
}
