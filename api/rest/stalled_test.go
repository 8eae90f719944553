package rest_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/api/rest"
	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/strangler"
)

// endless answers every stream with replies for as long as they are taken, and says how each stream ended.
func endless(ended chan<- error) strangler.Backend {
	wire := append([]byte{0x72, 0x80, 0x80, 0x04}, bytes.Repeat([]byte("x"), 1<<16)...) // f_string
	return strangler.BackendFunc(func(_ context.Context, c *strangler.Call, send func(*strangler.Reply) error) error {
		for {
			if err := send(&strangler.Reply{Message: contract.FromWire(c.Operation.Output, wire)}); err != nil {
				ended <- err
				return err
			}
		}
	})
}

// ask sends a request and reads nothing.
func ask(t *testing.T, srv *httptest.Server, target string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, "GET "+target+" HTTP/1.1\r\nHost: test\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	return conn
}

// A caller who stops reading holds the Backend no longer than a stream may take.
func TestAStreamThatNobodyReadsEndsWithItsTime(t *testing.T) {
	ended := make(chan error, 1)
	srv := httptest.NewServer(handler(t, endless(ended), rest.Options{StreamTimeout: 100 * time.Millisecond}))
	defer srv.Close()
	ask(t, srv, "/v1/watch")
	err := strangler.AsError(<-ended)
	if err.Code != codes.DeadlineExceeded || !strings.Contains(err.Message, "longer than 100ms, which is the limit here") {
		t.Errorf("the backend was told: %v", err)
	}
}

// So it is when the caller's own deadline passes, and when the server has to stop.
func TestAStreamThatNobodyReadsEndsWithItsContext(t *testing.T) {
	for want, serve := range map[codes.Code]func(h http.Handler, w http.ResponseWriter, r *http.Request){
		codes.DeadlineExceeded: func(h http.Handler, w http.ResponseWriter, r *http.Request) {
			r.Header.Set("Grpc-Timeout", "100m")
			h.ServeHTTP(w, r)
		},
		codes.Unavailable: func(h http.Handler, w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithCancelCause(r.Context())
			timer := time.AfterFunc(100*time.Millisecond, func() { cancel(strangler.Fail(codes.Unavailable, "SHUTTING_DOWN", "stopping")) })
			defer timer.Stop()
			h.ServeHTTP(w, r.WithContext(ctx))
		},
	} {
		t.Run(want.String(), func(t *testing.T) {
			ended := make(chan error, 1)
			h := handler(t, endless(ended), rest.Options{})
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { serve(h, w, r) }))
			defer srv.Close()
			ask(t, srv, "/v1/watch")
			if err := strangler.AsError(<-ended); err.Code != want {
				t.Errorf("the backend was told: %v", err)
			}
		})
	}
}

// A caller who reads is told that the time is over, and can use the connection for the next call.
func TestAStreamWhoseTimeIsOverSaysSo(t *testing.T) {
	b := strangler.BackendFunc(func(ctx context.Context, c *strangler.Call, send func(*strangler.Reply) error) error {
		if err := send(&strangler.Reply{Message: contract.FromWire(c.Operation.Output, nil)}); err != nil {
			return err
		}
		if c.Operation.ServerStreaming {
			<-ctx.Done()
			return context.Cause(ctx)
		}
		return nil
	})
	srv := httptest.NewServer(handler(t, b, rest.Options{StreamTimeout: 50 * time.Millisecond}))
	defer srv.Close()
	conn := ask(t, srv, "/v1/watch")
	in := bufio.NewReader(conn)
	answer, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if lines := strings.Split(string(body), "\n"); err != nil || len(lines) != 3 || !strings.Contains(lines[1], `"status":"DEADLINE_EXCEEDED"`) {
		t.Errorf("%v, body: %s", err, body)
	}
	if _, err := io.WriteString(conn, "GET /v1/echo HTTP/1.1\r\nHost: test\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	next, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatalf("the next call: %v", err)
	}
	defer next.Body.Close()
	if next.StatusCode != http.StatusOK {
		t.Errorf("the next call: %s", next.Status)
	}
}

// A unary reply that nobody reads is given up.
func TestAUnaryReplyThatNobodyReadsIsGivenUp(t *testing.T) {
	wire := append([]byte{0x72, 0x80, 0x80, 0x80, 0x10}, bytes.Repeat([]byte("x"), 1<<25)...) // more than sockets hold
	b := strangler.BackendFunc(func(_ context.Context, c *strangler.Call, send func(*strangler.Reply) error) error {
		return send(&strangler.Reply{Message: contract.FromWire(c.Operation.Output, wire)})
	})
	h := handler(t, b, rest.Options{WriteTimeout: 100 * time.Millisecond})
	answered := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(answered)
		h.ServeHTTP(w, r)
	}))
	defer srv.Close()
	ask(t, srv, "/v1/echo")
	<-answered
}
