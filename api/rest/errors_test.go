package rest_test

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"banyan.dev/banyan/api/edge/edgetest"
	"banyan.dev/banyan/api/rest"
)

// problem is what tests look at in an error.
type problem struct {
	Error struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
		Status  string `json:"status"`
		Details []struct {
			Type            string `json:"@type"`
			Reason          string `json:"reason"`
			Domain          string `json:"domain"`
			FieldViolations []struct {
				Field       string `json:"field"`
				Description string `json:"description"`
			} `json:"fieldViolations"`
		} `json:"details"`
	} `json:"error"`
}

func parse(t testing.TB, w *httptest.ResponseRecorder) problem {
	t.Helper()
	var p problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Error.Code != w.Code || len(p.Error.Details) == 0 || p.Error.Message == "" ||
		p.Error.Details[0].Type != "type.googleapis.com/google.rpc.ErrorInfo" || p.Error.Details[0].Domain != "banyan" {
		t.Fatalf("not an error of AIP-193: %d %s", w.Code, w.Body)
	}
	return p
}

func (p problem) field() string {
	for _, d := range p.Error.Details {
		if len(d.FieldViolations) > 0 {
			return d.FieldViolations[0].Field
		}
	}
	return ""
}

func TestWrongRequestsNameTheField(t *testing.T) {
	tests := []struct{ method, target, body, field, says string }{
		{"POST", "/v1/echo", `{"nope":1}`, "nope", "unknown field; test.v1.All has f_bool"},
		{"POST", "/v1/echo", `{"child":{"child":{"nope":1}}}`, "child.child.nope", "unknown field; test.v1.Child has name"},
		{"POST", "/v1/echo", `{"rChild":[{},{"nope":1}]}`, "r_child[1].nope", "unknown field"},
		{"POST", "/v1/echo", `{"mStringChild":{"k":{"nope":1}}}`, "m_string_child.k.nope", "unknown field; test.v1.Child has"},
		{"POST", "/v1/echo", "{\n \"fString\": \"a\",\n\t\"fInt32\": \"x\"}", "f_int32", "invalid value"},
		{"POST", "/v1/echo", `{"fInt32":1.5}`, "f_int32", "invalid value"},
		{"POST", "/v1/echo", `{"fUint64":-1}`, "f_uint64", "invalid value"},
		{"POST", "/v1/echo", `{"fEnum":"NOPE"}`, "f_enum", "invalid value"},
		{"POST", "/v1/echo", `{"fString":1}`, "f_string", "invalid value"},
		{"POST", "/v1/echo", `{"rInt32":[1,2,"x"]}`, "r_int32[2]", "invalid value"},
		{"POST", "/v1/echo", `{"wTime":"yesterday"}`, "w_time", "invalid"},
		{"POST", "/v1/echo", `{"fInt32":1,"f_int32":2}`, "f_int32", "duplicate"},
		{"POST", "/v1/echo", `{"cString":"a","cInt64":1}`, "c_int64", "oneof"},
		{"POST", "/v1/echo", `{"fInt32":1} x`, "body", "not valid JSON, at byte"},
		{"POST", "/v1/echo", `{"fInt32":1}{}`, "body", "not valid JSON"},
		{"POST", "/v1/echo", `{"fInt32":`, "body", "not valid JSON"},
		{"POST", "/v1/echo", `[]`, "body", ""},
		{"POST", "/v1/echo", "{\"fString\":\"\xff\"}", "f_string", "UTF-8"},
		{"POST", "/v1/echo?f_int32=1", `{}`, "f_int32", "unknown query parameter; all fields of this method's request are in the body"},
		{"PUT", "/v1/children/7", `{"nope":1}`, "child.nope", "unknown field"},
		{"PUT", "/v1/children/7", `{"child":{"count":"x"}}`, "child.child.count", "invalid value"},
		{"PUT", "/v1/children/7?child.name=x", `{}`, "child.name", "part of the body"},
		{"PUT", "/v1/children/7?f_string=8", `{}`, "f_string", "the path has another value"},
		{"POST", "/v1/shops/1/orders/2:cancel", `{"child":{"name":"shops/1/orders/3"}}`, "child.name", "the path has another value"},
		{"PATCH", "/v1/shops/1", `{"name":"shops/2"}`, "child.name", "the path has another value"},
		{"POST", "/v1/choices/a", `{"cInt64":"7"}`, "c_string", "only one of c_int64 and c_string"},
		{"POST", "/v1/choices/a", `{"cString":"b"}`, "c_string", "the path has another value"},
		{"POST", "/v1/strings", `["a"],"fInt32":1`, "r_string", "not valid JSON"},
		{"POST", "/v1/strings", `[1]`, "r_string[0]", "invalid value"},
		{"GET", "/v1/echo?nope=1", ``, "nope", "unknown query parameter; test.v1.All has f_bool"},
		{"GET", "/v1/echo?%ff=1", ``, "\ufffd", "unknown query parameter"},
		{"GET", "/v1/echo?child.nope=1", ``, "child.nope", "unknown query parameter; test.v1.Child has name"},
		{"GET", "/v1/echo?child." + strings.Repeat("child.", 99) + "name=1", ``, "child", "nested 101 fields deep, more than the limit of 100"},
		{"GET", "/v1/echo?f_string.x=1", ``, "f_string.x", "f_string has no fields"},
		{"GET", "/v1/echo?r_child.name=1", ``, "r_child.name", "r_child has no fields"},
		{"GET", "/v1/echo?f_int32=1&f_int32=2", ``, "f_int32", "given twice"},
		{"GET", "/v1/echo?f_int32=1&fInt32=2", ``, "f_int32", "given twice"},
		{"GET", "/v1/echo?f_int32=x", ``, "f_int32", `"x" is not a whole number of 32 bits`},
		{"GET", "/v1/echo?f_int32=2147483648", ``, "f_int32", "out of range"},
		{"GET", "/v1/echo?f_uint32=-1", ``, "f_uint32", "not negative"},
		{"GET", "/v1/echo?f_bool=maybe", ``, "f_bool", "true or false"},
		{"GET", "/v1/echo?f_float=x", ``, "f_float", "a number"},
		{"GET", "/v1/echo?f_bytes=!", ``, "f_bytes", "base64"},
		{"GET", "/v1/echo?f_enum=BLUE", ``, "f_enum", "none of COLOR_UNSPECIFIED, COLOR_RED"},
		{"GET", "/v1/echo?f_enum=9", ``, "f_enum", "none of"},
		{"GET", "/v1/echo?f_string=%FF", ``, "f_string", "UTF-8"},
		{"GET", "/v1/echo?f_string=%zz", ``, "f_string", "percent-encode"},
		{"GET", "/v1/echo?%zz=1", ``, "%zz", "percent-encode"},
		{"GET", "/v1/echo?child=x", ``, "child", "set its fields, such as child.name"},
		{"GET", "/v1/echo?w_time=x", ``, "w_time", "RFC 3339"},
		{"GET", "/v1/echo?w_duration=x", ``, "w_duration", "1.5s"},
		{"GET", "/v1/echo?w_mask=a..b", ``, "w_mask", "field path"},
		{"GET", "/v1/echo?w_struct=x", ``, "w_struct", "JSON"},
		{"GET", "/v1/echo?w_any=x", ``, "w_any", "can't be written as a query parameter"},
		{"GET", "/v1/echo?w_empty=x", ``, "w_empty", "no content"},
		{"GET", "/v1/echo?w_int32=x", ``, "w_int32", "32 bits"},
		{"GET", "/v1/echo?c_string=x&c_int64=1", ``, "c_int64", "only one of c_string and c_int64"},
		{"GET", "/v1/echo?f_string[a]=1", ``, "f_string", "no map"},
		{"GET", "/v1/echo?m_string_int32=1", ``, "m_string_int32", "[key]"},
		{"GET", "/v1/echo?m_int32_string[x]=1", ``, "m_int32_string", "the key"},
		{"GET", "/v1/echo?m_string_int32[a]=1&m_string_int32[a]=2", ``, "m_string_int32", "given twice"},
		{"GET", "/v1/echo?m_int32_string[1]=a&m_int32_string[%2B1]=b", ``, "m_int32_string", `the key "+1" is given twice`},
		{"GET", "/v1/echo?m_int32_string[1]=a&mInt32String[01]=b", ``, "m_int32_string", "given twice"},
		{"GET", "/v1/echo/a/x/COLOR_RED", ``, "f_int32", "32 bits"},
		{"GET", "/v1/echo/%FF", ``, "f_string", "UTF-8"},
		{"DELETE", "/v1/echo/a", `{"x":1}`, "body", "takes no body"},
		{"PATCH", "/v1/shops/1", `{"nope":1}`, "child.nope", "unknown field"},
	}
	h := handler(t, edgetest.Echo{}, omit())
	for _, test := range tests {
		w := do(t, h, test.method, test.target, test.body)
		p := parse(t, w)
		if w.Code != 400 || p.Error.Status != "INVALID_ARGUMENT" || p.field() != test.field || !strings.Contains(p.Error.Message, test.says) {
			t.Errorf("%s %s %s: field %q\n%s", test.method, test.target, test.body, p.field(), w.Body)
		}
	}
}

