package rabbitmq_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"sync"
	"testing"

	"banyan.dev/banyan/adapters/rabbitmq"
	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/mirror/change"
)

// A broker may take less at once than others do.
func TestNativeHistoryHeedsTheBrokersFrames(t *testing.T) {
	leaks(t)
	broker := devstack.RabbitMQ(t)
	limit := func(ctx context.Context, bytes int) {
		if out, err := broker.Control(ctx, "eval", fmt.Sprintf("ok = application:stop(rabbitmq_stream), ok = application:set_env(rabbitmq_stream, frame_max, %d), ok = application:start(rabbitmq_stream).", bytes)); err != nil {
			t.Fatal(out, err)
		}
	}
	limit(t.Context(), 16<<10)
	t.Cleanup(func() { limit(context.Background(), 1<<20) })
	for _, native := range []rabbitmq.Native{{Batch: 1}, {Batch: 100}, {Batch: 100, Compression: "zstd"}} {
		url := broker.NewVHost(t)
		o := nativeOptions(t, url, native)
		counted := &frameCounter{}
		o.Dial = counted.dial
		feed := open(t, o)
		var want []*change.Message
		for n := range 200 {
			m := message(n)
			m.Body = bytes.Repeat([]byte{'a' + byte(n%26)}, n*97)
			want = append(want, m)
		}
		send(t, feed, want...)
		flush(t, feed)
		got := all(t, readNative(t, o, rabbitmq.First()))
		wantIDs(t, got, 0, 200)
		for i, d := range got {
			if !bytes.Equal(d.Body, want[i].Body) {
				t.Errorf("message %d has %d bytes, want %d", i, len(d.Body), len(want[i].Body))
			}
		}
		if most := counted.most(); most == 0 || most > 16<<10 {
			t.Errorf("by %+v the largest frame has %d bytes", native, most)
		}
	}
}

// frameCounter looks at the frames of the native protocol that connections write.
type frameCounter struct {
	mu      sync.Mutex
	largest int
}

func (f *frameCounter) most() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.largest
}

func (f *frameCounter) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err //nolint:wrapcheck // The feed explains.
	}
	return &countedConn{Conn: conn, frames: f}, nil
}

type countedConn struct {
	net.Conn
	frames *frameCounter
	head   []byte // of the frame that is written
	left   int    // of its body
	other  bool   // it is AMQP
}

func (c *countedConn) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0 && !c.other; {
		if c.left > 0 {
			n := min(c.left, len(rest))
			c.left, rest = c.left-n, rest[n:]
			continue
		}
		n := min(4-len(c.head), len(rest))
		c.head, rest = append(c.head, rest[:n]...), rest[n:]
		if c.other = string(c.head) == "AMQP"; c.other || len(c.head) < 4 {
			continue
		}
		c.left, c.head = int(binary.BigEndian.Uint32(c.head)), c.head[:0]
		c.frames.mu.Lock()
		c.frames.largest = max(c.frames.largest, c.left)
		c.frames.mu.Unlock()
	}
	return c.Conn.Write(p) //nolint:wrapcheck // It is the connection.
}
