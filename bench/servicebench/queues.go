package servicebench

import (
	"context"
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/bench/rig"
	"banyan.dev/banyan/protocol"
)

// queues are those of the service, n of them.
type queues struct {
	broker string
	n      int
}

func (q queues) names() []string {
	out := make([]string, q.n)
	for i := range out {
		out[i] = protocol.QueueName(service, q.n, i)
	}
	return out
}

// declare makes the exchange and the queues, as docs/consuming.md has them.
func (q queues) declare() error {
	return q.do(func(c *amqp.Channel) error {
		exchange := protocol.ExchangeName(service)
		if err := c.ExchangeDeclare(exchange, amqp.ExchangeDirect, true, false, false, false, nil); err != nil {
			return err
		}
		for i, name := range q.names() {
			if _, err := c.QueueDeclare(name, true, false, false, false, amqp.Table{amqp.QueueTypeArg: amqp.QueueTypeQuorum, amqp.SingleActiveConsumerArg: true}); err != nil {
				return err
			}
			for partition := i; partition < protocol.Partitions; partition += q.n {
				if err := c.QueueBind(name, protocol.RoutingKey(partition), exchange, false, nil); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// await waits until the queues have as many messages together at least.
func (q queues) await(ctx context.Context, messages int) error {
	return patiently(ctx, func() error {
		has, err := q.count()
		if err == nil && has < messages {
			err = fmt.Errorf("the queues have %d messages, want %d", has, messages)
		}
		return err
	})
}

// awaitAnswer waits until the service has declared and bound its queues, and answers.
func (q queues) awaitAnswer(ctx context.Context) error {
	return patiently(ctx, func() error {
		if _, err := q.count(); err != nil {
			return err // they are not there, nor need the exchange be
		}
		a, err := newAlone(q.broker) // a new one each time: of the last one messages may come back
		if err != nil {
			return err
		}
		_, err = a.time(ctx)
		return errors.Join(err, a.close())
	})
}

// patiently tries something again and again, for some time.
func patiently(ctx context.Context, try func() error) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		err := try()
		if err == nil {
			return nil
		}
		if rig.Sleep(ctx, 20*time.Millisecond) != nil {
			return err
		}
	}
}

// count gives how many messages wait in all queues.
func (q queues) count() (n int, err error) {
	err = q.do(func(c *amqp.Channel) error {
		for _, name := range q.names() {
			found, err := c.QueueDeclarePassive(name, true, false, false, false, nil)
			if err != nil {
				return err
			}
			n += found.Messages
		}
		return nil
	})
	return n, err
}

// remove deletes the queues with all that they have, and the exchange.
func (q queues) remove() error {
	return q.do(func(c *amqp.Channel) error {
		for _, name := range q.names() {
			if _, err := c.QueueDelete(name, false, false, false); err != nil {
				return err
			}
		}
		return c.ExchangeDelete(protocol.ExchangeName(service), false, false)
	})
}

// do opens a connection for one errand.
func (q queues) do(errand func(*amqp.Channel) error) (err error) {
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
		return fmt.Errorf("the queues of %s: %w", service, err)
	}
	return nil
}
