package grpc_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/emptypb"

	"banyan.dev/banyan/api/edge/edgetest"
	apigrpc "banyan.dev/banyan/api/grpc"
	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/strangler"
)

// bed is a running server with a client.
type bed struct {
	contract *contract.Contract
	server   *apigrpc.Server
	conn     *grpc.ClientConn
}

func start(t testing.TB, b strangler.Backend, opts apigrpc.Options) *bed {
	t.Helper()
	c := edgetest.Contract(t)
	s := apigrpc.New(c, b, opts)
	lis := bufconn.Listen(1 << 20)
	var served sync.WaitGroup
	served.Go(func() {
		if err := s.Serve(lis); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	conn, err := grpc.NewClient("passthrough:///test",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return lis.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		_ = s.Shutdown(context.Background())
		served.Wait()
	})
	return &bed{contract: c, server: s, conn: conn}
}

func (b *bed) message(t testing.TB, name protoreflect.FullName, set map[string]any) *dynamicpb.Message {
	t.Helper()
	m := dynamicpb.NewMessage(b.contract.Message(name))
	for field, v := range set {
		m.Set(m.Descriptor().Fields().ByName(protoreflect.Name(field)), protoreflect.ValueOf(v))
	}
	return m
}

func (b *bed) fail(t testing.TB, ctx context.Context, code int) error {
	t.Helper()
	in := b.message(t, "test.v1.FailRequest", map[string]any{"code": int32(code)})
	return b.conn.Invoke(ctx, "/test.v1.AllService/Fail", in, &emptypb.Empty{})
}

func reason(err error) string {
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			return info.GetDomain() + "/" + info.GetReason()
		}
	}
	return ""
}

func TestUnary(t *testing.T) {
	var seen *strangler.Call
	b := start(t, edgetest.Echo{Seen: func(_ context.Context, c *strangler.Call) { seen = c }}, apigrpc.Options{})
	in := b.message(t, "test.v1.All", map[string]any{"f_string": "hello", "f_uint64": uint64(1)<<63 + 1})
	out := dynamicpb.NewMessage(in.Descriptor())
	var header metadata.MD
	ctx := metadata.AppendToOutgoingContext(t.Context(), "x-request-id", "my-id", "x-tenant", "a", "x-tenant", "b")
	if err := b.conn.Invoke(ctx, "/test.v1.AllService/OnlyGRPC", in, out, grpc.Header(&header)); err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(in, out) {
		t.Errorf("got %v, want %v", out, in)
	}
	if seen.RequestID != "my-id" || strings.Join(header.Get("x-request-id"), ",") != "my-id" {
		t.Errorf("request id: %q, in the header %q", seen.RequestID, header.Get("x-request-id"))
	}
	if got := strings.Join(seen.Header("x-tenant"), ","); got != "a,b" {
		t.Errorf("header x-tenant: %q", got)
	}
	if seen.Operation.Name != "test.v1.AllService.OnlyGRPC" || !seen.Request.HasWire() {
		t.Errorf("call: %+v", seen)
	}
}

func TestServerStreaming(t *testing.T) {
	b := start(t, edgetest.Echo{}, apigrpc.Options{})
	for _, text := range []string{"ok", "fail"} {
		stream, err := b.conn.NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true}, "/test.v1.AllService/Watch")
		if err != nil {
			t.Fatal(err)
		}
		in := b.message(t, "test.v1.All", map[string]any{"f_int32": int32(1000), "f_string": text})
		if err := stream.SendMsg(in); err != nil {
			t.Fatal(err)
		}
		if err := stream.CloseSend(); err != nil {
			t.Fatal(err)
		}
		n := 0
		for {
			out := dynamicpb.NewMessage(in.Descriptor())
			if err = stream.RecvMsg(out); err != nil {
				break
			}
			if !proto.Equal(in, out) {
				t.Fatalf("reply %d: %v", n, out)
			}
			n++
		}
		if n != 1000 {
			t.Errorf("%s: %d replies", text, n)
		}
		if text == "fail" {
			if status.Code(err) != codes.Unavailable || reason(err) != "banyan/GONE" {
				t.Errorf("end: %v", err)
			}
		} else if err.Error() != "EOF" {
			t.Errorf("end: %v", err)
		}
	}
}

