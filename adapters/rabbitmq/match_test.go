package rabbitmq_test

import (
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/adapters/rabbitmq"
	"banyan.dev/banyan/internal/devstack"
)

var matches = []struct {
	pattern, key string
	want         bool
}{
	{"#", "", true},
	{"#", "a", true},
	{"#", "a.b.c", true},
	{"*", "", false},
	{"*", "a", true},
	{"*", "a.b", false},
	{"", "", true},
	{"", "a", false},
	{"a", "a", true},
	{"a", "", false},
	{"a.b", "a.b", true},
	{"a.b", "a.b.c", false},
	{"a.*", "a.b", true},
	{"a.*", "a", false},
	{"a.*", "a.b.c", false},
	{"a.#", "a", true},
	{"a.#", "a.b.c", true},
	{"a.#", "ab", false},
	{"#.c", "a.b.c", true},
	{"#.c", "c", true},
	{"#.c", "c.b", false},
	{"#.b.#", "a.b.c", true},
	{"#.b.#", "b", true},
	{"#.b.#", "a.c", false},
	{"a.#.c", "a.c", true},
	{"a.#.c", "a.b.b.c", true},
	{"a.#.c", "a.c.b", false},
	{"*.#", "", false},
	{"*.#", "a", true},
	{"#.*", "a.b", true},
	{"#.#", "", true},
	{"#.a.#.a", "a.b", false},
	{"#.a.b", "a.a.b", true},
	{"a.*.c", "a..c", true},
	{"*", ".", false},
	{"*.*", ".", true},
	{"row.orders.*", "row.orders.insert", true},
	{"row.*.delete", "row.orders.insert", false},
	{"a*", "ab", false},
}

func TestMatch(t *testing.T) {
	for _, test := range matches {
		if got := rabbitmq.Match(test.pattern, test.key); got != test.want {
			t.Errorf("%q takes %q: %v", test.pattern, test.key, got)
		}
	}
}

// The table has to be the broker's own opinion.
func TestMatchIsAsTheBrokerDoes(t *testing.T) {
	channel := dial(t, devstack.RabbitMQ(t).NewVHost(t))
	if err := channel.ExchangeDeclare("e", "topic", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	if err := channel.Confirm(false); err != nil {
		t.Fatal(err)
	}
	if _, err := channel.QueueDeclare("q", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	for _, test := range matches {
		if err := channel.QueueBind("q", test.pattern, "e", false, nil); err != nil {
			t.Fatal(err)
		}
		confirmation, err := channel.PublishWithDeferredConfirm("e", test.key, false, false, amqp.Publishing{})
		if err != nil || !confirmation.Wait() {
			t.Fatal(err)
		}
		if err := channel.QueueUnbind("q", test.pattern, "e", nil); err != nil {
			t.Fatal(err)
		}
		_, got, err := channel.Get("q", true)
		if err != nil || got != test.want {
			t.Errorf("for the broker, %q takes %q: %v, %v", test.pattern, test.key, got, err)
		}
	}
}

func FuzzMatch(f *testing.F) {
	for _, test := range matches {
		f.Add(test.pattern, test.key)
	}
	f.Fuzz(func(t *testing.T, pattern, key string) {
		if len(pattern) > 30 || len(key) > 30 {
			return
		}
		if got, want := rabbitmq.Match(pattern, key), slow(words(pattern), words(key)); got != want {
			t.Errorf("%q takes %q: %v, want %v", pattern, key, got, want)
		}
	})
}

func words(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ".")
}

// slow tries all that a # may stand for.
func slow(pattern, key []string) bool {
	switch {
	case len(pattern) == 0:
		return len(key) == 0
	case pattern[0] == "#":
		return slow(pattern[1:], key) || len(key) > 0 && slow(pattern, key[1:])
	default:
		return len(key) > 0 && (pattern[0] == "*" || pattern[0] == key[0]) && slow(pattern[1:], key[1:])
	}
}
