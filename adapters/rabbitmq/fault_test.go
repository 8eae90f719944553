package rabbitmq_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/adapters/rabbitmq"
	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/mirror/change"
)

func TestReturnedMessageStops(t *testing.T) {
	leaks(t)
	url := devstack.RabbitMQ(t).NewVHost(t)
	feed := open(t, options(url))
	for n := range 100 {
		send(t, feed, message(n))
	}
	flush(t, feed)
	if err := dial(t, url).QueueUnbind(stream, "#", exchange, nil); err != nil {
		t.Fatal(err)
	}
	var err error
	for n := 100; err == nil && n < 200; n++ {
		err = feed.Send(within(t), message(n))
	}
	if err == nil {
		err = feed.Flush(within(t))
	}
	stop := wantStop(t, err)
	if !strings.Contains(stop.What, "row.orders.insert") || !strings.Contains(stop.Fix, stream) {
		t.Error("want the key, and the stream to bind")
	}
	if status := feed.Status(); feed.Confirmed() != 100 || status.Returned == 0 {
		t.Errorf("%d are confirmed, want 100; %+v", feed.Confirmed(), status)
	}
	<-feed.Failed()
	if err := feed.Send(within(t), message(0)); change.Stops(err) == nil {
		t.Errorf("later: %v", err)
	}
	// Opening binds it again.
	again := open(t, options(url))
	send(t, again, message(100))
	flush(t, again)
}

func TestDeletedExchangeIsDeclaredAgain(t *testing.T) {
	url := devstack.RabbitMQ(t).NewVHost(t)
	feed := open(t, options(url))
	if err := dial(t, url).ExchangeDelete(exchange, false, false); err != nil {
		t.Fatal(err)
	}
	if err := feed.Send(within(t), message(1)); err != nil {
		t.Fatal(err)
	}
	if err := feed.Flush(within(t)); err == nil || change.Stops(err) != nil {
		t.Fatalf("got %v, want an error that passes", err)
	}
	again := open(t, options(url))
	send(t, again, message(1))
	flush(t, again)
}

func TestRefusedMessageFailsTheFeed(t *testing.T) {
	url := devstack.RabbitMQ(t).NewVHost(t)
	feed := open(t, options(url))
	channel := dial(t, url)
	if _, err := channel.QueueDeclare("full", true, false, false, false, amqp.Table{"x-max-length": int32(1), "x-overflow": "reject-publish"}); err != nil {
		t.Fatal(err)
	}
	if err := channel.QueueBind("full", "#", exchange, false, nil); err != nil {
		t.Fatal(err)
	}
	var err error
	for n := 0; err == nil; n++ {
		if err = feed.Send(within(t), message(n)); err == nil {
			err = feed.Flush(within(t))
		}
	}
	if change.Stops(err) != nil || !strings.Contains(err.Error(), "nack") {
		t.Errorf("got %v, want an error that may pass", err)
	}
	if got := feed.Confirmed(); got == 0 {
		t.Error("nothing is confirmed")
	}
}

func TestMessagesThatCanNotBeSent(t *testing.T) {
	url := devstack.RabbitMQ(t).NewVHost(t)
	for name, spoil := range map[string]func(m *change.Message){
		"key":        func(m *change.Message) { m.Key = strings.Repeat("é", 128) },
		"attributes": func(m *change.Message) { m.Source = strings.Repeat("x", 131072) },
	} {
		feed := open(t, options(url))
		m := message(1)
		spoil(m)
		wantStop(t, feed.Send(within(t), m))
		if feed.Status().Sent != 0 {
			t.Errorf("%s: it was sent", name)
		}
	}
	feed := open(t, options(url))
	m := message(1)
	m.Key, m.Source, m.Body = strings.Repeat("x", 255), strings.Repeat("x", 100_000), []byte(strings.Repeat("x", 3*131072))
	empty := &change.Message{}
	send(t, feed, m, empty, message(2))
	flush(t, feed)
	got := all(t, read(t, url, rabbitmq.First()))
	if len(got) != 3 || got[0].Key != m.Key || string(got[0].Body) != string(m.Body) || got[0].Source != m.Source || got[1].Key != "" || got[2].ID != message(2).ID {
		t.Errorf("got %d messages", len(got))
	}
}

func TestMessageTooLargeForTheBrokerStops(t *testing.T) {
	broker := devstack.OwnRabbitMQ(t)
	if _, err := broker.Control(within(t), "eval", "application:set_env(rabbit, max_message_size, 1000), persistent_term:put({rabbit, max_message_size}, 1000)."); err != nil {
		t.Fatal(err)
	}
	feed := open(t, options(broker.URL("")))
	m := message(1)
	m.Body = make([]byte, 1001)
	if err := feed.Send(within(t), m); err != nil {
		t.Fatal(err)
	}
	if stop := wantStop(t, feed.Flush(within(t))); !strings.Contains(stop.Fix, "max_message_size") {
		t.Error("want the setting's name")
	}
}

func TestCloseMayComeAnyTime(t *testing.T) {
	leaks(t)
	url := devstack.RabbitMQ(t).NewVHost(t)
	for range 3 {
		feed := open(t, options(url))
		sent := make(chan error, 1)
		go func() {
			var err error
			for n := 0; err == nil; n++ {
				err = feed.Send(context.Background(), message(n))
			}
			sent <- errors.Join(err, feed.Flush(context.Background()))
		}()
		eventually(t, func() error {
			if feed.Confirmed() == 0 {
				return errors.New("nothing is confirmed")
			}
			return nil
		})
		for range 2 {
			if err := feed.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := <-sent; err == nil || change.Stops(err) != nil {
			t.Errorf("got %v", err)
		}
	}
}

func TestOpeningEndsWithItsContext(t *testing.T) {
	leaks(t)
	url := devstack.RabbitMQ(t).NewVHost(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := newSink(t, options(url)).Open(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	mute := startRelay(t, hostOf(t, url))
	mute.pause()
	o := options(mute.url(t, url))
	o.ConnectTimeout = 300 * time.Millisecond
	if _, err := newSink(t, o).Open(within(t)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a broker that doesn't answer: got %v", err)
	}
}
