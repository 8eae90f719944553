package upstream_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/adapters/upstream"
	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/strangler"
)

const shopProto = `syntax = "proto3";
package shop.v1;
service Orders {
  rpc GetOrder(Text) returns (Text) { option idempotency_level = NO_SIDE_EFFECTS; }
  rpc PlaceOrder(Text) returns (Text);
  rpc WatchOrders(Text) returns (stream Text) { option idempotency_level = NO_SIDE_EFFECTS; }
}
message Text { string text = 1; }
`

var shop = sync.OnceValue(func() *contract.Contract {
	c, faults := contract.Load(context.Background(), []contract.Root{{Name: "shop", FS: fstest.MapFS{"shop/v1/shop.proto": {Data: []byte(shopProto)}}}})
	if err := faults.Err(); err != nil {
		panic(err)
	}
	return c
})

func newCall(name, text string) *strangler.Call {
	op := shop().Operation(protoreflect.FullName("shop.v1.Orders." + name))
	return &strangler.Call{Operation: op, Request: contract.FromWire(op.Input, wire(text)), RequestID: "r1"}
}

// wire gives a Text's bytes, with a field that the contract doesn't have.
func wire(text string) []byte {
	b := protowire.AppendTag(nil, 1, protowire.BytesType)
	b = protowire.AppendString(b, text)
	b = protowire.AppendTag(b, 99, protowire.VarintType)
	return protowire.AppendVarint(b, 7)
}

// raw is the codec of the server.
type raw struct{}

func (raw) Name() string { return "proto" }

func (raw) Marshal(v any) (mem.BufferSlice, error) {
	b, ok := v.(*[]byte)
	if !ok {
		return nil, fmt.Errorf("%T", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(*b)}, nil
}

func (raw) Unmarshal(data mem.BufferSlice, v any) error {
	b, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("%T", v)
	}
	*b = data.Materialize()
	return nil
}

// answer is what a service does for a request.
type answer func(ctx context.Context, request []byte, send func([]byte) error) error

func echo(_ context.Context, request []byte, send func([]byte) error) error { return send(request) }

// hang never answers.
func hang(ctx context.Context, _ []byte, _ func([]byte) error) error {
	<-ctx.Done()
	return ctx.Err()
}

// service is a real server that counts its calls.
type service struct {
	*grpc.Server
	target string
	calls  atomic.Int64
}

// serve starts a service on a free port.
func serve(t testing.TB, do answer, options ...grpc.ServerOption) *service {
	t.Helper()
	s := &service{}
	s.Server = grpc.NewServer(append(options, grpc.ForceServerCodecV2(raw{}), grpc.WaitForHandlers(true),
		grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
			if method, _ := grpc.MethodFromServerStream(stream); method == "/grpc.health.v1.Health/Watch" || method == "/grpc.health.v1.Health/Check" {
				return errUnimplemented
			}
			var request []byte
			if err := stream.RecvMsg(&request); err != nil {
				return err
			}
			s.calls.Add(1)
			return do(stream.Context(), request, func(b []byte) error { return stream.SendMsg(&b) })
		}))...)
	listener := listen(t)
	s.target = listener.Addr().String()
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.Serve(listener) })
	t.Cleanup(func() {
		s.Stop()
		serving.Wait()
	})
	return s
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

// nobody gives an address where nothing listens.
func nobody(t testing.TB) string {
	t.Helper()
	listener := listen(t)
	defer listener.Close()
	return listener.Addr().String()
}

// leaks fails the test when goroutines are left after its clean-ups that are registered later.
func leaks(t testing.TB) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}

func options(target string) upstream.Options {
	return upstream.Options{
		Service: "orders", Target: target,
		Reads: []string{"/shop.v1.Orders/GetOrder", "/shop.v1.Orders/WatchOrders"},
	}
}

func connect(t testing.TB, o upstream.Options) *upstream.Upstream {
	t.Helper()
	u, err := upstream.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := u.Close(); err != nil {
			t.Error(err)
		}
	})
	return u
}

func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// ask calls and gives the replies' bytes.
func ask(ctx context.Context, u *upstream.Upstream, call *strangler.Call) (replies []string, err error) {
	err = u.Call(ctx, call, func(r *strangler.Reply) error {
		b, err := r.Message.Wire()
		replies = append(replies, string(b))
		return err
	})
	return replies, err
}

// want checks an error's code and reason.
func want(t testing.TB, err error, code codes.Code, reason string) *strangler.Error {
	t.Helper()
	var e *strangler.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want an *Error", err)
	}
	t.Log(e)
	if e.Code != code || e.Reason != reason {
		t.Fatalf("got %s %s, want %s %s", e.Code, e.Reason, code, reason)
	}
	return e
}

// eventually polls until condition holds.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	ctx := within(t, 30*time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-ctx.Done():
			t.Fatalf("in vain: %s", what)
		case <-tick.C:
		}
	}
}
