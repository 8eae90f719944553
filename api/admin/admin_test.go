package admin_test

import (
	"log/slog"
	"net/http/httptest"
	"os"
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
	machine, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for host, ours := range map[string]bool{ // a name may be anybody's
		"rebound.example": false, "rebound.example:9091": false, "127.0.0.1.rebound.example": false, "rebound.": false, "rebound:9091": false, machine + ".rebound.example": false, "": false,
		machine: true, machine + ":9091": true, strings.ToUpper(machine): true, "localhost": true, "10.1.2.3:9091": true, "[::1]:9091": true, "[::1]": true,
	} {
		commanded := ours && !strings.EqualFold(host, machine) && host != machine+":9091" // by fewer names than it is looked at
		for path, shown := range map[string]bool{"/metrics": ours, "/status": ours, "/livez": true, "/readyz": true, "/admin/v1/history": commanded} {
			asked := httptest.NewRequest("GET", path, nil)
			asked.Host = host
			answer := httptest.NewRecorder()
			h.ServeHTTP(answer, asked)
			if refused := answer.Code == 403; refused == shown {
				t.Errorf("%s by %q: %d %s", path, host, answer.Code, answer.Body)
			}
		}
	}
}
