package devstack_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/internal/devstack"
)

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

func TestKilledBrokerKeepsMessagesAndPorts(t *testing.T) {
	broker := devstack.OwnRabbitMQ(t)
	url, streams := broker.URL(""), broker.StreamPort
	channel := dial(t, url)
	if err := channel.Confirm(false); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"classic", "quorum", "stream"} {
		if _, err := channel.QueueDeclare(kind, true, false, false, false, amqp.Table{"x-queue-type": kind}); err != nil {
			t.Fatalf("declare a %s queue: %v", kind, err)
		}
	}
	// Not into the quorum queue: RabbitMQ 3.10 forgets one's leader when it is killed within a moment of the queue's making.
	confirmation, err := channel.PublishWithDeferredConfirmWithContext(t.Context(), "", "classic", true, false,
		amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte("kept")})
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := confirmation.WaitContext(t.Context()); err != nil || !ok {
		t.Fatalf("the message was not confirmed: %v, %v", ok, err)
	}

	done := broker.Done()
	broker.Kill()
	<-done
	if _, err := amqp.Dial(url); err == nil {
		t.Fatal("the killed broker answers")
	}
	if err := broker.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if broker.URL("") != url || broker.StreamPort != streams {
		t.Fatal("the addresses changed")
	}
	message, ok, err := dial(t, url).Get("classic", true)
	if err != nil || !ok || string(message.Body) != "kept" {
		t.Fatalf("got %q, %v, %v after the restart", message.Body, ok, err)
	}

	dir := broker.Dir
	for range 2 {
		if err := broker.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there: %v", dir, err)
	}
}

func TestSharedRabbitMQ(t *testing.T) {
	broker := devstack.RabbitMQ(t)
	if broker != devstack.RabbitMQ(t) {
		t.Fatal("two brokers were started")
	}
	own := broker.NewVHost(t)
	if _, err := dial(t, own).QueueDeclare("q", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := dial(t, broker.URL("")).QueueDeclarePassive("q", true, false, false, false, nil); err == nil {
		t.Error("the queue is seen outside of its virtual host")
	}
	if matches, err := filepath.Glob(filepath.Join(broker.Dir, "erl_crash.dump")); err != nil || len(matches) > 0 {
		t.Errorf("Erlang crashed: %v, %v", matches, err)
	}
}
