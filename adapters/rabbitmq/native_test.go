package rabbitmq_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/adapters/rabbitmq"
	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/mirror/change"
)

// nativeOptions are options for a history by the native protocol of the shared broker.
func nativeOptions(t testing.TB, url string, native rabbitmq.Native) rabbitmq.Options {
	t.Helper()
	o := options(url)
	native.Port = devstack.RabbitMQ(t).StreamPort
	o.History.Native = &native
	return o
}

// readNative opens the history by the native protocol, up to its end.
func readNative(t testing.TB, o rabbitmq.Options, from rabbitmq.From) *rabbitmq.History {
	t.Helper()
	h, err := rabbitmq.OpenHistory(within(t), rabbitmq.HistoryOptions{
		Connection: o.Connection, Stream: stream, Native: o.History.Native, From: from, ToEnd: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

// What is sent by the native protocol is read by either, as if it had been sent by AMQP.
func TestNativeHistoryIsReadByEitherProtocol(t *testing.T) {
	leaks(t)
	for name, native := range map[string]rabbitmq.Native{
		"one by one": {}, "by hundreds": {Batch: 100}, "one more than fits": {Batch: 7}, "gzip": {Batch: 50, Compression: "gzip"}, "zstd": {Batch: 50, Compression: "zstd"},
	} {
		for _, only := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, only %v", name, only), func(t *testing.T) {
				url := devstack.RabbitMQ(t).NewVHost(t)
				o := nativeOptions(t, url, native)
				where := exchange
				if only {
					o.Exchange, where = "", stream
				}
				feed := open(t, o)
				var want []*change.Message
				for n := range 256 {
					m := message(n)
					m.Body = bytes.Repeat([]byte{'0' + byte(n%10)}, n*11)
					if n%5 == 0 {
						m.Also = []string{"row.a.update", "row.b.update"}
					}
					if n%7 == 0 {
						m.ID += strings.Repeat("x", 300)
					}
					want = append(want, m)
				}
				send(t, feed, want...)
				flush(t, feed)
				if got := feed.Confirmed(); got != 256 {
					t.Errorf("%d are confirmed", got)
				}
				if s := feed.Status(); s.Sent != 256 || s.Confirmed != 256 || s.Oldest != 0 || s.Blocked != "" {
					t.Errorf("got %+v", s)
				}
				got := all(t, readNative(t, o, rabbitmq.First()))
				compare(t, want, got, where, true)
				if native.Compression == "" {
					compare(t, want, all(t, read(t, url, rabbitmq.First())), where, false)
				}
			})
		}
	}
}

// compare holds what was read against what was sent. AMQP 0-9-1 gives no further routing keys from a stream.
func compare(t *testing.T, want []*change.Message, got []*rabbitmq.Delivery, where string, also bool) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("got %d messages, want %d", len(got), len(want))
	}
	for i, d := range got {
		m := *want[i]
		if !also {
			m.Also = nil
		}
		if len(m.Body) == 0 {
			m.Body = []byte{}
		}
		if !reflect.DeepEqual(d.Message, m) || d.Offset != int64(i) || d.Exchange != where || d.ContentType != "application/json" {
			t.Fatalf("got %+v, want %+v", d, m)
		}
	}
}

