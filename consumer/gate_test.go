package consumer

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/protocol"
)

// reading is what somebody has read through a gate.
type reading struct {
	mu  sync.Mutex
	n   int
	err error
}

func (r *reading) add(n int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.n, r.err = r.n+n, err
}

func (r *reading) so() (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.n, r.err
}

// atGate has somebody read through a gate, as the library does, what a broker sends that has most to send.
func atGate(t *testing.T, most int, test func(t *testing.T, g *gate, r *reading)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		g := newGate()
		conn := g.around(here)
		go func() {
			for sent := 0; sent < most; sent += 1 << 20 { // until it is closed
				if _, err := there.Write(make([]byte, 1<<20)); err != nil {
					return
				}
			}
		}()
		var r reading
		done := make(chan struct{})
		go func() {
			defer close(done)
			for p := make([]byte, 64<<10); ; {
				n, err := conn.Read(p)
				if r.add(n, err); err != nil {
					return
				}
			}
		}()
		synctest.Wait()
		test(t, g, &r)
		_ = conn.Close()
		_ = there.Close()
		<-done
	})
}

func TestAGateBoundsWhatIsReadAhead(t *testing.T) {
	atGate(t, 8*mostAhead, func(t *testing.T, g *gate, r *reading) {
		if n, _ := r.so(); n != mostAhead {
			t.Errorf("%d bytes were read, want %d", n, mostAhead)
		}
		g.took([]amqp.Delivery{{Body: make([]byte, 3<<20)}, {Body: make([]byte, 1<<20)}})
		synctest.Wait()
		if n, _ := r.so(); n != mostAhead+4<<20 {
			t.Errorf("%d bytes were read, and 4 MiB taken", n)
		}
		g.took([]amqp.Delivery{{Body: make([]byte, 3*mostAhead)}}) // larger than what may wait, and read while the gate was open
		synctest.Wait()
		if n, _ := r.so(); n != 2*mostAhead+4<<20 {
			t.Errorf("%d bytes were read", n)
		}
	})
}

// Who waits for a message gets it, however large it is.
func TestAGateIsOpenForWhoWaits(t *testing.T) {
	atGate(t, 8*mostAhead, func(t *testing.T, g *gate, r *reading) {
		messages := make(chan amqp.Delivery)
		go func() {
			for n := 0; n < 3*mostAhead; n, _ = r.so() {
				<-time.After(time.Millisecond)
			}
			messages <- amqp.Delivery{Body: make([]byte, 3*mostAhead)}
		}()
		began := time.Now()
		_, open, ended, err := g.next(t.Context(), messages, nil)
		if n, _ := r.so(); !open || ended || err != nil || n != 3*mostAhead {
			t.Fatal(n, open, ended, err)
		}
		if took := time.Since(began); took > 3*handedWithin {
			t.Errorf("it took %s", took)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, _, err := g.next(ctx, messages, nil); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		end := make(chan time.Time, 1)
		end <- time.Time{}
		if _, _, ended, err := g.next(t.Context(), messages, end); !ended || err != nil {
			t.Error(ended, err)
		}
		g.open()
		synctest.Wait()
		if n, _ := r.so(); n != 8*mostAhead {
			t.Errorf("%d bytes were read through an open gate", n)
		}
	})
}

// A gate is open only while a fence is answered: what is applied behind it, in the same batch, may take long.
func TestAGateIsShutBehindAFence(t *testing.T) {
	leaks(t)
	url := devstack.RabbitMQ(t).NewVHost(t)
	s := newService(t, file(t), StoreOptions{})
	if _, err := s.store.queues(t.Context(), "things", 1); err != nil {
		t.Fatal(err)
	}
	r, g := s.runner(t), newGate()
	r.URL = url
	conn, err := r.connect(t.Context(), g.around)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	channel, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	if err := channel.Confirm(false); err != nil {
		t.Fatal(err)
	}
	applied := 0
	r.Apply = func(context.Context, *sql.Tx, protocol.EntityEvent) error {
		g.mu.Lock()
		defer g.mu.Unlock()
		if applied++; g.wide {
			t.Error("as much is read as the broker has, while an event is applied")
		}
		return nil
	}
	batch := make([]amqp.Delivery, 2)
	for i, m := range []amqp.Publishing{message(protocol.TypeFence, protocol.Fence{ID: "f"}), message(protocol.TypeEntity, event(1, protocol.OriginLegacy, "c", "a", "1"))} {
		batch[i] = amqp.Delivery{Headers: m.Headers, Body: m.Body, ReplyTo: "nobody", DeliveryTag: 0}
	}
	d := &delivering{runner: r, channel: channel, gate: g, queue: queue{1, 0}, n: 1}
	if err := d.deliver(t.Context(), batch); err != nil || applied != 1 {
		t.Errorf("%d are applied, %v", applied, err)
	}
}

// Whoever closes the connection gets the broker's consent if it is near, and does without it if it is far.
func TestAGateEnds(t *testing.T) {
	atGate(t, 8*mostAhead, func(t *testing.T, g *gate, r *reading) {
		g.end()
		synctest.Wait()
		if n, err := r.so(); n != 2*mostAhead || !errors.Is(err, net.ErrClosed) {
			t.Errorf("%d bytes were read, %v", n, err)
		}
	})
}

// The time at a shut gate is no silence of the broker's.
func TestAGateMovesDeadlines(t *testing.T) {
	atGate(t, mostAhead+1<<20, func(t *testing.T, g *gate, r *reading) {
		if err := g.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Minute)
		g.open()
		<-time.After(time.Second - time.Millisecond)
		if n, err := r.so(); err != nil || n != mostAhead+1<<20 {
			t.Errorf("%v after %d bytes", err, n)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		defer there.Close()
		g := newGate()
		conn := g.around(here)
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(conn, make([]byte, 1)); err == nil {
			t.Error("a silent broker is waited for")
		}
	})
}
