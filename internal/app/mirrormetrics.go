package app

import (
	"github.com/prometheus/client_golang/prometheus"

	"banyan.dev/banyan/mirror"
)

// mirrorCollector shows a mirror's status as of the scrape.
type mirrorCollector struct {
	status  func() mirror.Status
	figures []mirrorFigure
	phase   *prometheus.Desc
	events  *prometheus.Desc
}

type mirrorFigure struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	// of gives the figure, and whether it is known.
	of func(*mirror.Status) (float64, bool)
}

// newMirrorCollector shows what status gives.
func newMirrorCollector(status func() mirror.Status) *mirrorCollector {
	c := &mirrorCollector{
		status: status,
		phase: prometheus.NewDesc("banyan_mirror_phase", "1 for what the mirror is doing: waiting for leadership, leading, retrying, stopped.",
			[]string{"phase"}, nil),
		events: prometheus.NewDesc("banyan_mirror_events_total", "Changes read, by operation.", []string{"op"}, nil),
	}
	add := func(kind prometheus.ValueType, name, help string, of func(*mirror.Status) (float64, bool)) {
		c.figures = append(c.figures, mirrorFigure{prometheus.NewDesc("banyan_mirror_"+name, help, nil, nil), kind, of})
	}
	known := func(of func(*mirror.Status) float64) func(*mirror.Status) (float64, bool) {
		return func(s *mirror.Status) (float64, bool) { return of(s), true }
	}
	const gauge, counter = prometheus.GaugeValue, prometheus.CounterValue
	add(gauge, "lag_seconds", "Time between a commit in the legacy and its reading; absent while it is not known.", func(s *mirror.Status) (float64, bool) {
		if s.LagSeconds == nil {
			return 0, false
		}
		return *s.LagSeconds, true
	})
	add(gauge, "lag_bytes", "Binlog that is not read yet; absent while it is not known.", func(s *mirror.Status) (float64, bool) {
		if s.LagBytes == nil {
			return 0, false
		}
		return float64(*s.LagBytes), true
	})
	add(gauge, "stopped", "1 while the mirror has stopped and waits for a person; /status says what to do.", known(func(s *mirror.Status) float64 {
		return truth(s.Phase == mirror.PhaseStopped)
	}))
	add(gauge, "broker_blocked", "1 while the broker takes nothing because of an alarm.", known(func(s *mirror.Status) float64 { return truth(s.Blocked != "") }))
	add(gauge, "in_flight", "Messages that wait for the broker's confirm.", known(func(s *mirror.Status) float64 { return float64(s.InFlight) }))
	add(gauge, "epoch", "The epoch of versions.", known(func(s *mirror.Status) float64 { return float64(s.Epoch) }))
	add(gauge, "term", "How many leaders there were.", known(func(s *mirror.Status) float64 { return float64(s.Term) }))
	position := func(of func(*mirror.Status) *mirror.Place) func(*mirror.Status) (float64, float64, bool) {
		return func(s *mirror.Status) (float64, float64, bool) {
			p := of(s)
			if p == nil {
				return 0, 0, false
			}
			return float64(p.FileNumber), float64(p.Offset), true
		}
	}
	for name, of := range map[string]func(*mirror.Status) (float64, float64, bool){
		"read":  position(func(s *mirror.Status) *mirror.Place { return s.Read }),
		"saved": position(func(s *mirror.Status) *mirror.Place { return s.Saved }),
	} {
		add(gauge, name+"_file", "Number of the binlog file of the position "+name+".", func(s *mirror.Status) (float64, bool) {
			file, _, ok := of(s)
			return file, ok
		})
		add(gauge, name+"_offset", "Byte of the position "+name+" in its file.", func(s *mirror.Status) (float64, bool) {
			_, offset, ok := of(s)
			return offset, ok
		})
	}
	add(counter, "sent_total", "Messages handed to the broker, repeats too.", known(func(s *mirror.Status) float64 { return float64(s.Sent) }))
	add(counter, "confirmed_total", "Messages that the broker has confirmed.", known(func(s *mirror.Status) float64 { return float64(s.Confirmed) }))
	add(counter, "returned_total", "Messages that no queue took.", known(func(s *mirror.Status) float64 { return float64(s.Returned) }))
	add(counter, "sent_bytes_total", "Bytes of the bodies sent.", known(func(s *mirror.Status) float64 { return float64(s.Bytes) }))
	add(counter, "entities_total", "Entity events sent by a service's stream, repeats too.", known(func(s *mirror.Status) float64 { return float64(s.Entities) }))
	add(counter, "fences_total", "Fences sent by a service's stream, repeats too.", known(func(s *mirror.Status) float64 { return float64(s.Fences) }))
	add(gauge, "waiting", "Entities that a service's stream knows to have changed and has not read yet, and fences behind them.", known(func(s *mirror.Status) float64 { return float64(s.Waiting) }))
	add(gauge, "unreadable", "Entities that a service is not told of, since they can't be read in legacy, or are too large for the broker.", known(func(s *mirror.Status) float64 { return float64(s.Unreadable) }))
	add(counter, "skipped_total", "Images of rows that tell no entity that they are part of.", known(func(s *mirror.Status) float64 { return float64(s.Skipped) }))
	add(counter, "restarts_total", "Failures after which the mirror began again at its saved position.", known(func(s *mirror.Status) float64 { return float64(s.Restarts) }))
	return c
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// Describe gives the figures' names.
func (c *mirrorCollector) Describe(out chan<- *prometheus.Desc) {
	out <- c.phase
	out <- c.events
	for _, f := range c.figures {
		out <- f.desc
	}
}

// Collect gives the figures.
func (c *mirrorCollector) Collect(out chan<- prometheus.Metric) {
	s := c.status()
	for _, phase := range []mirror.Phase{mirror.PhaseWaiting, mirror.PhaseLeading, mirror.PhaseRetrying, mirror.PhaseStopped} {
		out <- prometheus.MustNewConstMetric(c.phase, prometheus.GaugeValue, truth(s.Phase == phase), string(phase))
	}
	for op, n := range s.Events {
		out <- prometheus.MustNewConstMetric(c.events, prometheus.CounterValue, float64(n), string(op))
	}
	for _, f := range c.figures {
		if value, ok := f.of(&s); ok {
			out <- prometheus.MustNewConstMetric(f.desc, f.kind, value)
		}
	}
}