// Whoever is bound to the exchange gets all, and what nobody is bound for is in the history.
func TestNativeHistoryIsBesideTheExchange(t *testing.T) {
	leaks(t)
	url := devstack.RabbitMQ(t).NewVHost(t)
	o := nativeOptions(t, url, rabbitmq.Native{Batch: 10})
	feed := open(t, options(url)) // by AMQP, bound to the exchange
	send(t, feed, message(0))
	flush(t, feed)
	if err := feed.Close(); err != nil {
		t.Fatal(err)
	}
	feed = open(t, o)
	send(t, feed, message(1))
	flush(t, feed)
	channel := dial(t, url)
	q, err := channel.QueueDeclare("service", true, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := channel.QueueBind(q.Name, "row.#", exchange, false, nil); err != nil {
		t.Fatal(err)
	}
	send(t, feed, message(2), message(3))
	flush(t, feed)
	for n := 2; n < 4; n++ {
		d, ok, err := channel.Get(q.Name, true)
		if err != nil || !ok || string(d.Body) != string(message(n).Body) {
			t.Errorf("got %v, %v, %v", d, ok, err)
		}
	}
	wantIDs(t, all(t, readNative(t, o, rabbitmq.First())), 0, 4)
	// Back again.
	feed = open(t, options(url))
	send(t, feed, message(4))
	flush(t, feed)
	wantIDs(t, all(t, readNative(t, o, rabbitmq.First())), 0, 5)
}

func wantIDs(t *testing.T, got []*rabbitmq.Delivery, from, to int) {
	t.Helper()
	if len(got) != to-from {
		t.Fatalf("got %d messages, want %d", len(got), to-from)
	}
	for i, d := range got {
		if d.ID != message(from+i).ID {
			t.Fatalf("message %d is %s", from+i, d.ID)
		}
	}
}

// The protocol's frames have a most size; messages have a larger one.
func TestNativeHistoryTakesLargeMessages(t *testing.T) {
	leaks(t)
	for _, batch := range []int{1, 20} {
		url := devstack.RabbitMQ(t).NewVHost(t)
		o := nativeOptions(t, url, rabbitmq.Native{Batch: batch})
		feed := open(t, o)
		var want []*change.Message
		for n := range 60 {
			m := message(n)
			switch n % 10 {
			case 3:
				m.Body = bytes.Repeat([]byte("a"), 5<<20)
			case 5:
				m.Body = bytes.Repeat([]byte("b"), 1<<20-2048)
			case 7:
				m.Body = bytes.Repeat([]byte("c"), 1<<20-512)
			}
			want = append(want, m)
		}
		send(t, feed, want...)
		flush(t, feed)
		got := all(t, readNative(t, o, rabbitmq.First()))
		wantIDs(t, got, 0, 60)
		for i, d := range got {
			if d.Key != want[i].Key || !bytes.Equal(d.Body, want[i].Body) {
				t.Errorf("message %d: %s, %d bytes, want %d", i, d.Key, len(d.Body), len(want[i].Body))
			}
		}
		if got := feed.Confirmed(); got != 60 {
			t.Errorf("%d are confirmed", got)
		}
		wantIDs(t, all(t, read(t, url, rabbitmq.First())), 0, 60)
	}
}

func TestNativeHistoryIsReadFromPlaces(t *testing.T) {
	leaks(t)
	url := devstack.RabbitMQ(t).NewVHost(t)
	o := nativeOptions(t, url, rabbitmq.Native{Batch: 10})
	feed := open(t, o)
	if got := all(t, readNative(t, o, rabbitmq.First())); len(got) != 0 {
		t.Errorf("an empty stream gives %d messages", len(got))
	}
	for n := range 100 {
		send(t, feed, message(n))
		if n%20 == 19 {
			flush(t, feed)
		}
	}
	wantIDs(t, all(t, readNative(t, o, rabbitmq.Offset(57))), 57, 100)
	wantIDs(t, all(t, readNative(t, o, rabbitmq.Time(time.Now().Add(-time.Hour)))), 0, 100)
	for _, from := range []rabbitmq.From{rabbitmq.Offset(100), rabbitmq.Next()} {
		if got := all(t, readNative(t, o, from)); len(got) != 0 {
			t.Errorf("%v gives %d messages", from, len(got))
		}
	}
	if got := all(t, readNative(t, o, rabbitmq.Last())); len(got) == 0 || got[len(got)-1].ID != message(99).ID {
		t.Errorf("the last batch: %d messages", len(got))
	}
	tail, err := rabbitmq.OpenHistory(within(t), rabbitmq.HistoryOptions{Connection: o.Connection, Stream: stream, Native: o.History.Native, From: rabbitmq.Next()})
	if err != nil {
		t.Fatal(err)
	}
	for n := 100; n < 400; n++ {
		send(t, feed, message(n))
	}
	flush(t, feed)
	for n := 100; n < 400; n++ {
		if d, err := tail.Next(within(t)); err != nil || d.ID != message(n).ID || d.Offset != int64(n) {
			t.Fatalf("message %d: %+v, %v", n, d, err)
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
}

func TestDeletedStreamEndsTheNativeHistory(t *testing.T) {
	leaks(t)
	url := devstack.RabbitMQ(t).NewVHost(t)
	for _, only := range []bool{false, true} {
		o := nativeOptions(t, url, rabbitmq.Native{})
		if only {
			o.Exchange = ""
		}
		feed := open(t, o)
		send(t, feed, message(0))
		flush(t, feed)
		tail, err := rabbitmq.OpenHistory(within(t), rabbitmq.HistoryOptions{Connection: o.Connection, Stream: stream, Native: o.History.Native})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := dial(t, url).QueueDelete(stream, false, false, false); err != nil {
			t.Fatal(err)
		}
		<-feed.Failed()
		if stop := wantStop(t, feed.Flush(within(t))); !strings.Contains(stop.What, "deleted") {
			t.Errorf("got %v", stop)
		}
		eventually(t, func() error {
			if d, err := tail.Next(within(t)); err == nil || errors.Is(err, io.EOF) {
				return fmt.Errorf("got %+v, %w", d, err)
			}
			return nil
		})
		_ = tail.Close()
		_ = feed.Close()
	}
}

// Foreign messages have what they have.
func TestNativeReadingOfForeignMessages(t *testing.T) {
	leaks(t)
	url := devstack.RabbitMQ(t).NewVHost(t)
	o := nativeOptions(t, url, rabbitmq.Native{})
	_ = open(t, o).Close()
	channel := dial(t, url)
	if err := channel.Confirm(false); err != nil {
		t.Fatal(err)
	}
	stamp := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	for _, p := range []amqp.Publishing{
		{}, {MessageId: "an id", Type: "a type", Timestamp: stamp, Body: []byte{255, 0}, Headers: amqp.Table{"n": int32(5), "list": []any{"a"}}},
	} {
		confirmation, err := channel.PublishWithDeferredConfirm("", stream, true, false, p)
		if err != nil || !confirmation.Wait() {
			t.Fatal(err)
		}
	}
	got := all(t, readNative(t, o, rabbitmq.First()))
	if len(got) != 2 {
		t.Fatalf("got %d messages", len(got))
	}
	if m := got[0].Message; !reflect.DeepEqual(m, change.Message{Key: stream, Body: []byte{}}) {
		t.Errorf("got %+v", m)
	}
	if m := got[1].Message; m.ID != "an id" || !m.Time.Equal(stamp) || m.Source != "" || string(m.Body) != "\xff\x00" || got[1].Exchange != "" {
		t.Errorf("got %+v", m)
	}
}
