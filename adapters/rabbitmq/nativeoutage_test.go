package rabbitmq_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"banyan.dev/banyan/adapters/rabbitmq"
	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/mirror/change"
)

// Whatever was confirmed before the broker was killed is in the history, in the order in which it was sent, and comes from the
// exchange, too.
func TestKilledBrokerLosesNothingOfTheNativeHistory(t *testing.T) {
	broker := devstack.OwnRabbitMQ(t)
	leaks(t)
	url, next := broker.URL(""), 0
	o := options(url)
	_ = open(t, o).Close()
	channel := dial(t, url)
	if _, err := channel.QueueDeclare("service", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	if err := channel.QueueBind("service", "row.#", exchange, false, nil); err != nil {
		t.Fatal(err)
	}
	// RabbitMQ 3.10 never finds a stream again that was declared a moment before it was killed.
	if err := broker.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	for round := range 3 {
		o.History.Native = &rabbitmq.Native{Port: broker.StreamPort, Batch: []int{1, 10, 100}[round]}
		for killed, enough := false, next+1000*round+10; !killed; {
			next, killed = sendUntil(t, o, next, enough, broker.Kill)
		}
		if err := broker.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, func() error {
		feed := reopen(t, o)
		defer feed.Close()
		if err := feed.Send(within(t), message(next)); err != nil {
			return err
		}
		return feed.Flush(within(t))
	})
	h, err := rabbitmq.OpenHistory(within(t), rabbitmq.HistoryOptions{Connection: o.Connection, Stream: stream, Native: o.History.Native, ToEnd: true})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	inOrder(t, all(t, h), next)
	if q, err := dial(t, url).QueueDeclarePassive("service", true, false, false, false, nil); err != nil || q.Messages <= next {
		t.Errorf("the queue has %d messages, want %d at least: %v", q.Messages, next+1, err)
	}
}

// sendUntil sends from a message on until the feed fails, and has something done once enough are confirmed. It gives the first
// message that is not confirmed. A broker that has just started may fail a feed, when it chooses the stream's leader anew.
func sendUntil(t *testing.T, o rabbitmq.Options, from, enough int, then func()) (next int, done bool) {
	t.Helper()
	feed := reopen(t, o)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-feed.Failed():
				return
			case <-tick.C:
			}
			if from+int(feed.Confirmed()) >= enough {
				done = true
				then()
				return
			}
		}
	}()
	var err error
	for n := from; err == nil; n++ {
		err = feed.Send(within(t), message(n))
	}
	if change.Stops(err) != nil {
		t.Fatalf("got %v, want an error that passes", err)
	}
	<-feed.Failed()
	<-ended
	if err := feed.Flush(within(t)); err == nil {
		t.Error("what the killed broker had was flushed")
	}
	next = from + int(feed.Confirmed()) // From here on all is sent again.
	if err := feed.Close(); err != nil {
		t.Error(err)
	}
	return next, done
}

// inOrder holds that all messages up to one are there, perhaps repeated from some place on.
func inOrder(t *testing.T, got []*rabbitmq.Delivery, last int) {
	t.Helper()
	seen := 0
	for _, d := range got {
		var n int
		if _, err := fmt.Sscanf(d.ID, "0-1-%d:1", &n); err != nil {
			t.Fatal(err)
		}
		if n > seen {
			t.Fatalf("message %d is missing", seen)
		}
		if n == seen {
			seen++
		}
	}
	if seen <= last {
		t.Errorf("the history ends before message %d, want %d, at least", seen, last+1)
	}
}

