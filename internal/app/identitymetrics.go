package app

import (
	"github.com/prometheus/client_golang/prometheus"

	"banyan.dev/banyan/api/certs"
)

// register shows how it stands with certificates and keys, as of the scrape.
func (id *identity) register(reg *prometheus.Registry) {
	gauge := func(name, help string, labels prometheus.Labels, of func() float64) {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels}, of))
	}
	for listener, store := range map[string]*certs.Store{"listen.tls": id.facade, "listen.admin_tls": id.admin} {
		if store == nil {
			continue
		}
		labels := prometheus.Labels{"listener": listener}
		gauge("banyan_tls_expiry_timestamp_seconds", "When the certificate in use expires.", labels, func() float64 { return float64(store.Leaf().NotAfter.Unix()) })
		gauge("banyan_tls_stale", "1 while the certificate's files have something that can't be used.", labels, func() float64 {
			if store.Stale() {
				return 1
			}
			return 0
		})
	}
	if id.keys == nil {
		return
	}
	gauge("banyan_auth_keys", "Keys of the issuer of access tokens.", nil, func() float64 { return float64(id.keys.Stats().Keys) })
	gauge("banyan_auth_keys_age_seconds", "Time since the keys were last seen at their source.", nil, func() float64 { return id.keys.Stats().Age.Seconds() })
	reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "banyan_auth_keys_failures_total", Help: "Looks for keys that gave none.",
	}, func() float64 { return float64(id.keys.Stats().Failures) }))
}
