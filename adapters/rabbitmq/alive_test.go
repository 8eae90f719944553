package rabbitmq_test

import (
	"testing"
	"time"

	"banyan.dev/banyan/internal/devstack"
)

// A broker that confirms all the time sends no heartbeats. It is not dead.
func TestSteadyConfirmsAreASignOfLife(t *testing.T) {
	leaks(t)
	o := options(devstack.RabbitMQ(t).NewVHost(t))
	o.Heartbeat = 2 * time.Second // amqp091-go gives up after 3 s without a frame
	feed := open(t, o)
	for n, start := 0, time.Now(); time.Since(start) < 5*time.Second; n++ {
		send(t, feed, message(n))
		if n%10 == 9 {
			flush(t, feed)
		}
	}
}
