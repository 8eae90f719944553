package admin_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"banyan.dev/banyan/api/admin/admintest"
	"banyan.dev/banyan/strangler/backfill"
)

func TestBackfills(t *testing.T) {
	at := time.Date(2026, 11, 25, 1, 53, 11, 0, time.UTC)
	o := operator()
	o.Jobs = []backfill.Job{{ID: 1, Target: backfill.Target{Mirror: "main", Schema: "shop", Name: "orders"}, State: backfill.Running, Done: 1 << 60, Total: 7, Rate: 5, MaxLag: 1500 * time.Millisecond, Note: "waits", Who: "bob", Created: at, Began: at, Changed: at}}
	server, _ := admintest.Serve(t, o, usual)
	const first = `{"id":"1","target":"shop.orders","mirror":"main","state":"running","done":"1152921504606846976","total":"7","rate":5,"max_lag":"1.500s",` +
		`"note":"waits","who":"bob","created":"2026-11-25T01:53:11Z","began":"2026-11-25T01:53:11Z","changed":"2026-11-25T01:53:11Z"}`
	const second = `{"id":"2","target":"shop.lines","mirror":"main","state":"waiting","done":"0","total":"1500000","rate":9,"max_lag":"2s",` +
		`"note":"","who":"ada@laptop","created":"2026-11-25T01:53:11Z","began":null,"changed":null}`
	for _, c := range []struct{ method, target, body, want string }{
		{"GET", "/admin/v1/backfills", "", `{"backfills":[` + first + `]}`},
		{"POST", "/admin/v1/backfills", `{"targets":["lines"],"rate":9,"max_lag":"2s"}`, `{"backfills":[` + second + `]}`},
		{"GET", "/admin/v1/backfills?limit=1", "", `{"backfills":[` + second + `]}`},
		{"GET", "/admin/v1/backfills/1", "", first},
		{"POST", "/admin/v1/backfills/2:stop", "", strings.NewReplacer(`"waiting"`, `"stopped"`, `"note":""`, `"note":"stopped by ada@laptop"`, `"began":null`, `"began":"2026-11-25T01:53:11Z"`).Replace(second)},
	} {
		status, body := send(t, request(t, server, c.method, c.target, c.body))
		if status != http.StatusOK || body != c.want+"\n" {
			t.Errorf("%s %s: %d\n got %s\nwant %s", c.method, c.target, status, body, c.want)
		}
	}
	if asked := o.Asked(); len(asked) != 1 || asked[0].Who != "ada@laptop" || asked[0].MaxLag != 2*time.Second || asked[0].Rate != 9 {
		t.Errorf("asked for %+v", asked)
	}
	for _, c := range []struct {
		method, target, body, who string
		status                    int
		reason                    string
	}{
		{"POST", "/admin/v1/backfills", `{"targets":["lines"]}`, "", 400, "WHO_MISSING"},
		{"POST", "/admin/v1/backfills/1:stop", ``, "", 400, "WHO_MISSING"},
		{"POST", "/admin/v1/backfills", `{"targets":["busy"]}`, "ada", 400, "BACKFILL_RUNNING"},
		{"POST", "/admin/v1/backfills", `{"targets":[` + strings.Repeat(`"x",`, 1000) + `"x"]}`, "ada", 400, "INVALID_FIELD"},
		{"POST", "/admin/v1/backfills", `{"max_lag":"soon"}`, "ada", 400, "MALFORMED_REQUEST"},
		{"POST", "/admin/v1/backfills", `{"all":3}`, "ada", 400, "MALFORMED_REQUEST"},
		{"GET", "/admin/v1/backfills?limit=1001", ``, "ada", 400, "INVALID_FIELD"},
		{"GET", "/admin/v1/backfills?state=done", ``, "ada", 400, "INVALID_FIELD"},
		{"GET", "/admin/v1/backfills/9", ``, "ada", 404, "NO_SUCH_BACKFILL"},
		{"GET", "/admin/v1/backfills/x", ``, "ada", 400, "MALFORMED_REQUEST"},
		{"GET", "/admin/v1/backfills/1:stop", ``, "ada", 405, "METHOD_NOT_ALLOWED"},
	} {
		status, body := send(t, request(t, server, c.method, c.target, c.body, "X-Banyan-Who", c.who))
		if status != c.status || !strings.Contains(body, `"`+c.reason+`"`) {
			t.Errorf("%s %s %.50s: %d %s", c.method, c.target, c.body, status, body)
		}
	}
	o.Jobs = nil
	none, _ := admintest.Serve(t, o, usual)
	if status, body := send(t, request(t, none, "GET", "/admin/v1/backfills", "")); status != 400 || !strings.Contains(body, `"NO_MIRROR"`) {
		t.Errorf("%d %s", status, body)
	}
}
