package servicebench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/protocol"
)

// alone sends what a fence is for a service past database and mirror, straight into the service's exchange, and waits for the answer:
// the least that a fence can take.
type alone struct {
	connection *amqp.Connection
	channel    *amqp.Channel
	queue      string
	answers    <-chan amqp.Delivery
	returned   <-chan amqp.Return
}

func newAlone(broker string) (a *alone, err error) {
	a = &alone{}
	if a.connection, err = amqp.Dial(broker); err != nil {
		return nil, fmt.Errorf("connect to the broker: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.connection.Close())
		}
	}()
	if a.channel, err = a.connection.Channel(); err != nil {
		return nil, fmt.Errorf("open a channel: %w", err)
	}
	own, err := a.channel.QueueDeclare("", false, true, true, false, nil)
	if err != nil {
		return nil, fmt.Errorf("declare a queue for answers: %w", err)
	}
	a.queue = own.Name
	a.returned = a.channel.NotifyReturn(make(chan amqp.Return, protocol.Partitions))
	if a.answers, err = a.channel.Consume(own.Name, "", true, true, false, false, nil); err != nil {
		return nil, fmt.Errorf("receive answers: %w", err)
	}
	return a, nil
}

func (a *alone) close() error { return a.connection.Close() }

// time sends a copy to each partition, persistent and mandatory, and gives how long it took until all were answered.
func (a *alone) time(ctx context.Context) (time.Duration, error) {
	id, began := uuid.NewString(), time.Now()
	for partition := range protocol.Partitions {
		body, err := json.Marshal(protocol.Fence{ID: id, Service: service, Partition: partition})
		if err != nil {
			return 0, err
		}
		if err := a.channel.PublishWithContext(ctx, protocol.ExchangeName(service), protocol.RoutingKey(partition), true, false, amqp.Publishing{
			Headers: amqp.Table{"cloudEvents:type": protocol.TypeFence}, ContentType: "application/json", DeliveryMode: amqp.Persistent,
			ReplyTo: a.queue, CorrelationId: id, Body: body,
		}); err != nil {
			return 0, fmt.Errorf("publish: %w", err)
		}
	}
	left := protocol.Partitions
	for left > 0 {
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("a message was not answered for %d of %d partitions: %w", left, protocol.Partitions, context.Cause(ctx))
		case r, open := <-a.returned:
			if !open {
				return 0, errors.New("the broker's connection was lost")
			}
			return 0, fmt.Errorf("nobody takes %s: %s", r.RoutingKey, r.ReplyText)
		case d, open := <-a.answers:
			var said protocol.Answer
			if !open {
				return 0, errors.New("the broker's connection was lost")
			}
			if err := json.Unmarshal(d.Body, &said); err != nil || said.Error != "" || len(said.Parked) > 0 {
				return 0, fmt.Errorf("the answer %s: %w", d.Body, errors.Join(err, errors.New("no plain one")))
			}
			if said.Fence == id {
				left -= len(said.Partitions)
			}
		}
	}
	return time.Since(began), nil
}
