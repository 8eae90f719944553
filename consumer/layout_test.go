package consumer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/protocol"
)

// line is a way to the broker that can be cut.
type line struct {
	url   string
	mu    sync.Mutex
	conns []net.Conn
}

func newLine(t testing.TB, url string) *line {
	t.Helper()
	to, err := amqp.ParseURI(url)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := net.JoinHostPort(to.Host, strconv.Itoa(to.Port))
	l := &line{url: strings.Replace(url, at, listener.Addr().String(), 1)}
	if l.url == url {
		t.Fatalf("%s is not in %s", at, url)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", at)
			if err != nil {
				_ = near.Close()
				continue
			}
			l.mu.Lock()
			l.conns = append(l.conns, near, far)
			l.mu.Unlock()
			for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
				all.Go(func() {
					_, _ = io.Copy(way[0], way[1])
					_, _ = way[0].Close(), way[1].Close()
				})
			}
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		l.cut()
		all.Wait()
	})
	return l
}

// cut ends all connections that there are.
func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.conns {
		_ = c.Close()
	}
	l.conns = nil
}

// unbegun makes a runner of n queues that has not begun.
func (s *service) unbegun(t testing.TB, url string, n int) *runner {
	t.Helper()
	r := s.runner(t)
	r.URL, r.Queues, r.id = url, n, "test"
	return r
}

// consumed waits until a queue has so many consumers.
func (b *broker) consumed(t testing.TB, name string, want int) {
	t.Helper()
	eventually(t, func() error {
		return onChannel(b.conn, func(c *amqp.Channel) error {
			q, err := c.QueueDeclarePassive(name, true, false, false, false, nil)
			if err == nil && q.Consumers != want {
				err = fmt.Errorf("%d consume, want %d", q.Consumers, want)
			}
			return err
		})
	})
}

// cutting cuts a line as soon as a queue is consumed, and waits until the broker knows.
type cutting struct {
	slog.Handler
	way    *line
	unused func()
}

func (c cutting) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "consuming" {
		c.way.cut()
		c.unused()
	}
	return nil
}

func (c cutting) Enabled(context.Context, slog.Level) bool { return true }

// A queue whose connection is lost is not empty.
func TestAQueueIsNotEmptyBecauseTheConnectionIsLost(t *testing.T) {
	everywhere(t, func(t *testing.T, empty where) {
		leaks(t)
		url := devstack.RabbitMQ(t).NewVHost(t)
		way := newLine(t, url)
		s := newService(t, empty(t), StoreOptions{})
		b := newBroker(t, url)
		r := s.unbegun(t, way.url, 2)
		if err := r.declare(b.conn, 1, 0); err != nil {
			t.Fatal(err)
		}
		r.Logger = slog.New(cutting{slog.DiscardHandler, way, func() { b.consumed(t, protocol.QueueName("things", 1, 0), 0) }})
		if err := r.empty(t.Context(), []queue{{n: 1, i: 0}}, 2); err == nil {
			t.Fatal("it is taken for empty")
		}
	})
}

// fenced sends a fence to all partitions.
func (p *partitioned) fenced(t testing.TB, id string) {
	t.Helper()
	var all []toPartition
	for partition := range protocol.Partitions {
		m := message(protocol.TypeFence, protocol.Fence{ID: id, Partition: partition, Service: "things", Capability: "things"})
		m.ReplyTo, m.CorrelationId = p.answers, id
		all = append(all, toPartition{partition, m})
	}
	p.settled(t, all...)
}

// A process that is slow may declare a queue of a number that has passed, and bind it: then it has some of what there is. What is
// answered from it would be said of what others have.
func TestAFenceIsNotAnsweredFromAnOldQueue(t *testing.T) {
	everywhere(t, func(t *testing.T, empty where) {
		leaks(t)
		url := devstack.RabbitMQ(t).NewVHost(t)
		s := newService(t, empty(t), StoreOptions{})
		p := newPartitioned(t, url)
		stop := s.start(t, url, 2, s.apply)
		p.bound(t)
		stop()
		e := event(1, protocol.OriginLegacy, "key 1", "1", "x")
		p.latest["1"] = 1
		p.settled(t, toPartition{protocol.PartitionOf(e.Entity, e.ID, e.Key), message(protocol.TypeEntity, e)})
		r := s.unbegun(t, url, 2)
		if err := r.declare(p.conn, 1, 0); err != nil {
			t.Fatal(err)
		}
		p.promised["f"] = map[string]int{"1": 1}
		p.fenced(t, "f")
		if n, err := r.arrange(t.Context()); n != 2 || err != nil {
			t.Fatal(n, err)
		}
		if there, err := exists(p.conn, protocol.QueueName("things", 1, 0)); there || err != nil {
			t.Errorf("the old queue is there: %v %v", there, err)
		}
		select {
		case <-p.replies:
			t.Error("the fence is answered before what is ahead of it is applied")
		default:
		}
		s.start(t, url, 2, s.apply)
		p.receive(t, s, true)
	})
}

