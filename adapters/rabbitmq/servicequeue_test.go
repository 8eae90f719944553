package rabbitmq_test

import (
	"net/url"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/adapters/rabbitmq"
	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/protocol"
)

func serviceSink(t testing.TB, url, service string) *rabbitmq.ServiceSink {
	t.Helper()
	sink, err := rabbitmq.NewServiceSink(options(url), service)
	if err != nil {
		t.Fatal(err)
	}
	return sink
}

func TestQueuesThatLoseMessagesAreRefused(t *testing.T) {
	leaks(t)
	vhost := devstack.RabbitMQ(t).NewVHost(t)
	quorum := func(more amqp.Table) amqp.Table {
		more[amqp.QueueTypeArg] = amqp.QueueTypeQuorum
		return more
	}
	for name, test := range map[string]struct {
		arguments amqp.Table
		transient bool
		refused   string
	}{
		"as the kit declares it": {arguments: quorum(amqp.Table{amqp.SingleActiveConsumerArg: true})},
		"another":                {arguments: amqp.Table{"x-max-priority": int32(3), amqp.QueueMaxLenArg: int32(9), amqp.QueueOverflowArg: amqp.QueueOverflowRejectPublish}},
		"plain":                  {},
		"no second try":          {arguments: quorum(amqp.Table{"x-delivery-limit": int32(0), "x-dead-letter-exchange": "x"}), refused: "x-delivery-limit"},
		"no room":                {arguments: quorum(amqp.Table{amqp.QueueMaxLenArg: int32(0)}), refused: "x-max-length"},
		"no bytes":               {arguments: amqp.Table{amqp.QueueMaxLenBytesArg: int32(0)}, refused: "x-max-length"},
		"length":                 {arguments: quorum(amqp.Table{amqp.QueueMaxLenArg: int32(9), amqp.SingleActiveConsumerArg: true}), refused: "x-max-length"},
		"bytes":                  {arguments: amqp.Table{amqp.QueueMaxLenBytesArg: int64(9), "x-dead-letter-exchange": "x"}, refused: "x-max-length"},
		"age":                    {arguments: amqp.Table{amqp.QueueMessageTTLArg: int32(1)}, refused: amqp.QueueMessageTTLArg},
		"expiry":                 {arguments: amqp.Table{amqp.QueueTTLArg: int32(60000)}, refused: amqp.QueueTTLArg},
		"tries":                  {arguments: quorum(amqp.Table{"x-delivery-limit": int32(3)}), refused: "x-delivery-limit"},
		"stream":                 {arguments: amqp.Table{amqp.QueueTypeArg: amqp.QueueTypeStream}, refused: "stream"},
		"transient":              {transient: true, refused: "durable"},
	} {
		t.Run(name, func(t *testing.T) {
			service := strings.ReplaceAll(name, " ", "-")
			if _, err := dial(t, vhost).QueueDeclare(protocol.QueueName(service, 1, 0), !test.transient, false, false, false, test.arguments); err != nil {
				t.Fatal(err)
			}
			sink := serviceSink(t, vhost, service)
			checked := sink.Check(within(t))
			feed, err := sink.Open(within(t))
			if test.refused == "" {
				if err != nil || checked != nil {
					t.Fatal(err, checked)
				}
				if err := feed.Close(); err != nil {
					t.Error(err)
				}
				return
			}
			if stop := wantStop(t, err); !strings.Contains(stop.What, test.refused) || wantStop(t, checked).What != stop.What {
				t.Errorf("want it to say %s", test.refused)
			}
		})
	}
	// Looking makes nothing.
	if err := serviceSink(t, vhost, "none").Check(within(t)); err != nil {
		t.Error(err)
	}
	if err := dial(t, vhost).ExchangeDeclarePassive(rabbitmq.ServiceExchange("none"), amqp.ExchangeDirect, true, false, false, false, nil); err == nil {
		t.Error("the exchange is there")
	}
	if _, err := dial(t, vhost).QueueDeclarePassive(protocol.QueueName("none", 1, 0), true, false, false, false, nil); err == nil {
		t.Error("the queue is there")
	}
}

// The account needs no right to the service's queue, and is told of those that it lacks, besides those that it has.
func TestAServiceSinkNeedsItsExchangeOnly(t *testing.T) {
	leaks(t)
	broker := devstack.RabbitMQ(t)
	vhost := broker.NewVHost(t)
	account := strings.ToLower(strings.TrimPrefix(t.Name(), "Test"))
	if _, err := broker.Control(within(t), "add_user", account, "secret"); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(vhost)
	if err != nil {
		t.Fatal(err)
	}
	permit := func(pattern string) {
		t.Helper()
		if _, err := broker.Control(within(t), "set_permissions", "--vhost", strings.TrimPrefix(u.Path, "/"), account, pattern, pattern, pattern); err != nil {
			t.Fatal(err)
		}
	}
	channel := dial(t, vhost)
	if _, err := channel.QueueDeclare(protocol.QueueName("orders", 1, 0), true, false, false, false, amqp.Table{amqp.QueueMessageTTLArg: int32(60000)}); err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(account, "secret")
	sink := serviceSink(t, u.String(), "orders")
	permit("^$")
	_, err = sink.Open(within(t))
	if stop := wantStop(t, err); !strings.Contains(stop.Fix, `match '^banyan\.service\.orders$', too`) {
		t.Error("want the rights that are missing")
	}
	permit(`^banyan\.service\.orders$`)
	feed, err := sink.Open(within(t))
	if err != nil {
		t.Fatal(err)
	}
	defer feed.Close()
	if err := channel.QueueBind(protocol.QueueName("orders", 1, 0), protocol.RoutingKey(0), rabbitmq.ServiceExchange("orders"), false, nil); err != nil {
		t.Fatal(err)
	}
	m := message(1)
	m.Key = protocol.RoutingKey(0)
	send(t, feed, m)
	flush(t, feed)
}
