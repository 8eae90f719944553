package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/adapters/rabbitmq"
	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/mirror/change"
)

const (
	exchange = "banyan.events"
	queue    = "everything"
)

// An event that no queue takes is confirmed all the same, unless it is mandatory: then it comes back, and the mirror
// stops until there is somebody who takes it.
func TestMissingMandatoryIsNoticed(t *testing.T) {
	for _, test := range []struct {
		name     string
		sabotage bool
	}{{"as it is", false}, {"no mandatory", true}} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, &devstack.MariaDB(t).Server)
			r.both("CREATE TABLE t (id int PRIMARY KEY, n int)")
			url := devstack.RabbitMQ(t).NewVHost(t)
			sink, err := rabbitmq.NewSink(rabbitmq.Options{Connection: rabbitmq.Connection{URL: url}, Exchange: exchange})
			if err != nil {
				t.Fatal(err)
			}
			r.options.Sink = sink
			channel := dial(t, url)
			if test.sabotage {
				r.options.Sink = careless{url}
			}
			bind(t, channel)
			r.start(r.options)
			r.exec("INSERT INTO t VALUES (1, 1)")
			r.saved()
			if err := channel.QueueUnbind(queue, "#", exchange, nil); err != nil {
				t.Fatal(err)
			}
			r.exec("UPDATE t SET n = 2 WHERE id = 1", "INSERT INTO t VALUES (2, 2)")
			if test.sabotage {
				r.saved() // although nobody has it
			} else {
				r.poll("the mirror has stopped", func() error {
					if s := r.mirror.Status(); s.Stop == nil {
						return fmt.Errorf("it is %s", s.Phase)
					}
					return nil
				})
			}
			bind(t, channel)
			r.exec("INSERT INTO t VALUES (3, 3)")
			r.saved()
			judge(t, r.consume(drain(t, channel)), test.sabotage)
		})
	}
}

func dial(t *testing.T, url string) *amqp.Channel {
	t.Helper()
	connection, err := amqp.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	channel, err := connection.Channel()
	if err != nil {
		t.Fatal(err)
	}
	return channel
}

// bind declares exchange and queue, and binds them.
func bind(t *testing.T, channel *amqp.Channel) {
	t.Helper()
	if err := channel.ExchangeDeclare(exchange, "topic", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := channel.QueueDeclare(queue, true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	if err := channel.QueueBind(queue, "#", exchange, false, nil); err != nil {
		t.Fatal(err)
	}
}

// drain takes all that is in the queue.
func drain(t *testing.T, channel *amqp.Channel) (all []change.Message) {
	t.Helper()
	for {
		d, ok, err := channel.Get(queue, true)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return all
		}
		text := func(name string) string {
			s, _ := d.Headers["cloudEvents:"+name].(string)
			return s
		}
		all = append(all, change.Message{ID: text("id"), Version: text("banyanversion"), Term: text("banyanterm"), Body: d.Body})
	}
}

// careless is a sink that asks for confirms, but not for mandatory.
type careless struct{ url string }

func (c careless) Open(context.Context) (change.Feed, error) {
	connection, err := amqp.Dial(c.url)
	if err != nil {
		return nil, err
	}
	channel, err := connection.Channel()
	if err == nil {
		err = channel.Confirm(false)
	}
	return &carelessFeed{connection: connection, channel: channel, failed: make(chan struct{})}, err
}

type carelessFeed struct {
	connection *amqp.Connection
	channel    *amqp.Channel
	safe       counter
	failed     chan struct{}
}

func (f *carelessFeed) Send(ctx context.Context, m *change.Message) error {
	confirm, err := f.channel.PublishWithDeferredConfirmWithContext(ctx, exchange, m.Key, false, false, amqp.Publishing{
		DeliveryMode: amqp.Persistent, Body: m.Body,
		Headers: amqp.Table{"cloudEvents:id": m.ID, "cloudEvents:banyanversion": m.Version, "cloudEvents:banyanterm": m.Term},
	})
	if err != nil {
		return err
	}
	if acked, err := confirm.WaitContext(ctx); err != nil || !acked {
		return errors.Join(errors.New("not confirmed"), err)
	}
	f.safe.add()
	return nil
}

func (f *carelessFeed) Flush(context.Context) error { return nil }
func (f *carelessFeed) Confirmed() uint64           { return f.safe.get() }
func (f *carelessFeed) Status() change.FeedStatus   { return change.FeedStatus{Oldest: time.Duration(0)} }
func (f *carelessFeed) Failed() <-chan struct{}     { return f.failed }
func (f *carelessFeed) Close() error                { return f.connection.Close() }
