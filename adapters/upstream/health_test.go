package upstream_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"banyan.dev/banyan/adapters/upstream"
)

func TestHealthyWithoutAHealthService(t *testing.T) {
	leaks(t)
	u := connect(t, options(serve(t, hang).target))
	if ok, why := u.Healthy(); !ok {
		t.Errorf("not healthy: %s", why)
	}
}

func TestNotHealthyWhereNobodyListens(t *testing.T) {
	leaks(t)
	u := connect(t, options(nobody(t)))
	if ok, why := u.Healthy(); ok || !strings.Contains(why, "refused") {
		t.Errorf("healthy: %v, %q", ok, why)
	}
}

// A service that says it is not well gets no calls, and is seen when it is well again.
func TestHealthFollowsTheService(t *testing.T) {
	leaks(t)
	listener := listen(t)
	server, state := grpc.NewServer(), health.NewServer()
	grpc_health_v1.RegisterHealthServer(server, state)
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) })
	defer serving.Wait()
	defer server.Stop()
	u := connect(t, options(listener.Addr().String()))
	if ok, why := u.Healthy(); !ok {
		t.Fatalf("not healthy: %s", why)
	}
	state.SetServingStatus("", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	eventually(t, "not healthy", func() bool {
		ok, why := u.Healthy()
		return !ok && strings.Contains(why, "NOT_SERVING")
	})
	eventually(t, "no calls", func() bool {
		_, err := ask(within(t, time.Minute), u, newCall("PlaceOrder", "a"))
		return strings.Contains(err.Error(), upstream.ReasonUnavailable)
	})
	state.SetServingStatus("", grpc_health_v1.HealthCheckResponse_SERVING)
	eventually(t, "healthy again", func() bool {
		ok, _ := u.Healthy()
		return ok
	})
	_, err := ask(within(t, time.Minute), u, newCall("PlaceOrder", "a"))
	want(t, err, codes.Unimplemented, "UNIMPLEMENTED")
}

func TestSeveralAddressesWithOneDown(t *testing.T) {
	leaks(t)
	one, two := serve(t, echo), serve(t, echo)
	u := connect(t, options(strings.Join([]string{nobody(t), one.target, two.target}, ", ")))
	eventually(t, "both are called", func() bool {
		if _, err := ask(within(t, time.Minute), u, newCall("PlaceOrder", "a")); err != nil {
			t.Fatal(err)
		}
		return one.calls.Load() > 0 && two.calls.Load() > 0
	})
	if ok, why := u.Healthy(); !ok {
		t.Errorf("not healthy: %s", why)
	}
}

func TestOptionsThatAreWrong(t *testing.T) {
	for _, test := range []struct {
		options upstream.Options
		says    []string
	}{
		{upstream.Options{MaxReplyBytes: -1, ConnectTimeout: -1, Reads: []string{"GetOrder", "/a", "/a/b/c"}}, []string{"no name", "-1 bytes", "-1ns", "no target", `"GetOrder"`, `"/a"`, `"/a/b/c"`}},
		{upstream.Options{Service: "s", Target: "orders"}, []string{"orders", "host:port"}},
		{upstream.Options{Service: "s", Target: "a:1,,b:2"}, []string{`""`, "host:port"}},
		{upstream.Options{Service: "s", Target: ":1"}, []string{`":1"`}},
		{upstream.Options{Service: "s", Target: "dns:///a:1,b:2"}, []string{"list with a scheme"}},
		{upstream.Options{Service: "s", Target: "gopher:///a:1"}, []string{"gopher"}},
	} {
		_, err := upstream.New(test.options)
		if err == nil {
			t.Errorf("%+v: no error", test.options)
			continue
		}
		for _, say := range test.says {
			if !strings.Contains(err.Error(), say) {
				t.Errorf("%+v: %q doesn't say %q", test.options, err, say)
			}
		}
	}
	for _, target := range []string{"dns:///localhost:1", "localhost:1", "[::1]:1, [::1]:2", "unix:/tmp/x", "passthrough:///a:1"} {
		o := options(target)
		o.Reads = append(o.Reads, o.Reads...)
		u, err := upstream.New(o)
		if err != nil {
			t.Errorf("%s: %v", target, err)
			continue
		}
		_ = u.Close()
	}
}
