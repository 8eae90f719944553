package app

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"banyan.dev/banyan/api/telemetry"
	"banyan.dev/banyan/legacy/pool"
)

// metrics are all that /metrics shows.
type metrics struct {
	registry *prometheus.Registry
	calls    *telemetry.Metrics
}

func newMetrics(conns *pool.Pool, version string) *metrics {
	reg := prometheus.NewRegistry()
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "banyan_build_info", Help: "Always 1; the labels say what runs.",
	}, []string{"version", "go"})
	build.WithLabelValues(version, runtime.Version()).Set(1)
	reg.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		build,
		newPoolCollector(conns.Stats),
	)
	return &metrics{registry: reg, calls: telemetry.NewMetrics(reg)}
}

// poolCollector shows a pool's figures as of the scrape.
type poolCollector struct {
	stats   func() pool.Stats
	figures []figure
}

type figure struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	of   func(pool.Stats) float64
}

func newPoolCollector(stats func() pool.Stats) *poolCollector {
	c := &poolCollector{stats: stats}
	add := func(kind prometheus.ValueType, name, help string, of func(pool.Stats) float64) {
		c.figures = append(c.figures, figure{prometheus.NewDesc("banyan_legacy_"+name, help, nil, nil), kind, of})
	}
	const gauge, counter = prometheus.GaugeValue, prometheus.CounterValue
	add(gauge, "up", "1 while the legacy can be connected to.", func(s pool.Stats) float64 {
		if s.Reachable {
			return 1
		}
		return 0
	})
	add(gauge, "connections_max", "Most connections at once (legacy.pool.max_open).", func(s pool.Stats) float64 { return float64(s.MaxOpen) })
	add(gauge, "connections_open", "Connections that are there or being made.", func(s pool.Stats) float64 { return float64(s.Open) })
	add(gauge, "connections_in_use", "Connections that calls hold.", func(s pool.Stats) float64 { return float64(s.InUse) })
	add(gauge, "connections_idle", "Connections that wait to be used.", func(s pool.Stats) float64 { return float64(s.Idle) })
	add(gauge, "queue_length", "Calls that wait for a connection.", func(s pool.Stats) float64 { return float64(s.Waiting) })
	add(counter, "queue_waited_total", "Calls that had to wait for a connection.", func(s pool.Stats) float64 { return float64(s.Waited) })
	add(counter, "queue_refused_total", "Calls that found the queue full.", func(s pool.Stats) float64 { return float64(s.Refused) })
	add(counter, "queue_timed_out_total", "Calls that waited longer than legacy.pool.queue_timeout.", func(s pool.Stats) float64 { return float64(s.TimedOut) })
	add(counter, "connects_total", "Connections made.", func(s pool.Stats) float64 { return float64(s.Opened) })
	add(counter, "connect_failures_total", "Connections that could not be made.", func(s pool.Stats) float64 { return float64(s.ConnectFailed) })
	add(counter, "statements_killed_total", "Abandoned statements that were ended in the server.", func(s pool.Stats) float64 { return float64(s.Killed) })
	add(counter, "statement_kill_failures_total", "Abandoned statements that may still run in the server.", func(s pool.Stats) float64 { return float64(s.KillFailed) })
	return c
}

// Describe gives the figures' names.
func (c *poolCollector) Describe(out chan<- *prometheus.Desc) {
	for _, f := range c.figures {
		out <- f.desc
	}
}

// Collect gives the figures.
func (c *poolCollector) Collect(out chan<- prometheus.Metric) {
	stats := c.stats()
	for _, f := range c.figures {
		out <- prometheus.MustNewConstMetric(f.desc, f.kind, f.of(stats))
	}
}
