package cli_test

import (
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/api/admin/admintest"
	"banyan.dev/banyan/api/auth/authtest"
	"banyan.dev/banyan/api/certs"
	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/flags"
	"banyan.dev/banyan/internal/app"
	"banyan.dev/banyan/mirror"
	"banyan.dev/banyan/strangler"
	"banyan.dev/banyan/strangler/backfill"
	"banyan.dev/banyan/strangler/control"
	"banyan.dev/banyan/strangler/retirement"
)

// startAdmin is `admin MODE`: serves an admin API whose capabilities are made up, and sets BANYAN_ADMIN to its address. Modes:
//
//	well    commands are done at once
//	refuse  commands are refused
//	back    shifts go back by themselves
//	stuck   commands wait until nobody waits for them
//	cut     commands end with the connection
//	old     there is no admin API
//	tls     commands are done at once, of those who show a certificate
//	unread  as well, and a service is not told of everything
func startAdmin(ts *testscript.TestScript, _ bool, args []string) {
	o := &admintest.Operator{Capabilities: shown(), Audits: audits(), Live: writes(), Reports: reports(), Jobs: jobs()}
	o.Command = func(ctx context.Context, rollback bool, c control.Change) (control.Outcome, error) {
		o.Set(func(s *control.CapabilityStatus) { s.Shift = "waits for shop-bb" })
		return becomes(ctx, args[0], rollback, c)
	}
	var status any = map[string]any{"mirror": nil}
	if args[0] == "unread" {
		status = unreadStatus()
	}
	if args[0] != "refuse" {
		o.Fence = fences()
	}
	handler, err := admintest.New(o, status, time.Minute)
	ts.Check(err)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case args[0] == "old" && strings.HasPrefix(r.URL.Path, "/admin/"):
			http.NotFound(w, r)
		case args[0] == "cut" && r.Method == http.MethodPost:
			panic(http.ErrAbortHandler)
		default:
			handler.ServeHTTP(w, r)
		}
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that are refused
	if args[0] == "tls" {
		store, err := certs.Open(certs.Files{
			Certificate: ts.MkAbs("server.pem"), Key: ts.MkAbs("server.key"), ClientCA: ts.MkAbs("ca.pem"), RequireClient: true,
		}, nil)
		ts.Check(err)
		server.TLS = store.Config()
		server.StartTLS()
	} else {
		server.Start()
	}
	ts.Defer(func() {
		handler.Stop()
		server.Close()
	})
	ts.Setenv("BANYAN_ADMIN", strings.TrimPrefix(server.URL, "http://"))
	ts.Setenv("AT", server.Listener.Addr().String())
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	ts.Check(err)
	ts.Setenv("PORT", port)
}

// unreadStatus is that of a mirror that leads, beside a stream that does and one that has stopped.
func unreadStatus() app.Status {
	leads := mirror.Status{Phase: mirror.PhaseLeading, Since: time.Now().Add(-time.Hour)}
	orders, stock := leads, leads
	orders.Entities, orders.Fences, orders.Waiting, orders.Unreadable = 12, 3, 1, 7
	for _, id := range []string{"7", "8\x1b[0m"} {
		orders.Unread = append(orders.Unread, mirror.UnreadEntry{Entity: "shop.v2.Order", ID: id, Since: time.Now().Add(-2 * time.Minute), Reason: "its Get misses a row", Fix: "add it"})
	}
	stock.Phase, stock.Stop = mirror.PhaseStopped, &mirror.Stop{What: "nobody can tell", Cause: "TRUNCATE", Fix: "fill it anew"}
	return app.Status{Mirror: &app.MirrorStatus{Name: "main", Status: leads}, Services: []app.MirrorStatus{{Name: "service.orders", Status: orders}, {Name: "service.stock", Status: stock}}}
}

