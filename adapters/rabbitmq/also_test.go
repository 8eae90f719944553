package rabbitmq_test

import (
	"strings"
	"testing"

	"banyan.dev/banyan/internal/devstack"
)

// A message with further routing keys reaches whoever takes any of them, once.
func TestFurtherRoutingKeys(t *testing.T) {
	leaks(t)
	url := devstack.RabbitMQ(t).NewVHost(t)
	feed := open(t, options(url))
	channel := dial(t, url)
	for queue, keys := range map[string][]string{"children": {"row.lines.*"}, "both": {"row.orders.*", "row.lines.*"}, "others": {"row.customers.*"}} {
		if _, err := channel.QueueDeclare(queue, true, false, false, false, nil); err != nil {
			t.Fatal(err)
		}
		for _, key := range keys {
			if err := channel.QueueBind(queue, key, exchange, false, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	m := message(1)
	m.Key, m.Also = "row.orders.cascade", []string{"row.lines.cascade", "row.notes.cascade"}
	send(t, feed, m)
	flush(t, feed)
	for queue, want := range map[string]int{"children": 1, "both": 1, "others": 0} {
		got := 0
		for {
			d, ok, err := channel.Get(queue, true)
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			got++
			if d.Headers["cloudEvents:id"] != m.ID {
				t.Errorf("%s got %s %v", queue, d.MessageId, d.Headers)
			}
		}
		if got != want {
			t.Errorf("%s got %d messages, want %d", queue, got, want)
		}
	}
	m.Also = []string{strings.Repeat("k", 256)}
	wantStop(t, feed.Send(t.Context(), m))
}
