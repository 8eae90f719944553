package rabbitmq_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/goleak"

	"banyan.dev/banyan/adapters/rabbitmq"
	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/mirror/change"
)

const (
	exchange = "banyan.events"
	stream   = "banyan.history"
)

// leaks fails the test when goroutines are left after its clean-ups that were registered later.
func leaks(t *testing.T) {
	t.Helper()
	devstack.RabbitMQ(t)
	before := goleak.IgnoreCurrent()
	servers := goleak.IgnoreAnyFunction("banyan.dev/banyan/internal/devstack.(*process).supervise")
	t.Cleanup(func() { goleak.VerifyNone(t, before, servers) })
}

// within gives a context that ends before the test's patience does.
func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// eventually polls until condition gives nil.
func eventually(t testing.TB, condition func() error) {
	t.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
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

func options(url string) rabbitmq.Options {
	return rabbitmq.Options{
		Connection: rabbitmq.Connection{URL: url, Name: "test"},
		Exchange:   exchange, History: rabbitmq.Stream{Name: stream, MaxAge: 7 * 24 * time.Hour, MaxBytes: 1 << 30, SegmentBytes: 50 << 20},
	}
}

func newSink(t testing.TB, o rabbitmq.Options) *rabbitmq.Sink {
	t.Helper()
	sink, err := rabbitmq.NewSink(o)
	if err != nil {
		t.Fatal(err)
	}
	return sink
}

func open(t testing.TB, o rabbitmq.Options) change.Feed {
	t.Helper()
	feed, err := newSink(t, o).Open(within(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = feed.Close() })
	return feed
}

// dial gives a channel of a connection beside the one that is tested.
func dial(t testing.TB, url string) *amqp.Channel {
	t.Helper()
	connection, err := amqp.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	channel, err := connection.Channel()
	if err != nil {
		t.Fatal(err)
	}
	return channel
}

func message(n int) *change.Message {
	id := fmt.Sprintf("0-1-%d:1", n)
	return &change.Message{
		Key: "row.orders.insert", ID: id, Source: "banyan/shop", Type: "dev.banyan.row.insert",
		Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Version: fmt.Sprintf("0001-0000000c-%012x-00000001", n),
		Term: "3", Body: fmt.Appendf(nil, `{"n":%d}`, n),
	}
}

func send(t testing.TB, feed change.Feed, messages ...*change.Message) {
	t.Helper()
	ctx := within(t)
	for _, m := range messages {
		if err := feed.Send(ctx, m); err != nil {
			t.Fatal(err)
		}
	}
}

func flush(t testing.TB, feed change.Feed) {
	t.Helper()
	if err := feed.Flush(within(t)); err != nil {
		t.Fatal(err)
	}
}

func wantStop(t testing.TB, err error) *change.StopError {
	t.Helper()
	stop := change.Stops(err)
	if stop == nil {
		t.Fatalf("got %v, want what a person has to look at", err)
	}
	t.Log(stop)
	return stop
}
