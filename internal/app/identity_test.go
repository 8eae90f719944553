package app_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"

	"banyan.dev/banyan/api/auth/authtest"
	"banyan.dev/banyan/internal/app"
	"banyan.dev/banyan/internal/app/apptest"
	"banyan.dev/banyan/internal/config"
	"banyan.dev/banyan/internal/devstack"
)

// Claims reach the SQL, over both transports; what is refused is refused over both; nothing secret is logged.
func TestCallersAreKnown(t *testing.T) {
	s := startTills(t)
	berlin, certified := s.token(t, "berlin", nil), s.issue(t, "madrid")
	seller := s.token(t, "berlin", map[string]any{"scope": "sales.write", "limit": 500})
	for name, test := range map[string]struct {
		caller       *caller
		method, path string
		rpc, request string
		body         string
		rest         int
		grpc         codes.Code
		want         string // part of both replies
		not          string // no part of them
	}{
		"a claim":                 {s.caller(t, berlin, nil), "GET", "/v1/sales", "ListSales", "{}", "", 200, codes.OK, `"id":"3","shop":"berlin"`, "madrid"},
		"another's":               {s.caller(t, s.token(t, "madrid", nil), nil), "GET", "/v1/sales", "ListSales", "{}", "", 200, codes.OK, `"id":"2","shop":"madrid"`, "berlin"},
		"no such claim":           {s.caller(t, s.key.Token(t, authtest.Claims(nil)), nil), "GET", "/v1/sales", "ListSales", "{}", "", 200, codes.OK, `{`, "shop"},
		"a stream":                {s.caller(t, berlin, nil), "GET", "/v1/sales:watch", "WatchSales", "{}", "", 200, codes.OK, `"id":"3","shop":"berlin"`, "madrid"},
		"a certificate":           {s.caller(t, "", &certified), "GET", "/v1/sales:watch", "WatchSales", "{}", "", 200, codes.OK, `"id":"2","shop":"madrid"`, "berlin"},
		"nobody":                  {s.caller(t, "", nil), "GET", "/v1/sales", "ListSales", "{}", "", 401, codes.Unauthenticated, "it is not known who calls", "berlin"},
		"nobody's stream":         {s.caller(t, "", nil), "GET", "/v1/sales:watch", "WatchSales", "{}", "", 401, codes.Unauthenticated, "it is not known who calls", "berlin"},
		"nobody, for all to see":  {s.caller(t, "", nil), "GET", "/v1/hours", "GetHours", "{}", "", 200, codes.OK, `"text":"always"`, "berlin"},
		"expired":                 {s.caller(t, s.token(t, "berlin", map[string]any{"exp": 1}), nil), "GET", "/v1/sales", "ListSales", "{}", "", 401, codes.Unauthenticated, "has expired", "berlin"},
		"no scope":                {s.caller(t, berlin, nil), "POST", "/v1/sales", "AddSale", `{"sale":{"id":8,"cents":1}}`, `{"id":8,"cents":1}`, 403, codes.PermissionDenied, "lacks the scope sales.write", "x"},
		"a condition that is not": {s.caller(t, seller, nil), "POST", "/v1/sales", "AddSale", `{"sale":{"id":8,"cents":500}}`, `{"id":8,"cents":500}`, 403, codes.PermissionDenied, "auth.require.adding", "limit"},
		"a claim that is not there": {
			s.caller(t, s.token(t, "berlin", map[string]any{"scope": "sales.write"}), nil), "POST", "/v1/sales", "AddSale",
			`{"sale":{"id":8,"cents":5}}`, `{"id":8,"cents":5}`, 403, codes.PermissionDenied, "auth.require.adding", "limit",
		},
	} {
		t.Run(name, func(t *testing.T) {
			code, body := s.overREST(t, test.caller, test.method, test.path, test.body)
			got, reply := s.overGRPC(t, test.caller, test.rpc, test.request)
			if code != test.rest || got != test.grpc {
				t.Errorf("REST %d, gRPC %s, want %d, %s:\n%s\n%s", code, got, test.rest, test.grpc, body, reply)
			}
			for transport, text := range map[string]string{"REST": body, "gRPC": reply} {
				if !strings.Contains(text, test.want) || strings.Contains(text, test.not) && test.not != "x" {
					t.Errorf("%s: %s, want %s without %s", transport, text, test.want, test.not)
				}
			}
		})
	}
	if code, body := s.overREST(t, s.caller(t, seller, nil), "POST", "/v1/sales", `{"id":8,"cents":499,"shop":"madrid"}`); code != 200 {
		t.Errorf("a write: %d %s", code, body)
	}
	if _, body := s.overREST(t, s.caller(t, berlin, nil), "GET", "/v1/sales", ""); !strings.Contains(body, `"id":"8","shop":"berlin"`) {
		t.Errorf("what the claim's owner wrote: %s", body)
	}

	// Health and reflection are open; clients' names are logged, and nothing else that is theirs.
	health, err := grpc_health_v1.NewHealthClient(s.caller(t, "", nil).conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{})
	if err != nil || health.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Errorf("health: %v, %v", health, err)
	}
	if code, body := s.overREST(t, s.caller(t, "", nil), "GET", "/livez", ""); code != 200 {
		t.Errorf("livez: %d %s", code, body)
	}
	if err := errors.Join(s.LogLine(`"client":"till"`, "ListSales"), s.LogLine(`"client":"cert:madrid"`, "WatchSales")); err != nil {
		t.Error(err)
	}
	logs := s.Logs()
	for _, secret := range []string{berlin, strings.Split(berlin, ".")[1], strings.Split(berlin, ".")[2], `"u1"`, "sales.write orders", "PRIVATE KEY"} {
		if strings.Contains(logs, secret) {
			t.Errorf("the log has %q", secret)
		}
	}
}

