package admin_test

import (
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"banyan.dev/banyan/api/admin"
	"banyan.dev/banyan/api/health"
)

func TestHandler(t *testing.T) {
	reg := prometheus.NewRegistry()
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "banyan_test_total"})
	reg.MustRegister(counter)
	counter.Inc()
	logger := slog.New(slog.DiscardHandler)
	h, err := admin.New(admin.Options{
		Metrics: reg, Health: health.New(nil, health.Options{Fresh: time.Second, Timeout: time.Second, Logger: logger}),
		Status: func() any { return map[string]int{"answer": 42} }, Logger: logger, BodyTimeout: time.Second, WriteTimeout: time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		method, path string
		status       int
		body         string
	}{
		{"GET", "/metrics", 200, "banyan_test_total 1\n"},
		{"GET", "/status", 200, `{"answer":42}`},
		{"GET", "/livez", 200, `{"live":true}`},
		{"GET", "/readyz", 200, `{"ready":true,"parts":{}}`},
		{"POST", "/metrics", 405, "Method Not Allowed"},
		{"GET", "/", 404, "not found"},
	} {
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, httptest.NewRequest(c.method, "http://127.0.0.1:9091"+c.path, nil))
		if answer.Code != c.status || !strings.Contains(answer.Body.String(), c.body) {
			t.Errorf("%s %s: %d %s", c.method, c.path, answer.Code, answer.Body)
		}
	}
	for path, want := range map[string]int{"/metrics": 403, "/status": 403, "/livez": 200} { // a name may be anybody's
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, httptest.NewRequest("GET", "http://rebound.example"+path, nil))
		if answer.Code != want {
			t.Errorf("%s under a foreign name: %d %s", path, answer.Code, answer.Body)
		}
	}
}
