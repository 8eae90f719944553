package consumer

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/protocol"
)

// start runs a process of the service with a number of queues, until stop is called or the test ends.
func (s *service) start(t testing.TB, url string, queues int, apply Apply) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- Run(ctx, Options{
			URL: url, Service: "things", Store: s.store, Apply: apply, Queues: queues, Logger: slog.New(slog.DiscardHandler), Prefetch: 20, Batch: 7,
		})
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// partitioned is Banyan's side of a service with many partitions: what it sends has to be taken by a queue.
type partitioned struct {
	*broker
	sent     int
	latest   map[string]int // the last state that was sent of each thing
	promised map[string]map[string]int
	answered map[string]map[int]bool
	returned <-chan amqp.Return
}

func newPartitioned(t testing.TB, url string) *partitioned {
	p := &partitioned{broker: newBroker(t, url), latest: map[string]int{}, promised: map[string]map[string]int{}, answered: map[string]map[int]bool{}}
	p.returned = p.channel.NotifyReturn(make(chan amqp.Return, 1000))
	return p
}

func (p *partitioned) publish(t testing.TB, partition int, m amqp.Publishing) *amqp.DeferredConfirmation {
	t.Helper()
	d, err := p.channel.PublishWithDeferredConfirm(protocol.ExchangeName("things"), protocol.RoutingKey(partition), true, false, m)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// toPartition is a message on its way.
type toPartition struct {
	partition int
	amqp.Publishing
}

// settled sends messages in their order, all of them again while a queue that is deleted refuses one, as Banyan does, and makes
// sure that nothing has come back.
func (p *partitioned) settled(t testing.TB, all ...toPartition) {
	t.Helper()
	eventually(t, func() error {
		var confirms []*amqp.DeferredConfirmation
		for _, m := range all {
			confirms = append(confirms, p.publish(t, m.partition, m.Publishing))
		}
		taken := 0
		for _, d := range confirms {
			if d.Wait() {
				taken++
			}
		}
		if taken < len(confirms) {
			return fmt.Errorf("%d of %d messages are refused", len(confirms)-taken, len(confirms))
		}
		return nil
	})
	select {
	case r := <-p.returned:
		t.Fatalf("nobody takes %s", r.RoutingKey)
	default:
	}
}

// round sends new states of some things, some of them deletions, and then a fence; the answers are looked at later.
func (p *partitioned) round(t testing.TB, n int) {
	t.Helper()
	var all []toPartition
	for range n {
		p.sent++
		id := strconv.Itoa(rand.IntN(40))
		body := strconv.Itoa(p.sent)
		if rand.IntN(10) == 0 {
			body = ""
		}
		e := event(p.sent, protocol.OriginLegacy, "key "+id, id, body)
		p.latest[id] = p.sent
		all = append(all, toPartition{protocol.PartitionOf(e.Entity, e.ID, e.Key), message(protocol.TypeEntity, e)})
	}
	p.settled(t, all...) // as is before a fence
	all = nil
	fence := fmt.Sprint("f", p.sent)
	p.promised[fence] = map[string]int{}
	for id, n := range p.latest {
		p.promised[fence][id] = n
	}
	for partition := range protocol.Partitions {
		m := message(protocol.TypeFence, protocol.Fence{ID: fence, Partition: partition, Service: "things", Capability: "things", Epoch: uint64(p.sent)})
		m.ReplyTo, m.CorrelationId = p.answers, fence
		all = append(all, toPartition{partition, m})
	}
	p.settled(t, all...)
}

// receive takes answers until all fences are answered by all partitions, or none is there and it does not wait. Of a fence that
// is, all that was sent before has to be applied.
func (p *partitioned) receive(t testing.TB, s *service, wait bool) {
	t.Helper()
	for len(p.promised) > 0 {
		var d amqp.Delivery
		if !wait {
			select {
			case d = <-p.replies:
			default:
				return
			}
		} else {
			eventually(t, func() error {
				select {
				case d = <-p.replies:
					return nil
				default:
					return fmt.Errorf("%d fences are not answered", len(p.promised))
				}
			})
		}
		var a protocol.Answer
		if err := json.Unmarshal(d.Body, &a); err != nil {
			t.Fatal(err)
		}
		if a.Error != "" || len(a.Partitions) == 0 {
			t.Fatalf("the answer is %+v", a)
		}
		have := p.answered[a.Fence]
		if have == nil {
			have = map[int]bool{}
			p.answered[a.Fence] = have
		}
		for _, partition := range a.Partitions {
			have[partition] = true
		}
		promised, waits := p.promised[a.Fence]
		if !waits || len(have) < protocol.Partitions {
			continue
		}
		delete(p.promised, a.Fence)
		for id, n := range promised {
			if got := s.version(t, id); got < version(n) {
				t.Errorf("fence %s is answered, and thing %s is at %q, before %s", a.Fence, id, got, version(n))
			}
		}
	}
}

// version gives the version that is applied of a thing.
func (s *service) version(t testing.TB, id string) string {
	t.Helper()
	var version string
	err := s.db.QueryRowContext(context.Background(), s.at.spelled("SELECT version FROM banyan_entities WHERE id = ?"), id).Scan(&version)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		t.Fatal(err)
	}
	return version
}

