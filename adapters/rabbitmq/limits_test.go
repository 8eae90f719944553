package rabbitmq

import (
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

// From RabbitMQ 4 on a quorum queue has a limit that nobody has declared.
func TestQuorumQueuesHaveALimitFromRabbitMQ4On(t *testing.T) {
	for version, want := range map[string]bool{"3.10.8": false, "3.13.7": false, "4.0.2": true, "4.1.0-rc.1": true, "10.0": true, "": false, "x.y": false} {
		if got := limits(&amqp.Connection{Properties: amqp.Table{"version": version}}); got != want {
			t.Errorf("RabbitMQ %q: %v", version, got)
		}
	}
	quorum := func(limit any) amqp.Table {
		return amqp.Table{"durable": true, amqp.QueueTypeArg: amqp.QueueTypeQuorum, "x-delivery-limit": limit}
	}
	for name, test := range map[string]struct {
		arguments amqp.Table
		limited   bool
		want      string
	}{
		"none":                {quorum(nil), true, "20 times"},
		"none on an old one":  {quorum(nil), false, ""},
		"off":                 {quorum(int64(-1)), true, ""},
		"set":                 {quorum(int64(100)), true, "a few times"},
		"zero":                {quorum(int64(0)), true, "a few times"},
		"something else":      {quorum("many"), true, "a few times"},
		"no quorum queue":     {amqp.Table{"durable": true, amqp.QueueTypeArg: "classic"}, true, ""},
		"of no told type":     {amqp.Table{"durable": true}, true, ""},
		"a length of nothing": {amqp.Table{"durable": true, amqp.QueueMaxLenArg: int64(0)}, false, "when it is full"},
	} {
		if got := drops(test.arguments, test.limited); (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
