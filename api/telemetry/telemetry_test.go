package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/api/telemetry"
	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/strangler"
)

func TestEachCallIsLoggedAndMeasured(t *testing.T) {
	op := &contract.Operation{Name: "shop.v2.Orders.Get"}
	private := errors.New("Error 1045: no")
	for _, c := range []struct {
		name   string
		answer func() error
		code   codes.Code
		log    map[string]any
	}{
		{
			"ok", func() error { return nil }, codes.OK,
			map[string]any{"level": "DEBUG", "msg": "call", "code": "OK"},
		},
		{
			"caller's fault", func() error { return strangler.Fail(codes.NotFound, "NO_ROW", "no such order") }, codes.NotFound,
			map[string]any{"level": "INFO", "code": "NOT_FOUND", "reason": "NO_ROW", "message": "no such order"},
		},
		{
			"overload", func() error { return strangler.Fail(codes.ResourceExhausted, "X", "x") }, codes.ResourceExhausted,
			map[string]any{"level": "WARN", "code": "RESOURCE_EXHAUSTED"},
		},
		{
			"our fault", func() error { return private }, codes.Internal,
			map[string]any{"level": "ERROR", "code": "INTERNAL", "cause": private.Error()},
		},
		{
			"cancelled", func() error { return context.Canceled }, codes.Canceled,
			map[string]any{"level": "INFO", "code": "CANCELLED"},
		},
		{
			"panic", func() error { panic("oh") }, codes.Internal,
			map[string]any{"level": "ERROR", "code": "INTERNAL", "reason": "INTERNAL"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log bytes.Buffer
			reg := prometheus.NewPedanticRegistry()
			b := telemetry.New("rest", []*contract.Operation{op}, telemetry.NewMetrics(reg),
				slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
				strangler.BackendFunc(func(context.Context, *strangler.Call, func(*strangler.Reply) error) error { return c.answer() }))
			for range 2 {
				log.Reset()
				err := strangler.AsError(b.Call(t.Context(), &strangler.Call{Operation: op, RequestID: "r1"}, nil))
				if err == nil && c.code != codes.OK || err != nil && err.Code != c.code {
					t.Fatalf("error: %v", err)
				}
				if err != nil && !err.Logged {
					t.Error("the error would be logged again")
				}
			}
			var line map[string]any
			if err := json.Unmarshal(log.Bytes(), &line); err != nil {
				t.Fatalf("log %q: %v", log.String(), err)
			}
			c.log["request_id"], c.log["operation"], c.log["transport"] = "r1", "shop.v2.Orders.Get", "rest"
			for k, want := range c.log {
				if line[k] != want {
					t.Errorf("log: %s = %v, want %v", k, line[k], want)
				}
			}
			if c.name == "panic" && !strings.Contains(log.String(), "telemetry_test.go") {
				t.Errorf("the log of a panic has no stack: %s", log.String())
			}
			metrics := scrape(t, reg)
			labels := `{code="` + c.log["code"].(string) + `",operation="shop.v2.Orders.Get",transport="rest"} 2`
			for _, want := range []string{
				"banyan_requests_total" + labels, "banyan_request_duration_seconds_count" + labels,
				`banyan_requests_in_flight{transport="rest"} 0`,
			} {
				if !strings.Contains(metrics, want+"\n") {
					t.Errorf("no %s in:\n%s", want, metrics)
				}
			}
		})
	}
}

func scrape(t *testing.T, reg *prometheus.Registry) string {
	t.Helper()
	answer := httptest.NewRecorder()
	promhttp.HandlerFor(reg, promhttp.HandlerOpts{}).ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
	return answer.Body.String()
}

func BenchmarkCall(b *testing.B) {
	op := &contract.Operation{Name: "shop.v2.Orders.Get"}
	backend := telemetry.New("rest", []*contract.Operation{op}, telemetry.NewMetrics(prometheus.NewRegistry()), slog.New(slog.DiscardHandler),
		strangler.BackendFunc(func(context.Context, *strangler.Call, func(*strangler.Reply) error) error { return nil }))
	call := &strangler.Call{Operation: op}
	b.ReportAllocs()
	for b.Loop() {
		if err := backend.Call(b.Context(), call, nil); err != nil {
			b.Fatal(err)
		}
	}
}
