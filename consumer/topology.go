package consumer

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/protocol"
)

// partition is the one that there is now.
const partition = 0

// exchange is where Banyan sends a service's messages to. Banyan declares it in the same way, whoever comes first.
func exchange(service string) string { return "banyan.service." + service }

// queue is where they wait.
func queue(service string) string { return exchange(service) + "." + strconv.Itoa(partition) }

// declare makes exchange, queue and binding where they are missing, and returns a channel of the connection.
//
// The queue is a quorum queue, because that is on disk before Banyan hears that it is, and is on several nodes where there are
// several. It has a single active consumer, so that messages are taken in their order by whoever of the service's processes is
// the one. From RabbitMQ 4 on a quorum queue drops a message that came back 20 times, such as from consumers that died: so the
// limit is taken off there. Older ones have none, and refuse that argument.
func (r *runner) declare(conn *amqp.Connection) (*amqp.Channel, error) {
	channel, err := conn.Channel()
	if err != nil {
		return nil, fmt.Errorf("open a channel: %w", err)
	}
	if err := channel.ExchangeDeclare(exchange(r.Service), amqp.ExchangeDirect, true, false, false, false, nil); err != nil {
		return nil, fmt.Errorf("declare exchange %s: %w", exchange(r.Service), err)
	}
	name := queue(r.Service)
	arguments := amqp.Table{amqp.QueueTypeArg: amqp.QueueTypeQuorum, amqp.SingleActiveConsumerArg: true}
	if drops(conn) {
		arguments["x-delivery-limit"] = -1
	}
	if _, err = channel.QueueDeclare(name, true, false, false, false, arguments); differs(err) && drops(conn) {
		// It was made by an older broker, or without the argument. It is emptied meanwhile; Banyan sends nothing to it.
		r.Logger.Error("the queue drops messages that came back 20 times, and Banyan sends nothing to it: it was declared without x-delivery-limit -1; once it is empty, stop the service, delete the queue, and start the service again",
			"queue", name)
		if channel, err = conn.Channel(); err != nil {
			return nil, fmt.Errorf("open a channel: %w", err)
		}
		delete(arguments, "x-delivery-limit")
		_, err = channel.QueueDeclare(name, true, false, false, false, arguments)
	}
	if err != nil {
		return nil, fmt.Errorf("declare queue %s: %w", name, err)
	}
	if err := channel.QueueBind(name, protocol.RoutingKey(partition), exchange(r.Service), false, nil); err != nil {
		return nil, fmt.Errorf("bind queue %s: %w", name, err)
	}
	return channel, nil
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
