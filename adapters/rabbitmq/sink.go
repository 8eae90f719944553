package rabbitmq

import (
	"context"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/mirror/change"
)

// Sink is a change.Sink. It may be used concurrently.
type Sink struct {
	options Options
	uri     amqp.URI
}

// NewSink checks the options. It does not connect.
func NewSink(o Options) (*Sink, error) {
	if err := o.fill(); err != nil {
		return nil, fmt.Errorf("a sink in RabbitMQ: %w", err)
	}
	uri, err := parseURL(o.URL)
	if err != nil {
		return nil, err
	}
	return &Sink{options: o, uri: uri}, nil
}

func (s *Sink) topology() *topology {
	return &topology{exchange: s.options.Exchange, history: s.options.History, uri: s.uri}
}

// Open connects, declares the exchange and the history, and gives a feed to the exchange, and to the history, if that has a
// way of its own.
func (s *Sink) Open(ctx context.Context) (change.Feed, error) {
	if s.options.History.Native != nil {
		return s.openNative(ctx)
	}
	t := s.topology()
	f, err := openFeed(ctx, &s.options, target{exchange: t.exchange, unrouted: t.unrouted, broken: t.broken}, t.declare)
	if err != nil {
		return nil, err
	}
	return f, nil
}

var _ change.Sink = (*Sink)(nil)
