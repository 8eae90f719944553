package rabbitmq

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/mirror/change"
	"banyan.dev/banyan/protocol"
)

// mostArguments bounds the questions for a queue's arguments: RabbitMQ knows of some twenty.
const mostArguments = 32

// errHidden says that it can't be found out how a queue was declared: the account may not ask, or the answer isn't understood.
var errHidden = errors.New("how the queue was declared is not to be seen")

// serviceQueue gives how a service's queue was declared, the key durable among its arguments; nil when there is none, and
// errHidden. AMQP has no question for that: so it is declared once more, each time as much like the queue as RabbitMQ's
// refusals have told so far. That changes nothing. Where the queue is deleted meanwhile, it is made as a service makes it.
func serviceQueue(conn *amqp.Connection, name string) (amqp.Table, error) {
	there, err := exists(conn, func(c *amqp.Channel) error {
		_, err := c.QueueDeclarePassive(name, true, false, false, false, nil)
		return err
	})
	var said *amqp.Error
	switch {
	case errors.As(err, &said) && said.Code == amqp.AccessRefused:
		return nil, errHidden
	case err != nil:
		return nil, fmt.Errorf("look for the queue %s: %w", name, err)
	case !there:
		return nil, nil
	}
	guess, flags := amqp.Table{amqp.QueueTypeArg: amqp.QueueTypeQuorum, amqp.SingleActiveConsumerArg: true}, amqp.Table{"durable": true, "auto_delete": false}
	for range mostArguments {
		channel, err := conn.Channel()
		if err != nil {
			return nil, fmt.Errorf("open a channel: %w", err)
		}
		_, err = channel.QueueDeclare(name, flags["durable"] == true, flags["auto_delete"] == true, false, false, guess)
		switch {
		case err == nil:
			guess["durable"] = flags["durable"]
			return guess, channel.Close() //nolint:wrapcheck // amqp091-go's own error says it.
		case errors.As(err, &said) && said.Server && said.Code == amqp.AccessRefused:
			return nil, errHidden
		case !errors.As(err, &said) || !said.Server || said.Code != amqp.PreconditionFailed:
			return nil, fmt.Errorf("ask how the queue %s was declared: %w", name, err)
		case !guessed(guess, flags, said.Reason):
			return nil, fmt.Errorf("%w: %w", errHidden, err)
		case guess[amqp.QueueTypeArg] == amqp.QueueTypeStream:
			return guess, nil // which is enough to know
		}
	}
	return nil, fmt.Errorf("%w: RabbitMQ names ever more differences", errHidden)
}

// inequivalent is how RabbitMQ says what differs.
var inequivalent = regexp.MustCompile(`inequivalent arg '([^']+)' .* but current is (?:(none)|(?:the value )?'([^']*)'(?: of type '([^']*)')?)`)

// guessed makes a guess more like what is there, by what RabbitMQ says of it.
func guessed(guess, flags amqp.Table, reason string) bool {
	m := inequivalent.FindStringSubmatch(reason)
	if m == nil {
		return false
	}
	name, none, value, kind := m[1], m[2] != "", m[3], m[4]
	if _, ok := flags[name]; ok {
		flags[name] = value == "true"
		return true
	}
	if none {
		delete(guess, name)
		return true
	}
	n, err := strconv.ParseInt(value, 10, 64)
	switch {
	case kind == "bool":
		guess[name] = value == "true"
	case err == nil && kind != "longstr":
		guess[name] = n
	default:
		guess[name] = value
	}
	return true
}

// limits says whether a broker gives its quorum queues a limit of deliveries, unless -1 takes it off: RabbitMQ does from 4 on.
func limits(conn *amqp.Connection) bool {
	version, _ := conn.Properties["version"].(string)
	major, _, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(major)
	return err == nil && n >= 4
}

// drops says how a queue loses messages, or nothing. limited is what limits says of its broker. A limit of 0 is one, too.
func drops(arguments amqp.Table, limited bool) string {
	has := func(name string) bool { return arguments[name] != nil }
	deliveries, isNumber := arguments["x-delivery-limit"].(int64)
	unlimited := isNumber && deliveries < 0
	overflow, _ := arguments[amqp.QueueOverflowArg].(string)
	refuses := overflow == amqp.QueueOverflowRejectPublish || overflow == amqp.QueueOverflowRejectPublishDLX
	switch {
	case arguments["durable"] == false:
		return "it is gone when RabbitMQ restarts (durable=false)"
	case (has(amqp.QueueMaxLenArg) || has(amqp.QueueMaxLenBytesArg)) && !refuses:
		return "it drops messages when it is full (x-max-length without x-overflow: reject-publish)"
	case has("x-delivery-limit") && !unlimited:
		return "it drops messages that came back a few times (x-delivery-limit)"
	case limited && !unlimited && arguments[amqp.QueueTypeArg] == amqp.QueueTypeQuorum:
		return "it drops messages that came back 20 times, as quorum queues of this RabbitMQ do without x-delivery-limit: -1"
	case arguments[amqp.QueueTypeArg] == amqp.QueueTypeStream:
		return "it is a stream, which gives its messages again and drops the oldest"
	}
	for _, name := range []string{amqp.QueueMessageTTLArg, amqp.QueueTTLArg} {
		if has(name) {
			return "it drops messages after a while (" + name + ")"
		}
	}
	return ""
}

// keeps checks that a service's queues lose nothing, as far as AMQP tells: policies are not seen. Queues go by their names: of
// each layout that has a first one, all are looked at.
func (s *ServiceSink) keeps(conn *amqp.Connection) error {
	for _, n := range protocol.QueueLayouts() {
		for i := range n {
			there, err := s.keptBy(conn, protocol.QueueName(s.service, n, i))
			if err != nil {
				return err
			}
			if !there && i == 0 {
				break
			}
		}
	}
	return nil
}

// keptBy checks one queue. there is false where there is none.
func (s *ServiceSink) keptBy(conn *amqp.Connection, name string) (there bool, err error) {
	arguments, err := serviceQueue(conn, name)
	if errors.Is(err, errHidden) {
		s.options.Logger.Debug("whether the service's queue drops messages is not known", "queue", name, "cause", err)
		return false, nil
	}
	if err != nil || arguments == nil {
		return false, err
	}
	limited, declare := limits(conn), "durable, x-queue-type: quorum, x-single-active-consumer: true"
	if limited {
		declare += ", x-delivery-limit: -1"
	}
	if why := drops(arguments, limited); why != "" {
		return true, &change.StopError{
			What: fmt.Sprintf("the queue %s of the service %s would lose messages: %s", name, s.service, why),
			Fix: fmt.Sprintf("let the service empty the queue, stop it, delete the queue, declare it without that (%s), and start the service again: rabbitmqadmin --vhost=%s delete queue name=%s",
				declare, quote(s.uri.Vhost), quote(name)),
		}
	}
	return true, nil
}
