package rabbitmq

import (
	"context"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/mirror/change"
)

// ServiceExchange is the name of a service's own exchange. It is durable, of type direct, and has no alternate exchange: a
// message that no queue takes comes back, and stops the service's stream.
func ServiceExchange(service string) string { return "banyan.service." + service }

// ServiceSink is a change.Sink to a service's own exchange. The service declares and binds its queue. It may be used
// concurrently.
type ServiceSink struct {
	options Options
	uri     amqp.URI
	service string
}

// NewServiceSink checks the options, whose Exchange is that of the service and whose History is none. It does not connect.
func NewServiceSink(o Options, service string) (*ServiceSink, error) {
	o.Exchange, o.History = ServiceExchange(service), Stream{}
	if err := o.fill(); err != nil {
		return nil, fmt.Errorf("a sink in RabbitMQ for the service %s: %w", service, err)
	}
	uri, err := parseURL(o.URL)
	if err != nil {
		return nil, err
	}
	return &ServiceSink{options: o, uri: uri, service: service}, nil
}

// Open connects, declares the exchange, and gives a feed to it.
func (s *ServiceSink) Open(ctx context.Context) (change.Feed, error) {
	t := &topology{exchange: s.options.Exchange, uri: s.uri}
	f, err := openFeed(ctx, &s.options, target{exchange: t.exchange, unrouted: s.unrouted, broken: t.broken}, func(conn *amqp.Connection) error {
		return t.onChannel(conn, func(channel *amqp.Channel) error {
			err := channel.ExchangeDeclare(t.exchange, amqp.ExchangeDirect, true, false, false, false, nil)
			if err == nil {
				return nil
			}
			return t.explain(err, "the exchange "+t.exchange, "delete it, and start the service again, which declares it with its queue: rabbitmqadmin --vhost="+quote(s.uri.Vhost)+" delete exchange name="+quote(t.exchange))
		})
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (s *ServiceSink) unrouted(key, reason string) *change.StopError {
	return &change.StopError{
		What: fmt.Sprintf("no queue takes what is for the service %s: RabbitMQ returned a message (%s, routing key %s)", s.service, reason, key),
		Fix: fmt.Sprintf("start the service, which declares its queue and binds it to the exchange %s; if it runs, the binding was removed behind its back: find out by whom, and start the service again",
			s.options.Exchange),
	}
}

var _ change.Sink = (*ServiceSink)(nil)