// While processes come, go, lose their connections, and begin with more queues, no fence is answered before what was sent ahead of
// it is applied, each thing's states are applied in order, and nothing is lost.
func TestQueuesGrowAndProcessesComeAndGo(t *testing.T) {
	everywhere(t, func(t *testing.T, empty where) {
		leaks(t)
		url := devstack.RabbitMQ(t).NewVHost(t)
		s := newService(t, empty(t), StoreOptions{})
		var mu sync.Mutex
		last := map[string]string{}
		apply := func(ctx context.Context, tx *sql.Tx, e protocol.EntityEvent) error {
			mu.Lock()
			if before := last[e.ID]; e.Version < before {
				t.Errorf("thing %s: %s is applied behind %s", e.ID, e.Version, before)
			}
			last[e.ID] = e.Version
			mu.Unlock()
			return s.apply(ctx, tx, e)
		}
		way := newLine(t, url)
		p := newPartitioned(t, url)
		stops := []func(){s.start(t, way.url, 1, apply)}
		p.bound(t)
		for round := range 40 {
			p.round(t, 25)
			p.receive(t, s, false)
			if round%4 == 1 || round == 8 || round == 20 {
				way.cut()
			}
			switch {
			case round == 8:
				stops = append(stops, s.start(t, way.url, 2, apply)) // beside one that asks for one
			case round == 20:
				stops = append(stops, s.start(t, way.url, 8, apply))
			case round%3 == 0:
				stops[0]()
				stops = append(stops[1:], s.start(t, way.url, 1<<rand.IntN(3), apply))
			}
		}
		p.receive(t, s, true)
		for id, n := range p.latest {
			if got := s.version(t, id); got != version(n) {
				t.Errorf("thing %s is at %s, want %s", id, got, version(n))
			}
		}
		for _, n := range protocol.QueueLayouts() {
			there, err := exists(p.conn, protocol.QueueName("things", n, 0))
			if err != nil || there != (n == 8) {
				t.Errorf("of %d queues one is there: %v %v", n, there, err)
			}
		}
	})
}

// Each process has as many queues as any other, also once one has gone without a word.
func TestProcessesShareQueuesEvenly(t *testing.T) {
	everywhere(t, func(t *testing.T, empty where) {
		leaks(t)
		url := devstack.RabbitMQ(t).NewVHost(t)
		s := newService(t, empty(t), StoreOptions{})
		var mu sync.Mutex
		by := map[string]int{} // which process has applied the latest event of each thing
		process := func(number int) Apply {
			return func(ctx context.Context, tx *sql.Tx, e protocol.EntityEvent) error {
				mu.Lock()
				by[e.ID] = number
				mu.Unlock()
				return s.apply(ctx, tx, e)
			}
		}
		p := newPartitioned(t, url)
		stops := []func(){s.start(t, url, 4, process(0)), s.start(t, url, 4, process(1))}
		p.bound(t)
		sent := 0
		// shared sends one thing to each queue until want processes have got as many of them each.
		shared := func(want int) {
			t.Helper()
			eventually(t, func() error {
				mu.Lock()
				clear(by)
				mu.Unlock()
				for queue := range 4 {
					sent++
					p.settled(t, toPartition{queue, message(protocol.TypeEntity, event(sent, protocol.OriginLegacy, "k", fmt.Sprint("q", queue), "x"))})
				}
				eventually(t, func() error {
					mu.Lock()
					defer mu.Unlock()
					if len(by) < 4 {
						return fmt.Errorf("%d of 4 have come", len(by))
					}
					return nil
				})
				mu.Lock()
				defer mu.Unlock()
				has := map[int]int{}
				for _, number := range by {
					has[number]++
				}
				for _, n := range has {
					if len(has) != want || n != 4/want {
						return fmt.Errorf("the queues are taken by %v", by)
					}
				}
				return nil
			})
		}
		shared(2)
		stops[0]()
		shared(1)
		stops = append(stops, s.start(t, url, 4, process(2)))
		shared(2)
		for _, stop := range stops {
			stop()
		}
	})
}

func TestOptionsAreChecked(t *testing.T) {
	for _, n := range []int{3, 65, 128} {
		if err := Run(t.Context(), Options{URL: "amqp://nowhere", Service: "s", Store: &Store{}, Apply: (&service{}).apply, Queues: n}); err == nil {
			t.Errorf("%d queues are taken", n)
		}
	}
}
