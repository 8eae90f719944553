package admin_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/api/admin/admintest"
	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/flags"
	"banyan.dev/banyan/strangler"
	"banyan.dev/banyan/strangler/control"
	"banyan.dev/banyan/strangler/retirement"
)

// usual is what the server's own timeouts are where a test has nothing to do with them.
const usual = time.Minute

// request is a request as a client of the admin API makes it; headers are pairs, of which an empty value takes one away.
func request(t testing.TB, server *httptest.Server, method, target, body string, headers ...string) *http.Request {
	t.Helper()
	var text io.Reader
	if body != "" {
		text = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, server.URL+target, text)
	if err != nil {
		t.Fatal(err)
	}
	r.Close = true
	r.Header.Set("X-Banyan-Who", "ada@laptop")
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		switch name, value := headers[i], headers[i+1]; {
		case name == "Host":
			r.Host = value
		case value == "":
			r.Header.Del(name)
		default:
			r.Header.Set(name, value)
		}
	}
	return r
}

// send gives an answer's status and body.
func send(t testing.TB, r *http.Request) (int, string) {
	t.Helper()
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", r.Method, r.URL.Path, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", r.Method, r.URL.Path, err)
	}
	return answer.StatusCode, string(text)
}

// orders is a capability with something in every field.
func orders() control.CapabilityStatus {
	return control.CapabilityStatus{
		Capability: "orders", Service: "orders-service", Stage: "live 25%, shadow 75%", Version: 7, Phase: flags.Steady,
		Flag:  json.RawMessage(`{"capability": "orders", "version": 7, "phase": "steady", "from": {"state": "ENABLED"}, "to": {"state": "ENABLED"}}`),
		Shift: "waits for b",
		Replicas: []control.Replica{
			{Name: "a", Address: "10.0.0.1:9091", Silent: 400 * time.Millisecond, Acks: map[string]control.Ack{"orders": {Applied: 7, Settled: 7}}},
			{Name: "b", Silent: 4 * time.Second, Fenced: true},
		},
		Backfill: "done", Backfilled: 1 << 60, Open: 1, Doubt: 2, Shadow: strangler.Comparisons{Same: 10, Different: 1, Failed: 2, Dropped: 3},
		Blockers: []string{"a write is in doubt"}, RollbackWhy: "because", Last: "done", Next: "banyan writes list orders --state doubt",
	}
}

func operator() *admintest.Operator {
	at := time.Date(2026, 11, 25, 1, 53, 11, 500_000_000, time.UTC)
	return &admintest.Operator{
		Capabilities: []control.CapabilityStatus{orders(), {Capability: "customers", Stage: "off", Version: 1, Phase: flags.Steady}},
		Audits: []control.Audit{
			{At: at, Capability: "orders", Version: 7, Who: "ada@laptop", What: "shift done", From: "shadow", To: "live 25%, shadow 75%", Reason: "a <quarter>"},
			{Capability: "customers", Version: 1, Who: "", What: "made"},
		},
		Live: []strangler.Write{
			{
				ID: "0190", Capability: "orders", Operation: "shop.v2.OrderService.PlaceOrder", Key: "", Keyed: true, Entity: "4711", Epoch: 7,
				Replica: "a", State: strangler.WriteOpen, Created: at, Changed: at,
			},
			{ID: "018f", Capability: "orders", State: strangler.WriteDoubt, Reason: "legacy can't hold what modern has"},
		},
		Reports: []retirement.Report{
			{
				Version: &retirement.Version{
					Package: "shop.v1", Of: "shop.v2", Deprecated: at, Sunset: at.Add(24 * time.Hour), Link: "https://shop.example", Refuse: true,
					Operations: make([]*contract.Operation, 2),
				},
				State: retirement.Deprecated, Watched: 2, Since: at,
				Callers: []retirement.Caller{
					{Operation: "shop.v1.OrderService.GetOrder", Client: "till", Calls: 1 << 60, Last: at},
					{Operation: "shop.v1.OrderService.ListOrders", Agent: "curl/8", Calls: 1, Last: at},
				},
			},
			{Version: &retirement.Version{Package: "shop.v2"}, State: retirement.Current},
		},
		Command: func(_ context.Context, _ bool, c control.Change) (control.Outcome, error) {
			return control.Outcome{
				Version: 7, From: "shadow", To: "live 25%, shadow 75%", Done: true, Replicas: 2, Of: 2, Took: 412 * time.Millisecond,
				Paused: 96 * time.Millisecond, Voided: 1, Fenced: []string{"b"}, Steps: []string{c.Who + " " + c.Reason},
			}, nil
		},
	}
}

