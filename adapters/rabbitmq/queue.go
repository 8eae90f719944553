package rabbitmq

import (
	"context"
	"errors"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/mirror/change"
)

// QueueOptions say which queue gets messages again. Window, WindowBytes and ConfirmTimeout are as in Options.
type QueueOptions struct {
	Connection
	Queue               string
	Window, WindowBytes int
}

// SendTo gives a feed into one queue that exists, past all exchanges: whatever a message's routing key is, the queue gets it,
// with its own name as the key. ctx bounds opening only.
func SendTo(ctx context.Context, o QueueOptions) (change.Feed, error) {
	if o.Queue == "" || len(o.Queue) > maxShort {
		return nil, errors.New("the queue's name is missing, or too long")
	}
	options := Options{Connection: o.Connection, Exchange: o.Queue, Window: o.Window, WindowBytes: o.WindowBytes}
	if err := options.fill(); err != nil {
		return nil, fmt.Errorf("a feed into a queue of RabbitMQ: %w", err)
	}
	uri, err := parseURL(o.URL)
	if err != nil {
		return nil, err
	}
	missing := &change.StopError{
		What: fmt.Sprintf("RabbitMQ has no queue %s in the virtual host %s", o.Queue, uri.Vhost),
		Fix:  "name one that rabbitmqctl list_queues --vhost " + quote(uri.Vhost) + " shows",
	}
	refused := func(err *amqp.Error) *change.StopError {
		t := &topology{exchange: o.Queue, uri: uri}
		if err.Code == amqp.AccessRefused {
			// The default exchange asks for the right to write to itself.
			return &change.StopError{
				What: fmt.Sprintf("RabbitMQ doesn't let the account %q send to queues", uri.Username), Cause: err,
				Fix: fmt.Sprintf(`rabbitmqctl set_permissions --vhost %s %s CONFIGURE WRITE READ, with a WRITE that matches amq\.default, and READ, WRITE or CONFIGURE that matches %s`,
					quote(uri.Vhost), quote(uri.Username), o.Queue),
			}
		}
		return t.broken(err)
	}
	to := target{queue: o.Queue, broken: refused, unrouted: func(string, string) *change.StopError { return missing }}
	f, err := openFeed(ctx, &options, to, func(conn *amqp.Connection) error {
		channel, err := conn.Channel()
		if err != nil {
			return fmt.Errorf("open a channel: %w", err)
		}
		if _, err := channel.QueueDeclarePassive(o.Queue, true, false, false, false, nil); err != nil {
			var said *amqp.Error
			if errors.As(err, &said) && said.Code == amqp.NotFound {
				return missing
			}
			if errors.As(err, &said) && said.Server {
				if stop := refused(said); stop != nil {
					return stop
				}
			}
			return fmt.Errorf("look for the queue %s: %w", o.Queue, err)
		}
		return channel.Close() //nolint:wrapcheck // amqp091-go's own error says it.
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}
