package consumer

import (
	"context"
	"net"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// AMQP bounds how many messages a broker sends ahead, and not how large they are: 200 of 5 MB are a gigabyte. So what has come
// and was not taken yet is counted in bytes here, below the library, and no more is read while there is enough of it: then TCP
// holds the broker up.
//
// RabbitMQ gives up a connection to which it could send nothing for half a minute. So while one message takes longer than that, or the
// database fails, and that much waits, the queue may go to another process, and its messages come again. That changes nothing:
// the versions of what is done meanwhile are kept.

// mostAhead is how many bytes may wait to be taken, about. A message that is larger is read all the same.
const mostAhead = 16 << 20

// A message that is larger than that, or what frames have besides their messages, would keep the gate shut for ever: so where
// nobody hands over a message for as long as handedWithin, there is none, and as much again is read.
const handedWithin = 20 * time.Millisecond

// gate is a connection that is read only while little waits.
type gate struct {
	net.Conn
	full     chan struct{} // has one when somebody waits to read
	mu       sync.Mutex
	changed  sync.Cond
	wide     bool      // all is let through
	ended    bool      // it isn't waited for any more
	ahead    int       // bytes that were read and not taken
	deadline time.Time // of reading, as the library has set it
}

// newGate makes one, around nothing yet.
func newGate() *gate {
	g := &gate{full: make(chan struct{}, 1)}
	g.changed.L = &g.mu
	return g
}

// around puts it around a connection.
func (g *gate) around(conn net.Conn) net.Conn {
	g.Conn = conn
	return g
}

// open lets all through, since something is waited for that comes behind what was sent ahead, until shut is called or the next
// message is waited for.
func (g *gate) open() (shut func()) {
	g.set(func() { g.wide = true })
	return func() { g.set(func() { g.wide = false }) }
}

// took says what has been taken.
func (g *gate) took(batch []amqp.Delivery) {
	n := 0
	for i := range batch {
		n += len(batch[i].Body)
	}
	g.set(func() { g.ahead = max(0, g.ahead-n) })
}

// end makes reading fail where it would wait: the connection is closed, and what is ahead of the broker's consent may be too much.
func (g *gate) end() { g.set(func() { g.wide, g.ended, g.ahead = false, true, 0 }) }

func (g *gate) set(change func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change()
	g.changed.Broadcast()
}

// Read implements net.Conn.
func (g *gate) Read(p []byte) (int, error) {
	if err := g.pass(); err != nil {
		return 0, err
	}
	n, err := g.Conn.Read(p)
	g.mu.Lock()
	g.ahead += n
	g.mu.Unlock()
	return n, err
}

// pass waits until it may be read. The time doesn't count as the broker's silence.
func (g *gate) pass() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	var began time.Time
	for !g.wide && g.ahead >= mostAhead {
		if g.ended {
			return net.ErrClosed
		}
		select {
		case g.full <- struct{}{}:
		default:
		}
		if began.IsZero() {
			began = time.Now()
		}
		g.changed.Wait()
	}
	if began.IsZero() || g.deadline.IsZero() {
		return nil
	}
	g.deadline = g.deadline.Add(time.Since(began))
	return g.Conn.SetReadDeadline(g.deadline)
}

// SetDeadline implements net.Conn.
func (g *gate) SetDeadline(t time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.deadline = t
	return g.Conn.SetDeadline(t)
}

// SetReadDeadline implements net.Conn.
func (g *gate) SetReadDeadline(t time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.deadline = t
	return g.Conn.SetReadDeadline(t)
}

// Close implements net.Conn.
func (g *gate) Close() error {
	g.end()
	return g.Conn.Close()
}

// next gives the next message, or gives up when ctx or end does.
func (g *gate) next(ctx context.Context, messages <-chan amqp.Delivery, end <-chan time.Time) (m amqp.Delivery, open, ended bool, err error) {
	g.set(func() { g.wide = false })
	select {
	case m, open = <-messages:
		return m, open, false, nil
	default:
	}
	for none := (<-chan time.Time)(nil); ; {
		select {
		case <-ctx.Done():
			return m, false, false, ctx.Err()
		case <-end:
			return m, false, true, nil
		case m, open = <-messages:
			return m, open, false, nil
		case <-g.full:
			none = time.After(handedWithin)
		case <-none:
			g.set(func() { g.ahead = 0 })
		}
	}
}