// Certificates and keys are taken from their files when they change; what can't be used changes nothing.
func TestCertificatesAndKeysAreRenewed(t *testing.T) {
	s := startTills(t)
	operator := s.issue(t, "ada")
	served := func(at string) (string, error) {
		conn, err := tls.Dial("tcp", at, &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: s.authority.Pool(), Certificates: []tls.Certificate{operator.TLS(t)}, NextProtos: []string{"h2"}})
		if err != nil {
			return "", err
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].Subject.CommonName, nil
	}
	everywhere := func(want string) error {
		var errs []error
		for _, at := range []string{s.REST, s.GRPC, s.Admin} {
			if name, err := served(at); err != nil || name != want {
				errs = append(errs, fmt.Errorf("%s serves %s, not %s: %w", at, name, want, err))
			}
		}
		return errors.Join(errs...)
	}
	if err := everywhere("first"); err != nil {
		t.Fatal(err)
	}
	s.issue(t, "second").Write(t, s.dir, "server")
	apptest.Poll(t, "a new certificate is served", func() error { return everywhere("second") })
	s.write(t, "server.pem", []byte("nothing"))
	apptest.Poll(t, "it is said", func() error {
		return errors.Join(s.LogLine(`"level":"ERROR"`, "the new certificate can't be used", "listen.tls"), s.LogLine(`"level":"ERROR"`, "the new certificate can't be used", "listen.admin_tls"))
	})
	if err := everywhere("second"); err != nil {
		t.Error(err)
	}
	page := s.admin(t, &operator, "/metrics")
	for _, want := range []string{`banyan_tls_stale{listener="listen.tls"} 1`, `banyan_tls_expiry_timestamp_seconds{listener="listen.admin_tls"}`, "banyan_auth_keys 1", "banyan_auth_keys_failures_total 0"} {
		if !strings.Contains(page, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}

	old, next := s.caller(t, s.token(t, "berlin", nil), nil), authtest.NewKey(t, "2", "EdDSA")
	if code, body := s.overREST(t, old, "GET", "/v1/sales", ""); code != 200 {
		t.Fatal(code, body)
	}
	s.write(t, "keys.json", authtest.Set(next.JWK(nil)))
	apptest.Poll(t, "the old key is not taken any more", func() error {
		if code, body := s.overREST(t, old, "GET", "/v1/sales", ""); code != 401 {
			return fmt.Errorf("%d %s", code, body)
		}
		return nil
	})
	if code, body := s.overREST(t, s.caller(t, next.Token(t, authtest.Claims(nil)), nil), "GET", "/v1/sales", ""); code != 200 {
		t.Errorf("the new key: %d %s", code, body)
	}
}

