package rest_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"banyan.dev/banyan/api/edge/edgetest"
	"banyan.dev/banyan/api/rest"
	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/strangler"
)

func TestStreamsAreLinesOfJSON(t *testing.T) {
	h := handler(t, edgetest.Echo{}, omit())
	w := do(t, h, "GET", "/v1/watch?f_int32=3", "")
	if want := strings.Repeat(`{"result":{"fInt32":3}}`+"\n", 3); w.Code != 200 || w.Body.String() != want || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("%d %v\n%s", w.Code, w.Header(), w.Body)
	}
	if w := do(t, h, "GET", "/v1/watch", ""); w.Code != 200 || w.Body.Len() != 0 {
		t.Errorf("no replies: %d %s", w.Code, w.Body)
	}
	w = do(t, h, "GET", "/v1/watch?f_string=fail", "")
	if p := parse(t, w); w.Code != 503 || p.Error.Details[0].Reason != "GONE" {
		t.Errorf("an error before the first reply: %d %s", w.Code, w.Body)
	}
	w = do(t, h, "GET", "/v1/watch?f_int32=2&f_string=fail", "")
	lines := strings.Split(strings.TrimSpace(w.Body.String()), "\n")
	var last problem
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || len(lines) != 3 || last.Error.Status != "UNAVAILABLE" || last.Error.Code != 503 {
		t.Errorf("an error after two replies: %v\n%s", err, w.Body)
	}
}

// Each reply arrives before the next one is made, and a caller who hangs up ends the call.
func TestStreamsFlushAndEndWithTheirCaller(t *testing.T) {
	next, ended := make(chan struct{}), make(chan error, 1)
	b := strangler.BackendFunc(func(ctx context.Context, c *strangler.Call, send func(*strangler.Reply) error) error {
		for {
			select {
			case <-next:
				if err := send(&strangler.Reply{Message: contract.FromWire(c.Operation.Output, nil)}); err != nil {
					return err
				}
			case <-ctx.Done():
				ended <- ctx.Err()
				return ctx.Err()
			}
		}
	})
	srv := httptest.NewServer(handler(t, b, omit()))
	defer srv.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL+"/v1/watch", nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() { next <- struct{}{} }()
	resp, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	for i := range 3 {
		if line, err := lines.ReadString('\n'); err != nil || line != `{"result":{}}`+"\n" {
			t.Fatalf("line %d: %q, %v", i, line, err)
		}
		if i < 2 {
			next <- struct{}{}
		}
	}
	cancel()
	if err := <-ended; err != context.Canceled {
		t.Errorf("the backend saw %v", err)
	}
}

func TestAUnaryCallEndsWithItsCaller(t *testing.T) {
	started, ended := make(chan struct{}), make(chan error, 1)
	b := strangler.BackendFunc(func(ctx context.Context, _ *strangler.Call, _ func(*strangler.Reply) error) error {
		close(started)
		<-ctx.Done()
		ended <- ctx.Err()
		return ctx.Err()
	})
	srv := httptest.NewServer(handler(t, b, rest.Options{}))
	defer srv.Close()
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, srv.URL+"/v1/echo", strings.NewReader(`{"fInt32":1}`))
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		<-started
		cancel()
	}()
	if resp, err := srv.Client().Do(req); err == nil {
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		t.Error("a cancelled request is answered")
	}
	if err := <-ended; err != context.Canceled {
		t.Errorf("the backend saw %v", err)
	}
}

func TestADeadlineInAHeaderEndsTheCall(t *testing.T) {
	h := handler(t, edgetest.Echo{}, omit())
	w := do(t, h, "GET", "/v1/fail/105", "", "Grpc-Timeout", "5m")
	if p := parse(t, w); w.Code != 504 || p.Error.Status != "DEADLINE_EXCEEDED" {
		t.Errorf("%s", w.Body)
	}
}
