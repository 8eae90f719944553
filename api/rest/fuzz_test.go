package rest_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"banyan.dev/banyan/api/edge/edgetest"
)

// answered wants JSON and a status that a caller's fault can have: nothing a caller sends is an INTERNAL error.
func answered(t *testing.T, h http.Handler, r *http.Request) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if !json.Valid(w.Body.Bytes()) {
		t.Fatalf("%s %s: %d %q", r.Method, r.URL, w.Code, w.Body)
	}
	switch w.Code {
	case 200, 400, 404, 405, 429:
	default:
		t.Fatalf("%s %s: %d %s", r.Method, r.URL, w.Code, w.Body)
	}
}

func FuzzQuery(f *testing.F) {
	for _, q := range []string{
		"f_int32=5&fString=a", "m_string_int32[a]=1&child.labels[x]=y", "w_time=2026-01-31T12:00:00Z", "w_duration=1h", "w_mask=a,b",
		"w_struct=%7B%7D&w_value=1&w_list=[]", "r_value=null&w_any=x&date.year=1", "child.child.child.name=1", "=&&==&[", "c_null=NULL_VALUE&f_double=1e999",
	} {
		f.Add(q)
	}
	h := handler(f, edgetest.Echo{}, omit())
	f.Fuzz(func(t *testing.T, q string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/echo", nil)
		r.URL.RawQuery = q
		answered(t, h, r)
	})
}

func FuzzPath(f *testing.F) {
	for _, p := range []string{"/v1/echo/a/7/COLOR_RED", "/v1/shops/1/orders/2:cancel", "/v1/deep/a%2Fb/c", "/%", "//", "/v1/shops/%2f/orders/:cancel", "*"} {
		f.Add("GET", p)
	}
	h := handler(f, edgetest.Echo{}, omit())
	f.Fuzz(func(t *testing.T, method, path string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		u, err := url.Parse(path)
		if err != nil {
			u = &url.URL{Path: path, RawPath: path}
		}
		r.URL, r.Method = u, strings.ToUpper(method)
		answered(t, h, r)
	})
}

func FuzzBody(f *testing.F) {
	for _, b := range []string{
		`{"fString":"x","child":{"name":"y"}}`, `{"rInt32":[1,2]}`, `[1]`, `"x"`, `{"mStringChild":{"a":{"nope":[{}]}}}`, `{"wAny":{"@type":"type.googleapis.com/test.v1.Child"}}`,
		`{"wStruct":{"a":[{"b":null}]}}`, "{\"x\":\n\"\xff\"}", `{"count":1,"child":{"data":{"a":{"b":1}}},"labels":{"x":null}}`, `{"a":1}}`, `null`,
	} {
		f.Add(b)
	}
	h := handler(f, edgetest.Echo{}, omit())
	f.Fuzz(func(t *testing.T, body string) {
		for _, target := range []string{
			"POST /v1/echo", "PUT /v1/children/1", "POST /v1/strings", "POST /v1/maps", "POST /v1/numbers", "POST /v1/children", "PATCH /v1/shops/1", "DELETE /v1/echo/x",
		} {
			method, path, _ := strings.Cut(target, " ")
			answered(t, h, httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body)))
		}
	})
}

func FuzzHeaders(f *testing.F) {
	f.Add("1S", "1.5", "id")
	f.Add("99999999H", "1e300", "")
	h := handler(f, edgetest.Echo{}, omit())
	f.Fuzz(func(t *testing.T, grpcTimeout, timeout, id string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/deep/x", nil)
		r.Header["Grpc-Timeout"], r.Header["X-Request-Timeout"], r.Header["X-Request-Id"] = []string{grpcTimeout}, []string{timeout}, []string{id}
		answered(t, h, r)
	})
}
