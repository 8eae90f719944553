package rabbitmq_test

import (
	"io"
	"net"
	neturl "net/url"
	"sync"
	"testing"
)

// relay stands before a broker. It can hold all bytes back, as a network does that was cut without a word.
type relay struct {
	listener net.Listener
	target   string
	serving  sync.WaitGroup
	mu       sync.Mutex
	free     sync.Cond
	paused   bool
	conns    []net.Conn
}

func startRelay(t testing.TB, target string) *relay {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{listener: listener, target: target}
	r.free.L = &r.mu
	r.serving.Go(r.serve)
	t.Cleanup(r.stop)
	return r
}

func hostOf(t testing.TB, text string) string {
	t.Helper()
	u, err := neturl.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

// url is a broker's URL by way of the relay.
func (r *relay) url(t testing.TB, text string) string {
	t.Helper()
	u, err := neturl.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	u.Host = r.listener.Addr().String()
	return u.String()
}

func (r *relay) serve() {
	for {
		client, err := r.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", r.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		r.mu.Lock()
		r.conns = append(r.conns, client, server)
		r.mu.Unlock()
		for _, way := range [][2]net.Conn{{client, server}, {server, client}} {
			r.serving.Go(func() {
				_, _ = io.Copy(&held{r, way[1]}, way[0])
				_ = way[1].Close()
			})
		}
	}
}

// held waits while the relay is paused.
type held struct {
	*relay
	to net.Conn
}

func (h *held) Write(p []byte) (int, error) {
	h.mu.Lock()
	for h.paused {
		h.free.Wait()
	}
	h.mu.Unlock()
	return h.to.Write(p)
}

func (r *relay) pause() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.paused = true
}

func (r *relay) resume() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.paused = false
	r.free.Broadcast()
}

func (r *relay) stop() {
	_ = r.listener.Close()
	r.resume()
	r.mu.Lock()
	for _, conn := range r.conns {
		_ = conn.Close()
	}
	r.mu.Unlock()
	r.serving.Wait()
}
