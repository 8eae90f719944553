package rabbitmq_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/adapters/rabbitmq"
	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/mirror/change"
)

func TestWhatExistsIsCheckedAndLeftAlone(t *testing.T) {
	leaks(t)
	type declare func(t *testing.T, channel *amqp.Channel)
	queue := func(args amqp.Table) declare {
		return func(t *testing.T, channel *amqp.Channel) {
			if _, err := channel.QueueDeclare(stream, true, false, false, false, args); err != nil {
				t.Fatal(err)
			}
		}
	}
	exchangeOf := func(kind string, durable bool, args amqp.Table) declare {
		return func(t *testing.T, channel *amqp.Channel) {
			if err := channel.ExchangeDeclare(exchange, kind, durable, false, false, false, args); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, test := range []struct {
		name  string
		there declare
		says  string // empty: it will do
	}{
		{"the same stream", queue(amqp.Table{"x-queue-type": "stream", "x-max-age": "7D", "x-max-length-bytes": int32(1 << 30), "x-stream-max-segment-size-bytes": int32(50 << 20)}), ""},
		{"the same exchange", exchangeOf("topic", true, nil), ""},
		{"an exchange of another kind", exchangeOf("direct", true, nil), "'type'"},
		{"an exchange that a restart takes along", exchangeOf("topic", false, nil), "'durable'"},
		{"an exchange that hides lost bindings", exchangeOf("topic", true, amqp.Table{"alternate-exchange": "amq.fanout"}), "'alternate-exchange'"},
		{"a classic queue", queue(amqp.Table{"x-queue-type": "classic"}), "inequivalent arg"},
		{"a quorum queue", queue(amqp.Table{"x-queue-type": "quorum"}), "inequivalent arg"},
		{"a stream of another age", queue(amqp.Table{"x-queue-type": "stream", "x-max-age": "8D", "x-max-length-bytes": int64(1 << 30), "x-stream-max-segment-size-bytes": int64(50 << 20)}), "'8D'"},
		{"a stream of another size", queue(amqp.Table{"x-queue-type": "stream", "x-max-age": "7D", "x-max-length-bytes": int64(1 << 31), "x-stream-max-segment-size-bytes": int64(50 << 20)}), "'2147483648'"},
		{"a stream without bounds", queue(amqp.Table{"x-queue-type": "stream"}), "'x-max-length-bytes'"},
	} {
		t.Run(test.name, func(t *testing.T) {
			vhost := devstack.RabbitMQ(t).NewVHost(t)
			channel := dial(t, vhost)
			test.there(t, channel)
			for range 2 { // The second time tells that the first one has changed nothing.
				feed, err := newSink(t, options(vhost)).Open(within(t))
				if test.says == "" {
					if err != nil {
						t.Fatal(err)
					}
					_ = feed.Close()
					continue
				}
				if stop := wantStop(t, err); !strings.Contains(stop.Error(), test.says) || stop.Fix == "" {
					t.Errorf("want it to say %s", test.says)
				}
			}
		})
	}
}

func TestLoginThatFails(t *testing.T) {
	leaks(t)
	broker := devstack.RabbitMQ(t)
	vhost := broker.NewVHost(t)
	change := func(edit func(u *url.URL)) string {
		u, err := url.Parse(vhost)
		if err != nil {
			t.Fatal(err)
		}
		edit(u)
		return u.String()
	}
	name := strings.TrimPrefix(strings.ToLower(t.Name()), "test")
	if _, err := broker.Control(within(t), "add_user", name, "secret"); err != nil {
		t.Fatal(err)
	}
	limited := change(func(u *url.URL) { u.User = url.UserPassword(name, "secret") })
	open := func(url string) error {
		feed, err := newSink(t, options(url)).Open(within(t))
		if err == nil {
			_ = feed.Close()
		}
		return err
	}
	if stop := wantStop(t, open(change(func(u *url.URL) { u.User = url.UserPassword("nobody", "hunter2") }))); strings.Contains(stop.Error(), "hunter2") {
		t.Error("the password is shown")
	}
	wantStop(t, open(change(func(u *url.URL) { u.Path, u.RawPath = "/nowhere", "" })))
	wantStop(t, open(limited))
	permit := func(configure, write, read string) {
		t.Helper()
		u, _ := url.Parse(vhost)
		if _, err := broker.Control(within(t), "set_permissions", "--vhost", strings.TrimPrefix(u.Path, "/"), name, configure, write, read); err != nil {
			t.Fatal(err)
		}
	}
	permit("^$", "^$", "^$")
	stop := wantStop(t, open(limited))
	const names = `'^(banyan\.events|banyan\.history)$'`
	if !strings.Contains(stop.Fix, "rabbitmqctl set_permissions") || strings.Count(stop.Fix, names) != 3 {
		t.Errorf("want the permissions that are missing in %s", stop.Fix)
	}
	pattern := strings.Trim(names, "'")
	permit(pattern, pattern, pattern)
	if err := open(limited); err != nil {
		t.Errorf("what is advised does not do: %v", err)
	}
	permit(pattern, `^banyan\.history$`, pattern)
	feed, err := newSink(t, options(limited)).Open(within(t))
	if err != nil {
		t.Fatal(err)
	}
	defer feed.Close()
	if err := feed.Send(within(t), message(1)); err == nil {
		err = feed.Flush(within(t))
		wantStop(t, err)
	}

	o := options("amqp://guest:guest@127.0.0.1:1/")
	if _, err := newSink(t, o).Open(within(t)); err == nil || wasStop(err) {
		t.Errorf("nobody listens: got %v", err)
	}
}

func wasStop(err error) bool { return change.Stops(err) != nil }

func TestOptionsAreChecked(t *testing.T) {
	good := options("amqp://u:hunter2@localhost/v")
	if _, err := rabbitmq.NewSink(good); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(o *rabbitmq.Options){
		"no URL":                func(o *rabbitmq.Options) { o.URL = "" },
		"another scheme":        func(o *rabbitmq.Options) { o.URL = "http://u:hunter2@localhost/" },
		"no URL at all":         func(o *rabbitmq.Options) { o.URL = "amqp://u:hunter2@local host:x/%zz" },
		"no exchange":           func(o *rabbitmq.Options) { o.Exchange = "" },
		"a long name":           func(o *rabbitmq.Options) { o.History.Name = strings.Repeat("x", 256) },
		"a window below 0":      func(o *rabbitmq.Options) { o.Window = -1 },
		"a heartbeat too short": func(o *rabbitmq.Options) { o.Heartbeat = time.Millisecond },
		"half a second's age":   func(o *rabbitmq.Options) { o.History.MaxAge = time.Second / 2 },
		"sizes below 0":         func(o *rabbitmq.Options) { o.History.MaxBytes = -1 },
	} {
		o := good
		spoil(&o)
		if _, err := rabbitmq.NewSink(o); err == nil {
			t.Errorf("%s: no error", name)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the password is shown: %v", name, err)
		}
	}
}
