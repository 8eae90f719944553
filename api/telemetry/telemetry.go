package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/strangler"
)

// Backend logs and measures the calls to another Backend that came over one transport.
type Backend struct {
	transport string
	logger    *slog.Logger
	series    map[*contract.Operation]*series
	inFlight  prometheus.Gauge
	next      strangler.Backend
}

// New logs and measures the calls to next that come over transport ("rest", "grpc") for any of the operations.
func New(transport string, operations []*contract.Operation, metrics *Metrics, logger *slog.Logger, next strangler.Backend) *Backend {
	return &Backend{
		transport: transport, logger: logger, next: next,
		series:   metrics.seriesOf(transport, operations),
		inFlight: metrics.inFlight.WithLabelValues(transport),
	}
}

// Call answers by the other Backend.
func (b *Backend) Call(ctx context.Context, call *strangler.Call, send func(*strangler.Reply) error) error {
	start := time.Now()
	b.inFlight.Inc()
	err := b.guarded(ctx, call, send)
	b.inFlight.Dec()
	took := time.Since(start)

	failure := strangler.AsError(err)
	outcome := codes.OK
	if failure != nil {
		outcome = failure.Code
	}
	if s := b.series[call.Operation]; s != nil {
		s.observe(outcome, took)
	}
	if level := levelOf(outcome); b.logger.Enabled(ctx, level) {
		b.log(ctx, level, call, failure, took)
	}
	if failure == nil {
		return nil
	}
	told := *failure // which may be another call's, too
	told.Logged = true
	return &told
}

// guarded turns a panic into an error.
func (b *Backend) guarded(ctx context.Context, call *strangler.Call, send func(*strangler.Reply) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	return b.next.Call(ctx, call, send)
}

func (b *Backend) log(ctx context.Context, level slog.Level, call *strangler.Call, failure *strangler.Error, took time.Duration) {
	attrs := make([]slog.Attr, 0, 9)
	attrs = append(attrs,
		slog.String("request_id", call.RequestID),
		slog.String("operation", string(call.Operation.Name)),
		slog.String("transport", b.transport))
	if call.Client != "" {
		attrs = append(attrs, slog.String("client", call.Client))
	}
	if failure == nil {
		attrs = append(attrs, slog.String("code", codeName(codes.OK)))
	} else {
		attrs = append(attrs,
			slog.String("code", codeName(failure.Code)),
			slog.String("reason", failure.Reason),
			slog.String("message", failure.Message))
		if failure.Cause != nil {
			attrs = append(attrs, slog.String("cause", failure.Cause.Error()))
		}
	}
	attrs = append(attrs, slog.Float64("duration_ms", float64(took.Microseconds())/1000))
	b.logger.LogAttrs(ctx, level, "call", attrs...)
}

// levelOf says how much an outcome matters to an operator: nothing to do, the caller's own doing, a limit that was
// reached, or a fault on this side.
func levelOf(c codes.Code) slog.Level {
	switch c {
	case codes.OK:
		return slog.LevelDebug
	case codes.ResourceExhausted, codes.DeadlineExceeded, codes.Aborted:
		return slog.LevelWarn
	case codes.Unknown, codes.Internal, codes.Unavailable, codes.DataLoss:
		return slog.LevelError
	}
	return slog.LevelInfo
}

// codeName is the code as AIP-193 and google.rpc.Code write it: NOT_FOUND.
func codeName(c codes.Code) string {
	if name, ok := code.Code_name[int32(c)]; ok {
		return name
	}
	return strings.ToUpper(c.String())
}