// What reaches an old queue behind its end, as by a node of the broker that has not heard yet, is done before it is deleted.
func TestStragglersBehindTheEndOfAQueueAreDone(t *testing.T) {
	everywhere(t, func(t *testing.T, empty where) {
		leaks(t)
		url := devstack.RabbitMQ(t).NewVHost(t)
		s := newService(t, empty(t), StoreOptions{})
		b := newBroker(t, url)
		r := s.unbegun(t, url, 2)
		if err := r.declare(b.conn, 1, 0); err != nil {
			t.Fatal(err)
		}
		for n := range 3 {
			for _, m := range []amqp.Publishing{
				message(protocol.TypeEntity, event(2*n+1, protocol.OriginLegacy, "c", "a", fmt.Sprint(n))),
				{DeliveryMode: amqp.Persistent, Headers: amqp.Table{headerType: typeMoved}},
				message(protocol.TypeEntity, event(2*n+2, protocol.OriginLegacy, "c", fmt.Sprint("straggler", n), "x")),
			} {
				d, err := b.channel.PublishWithDeferredConfirm("", protocol.QueueName("things", 1, 0), false, false, m)
				if err != nil || !d.Wait() {
					t.Fatal(err)
				}
			}
		}
		if n, err := r.arrange(t.Context()); n != 2 || err != nil {
			t.Fatal(n, err)
		}
		for n := range 3 {
			if s.body(t, fmt.Sprint("straggler", n)) != "x" {
				t.Errorf("straggler %d is lost", n)
			}
		}
	})
}

// Whoever raised the number may be gone before the old queue is marked.
func TestANumberThatWasRaisedIsSeen(t *testing.T) {
	everywhere(t, func(t *testing.T, empty where) {
		leaks(t)
		url := devstack.RabbitMQ(t).NewVHost(t)
		s := newService(t, empty(t), StoreOptions{})
		p := newPartitioned(t, url)
		s.start(t, url, 1, s.apply)
		p.bound(t)
		p.consumed(t, protocol.QueueName("things", 1, 0), 1)
		r := s.unbegun(t, url, 2)
		if _, err := s.store.queues(t.Context(), "things", 2); err != nil {
			t.Fatal(err)
		}
		for i := range 2 {
			if err := r.declare(p.conn, 2, i); err != nil {
				t.Fatal(err)
			}
		}
		for partition := range protocol.Partitions {
			if err := p.channel.QueueUnbind(protocol.QueueName("things", 1, 0), protocol.RoutingKey(partition), protocol.ExchangeName("things"), nil); err != nil {
				t.Fatal(err)
			}
		}
		p.settled(t, toPartition{3, message(protocol.TypeEntity, event(1, protocol.OriginLegacy, "c", "a", "x"))})
		s.has(t, "a", "x")
	})
}

// A database from before the number was raised does not bring the old queues back.
func TestTheNumberOutlivesTheDatabase(t *testing.T) {
	everywhere(t, func(t *testing.T, empty where) {
		leaks(t)
		url := devstack.RabbitMQ(t).NewVHost(t)
		s := newService(t, empty(t), StoreOptions{})
		p := newPartitioned(t, url)
		stop := s.start(t, url, 2, s.apply)
		p.bound(t)
		stop()
		restored := newService(t, empty(t), StoreOptions{})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if _, err := restored.unbegun(t, url, 1).arrange(ctx); !errors.Is(err, errMoved) {
			t.Fatal(err)
		}
		if there, err := exists(p.conn, protocol.QueueName("things", 1, 0)); there || err != nil {
			t.Errorf("the old queue is back: %v %v", there, err)
		}
		if n, err := restored.unbegun(t, url, 1).arrange(ctx); n != 2 || err != nil {
			t.Error(n, err)
		}
	})
}

// What is left in the queue of before there were partitions is done first.
func TestTheQueueFromBeforePartitionsIsEmptied(t *testing.T) {
	everywhere(t, func(t *testing.T, empty where) {
		leaks(t)
		url := devstack.RabbitMQ(t).NewVHost(t)
		s := newService(t, empty(t), StoreOptions{})
		p := newPartitioned(t, url)
		if err := s.unbegun(t, url, 1).declareAs(p.conn, queue{}, amqp.Table{amqp.QueueTypeArg: amqp.QueueTypeQuorum, amqp.SingleActiveConsumerArg: true}); err != nil {
			t.Fatal(err)
		}
		p.settled(t, toPartition{0, message(protocol.TypeEntity, event(1, protocol.OriginLegacy, "c", "a", "x"))})
		s.start(t, url, 1, s.apply)
		s.has(t, "a", "x")
		eventually(t, func() error {
			there, err := exists(p.conn, "banyan.service.things.0")
			if there {
				err = errors.New("it is there")
			}
			return err
		})
	})
}