// writeCertificates writes an authority (ca.pem), a server (server.pem, server.key), and an operator named ada (ada.pem,
// ada.key), and another authority (other.pem) with an operator of its own (eve.pem, eve.key) into a directory.
func writeCertificates(t *testing.T, dir string) {
	authority := authtest.NewAuthority(t, "shop")
	authority.Issue(t, x509.Certificate{DNSNames: []string{"banyan.shop.test"}}).Write(t, dir, "server")
	authority.Issue(t, x509.Certificate{Subject: pkix.Name{CommonName: "ada"}}).Write(t, dir, "ada")
	other := authtest.NewAuthority(t, "other")
	other.Issue(t, x509.Certificate{Subject: pkix.Name{CommonName: "eve"}}).Write(t, dir, "eve")
	for name, text := range map[string][]byte{"ca.pem": authority.PEM(), "other.pem": other.PEM()} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// commanded is `commanded`: waits until a command has come.
func commanded(ts *testscript.TestScript, _ bool, _ []string) {
	poll(ts, func() error {
		answer, err := http.Get("http://" + ts.Getenv("BANYAN_ADMIN") + "/admin/v1/capabilities/orders")
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err == nil && !strings.Contains(string(text), `"shift":"waits`) {
			err = fmt.Errorf("nothing was commanded: %s", text)
		}
		return err
	})
}

// becomes is what becomes of a command.
func becomes(ctx context.Context, mode string, rollback bool, c control.Change) (control.Outcome, error) {
	o := control.Outcome{
		Version: 10, From: "live 25%, shadow 75%", To: "live", Done: true, Replicas: 2, Of: 2,
		Took: 412 * time.Millisecond, Paused: 96 * time.Millisecond,
	}
	if c.Percent > 0 {
		o.To = "live 50%, shadow 50%"
	}
	if rollback {
		o.To, o.Took, o.Voided, o.Fenced = "shadow", 41*time.Millisecond, 2, []string{"shop-c"}
	}
	switch {
	case c.DryRun:
		o.Done, o.Steps = false, []string{"send a fence to orders-service, and wait for its answer", "hold writes of the keys that move"}
		if rollback {
			o.Steps = []string{"hold writes of the keys that move, as " + c.Who}
		}
	case mode == "refuse":
		return control.Outcome{}, strangler.Fail(codes.FailedPrecondition, "BLOCKED", "the first filling of orders-service is not done yet; wait for it")
	case mode == "back" && rollback:
		o.Done, o.Replicas, o.Took, o.Why, o.Fenced = false, 1, 3400*time.Millisecond, "shop-b has not answered", nil
	case mode == "back":
		o.Done, o.To, o.Why = false, o.From, "orders-service did not answer the fence within 5 s"
	case mode == "stuck":
		<-ctx.Done()
		return control.Outcome{}, ctx.Err()
	}
	return o, nil
}

func shown() []control.CapabilityStatus {
	flag := json.RawMessage(`{"capability":"orders","version":9,"phase":"steady","from":{"state":"ENABLED"},"to":{"state":"ENABLED"}}`)
	return []control.CapabilityStatus{
		{
			Capability: "orders", Service: "orders-service", Stage: "live 25%, shadow 75%", Version: 9, Phase: flags.Steady, Flag: flag,
			Replicas: []control.Replica{
				{Name: "shop-a", Address: "10.0.0.1:9091", Silent: 300 * time.Millisecond, Acks: map[string]control.Ack{"orders": {Applied: 9, Settled: 9}}},
				{Name: "shop-bb", Silent: 1200 * time.Millisecond, Acks: map[string]control.Ack{"orders": {Applied: 9, Settled: 8}}},
				{Name: "shop-c", Silent: 200 * time.Second, Fenced: true, Acks: map[string]control.Ack{}},
			},
			Backfill: "done", Backfilled: 50_000, Open: 1, Doubt: 1, Shadow: strangler.Comparisons{Same: 1204, Different: 3, Failed: 1, Dropped: 12},
			Blockers:    []string{"1 write is in doubt: banyan writes list orders --state doubt", "shop-c is silent"},
			RollbackWhy: "1 write is in doubt", Last: "live 25%, shadow 75% in 412 ms", Next: "banyan writes list orders --state doubt",
		},
		{
			Capability: "customers", Service: "crm", Stage: "off", Version: 1, Phase: flags.Steady, RollbackSafe: true,
			Replicas: []control.Replica{{Name: "shop-a", Acks: map[string]control.Ack{"customers": {Applied: 1, Settled: 1}}}, {Name: "shop-bb"}},
			Next:     "banyan advance customers --to mirrored",
		},
		{
			Capability: "stock", Stage: "mirrored", Version: 4, Phase: flags.HoldLegacy, Shift: "shop-bb has not applied version 4", Backfill: "running",
			Backfilled: 17, RollbackSafe: true, Next: "banyan status stock",
		},
	}
}

// jobs are a backfill that is done, one that has failed, and one that goes on.
func jobs() []backfill.Job {
	at := time.Date(2026, 11, 25, 1, 53, 11, 0, time.UTC)
	return []backfill.Job{
		{ID: 1, Target: backfill.Target{Mirror: "service.orders", Name: "shop.v2.Order"}, State: backfill.Done, Done: 1234, Total: 1200, Who: "ada@laptop", Created: at},
		{ID: 2, Target: backfill.Target{Mirror: "main", Schema: "shop", Name: "log"}, State: backfill.Failed, Note: "shop.log has no primary key\x1b[31m", Who: "ada@laptop", Created: at},
		{
			ID: 3, Target: backfill.Target{Mirror: "main", Schema: "shop", Name: "orders"}, State: backfill.Running, Done: 1000, Total: 3_000_000, Who: "bob@desk", Created: at, MaxLag: time.Second,
			Note: "waits: the mirror is 7 s behind, and --max-lag is 5s",
		},
	}
}

func reports() []retirement.Report {
	at := time.Date(2026, 11, 25, 1, 53, 11, 0, time.UTC)
	day := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	three := make([]*contract.Operation, 3)
	return []retirement.Report{
		{Version: &retirement.Version{Package: "shop.v0", Of: "shop.v1", Sunset: at, Refuse: true, Operations: three}, State: retirement.Gone, Watched: 3, Since: at},
		{
			Version: &retirement.Version{Package: "shop.v1", Of: "shop.v2", Deprecated: day, Sunset: day.AddDate(1, 0, 0), Refuse: true, Operations: three},
			State:   retirement.Deprecated, Watched: 3, Since: at,
			Callers: []retirement.Caller{
				{Operation: "shop.v1.OrderService.PlaceOrder", Client: "till-7", Calls: 1204, Last: at},
				{Operation: "shop.v1.OrderService.GetOrder", Agent: "okhttp/4.12\x1b[31m", Last: at.AddDate(0, -2, 0)},
				{Operation: "shop.v1.OrderService.GetOrder", Agent: retirement.Others, Calls: 2, Last: at.AddDate(0, -2, 0)},
				{Operation: "shop.v1.OrderService.GetOrder", Calls: 1, Last: at.AddDate(0, -2, 0)},
			},
		},
		{Version: &retirement.Version{Package: "shop.v2", Operations: three}, State: retirement.Current, Watched: 1},
	}
}

func audits() []control.Audit {
	at := time.Date(2026, 11, 25, 1, 53, 11, 0, time.UTC)
	return []control.Audit{
		{At: at, Capability: "orders", Version: 9, Who: "ada@laptop", What: "shift done", From: "shadow", To: "live 25%, shadow 75%", Reason: "first <quarter>"},
		{At: at.Add(-time.Hour), Capability: "customers", Version: 1, Who: "banyan", What: "made\x1b[31m", To: "off"},
	}
}

func writes() []strangler.Write {
	at := time.Date(2026, 11, 25, 1, 53, 11, 0, time.UTC)
	return []strangler.Write{
		{
			ID: "01930b6e-0000-7000-8000-000000000002", Capability: "orders", Operation: "shop.v2.OrderService.PlaceOrder", Key: "7", Keyed: true,
			Epoch: 9, Replica: "shop-a", State: strangler.WriteOpen, Created: at, Changed: at,
		},
		{
			ID: "01930b6e-0000-7000-8000-000000000001", Capability: "orders", Operation: "shop.v2.OrderService.CancelOrder", Entity: "4711",
			Epoch: 9, Replica: "shop-bb", State: strangler.WriteDoubt, Reason: "legacy can't hold what modern has: note", Created: at.Add(-time.Minute), Changed: at,
		},
	}
}

// fences takes 10, 20, 30, ... ms for a fence of orders; the fourth of stock is not answered.
func fences() func(context.Context, string) (control.FenceTime, error) {
	var sent atomic.Int64
	return func(_ context.Context, service string) (control.FenceTime, error) {
		n := sent.Add(1)
		f := control.FenceTime{Service: service, Took: time.Duration(n) * 10 * time.Millisecond}
		switch {
		case service == "stock" && n > 3:
			return f, strangler.Fail(codes.DeadlineExceeded, "FENCE_NOT_ANSWERED", "the service stock has not answered the fence in 30s")
		case service == "stock":
			f.Parked, f.More = []string{"90", "91"}, true
		case service != "orders":
			return f, strangler.Fail(codes.NotFound, "NO_SUCH_SERVICE", "no service %q has a stream; there is orders, stock", service)
		}
		return f, nil
	}
}
