package consumer

import (
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Who lays messages ready ends with the session, also where the broker has sent more than there is room for.
func TestLayingEndsWithTheSession(t *testing.T) {
	deliveries, ready, over, done := make(chan amqp.Delivery, 3), make(chan amqp.Delivery, 1), make(chan struct{}), make(chan struct{})
	for range cap(deliveries) {
		deliveries <- amqp.Delivery{}
	}
	go func() {
		defer close(done)
		lay(deliveries, ready, over)
	}()
	close(over)
	<-done
	for range ready { // it is closed
	}
}

// AMQP's count has 16 bits: 65536 would be none, and all that the queue has would be sent ahead.
func TestAPrefetchCountThatAMQPCantSay(t *testing.T) {
	s := newService(t, file(t), StoreOptions{})
	options := Options{URL: "amqp://nowhere", Service: "things", Store: s.store, Apply: s.apply, Prefetch: 1 << 16}
	if _, err := options.withDefaults(); err == nil || !strings.Contains(err.Error(), "Options.Prefetch is 65536") {
		t.Errorf("got %v", err)
	}
	options.Prefetch--
	if _, err := options.withDefaults(); err != nil {
		t.Error(err)
	}
}
