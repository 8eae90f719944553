package grpc_test

import (
	"context"
	"errors"
	"io"
	"net"
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
	"banyan.dev/banyan/strangler"
)

// serveSlow serves until the test ends, and gives the address.
func serveSlow(t *testing.T, opts apigrpc.Options) string {
	t.Helper()
	server := apigrpc.New(edgetest.Contract(t), edgetest.Echo{}, opts)
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	served.Go(func() { _ = server.Serve(lis) })
	t.Cleanup(func() {
		_ = server.Shutdown(context.Background())
		served.Wait()
	})
	return lis.Addr().String()
}

// Who connects and says nothing is not waited for.
func TestSilentConnectionsAreClosed(t *testing.T) {
	at := serveSlow(t, apigrpc.Options{HandshakeTimeout: 10 * time.Millisecond})
	conn, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // it is closed already
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, conn); errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
		t.Errorf("it is still open: %v", err)
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// Who calls and does not send the request is not waited for as long as he likes.
func TestUnsentRequestsAreGivenUp(t *testing.T) {
	refused := make(chan string, 2)
	at := serveSlow(t, apigrpc.Options{
		ReceiveTimeout: 20 * time.Millisecond, Refused: func(err *strangler.Error) { refused <- err.Reason },
	})
	conn, err := grpc.NewClient(at, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // nothing is asked any more
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	begun := time.Now()
	in := dynamicpb.NewMessage(edgetest.Contract(t).Message("test.v1.FailRequest"))
	for _, method := range []string{"Fail", "Watch"} {
		stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/test.v1.AllService/"+method)
		if err != nil {
			t.Fatal(err)
		}
		if err = stream.RecvMsg(in); status.Code(err) != codes.Canceled || time.Since(begun) > 20*time.Second {
			t.Errorf("%s, after %s: %v", method, time.Since(begun), err)
		}
		if reason := <-refused; reason != "REQUEST_TOO_SLOW" {
			t.Errorf("%s: it is counted as %s", method, reason)
		}
	}
}
