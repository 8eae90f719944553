package grpc_test

import (
	"bytes"
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/dynamicpb"

	"banyan.dev/banyan/api/edge/edgetest"
	apigrpc "banyan.dev/banyan/api/grpc"
	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/strangler"
)

// stalled is a stream over a real socket that is never read, of a Backend that sends for as long as it can.
type stalled struct {
	stream grpc.ClientStream
	conn   *grpc.ClientConn
	server *apigrpc.Server
	ended  chan error // gets how the Backend's call ended
}

func stall(t *testing.T, ctx context.Context, opts apigrpc.Options) *stalled {
	t.Helper()
	c := edgetest.Contract(t)
	s := &stalled{ended: make(chan error, 1)}
	full := make(chan struct{})
	wire := append([]byte{0x72, 0x80, 0x80, 0x04}, bytes.Repeat([]byte("x"), 1<<16)...) // f_string
	s.server = apigrpc.New(c, strangler.BackendFunc(func(_ context.Context, c *strangler.Call, send func(*strangler.Reply) error) error {
		for n := 0; ; n++ {
			if n == 2 { // the third has to wait for the caller
				close(full)
			}
			if err := send(&strangler.Reply{Message: contract.FromWire(c.Operation.Output, wire)}); err != nil {
				s.ended <- err
				return err
			}
		}
	}), opts)
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	served.Go(func() {
		if err := s.server.Serve(lis); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	s.conn, err = grpc.NewClient(lis.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.conn.Close()
		_ = s.server.Shutdown(context.Background())
		served.Wait()
	})
	s.stream, err = s.conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, "/test.v1.AllService/Watch")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.stream.SendMsg(dynamicpb.NewMessage(c.Message("test.v1.All"))); err != nil {
		t.Fatal(err)
	}
	<-full
	return s
}

// A caller who stops reading holds the Backend no longer than a stream may take, and is told so when it reads on.
func TestAStreamThatNobodyReadsEndsWithItsTime(t *testing.T) {
	s := stall(t, t.Context(), apigrpc.Options{StreamTimeout: 200 * time.Millisecond})
	err := strangler.AsError(<-s.ended)
	if err.Code != codes.DeadlineExceeded || !strings.Contains(err.Message, "longer than 200ms, which is the limit here") {
		t.Errorf("the backend was told: %v", err)
	}
	out := dynamicpb.NewMessage(edgetest.Contract(t).Message("test.v1.All"))
	var end error
	for end == nil {
		end = s.stream.RecvMsg(out)
	}
	if status.Code(end) != codes.DeadlineExceeded {
		t.Errorf("the caller was told: %v", end)
	}
}

// A caller who goes away in the middle of a stream has cancelled the call, however the transport notices.
func TestACallerWhoHangsUpHasCancelledTheStream(t *testing.T) {
	for name, hangUp := range map[string]func(s *stalled, cancel func()){
		"the call":       func(_ *stalled, cancel func()) { cancel() },
		"the connection": func(s *stalled, _ func()) { _ = s.conn.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			s := stall(t, ctx, apigrpc.Options{})
			hangUp(s, cancel)
			if err := strangler.AsError(<-s.ended); err.Code != codes.Canceled || err.Reason != "CANCELLED" {
				t.Errorf("the backend was told: %v", err)
			}
		})
	}
}
