package store_test

import (
	"context"
	"net"
	"sync"
	"testing"
)

// link passes bytes between clients and a server, until it is frozen: then nothing moves, and nothing is closed.
type link struct {
	listener net.Listener
	target   string
	frozen   chan struct{}
	freeze   func()
	done     sync.WaitGroup

	mu    sync.Mutex
	conns []net.Conn
	ended bool
}

func startLink(t *testing.T, target string) *link {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &link{listener: listener, target: target, frozen: make(chan struct{})}
	l.freeze = sync.OnceFunc(func() { close(l.frozen) })
	l.done.Go(l.serve)
	t.Cleanup(l.end)
	return l
}

func (l *link) addr() string { return l.listener.Addr().String() }

func (l *link) end() {
	_ = l.listener.Close()
	l.freeze()
	l.mu.Lock()
	l.ended = true
	for _, c := range l.conns {
		_ = c.Close()
	}
	l.mu.Unlock()
	l.done.Wait()
}

func (l *link) keep(conns ...net.Conn) (ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns = append(l.conns, conns...)
	if l.ended {
		for _, c := range conns {
			_ = c.Close()
		}
	}
	return !l.ended
}

func (l *link) serve() {
	for {
		client, err := l.listener.Accept()
		if err != nil {
			return
		}
		if !l.keep(client) {
			return
		}
		select {
		case <-l.frozen:
			continue
		default:
		}
		server, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", l.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		if !l.keep(server) {
			return
		}
		l.done.Go(func() { l.pass(client, server) })
		l.done.Go(func() { l.pass(server, client) })
	}
}

func (l *link) pass(from, to net.Conn) {
	buffer := make([]byte, 1<<16)
	for {
		n, err := from.Read(buffer)
		select {
		case <-l.frozen:
			return // neither end is told
		default:
		}
		if err != nil {
			_ = to.Close()
			return
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			_ = from.Close()
			return
		}
	}
}