func TestBlockedBrokerSlowsTheNativeHistory(t *testing.T) {
	broker := devstack.OwnRabbitMQ(t)
	leaks(t)
	control := func(args ...string) {
		t.Helper()
		if _, err := broker.Control(within(t), args...); err != nil {
			t.Fatal(err)
		}
	}
	for _, only := range []bool{false, true} {
		o := options(broker.URL(""))
		o.Window, o.WindowBytes, o.ConfirmTimeout = 4000, 64<<20, 2*time.Second
		o.History.Native = &rabbitmq.Native{Port: broker.StreamPort}
		if only {
			o.Exchange = ""
		}
		feed := open(t, o)
		send(t, feed, message(0))
		flush(t, feed)
		sending, cancel := context.WithCancel(t.Context())
		sent := make(chan error, 1)
		// By its own protocol RabbitMQ takes messages while it lacks memory.
		if only {
			control("set_disk_free_limit", "1000GB")
		} else {
			control("set_vm_memory_high_watermark", "0.000001")
		}
		go func() {
			var err error
			for n := 1; err == nil && n < 20_000; n++ {
				m := message(n)
				m.Body = []byte(strings.Repeat("x", 10_000))
				err = feed.Send(sending, m)
			}
			sent <- errors.Join(err, feed.Flush(sending))
		}()
		if only {
			// The native protocol doesn't tell of alarms: the feed is given up after some time, and leaves nothing behind.
			err := <-sent
			if err == nil || change.Stops(err) != nil || !strings.Contains(err.Error(), "alarms") {
				t.Errorf("got %v", err)
			}
		} else {
			eventually(t, func() error {
				if status := feed.Status(); !strings.Contains(status.Blocked, "memory") || status.Oldest < 3*o.ConfirmTimeout {
					return fmt.Errorf("%+v", status)
				}
				return nil
			})
			select {
			case <-feed.Failed():
				t.Fatalf("a blocked feed has failed: %v", feed.Flush(t.Context()))
			default:
			}
			cancel()
			if err := <-sent; !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		}
		began := time.Now()
		if err := feed.Close(); err != nil || time.Since(began) > 10*time.Second {
			t.Errorf("closing took %v: %v", time.Since(began), err)
		}
		cancel()
		control("set_vm_memory_high_watermark", "0.4")
		control("set_disk_free_limit", "1MB")
	}
}

func TestBrokerThatFallsSilentEndsTheNativeHistory(t *testing.T) {
	leaks(t)
	url := devstack.RabbitMQ(t).NewVHost(t)
	for _, test := range []struct {
		name    string
		confirm time.Duration // ConfirmTimeout
		says    string
	}{
		{"no heartbeat", time.Hour, "lost"},
		{"no confirm", 200 * time.Millisecond, "confirmed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := nativeOptions(t, url, rabbitmq.Native{})
			between := startRelay(t, fmt.Sprintf("127.0.0.1:%d", o.History.Native.Port))
			o.History.Native = &rabbitmq.Native{URL: strings.Replace(between.url(t, url), "amqp://", "rabbitmq-stream://", 1)}
			o.Heartbeat, o.ConfirmTimeout = 2*time.Second, test.confirm
			if test.confirm < time.Second {
				o.Heartbeat = time.Minute
			}
			feed := open(t, o)
			send(t, feed, message(1))
			flush(t, feed)
			between.pause()
			if err := feed.Send(within(t), message(2)); err != nil {
				t.Fatal(err)
			}
			err := feed.Flush(within(t))
			if err == nil || change.Stops(err) != nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v", err)
			}
			if got := feed.Confirmed(); got != 1 {
				t.Errorf("%d are confirmed", got)
			}
		})
	}
}

// Both sides say that they live while nothing is sent.
func TestNativeHistoryOutlivesSilence(t *testing.T) {
	leaks(t)
	o := nativeOptions(t, devstack.RabbitMQ(t).NewVHost(t), rabbitmq.Native{})
	o.Heartbeat = time.Second
	feed := open(t, o)
	select {
	case <-feed.Failed():
		t.Fatal(feed.Flush(t.Context()))
	case <-time.After(6 * time.Second):
	}
	send(t, feed, message(0))
	flush(t, feed)
}

func TestWindowBoundsTheNativeHistory(t *testing.T) {
	leaks(t)
	url := devstack.RabbitMQ(t).NewVHost(t)
	o := nativeOptions(t, url, rabbitmq.Native{Batch: 3})
	between := startRelay(t, fmt.Sprintf("127.0.0.1:%d", o.History.Native.Port))
	o.History.Native.URL = strings.Replace(between.url(t, url), "amqp://", "rabbitmq-stream://", 1)
	o.Window = 7
	feed := open(t, o)
	between.pause()
	for n := range 7 {
		send(t, feed, message(n))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := feed.Send(ctx, message(7)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("one more: %v", err)
	}
	if got := feed.Confirmed(); got != 0 {
		t.Errorf("%d are confirmed", got)
	}
	between.resume()
	if err := feed.Close(); err != nil {
		t.Error(err)
	}
}
