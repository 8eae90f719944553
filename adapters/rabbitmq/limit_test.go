package rabbitmq_test

import (
	"errors"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/adapters/rabbitmq"
	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/mirror/change"
	"banyan.dev/banyan/protocol"
)

// The first message that is larger than RabbitMQ takes ends the feed, and may pass. The next feed refuses it, and sends others. That
// ends with the feed: the limit may be another then.
func TestAServicesFeedLearnsHowLargeMessagesMayBe(t *testing.T) {
	leaks(t)
	broker := devstack.OwnRabbitMQ(t)
	takes := func(bytes string) {
		t.Helper()
		if _, err := broker.Control(within(t), "eval", "application:set_env(rabbit, max_message_size, "+bytes+"), persistent_term:put({rabbit, max_message_size}, "+bytes+")."); err != nil {
			t.Fatal(err)
		}
	}
	takes("1000")
	sink, err := rabbitmq.NewServiceSink(options(broker.URL("")), "orders")
	if err != nil {
		t.Fatal(err)
	}
	open := func() change.Feed {
		t.Helper()
		feed, err := sink.Open(within(t))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = feed.Close() })
		return feed
	}
	message := func(size int) *change.Message {
		return &change.Message{Key: protocol.RoutingKey(0), ID: "1", Source: "s", Type: protocol.TypeEntity, Version: "v", Term: "1", Body: []byte(strings.Repeat("x", size))}
	}
	feed := open()
	channel := dial(t, broker.URL(""))
	if _, err := channel.QueueDeclare("q", true, false, false, false, amqp.Table{}); err != nil {
		t.Fatal(err)
	}
	if err := channel.QueueBind("q", protocol.RoutingKey(0), rabbitmq.ServiceExchange("orders"), false, nil); err != nil {
		t.Fatal(err)
	}
	send(t, feed, message(1001))
	if err := feed.Flush(within(t)); err == nil || change.Stops(err) != nil || !strings.Contains(err.Error(), "1001") {
		t.Fatalf("got %v, want an error that may pass", err)
	}

	feed = open()
	for range 2 {
		var large *change.TooLargeError
		if err := feed.Send(within(t), message(1001)); !errors.As(err, &large) || large.Bytes != 1001 || large.Most != 1000 || !strings.Contains(large.Fix, "max_message_size") {
			t.Fatalf("got %v", err)
		}
		send(t, feed, message(1000))
		flush(t, feed)
	}
	if s := feed.Status(); s.Sent != 2 || s.Confirmed != 2 {
		t.Errorf("status %+v", s)
	}

	takes("2000")
	feed = open()
	send(t, feed, message(1001))
	flush(t, feed)
}
