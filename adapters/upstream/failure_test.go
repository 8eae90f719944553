package upstream_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/adapters/upstream"
	"banyan.dev/banyan/strangler"
)

func TestNobodyListens(t *testing.T) {
	leaks(t)
	u := connect(t, options(nobody(t)))
	for _, name := range []string{"GetOrder", "PlaceOrder", "WatchOrders"} {
		_, err := ask(within(t, time.Minute), u, newCall(name, "a"))
		e := want(t, err, codes.Unavailable, upstream.ReasonUnavailable)
		if e.RetryAfter == 0 || !e.Unsent || name == "PlaceOrder" && !strings.Contains(e.Message, "nothing was changed") {
			t.Errorf("%s: got %q, retry after %s", name, e.Message, e.RetryAfter)
		}
	}
}

func TestAHungServiceCostsNoMoreThanTheDeadline(t *testing.T) {
	leaks(t)
	s := serve(t, hang)
	u := connect(t, options(s.target))
	for _, name := range []string{"GetOrder", "PlaceOrder", "WatchOrders"} {
		_, err := ask(within(t, 50*time.Millisecond), u, newCall(name, "a"))
		if e := want(t, err, codes.DeadlineExceeded, upstream.ReasonDeadline); e.Unsent {
			t.Errorf("%s has left here", name)
		}
	}
	limit := strangler.Fail(codes.DeadlineExceeded, "TOO_LONG", "ask for less")
	limited, free := context.WithTimeoutCause(context.Background(), 50*time.Millisecond, limit)
	defer free()
	_, err := ask(limited, u, newCall("WatchOrders", "a"))
	if e := want(t, err, codes.DeadlineExceeded, "TOO_LONG"); e == limit || limit.Cause != nil {
		t.Error("an error that others share was changed")
	}
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(20*time.Millisecond, cancel)
	_, err = ask(ctx, u, newCall("PlaceOrder", "a"))
	want(t, err, codes.Canceled, "CANCELLED")
}

// A connection that is accepted and then says nothing is no service.
func TestAHungListener(t *testing.T) {
	leaks(t)
	listener := listen(t)
	defer listener.Close()
	o := options(listener.Addr().String())
	o.ConnectTimeout = 100 * time.Millisecond
	u := connect(t, o)
	_, err := ask(within(t, time.Minute), u, newCall("PlaceOrder", "a"))
	want(t, err, codes.Unavailable, upstream.ReasonUnavailable)
	if ok, why := u.Healthy(); ok || why == "" {
		t.Errorf("healthy: %v, %q", ok, why)
	}
}

func TestAWriteIsNotRepeatedWhenItsServiceDies(t *testing.T) {
	leaks(t)
	var s *service
	var dying sync.WaitGroup
	s = serve(t, func(ctx context.Context, request []byte, send func([]byte) error) error {
		dying.Go(s.Stop)
		return hang(ctx, request, send)
	})
	other := serve(t, echo)
	u := connect(t, options(s.target+","+other.target))
	defer dying.Wait()
	for s.calls.Load() == 0 {
		call := newCall("PlaceOrder", "a")
		call.Write = strangler.WriteTag{ID: "w", Epoch: 1}
		before := other.calls.Load()
		_, err := ask(within(t, time.Minute), u, call)
		if other.calls.Load() > before {
			if err != nil || s.calls.Load() > 0 {
				t.Fatalf("the write was sent to both: %v", err)
			}
			continue
		}
		e := want(t, err, codes.Unavailable, upstream.ReasonUnavailable)
		if e.RetryAfter != 0 || !strings.Contains(e.Message, "may have made the change") {
			t.Errorf("got %q, retry after %s", e.Message, e.RetryAfter)
		}
	}
	if s.calls.Load() != 1 {
		t.Errorf("%d calls, want one", s.calls.Load())
	}
}

func TestAReadIsRepeatedWhenItsServiceDies(t *testing.T) {
	for _, name := range []string{"GetOrder", "WatchOrders"} {
		t.Run(name, func(t *testing.T) {
			leaks(t)
			var s *service
			var dying sync.WaitGroup
			s = serve(t, func(ctx context.Context, request []byte, send func([]byte) error) error {
				dying.Go(s.Stop)
				return hang(ctx, request, send)
			})
			other := serve(t, echo)
			u := connect(t, options(s.target+","+other.target))
			defer dying.Wait()
			for s.calls.Load() == 0 {
				if replies, err := ask(within(t, time.Minute), u, newCall(name, "a")); err != nil || len(replies) != 1 {
					t.Fatalf("got %q, %v", replies, err)
				}
			}
		})
	}
}

