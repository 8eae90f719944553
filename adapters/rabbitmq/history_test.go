package rabbitmq_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/adapters/rabbitmq"
	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/mirror/change"
)

func read(t testing.TB, url string, from rabbitmq.From) *rabbitmq.History {
	t.Helper()
	h, err := rabbitmq.OpenHistory(within(t), rabbitmq.HistoryOptions{
		Connection: rabbitmq.Connection{URL: url}, Stream: stream, From: from, ToEnd: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

// all reads to the end.
func all(t testing.TB, h *rabbitmq.History) []*rabbitmq.Delivery {
	t.Helper()
	var got []*rabbitmq.Delivery
	for {
		d, err := h.Next(within(t))
		if errors.Is(err, io.EOF) {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, d)
	}
}

func TestHistoryGivesMessagesBack(t *testing.T) {
	leaks(t)
	url := devstack.RabbitMQ(t).NewVHost(t)
	feed := open(t, options(url))
	var want []*change.Message
	for n := range 1000 {
		want = append(want, message(n))
	}
	whole, bare := message(1000), &change.Message{Key: "x", Body: []byte("{}")}
	whole.Time = whole.Time.Truncate(time.Second)
	want = append(want, whole, bare)
	send(t, feed, want...)
	flush(t, feed)

	for _, test := range []struct {
		name  string
		from  rabbitmq.From
		first int
	}{
		{"the zero value", rabbitmq.From{}, 0},
		{"first", rabbitmq.First(), 0},
		{"offset", rabbitmq.Offset(700), 700},
		{"behind the end", rabbitmq.Offset(1002), 1002},
		{"next", rabbitmq.Next(), 1002},
		{"time", rabbitmq.Time(time.Now().Add(-time.Hour)), 0},
		{"the future", rabbitmq.Time(time.Now().Add(time.Hour)), 1002},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := all(t, read(t, url, test.from))
			if len(got) != len(want)-test.first {
				t.Fatalf("got %d messages, want %d", len(got), len(want)-test.first)
			}
			for i, d := range got {
				n := test.first + i
				if d.Offset != int64(n) || !reflect.DeepEqual(d.Message, *want[n]) {
					t.Fatalf("message %d is at %d: %+v", n, d.Offset, d.Message)
				}
			}
		})
	}
	got := all(t, read(t, url, rabbitmq.Last()))
	if len(got) == 0 || got[len(got)-1].Offset != 1001 {
		t.Errorf("the last batch has %d messages", len(got))
	}
}

func TestForeignMessagesAreRead(t *testing.T) {
	url := devstack.RabbitMQ(t).NewVHost(t)
	open(t, options(url))
	channel := dial(t, url)
	if err := channel.Confirm(false); err != nil {
		t.Fatal(err)
	}
	stamp := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, p := range []amqp.Publishing{
		{},
		{
			MessageId: "an id", Type: "a type", Timestamp: stamp, Body: []byte{0xff, 0},
			Headers: amqp.Table{"cloudEvents:source": int32(7), "list": []any{int32(1), amqp.Table{"deep": nil}}},
		},
		{Timestamp: stamp, Headers: amqp.Table{"cloudEvents:id": []byte("raw"), "x-stream-offset": "mine"}},
	} {
		confirmation, err := channel.PublishWithDeferredConfirm(exchange, "foreign", true, false, p)
		if err != nil || !confirmation.Wait() {
			t.Fatal(err)
		}
	}
	got := all(t, read(t, url, rabbitmq.First()))
	if len(got) != 3 {
		t.Fatalf("got %d messages, want 3", len(got))
	}
	if m := got[0].Message; !reflect.DeepEqual(m, change.Message{Key: "foreign", Body: []byte{}}) {
		t.Errorf("got %+v", m)
	}
	if m := got[1].Message; m.ID != "an id" || m.Type != "a type" || !m.Time.Equal(stamp) || m.Source != "" || string(m.Body) != "\xff\x00" {
		t.Errorf("got %+v", m)
	}
	if m := got[2].Message; !m.Time.Equal(stamp) || m.ID != "" {
		t.Errorf("got %+v", m)
	}
}

func TestTailGivesWhatComes(t *testing.T) {
	leaks(t)
	url := devstack.RabbitMQ(t).NewVHost(t)
	feed := open(t, options(url))
	send(t, feed, message(0))
	flush(t, feed)
	tail, err := rabbitmq.Tail(within(t), rabbitmq.Connection{URL: url}, stream)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tail.Close() })
	for n := 1; n < 500; n++ {
		send(t, feed, message(n))
	}
	flush(t, feed)
	for n := 1; n < 500; n++ {
		d, err := tail.Next(within(t))
		if err != nil {
			t.Fatal(err)
		}
		if d.ID != message(n).ID || d.Offset != int64(n) {
			t.Fatalf("got %s at %d, want message %d", d.ID, d.Offset, n)
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	cancel(enough)
	if _, err := tail.Next(ctx); !errors.Is(err, enough) {
		t.Errorf("got %v", err)
	}
	failed := make(chan error, 1)
	go func() {
		_, err := tail.Next(context.Background())
		failed <- err
	}()
	for range 2 {
		if err := tail.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := <-failed; !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
	if _, err := tail.Next(t.Context()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func TestDeletedStreamEndsReading(t *testing.T) {
	url := devstack.RabbitMQ(t).NewVHost(t)
	open(t, options(url))
	tail, err := rabbitmq.Tail(within(t), rabbitmq.Connection{URL: url}, stream)
	if err != nil {
		t.Fatal(err)
	}
	defer tail.Close()
	if _, err := dial(t, url).QueueDelete(stream, false, false, false); err != nil {
		t.Fatal(err)
	}
	if d, err := tail.Next(within(t)); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("got %+v, %v", d, err)
	}
}

func TestEmptyHistoryEnds(t *testing.T) {
	url := devstack.RabbitMQ(t).NewVHost(t)
	open(t, options(url))
	if got := all(t, read(t, url, rabbitmq.First())); len(got) > 0 {
		t.Errorf("got %d messages", len(got))
	}
}

// The end has to be found while messages come, too, and before them.
func TestHistoryEndsThoughMessagesCome(t *testing.T) {
	leaks(t)
	url := devstack.RabbitMQ(t).NewVHost(t)
	feed := open(t, options(url))
	for n := range 100 {
		send(t, feed, message(n))
	}
	flush(t, feed)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		for n := 100; ctx.Err() == nil; n++ {
			if err := feed.Send(ctx, message(n)); err != nil && ctx.Err() == nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	got := all(t, read(t, url, rabbitmq.First()))
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if len(got) < 100 {
		t.Errorf("got %d messages, want those sent before, at least", len(got))
	}
	for n, d := range got {
		if d.ID != message(n).ID {
			t.Fatalf("message %d is %s", n, d.ID)
		}
	}
}

func TestHistoryThatCanNotBeRead(t *testing.T) {
	leaks(t)
	broker := devstack.RabbitMQ(t)
	url := broker.NewVHost(t)
	channel := dial(t, url)
	for _, kind := range []string{"classic", "quorum"} {
		if _, err := channel.QueueDeclare(kind, true, false, false, false, amqp.Table{"x-queue-type": kind}); err != nil {
			t.Fatal(err)
		}
		if err := channel.Publish("", kind, true, false, amqp.Publishing{Body: []byte("dear"), DeliveryMode: amqp.Persistent}); err != nil {
			t.Fatal(err)
		}
		eventually(t, func() error {
			if q, err := channel.QueueDeclarePassive(kind, true, false, false, false, nil); err != nil || q.Messages != 1 {
				return fmt.Errorf("%+v, %w", q, err)
			}
			return nil
		})
	}
	for _, test := range []string{"missing", "classic", "quorum"} {
		for _, toEnd := range []bool{false, true} {
			h, err := rabbitmq.OpenHistory(within(t), rabbitmq.HistoryOptions{
				Connection: rabbitmq.Connection{URL: url}, Stream: test, ToEnd: toEnd,
			})
			if err == nil {
				_, err = h.Next(within(t))
				_ = h.Close()
			}
			wantStop(t, err)
		}
	}
	for _, kind := range []string{"classic", "quorum"} {
		eventually(t, func() error {
			if q, err := channel.QueueDeclarePassive(kind, true, false, false, false, nil); err != nil || q.Messages != 1 {
				return fmt.Errorf("reading what is no stream has taken its messages: %+v, %w", q, err)
			}
			return nil
		})
	}
}
