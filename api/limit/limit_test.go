package limit_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/api/limit"
	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/strangler"
)

var opts = limit.Options{MaxInFlight: 2, Default: time.Second, Max: time.Minute, Stream: time.Hour}

func call(streaming bool) *strangler.Call {
	return &strangler.Call{Operation: &contract.Operation{ServerStreaming: streaming}}
}

func TestMoreThanMaxInFlightAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		b := limit.New(opts, strangler.BackendFunc(func(context.Context, *strangler.Call, func(*strangler.Reply) error) error {
			<-release
			return nil
		}))
		results := make(chan error, 2)
		for range 2 {
			go func() { results <- b.Call(t.Context(), call(false), nil) }()
		}
		synctest.Wait()
		if b.InFlight() != 2 {
			t.Errorf("in flight: %d", b.InFlight())
		}
		err := strangler.AsError(b.Call(t.Context(), call(false), nil))
		if err == nil || err.Code != codes.ResourceExhausted || err.RetryAfter <= 0 {
			t.Errorf("third call: %v", err)
		}
		close(release)
		for range 2 {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
		if err := b.Call(t.Context(), call(false), nil); err != nil || b.InFlight() != 0 {
			t.Errorf("after all: %v, %d in flight", err, b.InFlight())
		}
	})
}

func TestTimeouts(t *testing.T) {
	for _, c := range []struct {
		name      string
		caller    time.Duration // 0: none
		streaming bool
		want      time.Duration
		message   string
	}{
		{"default", 0, false, time.Second, "longer than 1s, which is the limit here; bring a deadline of up to 1m0s"},
		{"the caller's own", 5 * time.Second, false, 5 * time.Second, "longer than its deadline"},
		{"cut to max", time.Hour, false, time.Minute, "longer than 1m0s, which is the limit here; ask for less"},
		{"stream by default", 0, true, time.Hour, "longer than 1h0m0s"},
		{"stream cut", 48 * time.Hour, true, time.Hour, "longer than 1h0m0s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := limit.New(opts, strangler.BackendFunc(func(ctx context.Context, _ *strangler.Call, _ func(*strangler.Reply) error) error {
					<-ctx.Done()
					return ctx.Err()
				}))
				ctx := t.Context()
				if c.caller > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, c.caller)
					defer cancel()
				}
				start := time.Now()
				err := strangler.AsError(b.Call(ctx, call(c.streaming), nil))
				if took := time.Since(start); took != c.want {
					t.Errorf("took %s, want %s", took, c.want)
				}
				if err == nil || err.Code != codes.DeadlineExceeded || !strings.Contains(err.Message, c.message) {
					t.Errorf("error: %v", err)
				}
			})
		})
	}
}

func TestOtherErrorsPassThroughATimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := limit.New(opts, strangler.BackendFunc(func(ctx context.Context, _ *strangler.Call, _ func(*strangler.Reply) error) error {
			<-ctx.Done()
			return strangler.Fail(codes.NotFound, "GONE", "gone")
		}))
		if err := strangler.AsError(b.Call(t.Context(), call(false), nil)); err == nil || err.Code != codes.NotFound {
			t.Errorf("error: %v", err)
		}
	})
}

func TestACallThatIsEndedFromHereIsToldWhy(t *testing.T) {
	b := limit.New(opts, strangler.BackendFunc(func(ctx context.Context, _ *strangler.Call, _ func(*strangler.Reply) error) error {
		<-ctx.Done()
		return ctx.Err()
	}))
	why := strangler.Fail(codes.Unavailable, "SHUTTING_DOWN", "stopping")
	for _, withDeadline := range []bool{false, true} {
		ctx, end := context.WithCancelCause(t.Context())
		if withDeadline {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, opts.Max/2)
			defer cancel()
		}
		end(why)
		err := strangler.AsError(b.Call(ctx, call(false), nil))
		if err == nil || err.Reason != "SHUTTING_DOWN" || err == why || why.Cause != nil {
			t.Errorf("error: %v", err)
		}
	}
}
