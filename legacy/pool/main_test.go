package pool_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/legacy/pool"
	"banyan.dev/banyan/strangler"
)

// leaks fails the test when goroutines are left after its clean-ups that were registered later.
func leaks(t *testing.T) {
	t.Helper()
	devstack.MariaDB(t)
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}

// eventually polls until condition gives nil.
func eventually(t testing.TB, condition func() error) {
	t.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		err := condition()
		if err == nil {
			return
		}
		select {
		case <-deadline.C:
			t.Fatalf("in vain: %v", err)
		case <-tick.C:
		}
	}
}

func wantCode(t testing.TB, err error, code codes.Code, reason string) *strangler.Error {
	t.Helper()
	var e *strangler.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want a strangler.Error %s %s", err, code, reason)
	}
	if e.Code != code || e.Reason != reason {
		t.Fatalf("got %v, want %s %s", err, code, reason)
	}
	return e
}

func quiet(o *pool.Options) { o.Logger = slog.New(slog.DiscardHandler) }

// relay stands between a pool and a server. Its hook sees what clients send and says what becomes of it.
type relay struct {
	listener net.Listener
	target   string
	hook     func(data []byte) verdict
	done     sync.WaitGroup
	mu       sync.Mutex
	conns    map[net.Conn]bool
	accepted int
}

type verdict int

const (
	pass verdict = iota
	// cutBefore drops the connection without passing on, cutAfter passes on and drops it before an answer.
	cutBefore
	cutAfter
)

func startRelay(t testing.TB, target string, hook func([]byte) verdict) *relay {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{listener: listener, target: target, hook: hook, conns: make(map[net.Conn]bool)}
	r.done.Go(r.serve)
	t.Cleanup(r.stop)
	return r
}

func (r *relay) addr() string { return r.listener.Addr().String() }

func (r *relay) stop() {
	_ = r.listener.Close()
	r.mu.Lock()
	for c := range r.conns {
		_ = c.Close()
	}
	r.mu.Unlock()
	r.done.Wait()
}

func (r *relay) keep(c net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.conns[c] = true
}

func (r *relay) serve() {
	for {
		client, err := r.listener.Accept()
		if err != nil {
			return
		}
		r.mu.Lock()
		r.accepted++
		r.mu.Unlock()
		server, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", r.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		r.keep(client)
		r.keep(server)
		r.done.Go(func() {
			_, _ = io.Copy(client, server)
			_ = client.Close()
		})
		r.done.Go(func() {
			defer func() { _, _ = server.Close(), client.Close() }()
			buf := make([]byte, 1<<16)
			for {
				n, err := client.Read(buf)
				if err != nil {
					return
				}
				what := r.hook(buf[:n])
				if what == cutBefore {
					return
				}
				if what == cutAfter {
					_ = client.Close()
				}
				if _, err := server.Write(buf[:n]); err != nil {
					return
				}
				if what == cutAfter {
					_, _ = io.Copy(io.Discard, server) // until the server has done it and sees the end
					return
				}
			}
		})
	}
}

func waiting(p *pool.Pool, n int) func() error {
	return func() error {
		if got := p.Stats().Waiting; got != n {
			return fmt.Errorf("%d are waiting, want %d", got, n)
		}
		return nil
	}
}
