package rabbitmq

import (
	"context"
	"fmt"
	"net"
	"regexp"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/mirror/change"
	"banyan.dev/banyan/protocol"
)

// ServiceExchange is the name of a service's own exchange. It is durable, of type direct, and has no alternate exchange: a
// message that no queue takes comes back, and stops the service's stream.
func ServiceExchange(service string) string { return protocol.ExchangeName(service) }

// ServiceSink is a change.Sink to a service's own exchange. The service declares and binds its queues. It may be used
// concurrently.
type ServiceSink struct {
	options Options
	uri     amqp.URI
	service string
	limit   limit
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

// Open connects, declares the exchange, and gives a feed to it. A queue that would lose messages is a *change.StopError, as
// far as AMQP shows it. A message that is larger than RabbitMQ takes ends a feed, since it ends the channel; the next one knows how
// much that is, and refuses such messages by a *change.TooLargeError before they are sent.
func (s *ServiceSink) Open(ctx context.Context) (change.Feed, error) {
	t := s.topology()
	f, err := openFeed(ctx, &s.options, target{exchange: t.exchange, unrouted: s.unrouted, broken: s.broken}, func(conn *amqp.Connection) error {
		if err := s.declare(conn); err != nil {
			return err
		}
		return s.keeps(conn)
	})
	if err != nil {
		return nil, err
	}
	f.most = s.limit.take()
	return f, nil
}

// broken says what the end of the channel means; nil for what passes, and so does a message that was too large.
func (s *ServiceSink) broken(err *amqp.Error) *change.StopError {
	if most, ok := mostOf(err); ok {
		s.limit.learn(most)
		return nil
	}
	return s.topology().broken(err)
}

// Check connects and holds what exists against what is needed. It makes nothing: what is missing is fine. Its errors are as
// Open's.
func (s *ServiceSink) Check(ctx context.Context) error {
	conn, err := s.options.connect(ctx, func(conn net.Conn) net.Conn { return conn })
	if err != nil {
		return err
	}
	defer conn.CloseDeadline(time.Now().Add(parting)) //nolint:errcheck // It was only asked.
	stop := context.AfterFunc(ctx, func() { _ = conn.CloseDeadline(time.Now()) })
	defer stop()
	t := s.topology()
	there, err := exists(conn, func(c *amqp.Channel) error {
		return c.ExchangeDeclarePassive(t.exchange, amqp.ExchangeDirect, true, false, false, false, nil)
	})
	if err != nil {
		return t.explain(err, "the exchange "+t.exchange, "")
	}
	if there {
		if err := s.declare(conn); err != nil {
			return err
		}
	}
	return s.keeps(conn)
}

func (s *ServiceSink) topology() *topology {
	return &topology{exchange: s.options.Exchange, uri: s.uri, shared: true}
}

// declare declares the exchange, which compares it with what is there.
func (s *ServiceSink) declare(conn *amqp.Connection) error {
	t := s.topology()
	return t.onChannel(conn, func(channel *amqp.Channel) error {
		if err := channel.ExchangeDeclare(t.exchange, amqp.ExchangeDirect, true, false, false, false, nil); err != nil {
			return t.explain(err, "the exchange "+t.exchange,
				"delete it, and start the service again, which declares it with its queue: rabbitmqadmin --vhost="+quote(s.uri.Vhost)+" delete exchange name="+quote(t.exchange))
		}
		return nil
	})
}

func (s *ServiceSink) unrouted(key, reason string) *change.StopError {
	return &change.StopError{
		What: fmt.Sprintf("no queue takes what is for the service %s: RabbitMQ returned a message (%s, routing key %s)", s.service, reason, key),
		Fix: fmt.Sprintf("start the service, which declares its queues (%s) and binds them to the exchange %s; if it runs, the binding was removed behind its back: find out by whom, and start the service again",
			protocol.QueueName(s.service, 1, 0)+" if it has one", s.options.Exchange),
	}
}

// permissionsToo names the rights that the account needs besides those that it has: others of Banyan's use it, too.
func (t *topology) permissionsToo() string {
	return fmt.Sprintf("rabbitmqctl set_permissions --vhost %s %s CONFIGURE WRITE READ, with a CONFIGURE and a WRITE that match %s, too",
		quote(t.uri.Vhost), quote(t.uri.Username), quote("^"+regexp.QuoteMeta(t.exchange)+"$"))
}

var _ change.Sink = (*ServiceSink)(nil)
