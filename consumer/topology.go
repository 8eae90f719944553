package consumer

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/protocol"
)

// declare makes a queue of a layout where it is missing, and binds it.
//
// It is a quorum queue, because that is on disk before Banyan hears that it is, and is on several nodes where there are
// several. It has a single active consumer, so that messages are taken in their order by whoever of the service's processes is
// the one. From RabbitMQ 4 on a quorum queue drops a message that came back 20 times, such as from consumers that died: so the
// limit is taken off there. Older ones have none, and refuse that argument.
func (r *runner) declare(conn *amqp.Connection, n, i int) error {
	q := queue{n, i}
	name := q.name(r.Service)
	arguments := amqp.Table{amqp.QueueTypeArg: amqp.QueueTypeQuorum, amqp.SingleActiveConsumerArg: true}
	if drops(conn) {
		arguments["x-delivery-limit"] = -1
	}
	err := r.declareAs(conn, q, arguments)
	if differs(err) && drops(conn) {
		// It was made by an older broker, or without the argument. It is emptied meanwhile; Banyan sends nothing to it.
		r.Logger.Error("the queue drops messages that came back 20 times, and Banyan sends nothing to it: it was declared without x-delivery-limit -1; once it is empty, stop the service, delete the queue, and start the service again",
			"queue", name)
		delete(arguments, "x-delivery-limit")
		err = r.declareAs(conn, q, arguments)
	}
	return err
}

func (r *runner) declareAs(conn *amqp.Connection, q queue, arguments amqp.Table) error {
	name := q.name(r.Service)
	return onChannel(conn, func(channel *amqp.Channel) error {
		if _, err := channel.QueueDeclare(name, true, false, false, false, arguments); err != nil {
			return fmt.Errorf("declare queue %s: %w", name, err)
		}
		for _, p := range q.partitions() {
			if err := channel.QueueBind(name, protocol.RoutingKey(p), protocol.ExchangeName(r.Service), false, nil); err != nil {
				return fmt.Errorf("bind queue %s: %w", name, err)
			}
		}
		return nil
	})
}

// onChannel does something on a channel of its own.
func onChannel(conn *amqp.Connection, do func(*amqp.Channel) error) error {
	channel, err := conn.Channel()
	if err != nil {
		return fmt.Errorf("open a channel: %w", err)
	}
	if err := do(channel); err != nil {
		_ = channel.Close() // the error is what counts
		return err
	}
	if err := channel.Close(); err != nil {
		return fmt.Errorf("close a channel: %w", err)
	}
	return nil
}

// drops says whether the broker's quorum queues have a limit that drops messages unless it is taken off.
func drops(conn *amqp.Connection) bool {
	version, _ := conn.Properties["version"].(string)
	major, _, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(major)
	return err == nil && n >= 4
}

// differs says whether a declaration failed because what is there was declared otherwise.
func differs(err error) bool {
	var refused *amqp.Error
	return errors.As(err, &refused) && refused.Code == amqp.PreconditionFailed
}
