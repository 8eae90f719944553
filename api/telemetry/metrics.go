package telemetry

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/strangler"
)

// buckets are the bounds of durations, in seconds: from a cached point read to the longest deadline by default.
var buckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 60}

// Metrics count and time calls by operation, transport and code.
type Metrics struct {
	calls    *prometheus.CounterVec
	duration *prometheus.HistogramVec
	inFlight *prometheus.GaugeVec
	refused  *prometheus.CounterVec
}

// NewMetrics makes the metrics and registers them.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "banyan_requests_total", Help: "Calls that have ended.",
		}, []string{"operation", "transport", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "banyan_request_duration_seconds", Help: "Time from a call's arrival to its last reply.", Buckets: buckets,
		}, []string{"operation", "transport", "code"}),
		inFlight: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "banyan_requests_in_flight", Help: "Calls that run now, those about to be refused included.",
		}, []string{"transport"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "banyan_requests_refused_total", Help: "Requests that were refused before they became a call.",
		}, []string{"transport", "reason"}),
	}
	reg.MustRegister(m.calls, m.duration, m.inFlight, m.refused)
	return m
}

// Refused counts what a transport ("rest", "grpc") refuses before it becomes a call, by the error's reason.
func (m *Metrics) Refused(transport string) func(*strangler.Error) {
	return func(err *strangler.Error) { m.refused.WithLabelValues(transport, err.Reason).Inc() }
}

// maxCode is the highest gRPC code.
const maxCode = codes.Unauthenticated

// series are one operation's metrics on one transport. Each code's are looked up once, when it is first seen, so that
// operations that are never called cost the scraper nothing.
type series struct {
	metrics              *Metrics
	operation, transport string
	byCode               [maxCode + 1]atomic.Pointer[outcome]
}

type outcome struct {
	calls    prometheus.Counter
	duration prometheus.Observer
}

// seriesOf prepares the series of every operation.
func (m *Metrics) seriesOf(transport string, operations []*contract.Operation) map[*contract.Operation]*series {
	out := make(map[*contract.Operation]*series, len(operations))
	for _, op := range operations {
		out[op] = &series{metrics: m, operation: string(op.Name), transport: transport}
	}
	return out
}

func (s *series) observe(code codes.Code, took time.Duration) {
	if code > maxCode {
		code = codes.Unknown
	}
	o := s.byCode[code].Load()
	if o == nil {
		name := codeName(code)
		o = &outcome{
			calls:    s.metrics.calls.WithLabelValues(s.operation, s.transport, name),
			duration: s.metrics.duration.WithLabelValues(s.operation, s.transport, name),
		}
		s.byCode[code].Store(o) // a race stores the same metrics twice
	}
	o.calls.Inc()
	o.duration.Observe(took.Seconds())
}