const (
	ordersJSON = `{"capability":"orders","service":"orders-service","stage":"live 25%, shadow 75%","version":"7","phase":"steady",` +
		`"flag":{"capability":"orders","from":{"state":"ENABLED"},"phase":"steady","to":{"state":"ENABLED"},"version":7},"shift":"waits for b",` +
		`"replicas":[{"name":"a","address":"10.0.0.1:9091","silent":"0.400s","fenced":false,"acks":{"orders":{"applied":"7","settled":"7"}}},` +
		`{"name":"b","address":"","silent":"4s","fenced":true,"acks":{}}],"backfill":"done","backfilled":"1152921504606846976","open":1,"doubt":2,` +
		`"shadow":{"same":"10","different":"1","failed":"2","dropped":"3"},"blockers":["a write is in doubt"],"rollback_safe":false,` +
		`"rollback_why":"because","last":"done","next":"banyan writes list orders --state doubt"}`
	customersJSON = `{"capability":"customers","service":"","stage":"off","version":"1","phase":"steady","flag":null,"shift":"","replicas":[],` +
		`"backfill":"","backfilled":"0","open":0,"doubt":0,"shadow":{"same":"0","different":"0","failed":"0","dropped":"0"},"blockers":[],` +
		`"rollback_safe":false,"rollback_why":"","last":"","next":""}`
	orderAudit = `{"at":"2026-11-25T01:53:11.500Z","capability":"orders","version":"7","who":"ada@laptop","what":"shift done","from":"shadow",` +
		`"to":"live 25%, shadow 75%","reason":"a <quarter>"}`
	openWrite = `{"id":"0190","capability":"orders","operation":"shop.v2.OrderService.PlaceOrder","key":"","keyed":true,"entity":"4711","epoch":"7",` +
		`"replica":"a","state":"open","reason":"","created":"2026-11-25T01:53:11.500Z","changed":"2026-11-25T01:53:11.500Z"}`
	doubtWrite = `{"id":"018f","capability":"orders","operation":"","key":"","keyed":false,"entity":"","epoch":"0","replica":"","state":"doubt",` +
		`"reason":"legacy can't hold what modern has","created":null,"changed":null}`
	otherCaller = `{"operation":"shop.v1.OrderService.ListOrders","client":"","agent":"curl/8","calls":"1","last":"2026-11-25T01:53:11.500Z"}`
	oldVersion  = `{"package":"shop.v1","translates":"shop.v2","state":"deprecated","deprecated":"2026-11-25T01:53:11.500Z","sunset":"2026-11-26T01:53:11.500Z",` +
		`"refused_after_sunset":true,"link":"https://shop.example","operations":2,"watched":2,"counted_since":"2026-11-25T01:53:11.500Z",` +
		`"callers":[{"operation":"shop.v1.OrderService.GetOrder","client":"till","agent":"","calls":"1152921504606846976","last":"2026-11-25T01:53:11.500Z"},` + otherCaller + `]}`
	newVersion = `{"package":"shop.v2","translates":"","state":"current","deprecated":null,"sunset":null,"refused_after_sunset":false,"link":"",` +
		`"operations":0,"watched":0,"counted_since":null,"callers":[]}`
	outcomeJSON = `{"version":"7","from":"shadow","to":"live 25%, shadow 75%","done":true,"why":"","replicas":2,"of":2,"fenced":["b"],` +
		`"took":"0.412s","paused":"0.096s","voided":1,"steps":["ada@laptop as planned"]}`
)

