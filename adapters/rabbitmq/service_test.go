package rabbitmq_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/adapters/rabbitmq"
	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/mirror/change"
	"banyan.dev/banyan/protocol"
)

func TestAServiceAnswersFences(t *testing.T) {
	leaks(t)
	url := devstack.RabbitMQ(t).NewVHost(t)
	sink, err := rabbitmq.NewServiceSink(options(url), "orders")
	if err != nil {
		t.Fatal(err)
	}
	answers := receiveAnswers(t, url)
	eventually(t, func() error {
		if answers.Queue() == "" {
			return errors.New("there is no queue for answers")
		}
		return nil
	})

	// Nobody takes what is for the service: its stream stops.
	feed, err := sink.Open(within(t))
	if err != nil {
		t.Fatal(err)
	}
	fence := &change.Message{
		Key: protocol.RoutingKey(0), ID: "0-1-7:2:fence", Source: "s", Type: protocol.TypeFence, Version: "v", Term: "1",
		ReplyTo: answers.Queue(), CorrelationID: "f1", Body: []byte(`{"id":"f1"}`),
	}
	if err := feed.Send(within(t), fence); err != nil {
		t.Fatal(err)
	}
	stop := change.Stops(feed.Flush(within(t)))
	if stop == nil || !strings.Contains(stop.What, "no queue takes what is for the service orders") || !strings.Contains(stop.Fix, "start the service") {
		t.Fatalf("a message that nobody takes: %v", stop)
	}
	_ = feed.Close()

	// The service.
	channel := dial(t, url)
	queue, err := channel.QueueDeclare("banyan.service.orders.1.0", true, false, false, false, amqp.Table{"x-single-active-consumer": true})
	if err != nil {
		t.Fatal(err)
	}
	if err := channel.ExchangeDeclare(rabbitmq.ServiceExchange("orders"), amqp.ExchangeDirect, true, false, false, false, nil); err != nil {
		t.Fatalf("the exchange as a service declares it: %v", err)
	}
	if err := channel.QueueBind(queue.Name, protocol.RoutingKey(0), rabbitmq.ServiceExchange("orders"), false, nil); err != nil {
		t.Fatal(err)
	}
	feed, err = sink.Open(within(t))
	if err != nil {
		t.Fatal(err)
	}
	defer feed.Close()
	if err := feed.Send(within(t), fence); err != nil {
		t.Fatal(err)
	}
	if err := feed.Flush(within(t)); err != nil {
		t.Fatal(err)
	}
	d, ok, err := channel.Get(queue.Name, true)
	if err != nil || !ok || d.ReplyTo != answers.Queue() || d.CorrelationId != "f1" || d.Headers["cloudEvents:type"] != protocol.TypeFence {
		t.Fatalf("got %+v, %v, %v", d, ok, err)
	}
	answer := func(id string, body []byte) {
		if err := channel.PublishWithContext(t.Context(), "", d.ReplyTo, false, false, amqp.Publishing{CorrelationId: id, Body: body}); err != nil {
			t.Fatal(err)
		}
	}
	body, err := json.Marshal(protocol.Answer{Partitions: everywhere(), Fence: "f1", Service: "orders", Parked: []string{"3"}, Committed: map[string][]string{"w": {"7"}}})
	if err != nil {
		t.Fatal(err)
	}
	answer("f0", []byte("no JSON"))
	answer("", body)
	answer("f1", body)
	eventually(t, func() error {
		got, ok := answers.Take("f1")
		if !ok || len(got.Parked) != 1 || got.Committed["w"][0] != "7" {
			return errors.New("no answer has come")
		}
		return nil
	})
	if _, ok := answers.Take("f0"); ok {
		t.Error("an answer that can't be read is one")
	}
	select {
	case <-answers.Arrived():
	default:
		t.Error("nobody was told that answers came")
	}
}
