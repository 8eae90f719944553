package rabbitmq_test

import (
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/internal/devstack"
)

func TestCheckComparesAndMakesNothing(t *testing.T) {
	leaks(t)
	url := devstack.RabbitMQ(t).NewVHost(t)
	o := options(url)
	if err := newSink(t, o).Check(within(t)); err != nil {
		t.Fatalf("nothing is there yet: %v", err)
	}
	channel := dial(t, url)
	if err := channel.ExchangeDeclarePassive(exchange, amqp.ExchangeTopic, true, false, false, false, nil); err == nil {
		t.Error("it made the exchange")
	}
	open(t, o)
	if err := newSink(t, o).Check(within(t)); err != nil {
		t.Fatalf("all is as declared: %v", err)
	}
	o.History.MaxBytes += 1 << 20
	wantStop(t, newSink(t, o).Check(within(t)))

	o = options(strings.Replace(url, "banyan:", "nobody:", 1))
	if stop := wantStop(t, newSink(t, o).Check(within(t))); strings.Contains(stop.Error(), url) {
		t.Errorf("it shows the password: %v", stop)
	}
}
