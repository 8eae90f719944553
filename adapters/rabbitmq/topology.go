package rabbitmq

import (
	"errors"
	"fmt"
	"regexp"

	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/mirror/change"
)

// topology declares what messages need. Declaring is checking: RabbitMQ refuses what differs from what exists. Nothing is
// ever deleted.
type topology struct {
	exchange string
	history  Stream
	uri      amqp.URI
	// shared says that the account is used for other things, too.
	shared bool
}

// declare declares the exchange, and the history stream bound to it.
func (t *topology) declare(conn *amqp.Connection) error {
	if err := t.compare(conn); err != nil || t.history.Name == "" {
		return err
	}
	return t.onChannel(conn, func(channel *amqp.Channel) error {
		if err := channel.QueueBind(t.history.Name, "#", t.exchange, false, nil); err != nil {
			return t.explain(err, "the binding of "+t.history.Name+" to "+t.exchange, "")
		}
		return nil
	})
}

// compare declares what has a name, without binding it.
func (t *topology) compare(conn *amqp.Connection) error {
	return t.onChannel(conn, func(channel *amqp.Channel) error {
		if t.exchange != "" {
			if err := channel.ExchangeDeclare(t.exchange, amqp.ExchangeTopic, true, false, false, false, nil); err != nil {
				return t.explain(err, "the exchange "+t.exchange,
					"name another exchange in mirror.exchange, or delete this one once nobody needs it: rabbitmqadmin --vhost="+quote(t.uri.Vhost)+" delete exchange name="+quote(t.exchange))
			}
		}
		if stream := t.history.Name; stream != "" {
			if _, err := channel.QueueDeclare(stream, true, false, false, false, t.history.arguments()); err != nil {
				return t.explain(err, "the queue "+stream,
					"make mirror.history say what exists, and change retention by a policy: rabbitmqctl set_policy --vhost "+quote(t.uri.Vhost)+" --apply-to queues banyan-history "+
						quote("^"+regexp.QuoteMeta(stream)+"$")+` '{"max-age": "7D", "max-length-bytes": 20000000000}'; or name another stream`)
			}
		}
		return nil
	})
}

// onChannel lends a channel.
func (t *topology) onChannel(conn *amqp.Connection, use func(*amqp.Channel) error) error {
	channel, err := conn.Channel()
	if err != nil {
		return fmt.Errorf("open a channel: %w", err)
	}
	if err := use(channel); err != nil {
		return err
	}
	if err := channel.Close(); err != nil {
		return fmt.Errorf("close a channel: %w", err)
	}
	return nil
}

// explain says what a person can do about a declaration that RabbitMQ refused.
func (t *topology) explain(err error, what, differs string) error {
	var said *amqp.Error
	if errors.As(err, &said) && said.Server {
		switch said.Code {
		case amqp.PreconditionFailed, amqp.NotAllowed, amqp.ResourceLocked, amqp.NotImplemented:
			return &change.StopError{What: what + " is not what the mirror needs", Cause: err, Fix: differs}
		case amqp.AccessRefused:
			return &change.StopError{What: "RabbitMQ doesn't let the account " + quote(t.uri.Username) + " use " + what, Cause: err, Fix: t.permissions()}
		}
	}
	if said != nil && said.Code == amqp.NotFound {
		// Its node is down. It may also be that RabbitMQ was killed within a second of the stream's first declaration:
		// 3.10 never finds it again, and can't delete it either.
		return fmt.Errorf("declare %s: %w; if it stays like this though all of RabbitMQ's nodes run, name another one", what, err)
	}
	return fmt.Errorf("declare %s: %w", what, err)
}

// permissions gives the command that lets the account do all that is needed here.
func (t *topology) permissions() string {
	if t.shared {
		return t.permissionsToo()
	}
	names := regexp.QuoteMeta(t.exchange)
	if t.history.Name != "" {
		names += "|" + regexp.QuoteMeta(t.history.Name)
	}
	names = quote("^(" + names + ")$")
	return fmt.Sprintf("rabbitmqctl set_permissions --vhost %s %s %s %[3]s %[3]s", quote(t.uri.Vhost), quote(t.uri.Username), names)
}

// unrouted says what to do about a message that no queue takes.
func (t *topology) unrouted(key, reason string) *change.StopError {
	stop := &change.StopError{
		What: fmt.Sprintf("no queue takes events with the routing key %s from the exchange %s: RabbitMQ returned one (%s)", key, t.exchange, reason),
		Fix:  "bind a queue to the exchange that takes all events, by the routing key #, or set mirror.history, which is such a queue",
	}
	if stream := t.history.Name; stream != "" {
		stop.Fix = fmt.Sprintf("the binding of %s was removed; find out by whom, then start the mirror again, which binds it, or bind it: rabbitmqadmin --vhost=%s declare binding source=%s destination=%s routing_key='#'",
			stream, quote(t.uri.Vhost), quote(t.exchange), quote(stream))
	}
	return stop
}

// broken says what the end of the channel means that messages are sent on.
func (t *topology) broken(err *amqp.Error) *change.StopError {
	switch err.Code {
	case amqp.AccessRefused:
		return &change.StopError{What: "RabbitMQ doesn't let the account " + quote(t.uri.Username) + " send to the exchange " + t.exchange, Cause: err, Fix: t.permissions()}
	case amqp.PreconditionFailed:
		return &change.StopError{
			What: "RabbitMQ refuses an event", Cause: err,
			Fix: "where it is too large, raise max_message_size in rabbitmq.conf and start the broker again, or leave the table out of the mirror's scope",
		}
	}
	return nil // A 404 among them: the exchange was deleted, and is declared again.
}