func TestErrors(t *testing.T) {
	var log bytes.Buffer
	b := start(t, edgetest.Echo{}, apigrpc.Options{Logger: slog.New(slog.NewJSONHandler(&log, nil))})
	tests := map[int]struct {
		code   codes.Code
		reason string
	}{
		int(codes.NotFound):        {codes.NotFound, "banyan/TEST"},
		int(codes.InvalidArgument): {codes.InvalidArgument, "banyan/INVALID_FIELD"},
		edgetest.FailPanic:         {codes.Internal, "banyan/INTERNAL"},
		edgetest.FailPlain:         {codes.Internal, "banyan/INTERNAL"},
		edgetest.FailDeadline:      {codes.DeadlineExceeded, "banyan/DEADLINE_EXCEEDED"},
		edgetest.FailNoReply:       {codes.Internal, "banyan/INTERNAL"},
		edgetest.FailTwoReplies:    {codes.Internal, "banyan/INTERNAL"},
	}
	for code, want := range tests {
		err := b.fail(t, t.Context(), code)
		if status.Code(err) != want.code || reason(err) != want.reason {
			t.Errorf("%d: %v, %s", code, err, reason(err))
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("%d: the cause is told: %v", code, err)
		}
	}
	_ = b.server.Shutdown(t.Context()) // so that the log is complete
	for _, want := range []string{`"cause":"secret cause"`, `"cause":"panic: a test's panic"`, `"stack":`, `"request_id":`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %s:\n%s", want, log.String())
		}
	}
}

func TestDeadlineAndCancel(t *testing.T) {
	b := start(t, edgetest.Echo{}, apigrpc.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := b.fail(t, ctx, edgetest.FailWait); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("deadline: %v", err)
	}
	ended := make(chan error, 1)
	b2 := start(t, strangler.BackendFunc(func(ctx context.Context, _ *strangler.Call, _ func(*strangler.Reply) error) error {
		ended <- nil
		<-ctx.Done()
		ended <- ctx.Err()
		return ctx.Err()
	}), apigrpc.Options{})
	ctx, cancel = context.WithCancel(t.Context())
	go func() {
		<-ended
		cancel()
	}()
	if err := b2.fail(t, ctx, 0); status.Code(err) != codes.Canceled {
		t.Errorf("cancel: %v", err)
	}
	if err := <-ended; err != context.Canceled {
		t.Errorf("the backend saw %v", err)
	}
}

// raw is sent as it is.
type raw struct{}

func (raw) Name() string                       { return "proto" }
func (raw) Marshal(v any) ([]byte, error)      { return *v.(*[]byte), nil }
func (raw) Unmarshal(data []byte, v any) error { *v.(*[]byte) = bytes.Clone(data); return nil }
func (b *bed) raw(ctx context.Context, method string, body []byte) error {
	var out []byte
	return b.conn.Invoke(ctx, method, &body, &out, grpc.ForceCodec(raw{}))
}

func TestMalformedRequests(t *testing.T) {
	b := start(t, edgetest.Echo{}, apigrpc.Options{})
	for _, body := range [][]byte{{0xff}, {0x72, 0x05, 'a'}, {0x72, 0x01, 0xff}, {0x0f}, bytes.Repeat([]byte{0xff}, 100)} {
		err := b.raw(t.Context(), "/test.v1.AllService/Echo", body)
		if status.Code(err) != codes.InvalidArgument || reason(err) != "banyan/MALFORMED_REQUEST" {
			t.Errorf("%x: %v", body, err)
		}
	}
}

