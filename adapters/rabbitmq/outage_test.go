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

// reopen opens as the mirror does: errors that may pass are tried again.
func reopen(t *testing.T, o rabbitmq.Options) change.Feed {
	t.Helper()
	var feed change.Feed
	eventually(t, func() error {
		var err error
		feed, err = newSink(t, o).Open(within(t))
		if change.Stops(err) != nil {
			t.Fatal(err)
		}
		return err
	})
	t.Cleanup(func() { _ = feed.Close() })
	return feed
}

// Whatever was confirmed before the broker was killed is in the history, and in the order in which it was sent.
func TestKilledBrokerLosesNothingConfirmed(t *testing.T) {
	broker := devstack.OwnRabbitMQ(t)
	leaks(t)
	url, next := broker.URL(""), 0
	// RabbitMQ 3.10 never finds a stream again that was declared a moment before it was killed.
	_ = open(t, options(url)).Close()
	if err := broker.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	for round := range 3 {
		feed := reopen(t, options(url))
		start, killed := next, make(chan struct{})
		go func() {
			defer close(killed)
			eventually(t, func() error {
				if feed.Confirmed() < uint64(1000*round+10) {
					return errors.New("too few are confirmed")
				}
				return nil
			})
			broker.Kill()
		}()
		var err error
		for n := start; err == nil; n++ {
			err = feed.Send(within(t), message(n))
		}
		if change.Stops(err) != nil {
			t.Fatalf("got %v, want an error that passes", err)
		}
		<-feed.Failed()
		<-killed
		if err := feed.Flush(within(t)); err == nil {
			t.Error("what the killed broker had was flushed")
		}
		next = start + int(feed.Confirmed()) // From here on all is sent again.
		if err := feed.Close(); err != nil {
			t.Error(err)
		}
		if err := broker.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	feed := reopen(t, options(url))
	send(t, feed, message(next))
	flush(t, feed)
	seen := 0
	for _, d := range all(t, read(t, url, rabbitmq.First())) {
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
	if seen <= next { // What was sent and not confirmed may be there, too.
		t.Errorf("the history ends before message %d, want %d, at least", seen, next+1)
	}
}

func TestBlockedBrokerSlowsOnly(t *testing.T) {
	broker := devstack.OwnRabbitMQ(t)
	leaks(t)
	o := options(broker.URL(""))
	// A broker takes nothing from the moment of an alarm on, and says so a little later, on a busy machine much later.
	o.Window, o.ConfirmTimeout = 100, 2*time.Second
	feed := open(t, o)
	send(t, feed, message(0))
	flush(t, feed)
	control := func(args ...string) {
		t.Helper()
		if _, err := broker.Control(within(t), args...); err != nil {
			t.Fatal(err)
		}
	}
	sent := make(chan error, 1)
	sending, cancel := context.WithCancel(t.Context())
	alarm := func() {
		go func() {
			var err error
			for n := 1; err == nil && n < 2000; n++ {
				err = feed.Send(sending, message(n))
			}
			sent <- errors.Join(err, feed.Flush(sending))
		}()
	}
	control("set_vm_memory_high_watermark", "0.000001")
	alarm()
	eventually(t, func() error {
		if status := feed.Status(); !strings.Contains(status.Blocked, "memory") || status.Oldest < 3*o.ConfirmTimeout {
			return fmt.Errorf("%+v", status)
		}
		return nil
	})
	select {
	case <-feed.Failed():
		t.Fatal("a blocked feed has failed")
	case err := <-sent:
		t.Fatalf("sending is over while the broker is blocked: %v", err)
	default:
	}
	if status := feed.Status(); status.Sent-status.Confirmed > 100 {
		t.Errorf("more than the window are on their way: %+v", status)
	}
	control("set_vm_memory_high_watermark", "0.4")
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		if status := feed.Status(); status.Blocked != "" {
			return fmt.Errorf("%+v", status)
		}
		return nil
	})
	if got := feed.Confirmed(); got != 2000 {
		t.Errorf("%d are confirmed, want 2000", got)
	}

	// Another alarm; and whoever waits can be called off, and the feed closed.
	control("set_disk_free_limit", "1000GB")
	alarm()
	eventually(t, func() error {
		if status := feed.Status(); !strings.Contains(status.Blocked, "disk") {
			return fmt.Errorf("%+v", status)
		}
		return nil
	})
	cancel()
	if err := <-sent; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := feed.Close(); err != nil {
		t.Error(err)
	}
	control("set_disk_free_limit", "1MB")
}

func TestBrokerThatFallsSilentEndsTheFeed(t *testing.T) {
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
			between := startRelay(t, hostOf(t, url))
			o := options(between.url(t, url))
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

// A broker that confirms sends no heartbeats.
func TestConfirmsShowThatTheBrokerLives(t *testing.T) {
	o := options(devstack.RabbitMQ(t).NewVHost(t))
	o.Heartbeat = 2 * time.Second // Silence of 3 seconds ends the connection.
	feed := open(t, o)
	for start := time.Now(); time.Since(start) < 5*time.Second; {
		send(t, feed, message(1))
		flush(t, feed)
	}
}

func TestWindowBoundsWhatIsOnItsWay(t *testing.T) {
	leaks(t)
	url := devstack.RabbitMQ(t).NewVHost(t)
	for name, set := range map[string]func(o *rabbitmq.Options) (most int){
		"messages": func(o *rabbitmq.Options) int { o.Window = 7; return 7 },
		"bytes":    func(o *rabbitmq.Options) int { o.WindowBytes = 5 * 1000; return 5 },
		"alone":    func(o *rabbitmq.Options) int { o.WindowBytes = 10; return 1 },
	} {
		t.Run(name, func(t *testing.T) {
			between := startRelay(t, hostOf(t, url))
			o := options(between.url(t, url))
			most := set(&o)
			feed := open(t, o)
			between.pause()
			m := message(1)
			m.Body = []byte(strings.Repeat("x", 1000))
			for range most {
				send(t, feed, m)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if err := feed.Send(ctx, m); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("one more: %v", err)
			}
			if status := feed.Status(); status.Sent != uint64(most) || status.Bytes != uint64(1000*most) || status.Confirmed != 0 {
				t.Errorf("got %+v", status)
			}
			between.resume()
			send(t, feed, m)
			flush(t, feed)
			if got := feed.Confirmed(); got != uint64(most)+1 {
				t.Errorf("%d are confirmed", got)
			}
		})
	}
}
