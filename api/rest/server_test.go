package rest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"banyan.dev/banyan/api/edge/edgetest"
	"banyan.dev/banyan/api/rest"
	"banyan.dev/banyan/api/rest/jsonwire"
	"banyan.dev/banyan/strangler"
)

// omit makes replies short enough to read in tests.
func omit() rest.Options { return rest.Options{JSON: jsonwire.Options{OmitUnpopulated: true}} }

func handler(t testing.TB, b strangler.Backend, opts rest.Options) http.Handler {
	t.Helper()
	h, err := rest.New(edgetest.Contract(t), b, opts)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func do(t testing.TB, h http.Handler, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestRequestsAreFilled(t *testing.T) {
	const j = "Content-Type: application/json"
	tests := []struct{ method, target, body, want string }{
		{"POST", "/v1/echo", `{"fString":"x","f_int64":"5"}`, `{"fString":"x","fInt64":"5"}`},
		{"POST", "/v1/echo", ``, `{}`},
		{"GET", "/v1/echo", ``, `{}`},
		{"GET", "/v1/echo?", ``, `{}`},
		{"GET", "/v1/echo?f_int32=5&fString=a+b%26&f_bool=true", ``, `{"fInt32":5,"fString":"a b&","fBool":true}`},
		{"GET", "/v1/echo/hello", ``, `{"fString":"hello"}`},
		{"GET", "/v1/echo/a%2Fb%20c", ``, `{"fString":"a/b c"}`},
		{"GET", "/v1/echo/a/7/COLOR_RED", ``, `{"fString":"a","fInt32":7,"fEnum":"COLOR_RED"}`},
		{"GET", "/v1/echo/a/7/-3", ``, `{"fString":"a","fInt32":7,"fEnum":"COLOR_NEGATIVE"}`},
		{"GET", "/v1/echo/search", ``, `{}`}, // a literal goes before a variable
		{"DELETE", "/v1/echo/search", ``, `{"fString":"search"}`},
		{"GET", "/v1/shops/1/orders/2", ``, `{"child":{"name":"shops/1/orders/2"}}`},
		{"GET", "/v1/shops/1%2F2/orders/%C3%A4", ``, `{"child":{"name":"shops/1%2F2/orders/ä"}}`},
		{"GET", "/v1/shops/1/orders/2?child.name=shops/1/orders/2", ``, `{"child":{"name":"shops/1/orders/2"}}`},
		{"GET", "/v1/shops/1/orders/2?child.count=3", ``, `{"child":{"name":"shops/1/orders/2","count":"3"}}`},
		{"POST", "/v1/shops/1/orders/2:cancel", `{"fInt32":1}`, `{"child":{"name":"shops/1/orders/2"},"fInt32":1}`},
		{"POST", "/v1/shops/1/orders/2:cancel", `{"child":{"name":"shops/1/orders/2"}}`, `{"child":{"name":"shops/1/orders/2"}}`},
		{"POST", "/v1/choices/a", `{"cString":"a"}`, `{"cString":"a"}`},
		{"GET", "/v1/deep/a/b%2Fc/d", ``, `{"fString":"a/b%2Fc/d"}`},
		{"GET", "/v1/deep", ``, `{}`},
		{"PUT", "/v1/children/7?f_int32=1", `{"name":"n"}`, `{"name":"n"}`},
		{"PUT", "/v1/children/7", ``, `null`},
		{"POST", "/v1/strings", `["a","b"]`, `["a","b"]`},
		{"POST", "/v1/maps", ` {"a":1} `, `{"a":1}`},
		{"POST", "/v1/numbers", `"9007199254740993"`, `"9007199254740993"`},
		{"POST", "/v1/numbers", `12`, `"12"`},
		{"POST", "/v1/enums", `"COLOR_RED"`, `"COLOR_RED"`},
		{"POST", "/v1/enums", `77`, `77`},
		{"POST", "/v1/children", `[{"name":"n"}]`, `[{"name":"n"}]`},
		{"PROPFIND", "/v1/echo", ``, `{}`},
		{"DELETE", "/v1/echo/x", `{}`, `{"fString":"x"}`},
		{"GET", "/v1/echo?r_int32=1&r_int32=2&rString=a&r_string=b", ``, `{"rInt32":[1,2],"rString":["a","b"]}`},
		{"GET", "/v1/echo?child.child.tags=a&child.child.maybe=0", ``, `{"child":{"child":{"tags":["a"],"maybe":0}}}`},
		{
			"GET", "/v1/echo?m_string_int32[a]=1&mStringInt32[b.c]=2&m_int64_double[-5]=1.5&child.labels[x]=y", ``,
			`{"mStringInt32":{"a":1,"b.c":2},"mInt64Double":{"-5":1.5},"child":{"labels":{"x":"y"}}}`,
		},
		{"GET", "/v1/echo?w_time=2026-01-31T12:00:00.5%2B02:00&r_time=1970-01-01T00:00:00Z", ``, `{"wTime":"2026-01-31T10:00:00.500Z","rTime":["1970-01-01T00:00:00Z"]}`},
		{"GET", "/v1/echo?w_duration=1.5s&r_duration=1h30m&r_duration=-2s", ``, `{"wDuration":"1.500s","rDuration":["5400s","-2s"]}`},
		{"GET", "/v1/echo?w_mask=child.name,fString", ``, `{"wMask":"child.name,fString"}`},
		{
			"GET", "/v1/echo?w_bool=true&w_int32=1&w_int64=2&w_uint32=3&w_uint64=18446744073709551615&w_float=1.5&w_double=NaN&w_string=&w_bytes=_-8", ``,
			`{"wBool":true,"wInt32":1,"wInt64":"2","wUint32":3,"wUint64":"18446744073709551615","wFloat":1.5,"wDouble":"NaN","wString":"","wBytes":"/+8="}`,
		},
		{"GET", "/v1/echo?w_struct=%7B%22a%22:1%7D&w_value=%5B1%5D&w_empty=", ``, `{"wStruct":{"a":1},"wValue":[1],"wEmpty":{}}`},
		{"GET", "/v1/echo?date.year=2026&money.currencyCode=EUR&money.units=5", ``, `{"date":{"year":2026},"money":{"currencyCode":"EUR","units":"5"}}`},
		{
			"GET", "/v1/echo?o_string=&o_int64=0&f_bytes=aGk=&f_uint64=18446744073709551615&f_double=1e3", ``,
			`{"oString":"","oInt64":"0","fBytes":"aGk=","fUint64":"18446744073709551615","fDouble":1000}`,
		},
		{"GET", "/v1/echo?c_string=x&renamed_field=y", ``, `{"cString":"x","@odd name":"y"}`},
		{
			"PATCH", "/v1/shops/1?allow_missing=true", `{"count":"2","child":{"name":"x"},"tags":[],"labels":{"a":"b"},"time":null}`,
			`{"child":{"name":"shops/1","count":"2","child":{"name":"x"},"labels":{"a":"b"}},"updateMask":"child.name,count,labels,tags,time","allowMissing":true}`,
		},
		{"PATCH", "/v1/shops/1?update_mask=count", `{"count":"2","name":"shops/1"}`, `{"child":{"name":"shops/1","count":"2"},"updateMask":"count"}`},
		{ // the path's own field is no change, and a Date is one value
			"PATCH", "/v1/shops/1", `{"name":"shops/1","birthDate":{"year":1976,"month":8},"child":{"birthDate":{"day":3},"count":"1"}}`,
			`{"child":{"name":"shops/1","birthDate":{"year":1976,"month":8},"child":{"birthDate":{"day":3},"count":"1"}},"updateMask":"birthDate,child.birthDate,child.count"}`,
		},
		{"PATCH", "/v1/whole", `{"child":{"count":1},"updateMask":"child.count"}`, `{"child":{"count":"1"},"updateMask":"child.count"}`},
		{"PATCH", "/v1/whole", `{"child":{"count":1}}`, `{"child":{"count":"1"}}`},
	}
	h := handler(t, edgetest.Echo{}, omit())
	for _, test := range tests {
		var headers []string
		if test.body != "" {
			name, value, _ := strings.Cut(j, ": ")
			headers = []string{name, value}
		}
		w := do(t, h, test.method, test.target, test.body, headers...)
		var got, want any
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 200 {
			t.Errorf("%s %s %s: %d %s", test.method, test.target, test.body, w.Code, w.Body)
			continue
		}
		if err := json.Unmarshal([]byte(test.want), &want); err != nil {
			t.Fatal(err)
		}
		if g, w := canonical(t, got), canonical(t, want); g != w {
			t.Errorf("%s %s %s:\ngot  %s\nwant %s", test.method, test.target, test.body, g, w)
		}
	}
}

func canonical(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestRepliesAreLikeGatewaysByDefault(t *testing.T) {
	w := do(t, handler(t, edgetest.Echo{}, rest.Options{}), "PATCH", "/v1/whole", `{"child":{"count":1}}`)
	const want = `{"child":{"name":"","count":"1","tags":[],"child":null,"time":null,"labels":{},"data":null,"birthDate":null},"updateMask":null,"allowMissing":false}`
	if w.Code != 200 || w.Body.String() != want {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if h := w.Header(); h.Get("Content-Type") != "application/json" || h.Get("Content-Length") == "" || len(h.Get("X-Request-Id")) < 16 {
		t.Errorf("headers: %v", h)
	}
	w = do(t, handler(t, edgetest.Echo{}, rest.Options{JSON: jsonwire.Options{UseProtoNames: true, OmitUnpopulated: true}}), "GET", "/v1/echo?f_int32=1", "")
	if w.Body.String() != `{"f_int32":1}` {
		t.Errorf("proto names: %s", w.Body)
	}
}

func TestWhatTheBackendSees(t *testing.T) {
	var seen *strangler.Call
	var left time.Duration
	h := handler(t, edgetest.Echo{Seen: func(ctx context.Context, c *strangler.Call) {
		seen = c
		d, ok := ctx.Deadline()
		if left = 0; ok {
			left = time.Until(d)
		}
	}}, omit())
	w := do(t, h, "GET", "/v1/echo", "", "X-Request-Id", "id-1", "X-Tenant", "a", "X-Tenant", "b", "Authorization", "Bearer x")
	if seen.RequestID != "id-1" || w.Header().Get("X-Request-Id") != "id-1" {
		t.Errorf("request id %q", seen.RequestID)
	}
	for name, want := range map[string]string{"x-tenant": "a,b", "authorization": "Bearer x", ":authority": "example.com", "x-other": ""} {
		if got := strings.Join(seen.Header(name), ","); got != want {
			t.Errorf("header %s: %q, want %q", name, got, want)
		}
	}
	if left != 0 {
		t.Errorf("a deadline that nobody asked for: %v", left)
	}
	for _, header := range [][2]string{{"Grpc-Timeout", "100S"}, {"X-Request-Timeout", "100"}, {"X-Request-Timeout", "1m40s"}, {"Grpc-Timeout", "100000m"}} {
		do(t, h, "GET", "/v1/echo", "", header[0], header[1])
		if left < 90*time.Second || left > 100*time.Second {
			t.Errorf("%s: %s leaves %v", header[0], header[1], left)
		}
	}
	do(t, h, "GET", "/v1/echo", "", "Grpc-Timeout", "1H", "X-Request-Timeout", "10")
	if left > 10*time.Second {
		t.Errorf("of two timeouts, %v counts", left)
	}
}

func TestHEADIsAGETWithoutBody(t *testing.T) {
	srv := httptest.NewServer(handler(t, edgetest.Echo{}, omit()))
	defer srv.Close()
	r, err := srv.Client().Head(srv.URL + "/v1/echo?f_int32=5")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if r.StatusCode != 200 || r.ContentLength != int64(len(`{"fInt32":5}`)) {
		t.Errorf("%d, %d bytes", r.StatusCode, r.ContentLength)
	}
}

func TestTheLogHasTheCause(t *testing.T) {
	var log bytes.Buffer
	h := handler(t, edgetest.Echo{}, rest.Options{Logger: slog.New(slog.NewJSONHandler(&log, nil))})
	w := do(t, h, "GET", "/v1/fail/101", "", "X-Request-Id", "find-me")
	if strings.Contains(w.Body.String(), "secret") {
		t.Errorf("the caller is told the cause: %s", w.Body)
	}
	for _, want := range []string{`"cause":"secret cause"`, `"request_id":"find-me"`, `"operation":"test.v1.AllService.Fail"`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %s: %s", want, log.String())
		}
	}
}
