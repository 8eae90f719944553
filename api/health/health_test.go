package health_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/api/health"
	"banyan.dev/banyan/strangler"
)

func options(log *bytes.Buffer) health.Options {
	return health.Options{Fresh: time.Second, Timeout: 2 * time.Second, Logger: slog.New(slog.NewTextHandler(log, nil))}
}

func probe(h *health.Health) string {
	answer := httptest.NewRecorder()
	h.Readyz(answer, httptest.NewRequest("GET", "/readyz", nil))
	return strings.TrimSpace(answer.Result().Status + " " + answer.Body.String())
}

func TestAProbeStormAsksOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		h := health.New([]health.Part{{Name: "legacy", Ask: func(context.Context) error {
			asked++
			time.Sleep(100 * time.Millisecond) // in the bubble's own time
			return nil
		}}}, options(&bytes.Buffer{}))
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				if got := probe(h); got != `200 OK {"ready":true,"parts":{"legacy":"ok"}}` {
					t.Error(got)
				}
			})
		}
		wg.Wait()
		if asked != 1 {
			t.Errorf("asked %d times", asked)
		}
		time.Sleep(1001 * time.Millisecond)
		probe(h)
		if asked != 2 {
			t.Errorf("asked %d times after the answer got old", asked)
		}
	})
}

func TestReadyzSaysWhichPartIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		var fault error
		h := health.New([]health.Part{
			{Name: "legacy", Ask: func(context.Context) error { return fault }},
			{Name: "broker", Ask: func(ctx context.Context) error {
				if fault != nil {
					<-ctx.Done()
					return ctx.Err()
				}
				return nil
			}},
		}, options(&log))

		fault = strangler.Fail(codes.Unavailable, "DOWN", "legacy does not answer").WithCause(errors.New("10.0.0.7 refused"))
		start := time.Now()
		got := probe(h)
		if !strings.HasPrefix(got, "503 ") || !strings.Contains(got, `"legacy":"legacy does not answer"`) || !strings.Contains(got, `"broker":"the call took longer`) {
			t.Errorf("down: %s", got)
		}
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("a part that hangs held the probe for %s", took)
		}
		if strings.Contains(got, "10.0.0.7") || !strings.Contains(log.String(), "10.0.0.7") {
			t.Errorf("the cause belongs to the log only: %s; %s", got, log.String())
		}
		fault = nil
		time.Sleep(2 * time.Second)
		if got := probe(h); !strings.HasPrefix(got, "200 ") {
			t.Errorf("up again: %s", got)
		}
		h.Drain()
		if got := probe(h); got != `503 Service Unavailable {"ready":false,"parts":{"process":"stopping"}}` {
			t.Errorf("draining: %s", got)
		}
	})
}

func TestLivezIsAboutTheProcessOnly(t *testing.T) {
	h := health.New(nil, options(&bytes.Buffer{}))
	h.Drain()
	answer := httptest.NewRecorder()
	h.Livez(answer, httptest.NewRequest("GET", "/livez", nil))
	if answer.Code != 200 {
		t.Errorf("status %d", answer.Code)
	}
}
