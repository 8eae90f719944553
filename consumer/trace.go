package consumer

import (
	"context"
	"regexp"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Trace is a W3C trace context (https://www.w3.org/TR/trace-context/) that an event's message carried.
type Trace struct {
	// Parent is the traceparent, State the tracestate; that may be empty.
	Parent, State string
}

// traceKey is where a context has a Trace.
type traceKey struct{}

// TraceFromContext gives the trace context that the message of the event carried for which Apply is called. ok is false where it
// carried none: Banyan's mirror, which reads a log, knows of none, but whoever sends an event again may add one. Parked events
// are applied without.
func TraceFromContext(ctx context.Context) (trace Trace, ok bool) {
	trace, ok = ctx.Value(traceKey{}).(Trace)
	return trace, ok
}

// traceparent is what version 00 looks like, and what later ones begin with.
var traceparent = regexp.MustCompile(`^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-|$)`)

// mostState bounds a tracestate, in bytes, as the recommendation does; mostParent is far more than a traceparent has.
const (
	mostState  = 512
	mostParent = 256
)

// traced gives ctx the trace context of number i of some messages' headers, if it carries one. CloudEvents' extension for distributed
// tracing has the same names behind a prefix.
func traced(ctx context.Context, headers []amqp.Table, i int) context.Context {
	if i >= len(headers) {
		return ctx
	}
	text := func(name string) string {
		for _, prefix := range []string{"", "cloudEvents:"} {
			if text, ok := headers[i][prefix+name].(string); ok {
				return text
			}
		}
		return ""
	}
	t := Trace{Parent: text("traceparent"), State: text("tracestate")}
	parts := traceparent.FindStringSubmatch(t.Parent)
	if parts == nil || len(t.Parent) > mostParent || strings.HasPrefix(t.Parent, "ff") || strings.Trim(parts[1], "0") == "" || strings.Trim(parts[2], "0") == "" {
		return ctx
	}
	if len(t.State) > mostState {
		t.State = ""
	}
	return context.WithValue(ctx, traceKey{}, t)
}
