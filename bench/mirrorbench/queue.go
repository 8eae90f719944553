package mirrorbench

import (
	"context"
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// exchange is where all contenders send.
const exchange = "mirrorbench.events"

// streamKind is the kind of queue that is a stream.
const streamKind = "stream"

func queueName(kind string) string { return "mirrorbench." + kind }

// queue takes everything that is sent, and nobody takes it from there.
type queue struct {
	broker, kind, name string
}

// newQueue makes a durable queue of a kind, the only one bound to the exchange.
func newQueue(broker, kind string) (*queue, error) {
	q := &queue{broker: broker, kind: kind, name: queueName(kind)}
	return q, q.do(func(c *amqp.Channel) error {
		if err := c.ExchangeDeclare(exchange, amqp.ExchangeTopic, true, false, false, false, nil); err != nil {
			return err
		}
		if _, err := c.QueueDeclare(q.name, true, false, false, false, amqp.Table{amqp.QueueTypeArg: kind}); err != nil {
			return err
		}
		return c.QueueBind(q.name, "#", exchange, false, nil)
	})
}

// await waits until the queue has as many messages at least. A broker before 3.11 doesn't count those of a stream.
func (q *queue) await(ctx context.Context, messages int) error {
	if q.kind == streamKind {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	has := 0
	for {
		err := q.do(func(c *amqp.Channel) error {
			found, err := c.QueueDeclarePassive(q.name, true, false, false, false, amqp.Table{amqp.QueueTypeArg: q.kind})
			has = found.Messages
			return err
		})
		if err != nil || has >= messages {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the queue has %d messages, want %d", has, messages)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// remove deletes the queue with all that it has.
func (q *queue) remove() error {
	return q.do(func(c *amqp.Channel) error {
		_, err := c.QueueDelete(q.name, false, false, false)
		return err
	})
}

// do opens a connection for one errand.
func (q *queue) do(errand func(*amqp.Channel) error) (err error) {
	connection, err := amqp.Dial(q.broker)
	if err != nil {
		return fmt.Errorf("connect to the broker: %w", err)
	}
	defer func() { err = errors.Join(err, connection.Close()) }()
	channel, err := connection.Channel()
	if err != nil {
		return fmt.Errorf("open a channel: %w", err)
	}
	if err := errand(channel); err != nil {
		return fmt.Errorf("the queue %s: %w", q.name, err)
	}
	return nil
}
