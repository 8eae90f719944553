package rabbitmq_test

import (
	"testing"

	"banyan.dev/banyan/adapters/rabbitmq"
	"banyan.dev/banyan/internal/devstack"
)

func TestMessagesGoIntoOneQueueAgain(t *testing.T) {
	leaks(t)
	url := devstack.RabbitMQ(t).NewVHost(t)
	channel := dial(t, url)
	o := rabbitmq.QueueOptions{Connection: rabbitmq.Connection{URL: url}, Queue: "orders"}
	_, err := rabbitmq.SendTo(within(t), o)
	wantStop(t, err)
	if _, err := channel.QueueDeclare("orders", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	feed, err := rabbitmq.SendTo(within(t), o)
	if err != nil {
		t.Fatal(err)
	}
	defer feed.Close()
	send(t, feed, message(1), message(2))
	flush(t, feed)
	for n := 1; n <= 2; n++ {
		d, ok, err := channel.Get("orders", true)
		if err != nil || !ok || d.Headers["cloudEvents:id"] != message(n).ID || d.RoutingKey != "orders" || d.Exchange != "" {
			t.Errorf("got %v, %v: %+v", err, ok, d)
		}
	}
	if _, err := channel.QueueDelete("orders", false, false, false); err != nil {
		t.Fatal(err)
	}
	if err := feed.Send(within(t), message(3)); err == nil {
		wantStop(t, feed.Flush(within(t)))
	}
}