func TestWrongHeaders(t *testing.T) {
	h := handler(t, edgetest.Echo{}, omit())
	tests := []struct{ name, value, field string }{
		{"Content-Type", "text/plain", "content-type"},
		{"Content-Type", "application/json; charset=latin1", "content-type"},
		{"Content-Type", ";;", "content-type"},
		{"Content-Encoding", "gzip", "content-encoding"},
		{"Grpc-Timeout", "10", "grpc-timeout"},
		{"Grpc-Timeout", "S", "grpc-timeout"},
		{"Grpc-Timeout", "123456789S", "grpc-timeout"},
		{"Grpc-Timeout", "-1S", "grpc-timeout"},
		{"X-Request-Timeout", "soon", "x-request-timeout"},
		{"X-Request-Timeout", "-1", "x-request-timeout"},
		{"X-Request-Timeout", "NaN", "x-request-timeout"},
	}
	for _, test := range tests {
		w := do(t, h, "POST", "/v1/echo", `{}`, test.name, test.value)
		if p := parse(t, w); w.Code != 400 || p.field() != test.field {
			t.Errorf("%s: %s: %s", test.name, test.value, w.Body)
		}
	}
	for _, value := range []string{"application/json", "application/json; charset=UTF-8", "Application/JSON"} {
		if w := do(t, h, "POST", "/v1/echo", `{}`, "Content-Type", value); w.Code != 200 {
			t.Errorf("%s: %s", value, w.Body)
		}
	}
}

