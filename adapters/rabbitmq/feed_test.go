package rabbitmq_test

import (
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/internal/devstack"
)

func TestMessagesArriveInOrderWithTheirAttributes(t *testing.T) {
	leaks(t)
	url := devstack.RabbitMQ(t).NewVHost(t)
	feed := open(t, options(url))
	channel := dial(t, url)
	if _, err := channel.QueueDeclare("orders", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	if err := channel.QueueBind("orders", "row.orders.*", exchange, false, nil); err != nil {
		t.Fatal(err)
	}
	const count = 5000
	for n := range count {
		send(t, feed, message(n))
	}
	flush(t, feed)
	if got := feed.Confirmed(); got != count {
		t.Fatalf("%d are confirmed, want %d", got, count)
	}
	for n := range count {
		d, ok, err := channel.Get("orders", true)
		if err != nil || !ok {
			t.Fatalf("message %d: %v, %v", n, ok, err)
		}
		want := message(n)
		if d.Headers["cloudEvents:id"] != want.ID || string(d.Body) != string(want.Body) {
			t.Fatalf("message %d is %s %s", n, d.Headers, d.Body)
		}
		if n > 0 {
			continue
		}
		for name, header := range map[string]string{
			"specversion": "1.0", "id": want.ID, "source": want.Source, "type": want.Type,
			"banyanversion": want.Version, "banyanterm": "3",
		} {
			if got := d.Headers["cloudEvents:"+name]; got != header {
				t.Errorf("%s is %v, want %s", name, got, header)
			}
		}
		if d.ContentType != "application/json" || d.DeliveryMode != amqp.Persistent || d.Type != "" || d.AppId != "" || d.MessageId != "" ||
			d.Timestamp.Unix() != want.Time.Unix() || d.RoutingKey != want.Key || d.Exchange != exchange {
			t.Errorf("got the properties %+v", d)
		}
	}
}
