package app_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"banyan.dev/banyan/internal/app/apptest"
	"banyan.dev/banyan/internal/devstack"
)

// MariaDB is killed under load: every caller gets an answer within its deadline, a clear one, and service resumes.
func TestLegacyIsKilledUnderLoad(t *testing.T) {
	db := devstack.OwnMariaDB(t)
	noLeaks(t)
	n := startNotes(t, &db.Server)
	const deadline, slack = 3 * time.Second, 5 * time.Second // slack is for a machine that is busy with other tests

	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	var answered, refused atomic.Int64
	callers := func(call func(context.Context) (ok, unavailable bool, what string)) {
		for range 8 {
			load.Go(func() {
				for ctx.Err() == nil {
					one, cancel := context.WithTimeout(context.Background(), deadline)
					start := time.Now()
					ok, unavailable, what := call(one)
					took := time.Since(start)
					cancel()
					switch {
					case took > deadline+slack:
						t.Errorf("an answer took %s: %s", took, what)
					case ok:
						answered.Add(1)
					case unavailable:
						refused.Add(1)
					default:
						t.Errorf("an unclear answer: %s", what)
					}
				}
			})
		}
	}
	callers(func(ctx context.Context) (bool, bool, string) {
		code, body, err := n.rest(ctx, "GET", "/v1/notes/1", "")
		return code == http.StatusOK, code == http.StatusServiceUnavailable, fmt.Sprint("REST ", code, body, err)
	})
	callers(func(ctx context.Context) (bool, bool, string) {
		body, err := n.grpc(ctx, "GetNote", `{"id": 1}`)
		return err == nil, status.Code(err) == codes.Unavailable, fmt.Sprint("gRPC ", body, err)
	})
	more := func(what string, counter *atomic.Int64, by int64) {
		t.Helper()
		from := counter.Load()
		apptest.Poll(t, what, func() error {
			if got := counter.Load() - from; got < by {
				return fmt.Errorf("%d of %d", got, by)
			}
			return nil
		})
	}
	more("answers before", &answered, 100)
	db.Kill()
	more("refusals while it is down", &refused, 100)
	fetch(t, "http://"+n.Admin+"/readyz", 503)
	fetch(t, "http://"+n.REST+"/readyz", 503)
	fetch(t, "http://"+n.REST+"/livez", 200)
	apptest.Poll(t, "gRPC health while it is down", func() error {
		return serving(t.Context(), n.Conn, grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	})
	if err := db.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	more("answers afterwards", &answered, 100)
	fetch(t, "http://"+n.Admin+"/readyz", 200)
	apptest.Poll(t, "gRPC health afterwards", func() error {
		return serving(t.Context(), n.Conn, grpc_health_v1.HealthCheckResponse_SERVING)
	})
	stop()
	load.Wait()
	if err := n.Wait(t); err != nil {
		t.Errorf("Run: %v", err)
	}
	if left := connections(t, n); left != 1 {
		t.Errorf("%d connections are left in the server, besides the one that asks", left-1)
	}
}

// connections counts those to the notes' database; the server may need a moment to see that one was closed.
func connections(t *testing.T, n *notes) int {
	t.Helper()
	var left int
	n.db.SetMaxIdleConns(0)
	deadline := time.Now().Add(10 * time.Second)
	for {
		if err := n.db.QueryRow("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE DB = DATABASE()").Scan(&left); err != nil {
			t.Fatal(err)
		}
		if left == 1 || time.Now().After(deadline) {
			return left
		}
	}
}
