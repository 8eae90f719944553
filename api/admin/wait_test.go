package admin_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"banyan.dev/banyan/api/admin/admintest"
	"banyan.dev/banyan/strangler/control"
)

// waiting is an Operator whose commands wait until their context ends, as shifts do whose replicas don't answer. It says
// on began that one does, and on ended why it doesn't any more.
func waiting() (o *admintest.Operator, began chan struct{}, ended chan error) {
	o, began, ended = operator(), make(chan struct{}, 1), make(chan error, 1)
	o.Command = func(ctx context.Context, _ bool, _ control.Change) (control.Outcome, error) {
		began <- struct{}{}
		<-ctx.Done()
		ended <- ctx.Err()
		return control.Outcome{}, ctx.Err()
	}
	return o, began, ended
}

// advance commands in the background.
func advance(t testing.TB, server *httptest.Server, headers ...string) <-chan string {
	t.Helper()
	r := request(t, server, "POST", "/admin/v1/capabilities/orders:advance", `{"stage":"live"}`, headers...)
	said := make(chan string, 1)
	go func() {
		status, body := send(t, r)
		said <- http.StatusText(status) + " " + body
	}()
	return said
}

func TestACommandWaitsLongerThanTheServersTimeouts(t *testing.T) {
	const timeout = 100 * time.Millisecond
	o := operator()
	o.Command = func(ctx context.Context, _ bool, _ control.Change) (control.Outcome, error) {
		late := time.NewTimer(4 * timeout)
		defer late.Stop()
		select {
		case <-late.C:
			return control.Outcome{Done: true, Version: 7}, nil
		case <-ctx.Done():
			return control.Outcome{}, ctx.Err()
		}
	}
	server, _ := admintest.Serve(t, o, timeout)
	if said := <-advance(t, server); !strings.HasPrefix(said, `OK {"version":"7"`) {
		t.Error(said)
	}
}

func TestWhoWaitsIsToldWhenTheProcessStops(t *testing.T) {
	o, began, ended := waiting()
	server, handler := admintest.Serve(t, o, usual)
	said := advance(t, server)
	<-began
	handler.Stop()
	if got := <-said; !strings.HasPrefix(got, "Service Unavailable") || !strings.Contains(got, `"reason":"STOPPING"`) || !strings.Contains(got, "goes on by itself: see `banyan status orders` at another one") {
		t.Error(got)
	}
	<-ended
	if got := <-advance(t, server); !strings.Contains(got, `"reason":"STOPPING"`) { // what comes behind is told so, too
		t.Error(got)
	}
}

func TestWhoWaitsIsToldWhenItsTimeIsOver(t *testing.T) {
	o, _, ended := waiting()
	server, _ := admintest.Serve(t, o, usual)
	if got := <-advance(t, server, "Grpc-Timeout", "20m"); !strings.HasPrefix(got, "Gateway Timeout") || !strings.Contains(got, `"reason":"STILL_UNDER_WAY"`) || !strings.Contains(got, "`banyan status orders`") {
		t.Error(got)
	}
	if err := <-ended; !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if status, body := send(t, request(t, server, "GET", "/admin/v1/history", "", "Grpc-Timeout", "soon")); status != http.StatusBadRequest || !strings.Contains(body, "invalid grpc-timeout: soon") {
		t.Errorf("%d %s", status, body)
	}
}

// An Operator may have more to say of a shift that is under way than that the time is over.
func TestAnOutcomeThatIsStillUnderWay(t *testing.T) {
	o := operator()
	o.Command = func(ctx context.Context, _ bool, _ control.Change) (control.Outcome, error) {
		<-ctx.Done()
		return control.Outcome{Why: "waits for b"}, nil
	}
	server, _ := admintest.Serve(t, o, usual)
	if got := <-advance(t, server, "Grpc-Timeout", "20m"); !strings.HasPrefix(got, "OK") || !strings.Contains(got, `"done":false,"why":"waits for b"`) {
		t.Error(got)
	}
}

func TestACommandIsNotWaitedForWhenTheClientHasGone(t *testing.T) {
	o, began, ended := waiting()
	server, _ := admintest.Serve(t, o, usual)
	ctx, hangUp := context.WithCancel(t.Context())
	r := request(t, server, "POST", "/admin/v1/capabilities/orders:rollback", "").WithContext(ctx)
	gone := make(chan error, 1)
	go func() {
		answer, err := http.DefaultClient.Do(r)
		if err == nil {
			answer.Body.Close()
		}
		gone <- err
	}()
	<-began
	hangUp()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// A client that never sends what it has announced holds nothing.
func TestABodyHasToCome(t *testing.T) {
	server, _ := admintest.Serve(t, operator(), 100*time.Millisecond)
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(server.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("POST /admin/v1/capabilities/orders:rollback HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")); err != nil {
		t.Fatal(err)
	}
	said := make([]byte, 4096)
	n, err := conn.Read(said)
	if got := string(said[:n]); err != nil || !strings.HasPrefix(got, "HTTP/1.1 400") || !strings.Contains(got, "BODY_UNREADABLE") {
		t.Errorf("%v: %s", err, got)
	}
}

func TestStoppingTwice(t *testing.T) {
	_, handler := admintest.Serve(t, operator(), usual)
	handler.Stop()
	handler.Stop()
}
