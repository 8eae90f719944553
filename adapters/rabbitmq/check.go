package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Check connects and holds what exists against what Open would declare. It makes nothing: what is missing is fine. Its errors
// are as Open's.
func (s *Sink) Check(ctx context.Context) error {
	conn, err := s.options.connect(ctx, func(conn net.Conn) net.Conn { return conn })
	if err != nil {
		return err
	}
	defer conn.CloseDeadline(time.Now().Add(parting)) //nolint:errcheck // It was only asked.
	stop := context.AfterFunc(ctx, func() { _ = conn.CloseDeadline(time.Now()) })
	defer stop()
	t := &topology{exchange: s.options.Exchange, history: s.options.History, uri: s.uri}
	exchange, err := exists(conn, func(c *amqp.Channel) error {
		return c.ExchangeDeclarePassive(t.exchange, amqp.ExchangeTopic, true, false, false, false, nil)
	})
	if err != nil {
		return t.explain(err, "the exchange "+t.exchange, "")
	}
	queue := false
	if t.history.Name != "" {
		queue, err = exists(conn, func(c *amqp.Channel) error {
			_, err := c.QueueDeclarePassive(t.history.Name, true, false, false, false, nil)
			return err
		})
		if err != nil {
			return t.explain(err, "the queue "+t.history.Name, "")
		}
	}
	// Declaring what is there compares it, and changes nothing.
	found := topology{uri: t.uri}
	if exchange {
		found.exchange = t.exchange
	}
	if queue {
		found.history = t.history
	}
	return found.compare(conn)
}

// exists says whether something is there that can be looked at.
func exists(conn *amqp.Connection, look func(*amqp.Channel) error) (bool, error) {
	channel, err := conn.Channel()
	if err != nil {
		return false, fmt.Errorf("open a channel: %w", err)
	}
	err = look(channel)
	var said *amqp.Error
	if errors.As(err, &said) && said.Code == amqp.NotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := channel.Close(); err != nil {
		return false, fmt.Errorf("close a channel: %w", err)
	}
	return true, nil
}