// Operators without a certificate don't reach the admin listener; clients without one don't reach a listener that requires it.
func TestConnectionsWithoutACertificate(t *testing.T) {
	s := startTills(t, "certificates: {ca: ca.pem}", "certificates: {ca: ca.pem, required: true}")
	for at, path := range map[string]string{s.Admin: "/status", s.REST: "/livez"} {
		if answer, err := s.caller(t, "", nil).client.Get("https://" + at + path); err == nil {
			answer.Body.Close()
			t.Errorf("%s answers %s", path, answer.Status)
		}
	}
	operator := s.issue(t, "ada")
	if text := s.admin(t, &operator, "/status"); !strings.Contains(text, "mirror") {
		t.Errorf("the status: %s", text)
	}
	if code, body := s.overREST(t, s.caller(t, s.token(t, "berlin", nil), &operator), "GET", "/v1/sales", ""); code != 200 {
		t.Errorf("with a certificate: %d %s", code, body)
	}
}

// What is wrong with identity is told with its place, before anything is served.
func TestFaultsOfIdentity(t *testing.T) {
	archive, err := os.ReadFile("testdata/tills.txtar")
	if err != nil {
		t.Fatal(err)
	}
	dir := apptest.Files(t, strings.NewReplacer(
		"audience: [shop]}", "audience: [shop], algorithms: [ES256, HS256]}",
		"public: [tills.v1.TillService.GetHours]", "public: [tills.v1.TillService.GetHours, tills.v1.TillService.AddSale, tills.v1.Nothing]",
		"scopes: [sales.write], when: request.sale.cents < claims.limit}", "scopes: ['a b'], when: sale.cents < claims.limit}\n    watching: {operations: [tills.v1.TillService.*], when: client}",
		"keys: keys.json", "keys: no.json",
	).Replace(string(archive)))
	_, faults := app.Load(t.Context(), filepath.Join(dir, "banyan.yaml"), func(string) (string, bool) { return "u@tcp(h)/s", true })
	var got []string
	for _, f := range faults.All() {
		got = append(got, strings.TrimPrefix(f.String(), dir+"/"))
	}
	for _, want := range []string{
		"banyan.yaml:8:3: listen.tls: open ",
		"banyan.yaml:9:3: listen.admin_tls: open ",
		"banyan.yaml:11:12: the keys of access tokens can't be had: open ",
		"HS256 is not taken: it is unknown, or who can verify a token by it can make one (use some of ES256",
		"the contract has no operation tills.v1.Nothing",
		"tills.v1.TillService.AddSale is public, and its callers need something",
		"this is no scope",
		"auth.require.adding.when, for tills.v1.TillService.AddSale: undeclared reference to 'sale'",
		"auth.require.watching.when, for tills.v1.TillService.ListSales: gives a string where a truth (bool) is needed",
	} {
		if !slices.ContainsFunc(got, func(line string) bool { return strings.Contains(line, want) }) {
			t.Errorf("%s is not among\n%s", want, strings.Join(got, "\n"))
		}
	}
}

// Authentication is off only loudly, and keys that can't be had keep serve from starting.
func TestStartsWithoutIdentity(t *testing.T) {
	n := startNotes(t, &devstack.MariaDB(t).Server)
	if err := n.LogLine(`"level":"WARN"`, "AUTHENTICATION IS OFF"); err != nil {
		t.Error(err)
	}
	s := startTills(t)
	if err := s.LogLine("AUTHENTICATION IS OFF"); err == nil {
		t.Error("it says that authentication is off")
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(s.dir)); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "banyan.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte("keys: keys.json"), []byte("keys: http://127.0.0.1:1/keys, start_timeout: 0s"), 1)
	if err := os.WriteFile(filepath.Join(dir, "banyan.yaml"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	dsn := s.Project.Config.Legacy.DSN.Reveal()
	project, faults := app.Load(t.Context(), filepath.Join(dir, "banyan.yaml"), func(string) (string, bool) { return dsn, true })
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	if found := project.Verify(t.Context(), app.AllRoles()); !found.Failed() || !strings.Contains(found.Err().Error(), "the keys of access tokens can't be had") {
		t.Errorf("check --live: %v", found.Err())
	}
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(authtest.Set(s.key.JWK(nil))) }))
	defer issuer.Close()
	project.Config.Auth.Tokens.Keys = config.KeySource(issuer.URL) // that serve does not wait does not make check impatient
	if found := project.Verify(t.Context(), app.AllRoles()); found.Failed() {
		t.Errorf("check --live: %v", found.Err())
	}
	project.Config.Auth.Tokens.Keys = "http://127.0.0.1:1/keys"
	if err := app.New(project, app.Options{Logger: slog.New(slog.DiscardHandler)}).Run(t.Context()); err == nil || !strings.Contains(err.Error(), "the keys of access tokens (auth.tokens.keys) can't be had") {
		t.Errorf("serve: %v", err)
	}
}