func TestLimits(t *testing.T) {
	b := start(t, edgetest.Echo{}, apigrpc.Options{MaxRequestBytes: 1000, MaxReplyBytes: 100})
	// gRPC itself refuses a unary request that is too large, before there is a handler to add an ErrorInfo.
	tests := map[int]struct {
		code   codes.Code
		reason string
	}{50: {}, 500: {codes.ResourceExhausted, "banyan/REPLY_TOO_LARGE"}, 2000: {codes.ResourceExhausted, ""}}
	for size, want := range tests {
		in := b.message(t, "test.v1.All", map[string]any{"f_string": strings.Repeat("x", size)})
		err := b.conn.Invoke(t.Context(), "/test.v1.AllService/Echo", in, dynamicpb.NewMessage(in.Descriptor()))
		if reason(err) != want.reason || status.Code(err) != want.code {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

func TestUnknownMethods(t *testing.T) {
	b := start(t, edgetest.Echo{}, apigrpc.Options{})
	for _, method := range []string{"/test.v1.AllService/Nope", "/nope.v1.S/M"} {
		err := b.raw(t.Context(), method, nil)
		if status.Code(err) != codes.Unimplemented || reason(err) != "banyan/METHOD_NOT_FOUND" {
			t.Errorf("%s: %v", method, err)
		}
	}
}

func TestHealth(t *testing.T) {
	b := start(t, edgetest.Echo{}, apigrpc.Options{})
	client := grpc_health_v1.NewHealthClient(b.conn)
	check := func(service string, want grpc_health_v1.HealthCheckResponse_ServingStatus) {
		t.Helper()
		r, err := client.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{Service: service})
		if err != nil || r.GetStatus() != want {
			t.Errorf("%q: %v, %v", service, r, err)
		}
	}
	check("", grpc_health_v1.HealthCheckResponse_SERVING)
	check("test.v1.AllService", grpc_health_v1.HealthCheckResponse_SERVING)
	b.server.SetServing(false)
	check("", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	check("test.v1.AllService", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	b.server.SetServiceServing("test.v1.AllService", true)
	check("test.v1.AllService", grpc_health_v1.HealthCheckResponse_SERVING)
}

func TestReflection(t *testing.T) {
	b := start(t, edgetest.Echo{}, apigrpc.Options{})
	stream, err := grpc_reflection_v1.NewServerReflectionClient(b.conn).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ask := func(r *grpc_reflection_v1.ServerReflectionRequest) *grpc_reflection_v1.ServerReflectionResponse {
		t.Helper()
		if err := stream.Send(r); err != nil {
			t.Fatal(err)
		}
		out, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	list := ask(&grpc_reflection_v1.ServerReflectionRequest{MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_ListServices{}})
	var names []string
	for _, s := range list.GetListServicesResponse().GetService() {
		names = append(names, s.GetName())
	}
	if got := strings.Join(names, " "); got != "grpc.health.v1.Health test.v1.AllService" {
		t.Errorf("services: %s", got)
	}
	for _, symbol := range []string{"test.v1.AllService", "test.v1.All", "google.type.Money", "grpc.health.v1.Health"} {
		r := ask(&grpc_reflection_v1.ServerReflectionRequest{
			MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: symbol},
		})
		got := r.GetFileDescriptorResponse().GetFileDescriptorProto()
		if len(got) == 0 {
			t.Errorf("%s: %v", symbol, r)
			continue
		}
		if err := proto.Unmarshal(got[0], &descriptorpb.FileDescriptorProto{}); err != nil {
			t.Errorf("%s: %v", symbol, err)
		}
	}
	alpha, err := grpc_reflection_v1alpha.NewServerReflectionClient(b.conn).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := alpha.Send(&grpc_reflection_v1alpha.ServerReflectionRequest{ //nolint:staticcheck // older clients ask so
		MessageRequest: &grpc_reflection_v1alpha.ServerReflectionRequest_ListServices{}}); err != nil {
		t.Fatal(err)
	}
	if r, err := alpha.Recv(); err != nil || len(r.GetListServicesResponse().GetService()) != 2 { //nolint:staticcheck // as above
		t.Errorf("v1alpha: %v, %v", r, err)
	}
	_ = stream.CloseSend()
	_ = alpha.CloseSend()
}

func TestShutdownDrainsThenCancels(t *testing.T) {
	running, release := make(chan struct{}), make(chan struct{})
	b := start(t, strangler.BackendFunc(func(ctx context.Context, c *strangler.Call, send func(*strangler.Reply) error) error {
		running <- struct{}{}
		select {
		case <-release:
			return send(&strangler.Reply{Message: contract.FromWire(c.Operation.Output, nil)})
		case <-ctx.Done():
			return ctx.Err()
		}
	}), apigrpc.Options{})
	result := make(chan error, 1)
	go func() { result <- b.fail(t, context.Background(), 0) }()
	<-running
	down := make(chan error, 1)
	go func() { down <- b.server.Shutdown(context.Background()) }()
	close(release)
	if err := <-result; err != nil {
		t.Errorf("the running call: %v", err)
	}
	if err := <-down; err != nil {
		t.Errorf("Shutdown: %v", err)
	}

	b = start(t, edgetest.Echo{Seen: func(context.Context, *strangler.Call) { close(running) }}, apigrpc.Options{})
	go func() { result <- b.fail(t, context.Background(), edgetest.FailWait) }()
	<-running
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := b.server.Shutdown(ctx); err != context.DeadlineExceeded {
		t.Errorf("Shutdown: %v", err)
	}
	if err := <-result; err == nil {
		t.Error("the call that was cancelled succeeded")
	}
}

func FuzzRequestBytes(f *testing.F) {
	for _, b := range [][]byte{{}, {0xff}, {0x72, 0x01, 'a'}, {0x8a, 0x01, 0x02, 0x0a, 0x00}} {
		f.Add(b)
	}
	b := start(f, edgetest.Echo{}, apigrpc.Options{})
	f.Fuzz(func(t *testing.T, body []byte) {
		err := b.raw(t.Context(), "/test.v1.AllService/Echo", body)
		want := proto.Unmarshal(body, dynamicpb.NewMessage(b.contract.Message("test.v1.All")))
		if (err == nil) != (want == nil) || err != nil && status.Code(err) != codes.InvalidArgument {
			t.Errorf("%x: %v, want %v", body, err, want)
		}
	})
}
