package consumer

import (
	"context"
	"database/sql"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/protocol"
)

const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

func TestTracesOfMessages(t *testing.T) {
	for name, c := range map[string]struct {
		headers amqp.Table
		want    Trace
	}{
		"none":                   {nil, Trace{}},
		"plain":                  {amqp.Table{"traceparent": parent, "tracestate": "a=b"}, Trace{parent, "a=b"}},
		"CloudEvents'":           {amqp.Table{"cloudEvents:traceparent": parent, "cloudEvents:tracestate": "a=b"}, Trace{parent, "a=b"}},
		"of a later version":     {amqp.Table{"traceparent": "01" + parent[2:] + "-more"}, Trace{"01" + parent[2:] + "-more", ""}},
		"of no version":          {amqp.Table{"traceparent": "ff" + parent[2:]}, Trace{}},
		"no text":                {amqp.Table{"traceparent": int32(7)}, Trace{}},
		"zero":                   {amqp.Table{"traceparent": "00-" + strings.Repeat("0", 32) + "-00f067aa0ba902b7-01"}, Trace{}},
		"too short":              {amqp.Table{"traceparent": parent[:40]}, Trace{}},
		"endless":                {amqp.Table{"traceparent": parent + "-" + strings.Repeat("x", 9999)}, Trace{}},
		"with an endless state":  {amqp.Table{"traceparent": parent, "tracestate": strings.Repeat("x", 9999)}, Trace{parent, ""}},
		"with a state, no trace": {amqp.Table{"tracestate": "a=b"}, Trace{}},
	} {
		got, ok := TraceFromContext(traced(t.Context(), []amqp.Table{{}, c.headers}, 1))
		if got != c.want || ok != (c.want != Trace{}) {
			t.Errorf("%s: %v, %v", name, got, ok)
		}
	}
}

// Each event of a batch is applied with its own message's.
func TestApplyGetsTheTraceOfItsMessage(t *testing.T) {
	leaks(t)
	url := devstack.RabbitMQ(t).NewVHost(t)
	s := newService(t, file(t), StoreOptions{})
	traces := make(chan string, 10)
	b := newBroker(t, url)
	stop := s.start(t, url, 1, s.apply)
	b.bound(t)
	stop()
	with := message(protocol.TypeEntity, event(1, protocol.OriginLegacy, "c", "a", "1"))
	with.Headers["traceparent"] = parent
	b.send(t, with, message(protocol.TypeEntity, event(2, protocol.OriginLegacy, "c", "b", "2")))
	s.start(t, url, 1, func(ctx context.Context, tx *sql.Tx, e protocol.EntityEvent) error {
		trace, _ := TraceFromContext(ctx)
		traces <- e.ID + " " + trace.Parent
		return s.apply(ctx, tx, e)
	})
	s.has(t, "b", "2")
	if a, b := <-traces, <-traces; a != "a "+parent || b != "b " {
		t.Errorf("applied with %q and %q", a, b)
	}
}