// The service has done what it was asked when gRPC finds that it can't take the answer.
func TestAnAnswerThatIsTooLargeIsNoRefusal(t *testing.T) {
	leaks(t)
	s := serve(t, func(_ context.Context, _ []byte, send func([]byte) error) error {
		return send(wire(strings.Repeat("x", 5000)))
	})
	o := options(s.target)
	o.MaxReplyBytes = 4000
	u := connect(t, o)
	for _, name := range []string{"GetOrder", "PlaceOrder", "WatchOrders"} {
		for range 20 { // the trailers come before or after
			_, err := ask(within(t, time.Minute), u, newCall(name, "a"))
			want(t, err, codes.Internal, upstream.ReasonReply)
		}
	}
	if s.calls.Load() != 60 {
		t.Errorf("%d calls, want 60", s.calls.Load())
	}
	o.MaxReplyBytes = 6000
	if _, err := ask(within(t, time.Minute), connect(t, o), newCall("GetOrder", "a")); err != nil {
		t.Error(err)
	}
}

func TestAnAnswerOfNothing(t *testing.T) {
	leaks(t)
	s := serve(t, func(context.Context, []byte, func([]byte) error) error { return nil })
	u := connect(t, options(s.target))
	var e *strangler.Error
	if _, err := ask(within(t, time.Minute), u, newCall("PlaceOrder", "a")); !errors.As(err, &e) || e.Code != codes.Internal {
		t.Errorf("got %v", err)
	}
}

func TestAStreamThatBreaks(t *testing.T) {
	leaks(t)
	first := make(chan struct{})
	s := serve(t, func(ctx context.Context, request []byte, send func([]byte) error) error {
		if err := send(request); err != nil {
			return err
		}
		return hang(ctx, request, send)
	})
	var dying sync.WaitGroup
	dying.Go(func() {
		<-first
		s.Stop()
	})
	defer dying.Wait()
	u := connect(t, options(s.target))
	var once sync.Once
	err := u.Call(within(t, time.Minute), newCall("WatchOrders", "a"), func(*strangler.Reply) error {
		once.Do(func() { close(first) })
		return nil
	})
	want(t, err, codes.Unavailable, upstream.ReasonUnavailable)
	if s.calls.Load() != 1 {
		t.Errorf("%d calls, want one: what has been passed on can't be asked for again", s.calls.Load())
	}
}

// A proxy that answers for the service says nothing of what the service did.
func TestAnswersThatAreNoGRPCAreNoRefusals(t *testing.T) {
	leaks(t)
	for _, code := range []int{200, 400, 401, 403, 404, 429, 500, 502, 504} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			listener := listen(t)
			server := &http.Server{Protocols: new(http.Protocols), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(code)
				_, _ = fmt.Fprint(w, "<html>")
			})}
			server.Protocols.SetUnencryptedHTTP2(true)
			var serving sync.WaitGroup
			serving.Go(func() { _ = server.Serve(listener) })
			defer serving.Wait()
			defer server.Close()
			u := connect(t, options(listener.Addr().String()))
			_, err := ask(within(t, time.Minute), u, newCall("PlaceOrder", "a"))
			want(t, err, codes.Unavailable, upstream.ReasonUnavailable)
			if ok, why := u.Healthy(); ok || why == "" {
				t.Errorf("healthy: %v, %q", ok, why)
			}
		})
	}
}

func TestClosed(t *testing.T) {
	leaks(t)
	s := serve(t, echo)
	u := connect(t, options(s.target))
	if _, err := ask(within(t, time.Minute), u, newCall("PlaceOrder", "a")); err != nil {
		t.Fatal(err)
	}
	if err := u.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := ask(within(t, time.Minute), u, newCall("PlaceOrder", "a"))
	want(t, err, codes.Unavailable, upstream.ReasonUnavailable)
	if ok, why := u.Healthy(); ok || why == "" {
		t.Errorf("healthy: %v, %q", ok, why)
	}
}
