package rabbitmq_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"banyan.dev/banyan/adapters/rabbitmq"
	"banyan.dev/banyan/internal/devstack"
)

func TestNativeHistoryThatCanNotBeHad(t *testing.T) {
	leaks(t)
	broker := devstack.RabbitMQ(t)
	url := broker.NewVHost(t)
	_ = open(t, nativeOptions(t, url, rabbitmq.Native{})).Close()
	account, password, _ := strings.Cut(strings.TrimPrefix(url[:strings.IndexByte(url, '@')], "amqp://"), ":")
	vhost := url[strings.LastIndexByte(url, '/'):]
	at := fmt.Sprintf("127.0.0.1:%d", broker.StreamPort)
	for name, native := range map[string]rabbitmq.Native{
		"nobody listens":   {URL: "rabbitmq-stream://" + account + ":" + password + "@127.0.0.1:1" + vhost},
		"speaks AMQP":      {URL: "rabbitmq-stream" + strings.TrimPrefix(url, "amqp")},
		"wrong password":   {URL: "rabbitmq-stream://" + account + ":wrong@" + at + vhost},
		"no such account":  {URL: "rabbitmq-stream://nobody:wrong@" + at + vhost},
		"another vhost":    {URL: "rabbitmq-stream://" + account + ":" + password + "@" + at + "/nowhere"},
		"no stream there":  {URL: "rabbitmq-stream://" + account + ":" + password + "@" + at + "/%2f"},
		"no way to log in": {URL: "rabbitmq-stream://" + account + ":" + password + "@" + at + vhost + "?auth_mechanism=external"},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(url)
			o.ConnectTimeout = 2 * time.Second
			o.History.Native = &native
			feed, err := newSink(t, o).Open(within(t))
			if err == nil {
				_ = feed.Close()
			}
			stop := wantStop(t, err)
			if strings.Contains(stop.Error(), password) {
				t.Error("it shows the password")
			}
			_, err = rabbitmq.OpenHistory(within(t), rabbitmq.HistoryOptions{Connection: o.Connection, Stream: stream, Native: &native})
			if err == nil {
				t.Error("it was opened for reading")
			}
		})
	}
	if err := newSink(t, nativeOptions(t, url, rabbitmq.Native{})).Check(within(t)); err != nil {
		t.Error(err)
	}
	o := options(url)
	o.ConnectTimeout = time.Second
	o.History.Native = &rabbitmq.Native{Port: 1}
	wantStop(t, newSink(t, o).Check(within(t)))
}

func TestNativeOptionsAreChecked(t *testing.T) {
	for name, spoil := range map[string]func(o *rabbitmq.Options){
		"no stream":      func(o *rabbitmq.Options) { o.History.Name = "" },
		"scheme":         func(o *rabbitmq.Options) { o.History.Native.URL = "amqp://localhost" },
		"no host":        func(o *rabbitmq.Options) { o.History.Native.URL = "rabbitmq-stream://a:b/c@localhost" },
		"batch":          func(o *rabbitmq.Options) { o.History.Native.Batch = 10_001 },
		"negative batch": func(o *rabbitmq.Options) { o.History.Native.Batch = -1 },
		"compression":    func(o *rabbitmq.Options) { o.History.Native.Compression = "rar" },
	} {
		o := options("amqp://localhost")
		o.History.Native = &rabbitmq.Native{}
		if _, err := rabbitmq.NewSink(o); err != nil {
			t.Fatal(err)
		}
		spoil(&o)
		if _, err := rabbitmq.NewSink(o); err == nil {
			t.Errorf("%s: it was accepted", name)
		}
	}
	o := options("amqp://localhost")
	o.Exchange = ""
	if _, err := rabbitmq.NewSink(o); err == nil {
		t.Error("neither an exchange nor a native history, and it was accepted")
	}
}

// An account that may not write to the stream is told so.
func TestNativeHistoryNeedsPermission(t *testing.T) {
	leaks(t)
	broker := devstack.RabbitMQ(t)
	url := broker.NewVHost(t)
	_ = open(t, nativeOptions(t, url, rabbitmq.Native{})).Close()
	vhost := url[strings.LastIndexByte(url, '/')+1:]
	account := "reader-" + vhost
	for _, args := range [][]string{
		{"add_user", account, "p@ss/word%"},
		{"set_permissions", "--vhost", vhost, account, "^$", "^$", "^banyan"},
	} {
		if _, err := broker.Control(within(t), args...); err != nil {
			t.Fatal(err)
		}
	}
	o := options(url)
	o.History.Native = &rabbitmq.Native{URL: fmt.Sprintf("rabbitmq-stream://%s:p%%40ss%%2Fword%%25@127.0.0.1:%d/%s", account, broker.StreamPort, vhost)}
	feed, err := newSink(t, o).Open(within(t))
	if err == nil {
		_ = feed.Close()
	}
	wantStop(t, err)
	// It may read.
	if got := all(t, readNative(t, o, rabbitmq.First())); len(got) != 0 {
		t.Errorf("got %d messages", len(got))
	}
	if _, err := broker.Control(within(t), "set_permissions", "--vhost", vhost, account, "^$", "^$", "^$"); err != nil {
		t.Fatal(err)
	}
	_, err = rabbitmq.OpenHistory(within(t), rabbitmq.HistoryOptions{Connection: o.Connection, Stream: stream, Native: o.History.Native})
	wantStop(t, err)
}