func TestNoRoute(t *testing.T) {
	h := handler(t, edgetest.Echo{}, omit())
	for _, path := range []string{"/", "/v1", "/v1/echo/", "/v1/echo/a/b", "/v1/echo//7/1", "/v1/shops/1/orders/", "//v1/echo"} {
		w := do(t, h, "GET", path, "")
		if p := parse(t, w); w.Code != 404 || p.Error.Status != "NOT_FOUND" || p.Error.Details[0].Reason != "NO_SUCH_PATH" {
			t.Errorf("%s: %s", path, w.Body)
		}
	}
	w := do(t, h, "DELETE", "/v1/echo", "")
	if p := parse(t, w); w.Code != 405 || p.Error.Details[0].Reason != "METHOD_NOT_ALLOWED" || w.Header().Get("Allow") != "GET, HEAD, POST, PROPFIND" {
		t.Errorf("%s, Allow: %s", w.Body, w.Header().Get("Allow"))
	}
	w = do(t, h, "GET", "/v1/shops/1/orders/2:cancel", "")
	if w.Code != 200 { // "2:cancel" is an id for a GET
		t.Errorf("%s", w.Body)
	}
}

func TestErrorsOfTheBackend(t *testing.T) {
	h := handler(t, edgetest.Echo{}, omit())
	tests := map[string]struct {
		http           int
		status, reason string
	}{
		"0":   {200, "", ""},
		"1":   {499, "CANCELLED", "TEST"},
		"3":   {400, "INVALID_ARGUMENT", "INVALID_FIELD"},
		"4":   {504, "DEADLINE_EXCEEDED", "TEST"},
		"5":   {404, "NOT_FOUND", "TEST"},
		"6":   {409, "ALREADY_EXISTS", "TEST"},
		"7":   {403, "PERMISSION_DENIED", "TEST"},
		"8":   {429, "RESOURCE_EXHAUSTED", "TEST"},
		"9":   {400, "FAILED_PRECONDITION", "TEST"},
		"10":  {409, "ABORTED", "TEST"},
		"12":  {501, "UNIMPLEMENTED", "TEST"},
		"13":  {500, "INTERNAL", "TEST"},
		"14":  {503, "UNAVAILABLE", "TEST"},
		"16":  {401, "UNAUTHENTICATED", "TEST"},
		"100": {500, "INTERNAL", "INTERNAL"},
		"101": {500, "INTERNAL", "INTERNAL"},
		"102": {504, "DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED"},
		"103": {500, "INTERNAL", "INTERNAL"},
		"104": {500, "INTERNAL", "INTERNAL"},
	}
	for code, want := range tests {
		w := do(t, h, "GET", "/v1/fail/"+code, "")
		if w.Code != want.http {
			t.Errorf("%s: %d %s", code, w.Code, w.Body)
			continue
		}
		if want.http == 200 {
			continue
		}
		if p := parse(t, w); p.Error.Status != want.status || p.Error.Details[0].Reason != want.reason {
			t.Errorf("%s: %s", code, w.Body)
		}
	}
}

func TestLimits(t *testing.T) {
	h := handler(t, edgetest.Echo{}, rest.Options{MaxRequestBytes: 1000, MaxReplyBytes: 100})
	for size, want := range map[int]string{50: "", 500: "REPLY_TOO_LARGE", 2000: "REQUEST_TOO_LARGE"} {
		body := `{"fString":"` + strings.Repeat("x", size) + `"}`
		for _, chunked := range []bool{false, true} {
			tooLarge := map[string]int{"REQUEST_TOO_LARGE": 413, "REPLY_TOO_LARGE": 429}
			r := httptest.NewRequestWithContext(t.Context(), "POST", "/v1/echo", strings.NewReader(body))
			if chunked {
				r.ContentLength = -1
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if want == "" {
				if w.Code != 200 {
					t.Errorf("%d: %s", size, w.Body)
				}
				continue
			}
			if p := parse(t, w); w.Code != tooLarge[want] || p.Error.Status != "RESOURCE_EXHAUSTED" || p.Error.Details[0].Reason != want {
				t.Errorf("%d: %s", size, w.Body)
			}
		}
	}
}
