package app_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"banyan.dev/banyan/internal/app/apptest"
	"banyan.dev/banyan/internal/devstack"
)

// napping waits until the server runs exactly so many naps.
func napping(t *testing.T, n *notes, want int) {
	t.Helper()
	apptest.Poll(t, "naps in the server", func() error {
		var got int
		err := n.db.QueryRow("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE DB = DATABASE() AND INFO LIKE '%SLEEP%' AND ID <> CONNECTION_ID()").Scan(&got)
		if err == nil && got != want {
			return fmt.Errorf("%d naps, not %d", got, want)
		}
		return err
	})
}

// answer is how a call ended.
type answer struct {
	code int // HTTP status
	body string
	err  error
}

// nap begins a nap over each transport, and gives their answers when they have ended.
func nap(t *testing.T, n *notes, seconds int) (rest, grpc <-chan answer) {
	t.Helper()
	overREST, overGRPC := make(chan answer, 1), make(chan answer, 1)
	go func() {
		code, body, err := n.rest(context.Background(), "GET", fmt.Sprint("/v1/naps/", seconds), "")
		overREST <- answer{code, body, err}
	}()
	go func() {
		body, err := n.grpc(context.Background(), "Nap", fmt.Sprintf(`{"seconds": %d}`, seconds))
		overGRPC <- answer{body: body, err: err}
	}()
	napping(t, n, 2)
	return overREST, overGRPC
}

func TestStoppingLetsRunningCallsEnd(t *testing.T) {
	server := &devstack.MariaDB(t).Server
	noLeaks(t)
	n := startNotes(t, server)
	rest, grpc := nap(t, n, 2)
	n.Stop()
	if got := fetch(t, "http://"+n.Admin+"/readyz", 503); !strings.Contains(got, `"process":"stopping"`) {
		t.Errorf("readyz: %s", got)
	}
	apptest.Poll(t, "new calls are refused", func() error {
		if code, _, err := n.rest(t.Context(), "GET", "/v1/notes/1", ""); err == nil {
			return fmt.Errorf("status %d", code)
		}
		return nil
	})
	if got := <-rest; got.code != http.StatusOK || got.err != nil {
		t.Errorf("REST: %+v", got)
	}
	if got := <-grpc; got.err != nil {
		t.Errorf("gRPC: %+v", got)
	}
	if err := n.Wait(t); err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestCallsThatOutliveTheDrainAreCancelled(t *testing.T) {
	server := &devstack.MariaDB(t).Server
	for _, c := range []struct {
		name, drain string
		stop        func(*notes)
	}{
		{"after shutdown.drain", "drain: 100ms", (*notes).Stop},
		{"at the second signal", "drain: 20s", func(n *notes) { n.Stop(); n.Abort() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			noLeaks(t)
			n := startNotes(t, server, "drain: 20s", c.drain, "default: 5s", "default: 25s")
			rest, grpc := nap(t, n, 25)
			start := time.Now()
			c.stop(n)
			if got := <-rest; got.code != http.StatusServiceUnavailable || !strings.Contains(got.body, "SHUTTING_DOWN") {
				t.Errorf("REST: %+v", got)
			}
			if got := <-grpc; status.Code(got.err) != codes.Unavailable {
				t.Errorf("gRPC: %+v", got)
			}
			if err := n.Wait(t); err != nil {
				t.Errorf("Run: %v", err)
			}
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("stopping took %s:\n%s", took, n.Logs())
			}
			napping(t, n, 0)
		})
	}
}

// A caller who hangs up has his query ended in the server.
func TestHangingUpEndsTheQuery(t *testing.T) {
	server := &devstack.MariaDB(t).Server
	noLeaks(t)
	n := startNotes(t, server, "default: 5s", "default: 30s")
	for _, c := range []struct {
		transport string
		call      func(context.Context) error
	}{
		{"rest", func(ctx context.Context) error { _, _, err := n.rest(ctx, "GET", "/v1/naps/30", ""); return err }},
		{"grpc", func(ctx context.Context) error { _, err := n.grpc(ctx, "Nap", `{"seconds": 30}`); return err }},
	} {
		ctx, hangUp := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- c.call(ctx) }()
		napping(t, n, 1)
		hangUp()
		if err := <-ended; !errors.Is(err, context.Canceled) && status.Code(err) != codes.Canceled {
			t.Errorf("%s: %v", c.transport, err)
		}
		napping(t, n, 0)
		apptest.Poll(t, "the log says so", func() error {
			return n.LogLine(`"transport":"`+c.transport+`"`, `"code":"CANCELLED"`)
		})
	}
}

// The caller's deadline is the statement's.
func TestADeadlineEndsTheQuery(t *testing.T) {
	server := &devstack.MariaDB(t).Server
	noLeaks(t)
	n := startNotes(t, server, "default: 5s", "default: 300ms")
	code, body, err := n.rest(t.Context(), "GET", "/v1/naps/30", "")
	if code != http.StatusGatewayTimeout || !strings.Contains(body, "longer than 300ms, which is the limit here") {
		t.Errorf("REST: %d %s %v", code, body, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := n.grpc(ctx, "Nap", `{"seconds": 30}`); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("gRPC: %v", err)
	}
	napping(t, n, 0)
}
