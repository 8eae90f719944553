package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
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
	exchange, queue := false, false
	if t.exchange != "" {
		exchange, err = exists(conn, func(c *amqp.Channel) error {
			return c.ExchangeDeclarePassive(t.exchange, amqp.ExchangeTopic, true, false, false, false, nil)
		})
		if err != nil {
			return t.explain(err, "the exchange "+t.exchange, "")
		}
	}
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
	if err := found.compare(conn); err != nil || t.history.Native == nil {
		return err
	}
	return s.checkNative(ctx, queue)
}

// checkNative looks whether the native protocol is spoken, and, where there is a stream already, whether it may be written.
func (s *Sink) checkNative(ctx context.Context, queue bool) error {
	uri, err := s.options.History.Native.uri(&s.options.Connection)
	if err != nil {
		return err
	}
	link, err := linkNative(ctx, &s.options.Connection, uri, func(l *nativeLink) error {
		if !queue {
			return nil
		}
		return l.publish(s.options.History.Name)
	})
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return noPlugin(err, address(uri))
	case err != nil:
		return refusedNative(err, uri, s.options.History.Name)
	}
	_ = link.Close() // It was only asked.
	return nil
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