// Scripts read these: they stay as they are.
func TestAnswers(t *testing.T) {
	server, _ := admintest.Serve(t, operator(), usual)
	for _, c := range []struct{ method, target, body, want string }{
		{"GET", "/admin/v1/capabilities", "", `{"capabilities":[` + customersJSON + `,` + ordersJSON + `]}`},
		{"GET", "/admin/v1/capabilities/orders", "", ordersJSON},
		{"POST", "/admin/v1/capabilities/orders:advance", `{"stage":"live","percent":25,"reason":"as planned"}`, outcomeJSON},
		{"POST", "/admin/v1/capabilities/orders:rollback", `{"reason":"as planned","dryRun":true}`, outcomeJSON},
		{"GET", "/admin/v1/history?capability=orders", "", `{"audits":[` + orderAudit + `]}`},
		{"GET", "/admin/v1/writes", "", `{"writes":[` + openWrite + `,` + doubtWrite + `]}`},
		{"GET", "/admin/v1/writes?capability=orders&state=doubt&limit=5", "", `{"writes":[` + doubtWrite + `]}`},
		{"GET", "/admin/v1/writes?capability=nothing", "", `{"writes":[]}`},
		{"GET", "/admin/v1/versions", "", `{"versions":[` + oldVersion + `,` + newVersion + `],"days":30,"more":false}`},
		{"GET", "/admin/v1/versions?days=7&limit=1", "", `{"versions":[` + strings.Replace(oldVersion, `,`+otherCaller, "", 1) + `,` + newVersion + `],"days":7,"more":true}`},
	} {
		status, body := send(t, request(t, server, c.method, c.target, c.body))
		if status != http.StatusOK || body != c.want+"\n" {
			t.Errorf("%s %s: %d\n got %s\nwant %s", c.method, c.target, status, body, c.want)
		}
	}
}

func TestCommandsReachTheOperator(t *testing.T) {
	o := operator()
	server, _ := admintest.Serve(t, o, usual)
	send(t, request(t, server, "POST", "/admin/v1/capabilities/orders:advance", `{"stage":"live","percent":25,"reason":"größer","dry_run":true}`, "X-Banyan-Who", "zoë@büro"))
	send(t, request(t, server, "POST", "/admin/v1/capabilities/orders:rollback", ""))
	send(t, request(t, server, "GET", "/admin/v1/history", ""))
	send(t, request(t, server, "GET", "/admin/v1/writes?limit=1000", ""))
	want := []control.Change{
		{Capability: "orders", Stage: flags.Live, Percent: 25, Who: "zoë@büro", Reason: "größer", DryRun: true},
		{Capability: "orders", Who: "ada@laptop"},
	}
	if got := o.Commands(); len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("commands: %+v", got)
	}
	if got := o.Limits(); len(got) != 2 || got[0] != 100 || got[1] != 1000 {
		t.Errorf("limits: %v", got)
	}
}

