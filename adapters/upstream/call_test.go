package upstream_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/protocol"
	"banyan.dev/banyan/strangler"
)

var errUnimplemented = status.Error(codes.Unimplemented, "there is no such method")

func TestBytesPassThrough(t *testing.T) {
	leaks(t)
	s := serve(t, func(_ context.Context, request []byte, send func([]byte) error) error { return send(request) })
	u := connect(t, options(s.target))
	for _, request := range [][]byte{wire("a"), {}, []byte("\xff\xffno message at all")} {
		call := newCall("PlaceOrder", "")
		call.Request = contract.FromWire(call.Operation.Input, request)
		replies, err := ask(within(t, time.Minute), u, call)
		if err != nil || !slices.Equal(replies, []string{string(request)}) {
			t.Errorf("%q: got %q, %v", request, replies, err)
		}
	}
}

func TestStreamsPassThrough(t *testing.T) {
	leaks(t)
	s := serve(t, func(_ context.Context, request []byte, send func([]byte) error) error {
		return errors.Join(send(request), send(nil), send(request))
	})
	u := connect(t, options(s.target))
	call := newCall("WatchOrders", "a")
	replies, err := ask(within(t, time.Minute), u, call)
	if want := []string{string(wire("a")), "", string(wire("a"))}; err != nil || !slices.Equal(replies, want) {
		t.Errorf("got %q, %v", replies, err)
	}
	full := errors.New("the caller is gone")
	if err := u.Call(within(t, time.Minute), call, func(*strangler.Reply) error { return full }); !errors.Is(err, full) {
		t.Errorf("got %v, want what send gave", err)
	}
}

func TestMetadata(t *testing.T) {
	leaks(t)
	got := make(chan metadata.MD, 1)
	deadlines := make(chan bool, 1)
	s := serve(t, func(ctx context.Context, request []byte, send func([]byte) error) error {
		md, _ := metadata.FromIncomingContext(ctx)
		_, ok := ctx.Deadline()
		got <- md
		deadlines <- ok
		return send(request)
	})
	u := connect(t, options(s.target))
	headers := map[string][]string{
		"traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}, "tracestate": {"a=1", "b=\xff"},
		"authorization": {"Bearer secret"}, "banyan-epoch": {"99"}, "cookie": {"c"},
	}
	call := newCall("PlaceOrder", "a")
	call.Header = func(name string) []string { return headers[name] }
	call.Write = strangler.WriteTag{ID: "0198-w", Epoch: 12}
	if _, err := ask(within(t, time.Minute), u, call); err != nil {
		t.Fatal(err)
	}
	md := <-got
	if !<-deadlines {
		t.Error("the service has no deadline")
	}
	for _, own := range []string{":authority", "content-type", "user-agent", "grpc-accept-encoding"} {
		delete(md, own)
	}
	wanted := metadata.MD{
		protocol.MetadataRequest: {"r1"}, protocol.MetadataWrite: {"0198-w"}, protocol.MetadataEpoch: {"12"},
		"traceparent": headers["traceparent"], "tracestate": {"a=1"},
	}
	if !maps.EqualFunc(md, wanted, slices.Equal) {
		t.Errorf("got %v, want %v", md, wanted)
	}

	ctx := metadata.AppendToOutgoingContext(context.Background(), "secret", "s")
	if _, err := ask(ctx, u, newCall("PlaceOrder", "a")); err != nil {
		t.Fatal(err)
	}
	md = <-got
	if <-deadlines || len(md.Get("secret")) > 0 || len(md.Get(protocol.MetadataWrite)) > 0 || len(md.Get(protocol.MetadataEpoch)) > 0 {
		t.Errorf("a call that is no live write was sent with %v", md)
	}
}

func TestTheServicesErrorsAreTheCallers(t *testing.T) {
	leaks(t)
	details, err := status.New(codes.FailedPrecondition, "the epoch is over").WithDetails(
		&errdetails.ErrorInfo{Reason: protocol.ReasonEpochPassed, Domain: protocol.ErrorDomain, Metadata: map[string]string{"epoch": "4"}},
		&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: "text", Description: "too short"}}},
		&errdetails.RetryInfo{RetryDelay: durationpb.New(3 * time.Second)},
	)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		says error
		want strangler.Error
	}{
		{details.Err(), strangler.Error{
			Code: codes.FailedPrecondition, Reason: protocol.ReasonEpochPassed, Domain: protocol.ErrorDomain, Message: "the epoch is over",
			Metadata: map[string]string{"epoch": "4"}, Violations: []strangler.Violation{{Field: "text", Description: "too short"}}, RetryAfter: 3 * time.Second,
		}},
		{status.Error(codes.NotFound, "no such order"), strangler.Error{Code: codes.NotFound, Reason: "NOT_FOUND", Domain: "shop.v1", Message: "no such order"}},
		{status.Error(codes.PermissionDenied, "not yours"), strangler.Error{Code: codes.PermissionDenied, Reason: "PERMISSION_DENIED", Domain: "shop.v1", Message: "not yours"}},
		{status.Error(codes.ResourceExhausted, "grpc: received message larger than max (5 vs. 4)"), strangler.Error{
			Code: codes.ResourceExhausted, Reason: "RESOURCE_EXHAUSTED", Domain: "shop.v1", Message: "grpc: received message larger than max (5 vs. 4)",
		}},
		{status.Error(codes.Unavailable, "closed on Sundays"), strangler.Error{Code: codes.Unavailable, Reason: "UNAVAILABLE", Domain: "shop.v1", Message: "closed on Sundays"}},
		{status.Error(99, "what?"), strangler.Error{Code: codes.Unknown, Reason: "UNKNOWN", Domain: "shop.v1", Message: "what?"}},
		{errors.New("plain"), strangler.Error{Code: codes.Unknown, Reason: "UNKNOWN", Domain: "shop.v1", Message: "plain"}},
	} {
		s := serve(t, func(context.Context, []byte, func([]byte) error) error { return test.says })
		u := connect(t, options(s.target))
		for _, name := range []string{"PlaceOrder", "WatchOrders"} {
			_, err := ask(within(t, time.Minute), u, newCall(name, "a"))
			e := want(t, err, test.want.Code, test.want.Reason)
			if e.Message != test.want.Message || e.Domain != test.want.Domain || e.RetryAfter != test.want.RetryAfter ||
				!maps.Equal(e.Metadata, test.want.Metadata) || !slices.Equal(e.Violations, test.want.Violations) {
				t.Errorf("%s: got %+v, want %+v", name, e, test.want)
			}
		}
		calls := int64(2)
		if test.want.Code == codes.Unavailable {
			calls = 1 + 3 // only the read is tried again
		}
		if s.calls.Load() != calls {
			t.Errorf("%v: %d calls, want %d", test.says, s.calls.Load(), calls)
		}
	}
}