// Whoever has shown a certificate is whom it names, whatever he says.
func TestCertificatesSayWho(t *testing.T) {
	o := operator()
	handler, err := admintest.New(o, nil, usual)
	if err != nil {
		t.Fatal(err)
	}
	defer handler.Stop()
	for _, test := range []struct {
		chain [][]*x509.Certificate
		want  string
	}{
		{[][]*x509.Certificate{{{Subject: pkix.Name{CommonName: "ada"}}}}, "ada"},
		{[][]*x509.Certificate{{{EmailAddresses: []string{"ada@shop.test"}, DNSNames: []string{"ada"}}}}, "ada@shop.test"},
		{[][]*x509.Certificate{{{URIs: []*url.URL{{Scheme: "spiffe", Host: "shop", Path: "/ada"}}}}}, "spiffe://shop/ada"},
		{[][]*x509.Certificate{{{DNSNames: []string{"ada.shop.test"}}}}, "ada.shop.test"},
		{[][]*x509.Certificate{{{}}}, "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{nil, "mallory"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "https://127.0.0.1/admin/v1/capabilities/orders:rollback", nil)
		r.Header.Set("X-Banyan-Who", "mallory")
		r.TLS = &tls.ConnectionState{VerifiedChains: test.chain}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		commands := o.Commands()
		if w.Code != http.StatusOK || len(commands) == 0 || commands[len(commands)-1].Who != test.want {
			t.Errorf("%s: %d, %+v", test.want, w.Code, commands)
		}
	}
}

func TestWrongRequestsAreRefusedClearly(t *testing.T) {
	o := operator()
	server, _ := admintest.Serve(t, o, usual)
	const advance = "/admin/v1/capabilities/orders:advance"
	good := `{"stage":"live"}`
	for _, c := range []struct {
		method, target, body string
		headers              []string
		status               int
		reason, says         string
	}{
		{"GET", "/admin/v1/nothing", "", nil, 404, "NO_SUCH_PATH", "docs/admin.md"},
		{"GET", "/admin/v1/capabilities/nothing", "", nil, 404, "NO_SUCH_CAPABILITY", "`banyan status` lists them"},
		{"GET", advance, "", nil, 405, "METHOD_NOT_ALLOWED", "use POST"},
		{"PUT", advance, "", nil, 405, "METHOD_NOT_ALLOWED", "use POST"},
		{"POST", "/admin/v1/history", good, nil, 405, "METHOD_NOT_ALLOWED", "use GET"},
		{"POST", "/admin/v1/history", "a=b", []string{"Content-Type", "application/x-www-form-urlencoded"}, 400, "INVALID_FIELD", "send JSON"},
		{"GET", "/admin/v1/history?limt=5", "", nil, 400, "INVALID_FIELD", "limt: unknown parameter; there is capability, limit"},
		{"GET", "/admin/v1/capabilities?limit=5", "", nil, 400, "INVALID_FIELD", "there is none"},
		{"GET", "/admin/v1/versions?days=401", "", nil, 400, "INVALID_FIELD", "1 to 400, or 0 for 30"},
		{"GET", "/admin/v1/versions?limit=-1", "", nil, 400, "INVALID_FIELD", "1 to 1000, or 0 for 100"},
		{"GET", "/admin/v1/versions?capability=orders", "", nil, 400, "INVALID_FIELD", "days, limit"},
		{"GET", "/admin/v1/history?limit=x", "", nil, 400, "MALFORMED_REQUEST", "limit"},
		{"GET", "/admin/v1/history?limit=1001", "", nil, 400, "INVALID_FIELD", "1 to 1000, or 0 for 100"},
		{"GET", "/admin/v1/history?limit=%", "", nil, 400, "INVALID_QUERY", "RFC 3986"},
		{"GET", "/admin/v1/writes?state=opened", "", nil, 400, "INVALID_FIELD", "it is open, closed, failed, void or doubt"},
		{"POST", advance, good, []string{"X-Banyan-Who", ""}, 400, "WHO_MISSING", "X-Banyan-Who"},
		{"POST", advance, good, []string{"X-Banyan-Who", strings.Repeat("x", 256)}, 400, "WHO_INVALID", "255"},
		{"POST", advance, good, []string{"X-Banyan-Who", "\xff"}, 400, "WHO_INVALID", "UTF-8"},
		{"POST", advance, `{"stage":"hold"}`, nil, 400, "INVALID_FIELD", `"hold" is no stage`},
		{"POST", advance, "", nil, 400, "INVALID_FIELD", `"" is no stage`},
		{"POST", advance, `{"stage":"live","percent":101}`, nil, 400, "INVALID_FIELD", "1 to 100"},
		{"POST", advance, `{"stage":"live","precent":1}`, nil, 400, "MALFORMED_REQUEST", `unknown field "precent"`},
		{"POST", advance, `{"stage":"live"} {}`, nil, 400, "MALFORMED_REQUEST", "unexpected token {"},
		{"POST", advance, `{"stage":`, nil, 400, "MALFORMED_REQUEST", "JSON of AdvanceRequest"},
		{"POST", advance, `{"stage":"live","reason":"a\nb"}`, nil, 400, "INVALID_FIELD", "reason: write printable text"},
		{"POST", advance, `{"stage":"live","reason":"` + strings.Repeat("ä", 1001) + `"}`, nil, 400, "INVALID_FIELD", "at most 1000"},
		{"POST", advance, `{"stage":"` + strings.Repeat("x", 70_000) + `"}`, nil, 413, "REQUEST_TOO_LARGE", "65536"},
		{"POST", advance + "?percent=3", good, nil, 400, "INVALID_FIELD", "percent: unknown parameter"},
		{"POST", advance, good, []string{"Content-Type", "text/plain"}, 400, "INVALID_FIELD", "application/json"},
		{"POST", advance, good, []string{"Origin", "https://example.org"}, 403, "CROSS_ORIGIN", "other sites"},
		{"POST", advance, good, []string{"Sec-Fetch-Site", "cross-site"}, 403, "CROSS_ORIGIN", "other sites"},
		{"GET", "/admin/v1/history", "", []string{"Host", "evil.example:9091"}, 403, "UNKNOWN_HOST", `"evil.example"`},
		{"POST", "/admin/v1/capabilities/" + strings.Repeat("x", 65) + ":rollback", "", nil, 400, "INVALID_FIELD", "at most 64"},
	} {
		status, body := send(t, request(t, server, c.method, c.target, c.body, c.headers...))
		reason, message := problem(t, status, body)
		if status != c.status || reason != c.reason || !strings.Contains(message, c.says) {
			t.Errorf("%s %s %.60s: %d %s, want %d, %s and %q", c.method, c.target, c.body, status, body, c.status, c.reason, c.says)
		}
	}
	if got := o.Commands(); len(got) > 0 {
		t.Errorf("commands got through: %+v", got)
	}
}

// problem reads an error in the form of AIP-193.
func problem(t testing.TB, status int, body string) (reason, message string) {
	t.Helper()
	var p struct {
		Error struct {
			Code    int    `json:"code"`
			Message string `json:"message"`
			Details []struct {
				Reason string `json:"reason"`
				Domain string `json:"domain"`
			} `json:"details"`
		} `json:"error"`
	}
	if err := json.Unmarshal([]byte(body), &p); err != nil || p.Error.Code != status || len(p.Error.Details) == 0 || p.Error.Details[0].Domain != "banyan" {
		t.Fatalf("not an error of AIP-193: %d %s", status, body)
	}
	return p.Error.Details[0].Reason, p.Error.Message
}

func TestHostsThatAreAddressesAreTaken(t *testing.T) {
	server, _ := admintest.Serve(t, operator(), usual)
	for _, host := range []string{"localhost", "localhost:9091", "127.0.0.1", "[::1]:9091", "[::1]", "192.0.2.7:80"} {
		if status, body := send(t, request(t, server, "GET", "/admin/v1/history", "", "Host", host)); status != http.StatusOK {
			t.Errorf("%s: %d %s", host, status, body)
		}
	}
}

func TestWithoutCapabilities(t *testing.T) {
	server, _ := admintest.Serve(t, nil, usual)
	for _, c := range []struct{ method, target, body string }{
		{"GET", "/admin/v1/capabilities", ""},
		{"GET", "/admin/v1/capabilities/orders", ""},
		{"POST", "/admin/v1/capabilities/orders:advance", `{"stage":"live"}`},
		{"POST", "/admin/v1/capabilities/orders:rollback", "{}"},
		{"GET", "/admin/v1/history", ""},
		{"GET", "/admin/v1/writes", ""},
	} {
		status, body := send(t, request(t, server, c.method, c.target, c.body))
		if reason, message := problem(t, status, body); status != 400 || reason != "NO_CAPABILITIES" || !strings.Contains(message, "banyan.yaml") || !strings.Contains(body, `"status":"FAILED_PRECONDITION"`) {
			t.Errorf("%s %s: %d %s", c.method, c.target, status, body)
		}
	}
}

// A process that serves no contract knows no callers; one without capabilities does.
func TestVersionsNeedAFacade(t *testing.T) {
	server, _ := admintest.Serve(t, nil, usual)
	status, body := send(t, request(t, server, "GET", "/admin/v1/versions", ""))
	if reason, message := problem(t, status, body); status != 400 || reason != "NO_FACADE" || !strings.Contains(message, "--roles") {
		t.Errorf("%d %s", status, body)
	}
}

func TestFailuresOfTheOperator(t *testing.T) {
	for _, c := range []struct {
		name         string
		err          error
		status       int
		reason, says string
	}{
		{"refused", strangler.Fail(codes.FailedPrecondition, "BLOCKED", "the backfill is not done"), 400, "BLOCKED", "the backfill is not done"},
		{"its own", errors.New("secret"), 500, "INTERNAL", "the log names the cause"},
		{"a bug", nil, 500, "INTERNAL", "the log names the cause"},
	} {
		o := operator()
		o.Command = func(context.Context, bool, control.Change) (control.Outcome, error) {
			if c.err == nil {
				panic("secret")
			}
			return control.Outcome{}, c.err
		}
		server, _ := admintest.Serve(t, o, usual)
		status, body := send(t, request(t, server, "POST", "/admin/v1/capabilities/orders:rollback", ""))
		if reason, message := problem(t, status, body); status != c.status || reason != c.reason || !strings.Contains(message, c.says) || strings.Contains(body, "secret") {
			t.Errorf("%s: %d %s", c.name, status, body)
		}
	}
}
