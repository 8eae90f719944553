package openapi_test

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"banyan.dev/banyan/api/edge/edgetest"
	"banyan.dev/banyan/api/openapi"
	"banyan.dev/banyan/contract"
)

func handler(t testing.TB, c *contract.Contract) *openapi.Handler {
	t.Helper()
	h, err := openapi.New(c, openapi.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func get(t testing.TB, h http.Handler, method, path string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestDocumentsAreServed(t *testing.T) {
	c := edgetest.Contract(t)
	h := handler(t, c)
	want := document(t, c.Versions[0])

	plain := get(t, h, "GET", "/openapi/test.v1.json")
	if plain.Code != http.StatusOK || plain.Body.String() != string(want) {
		t.Fatalf("it answers %d with %d bytes, want the document's %d", plain.Code, plain.Body.Len(), len(want))
	}
	if got := plain.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type is %q", got)
	}
	if got := plain.Header().Get("Cache-Control"); got != "no-cache" {
		t.Errorf("Cache-Control is %q", got)
	}

	packed := get(t, h, "GET", "/openapi/test.v1.json", "Accept-Encoding", "br, gzip;q=0.8")
	if packed.Header().Get("Content-Encoding") != "gzip" || packed.Body.Len() >= len(want)/4 {
		t.Errorf("packed, it has %d of %d bytes in %q", packed.Body.Len(), len(want), packed.Header().Get("Content-Encoding"))
	}
	if text := unpack(t, packed); text != string(want) {
		t.Error("unpacked, it is not the document")
	}
	if tag := packed.Header().Get("ETag"); tag == "" || tag == plain.Header().Get("ETag") {
		t.Errorf("both forms have the tag %q", tag)
	}

	for _, w := range []*httptest.ResponseRecorder{plain, packed} {
		again := get(t, h, "GET", "/openapi/test.v1.json", "If-None-Match", w.Header().Get("ETag"), "Accept-Encoding", w.Header().Get("Content-Encoding"))
		if again.Code != http.StatusNotModified || again.Body.Len() > 0 {
			t.Errorf("asked again, it answers %d with %d bytes", again.Code, again.Body.Len())
		}
	}
	if w := get(t, h, "GET", "/openapi/test.v1.json", "Accept-Encoding", "gzip;q=0"); w.Header().Get("Content-Encoding") != "" {
		t.Error("it is packed for who refuses that")
	}
	if w := get(t, h, "HEAD", "/openapi/test.v1.json"); w.Code != http.StatusOK || w.Body.Len() > 0 || w.Header().Get("ETag") == "" {
		t.Errorf("HEAD answers %d, %d bytes, tag %q", w.Code, w.Body.Len(), w.Header().Get("ETag"))
	}
	if w := get(t, h, "POST", "/openapi/test.v1.json"); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" ||
		!strings.Contains(w.Body.String(), "METHOD_NOT_ALLOWED") {
		t.Errorf("POST answers %d, Allow %q: %s", w.Code, w.Header().Get("Allow"), w.Body)
	}
	if w := get(t, h, "GET", "/openapi/other.json"); w.Code != http.StatusNotFound || h.Serves("/openapi/other.json") {
		t.Errorf("a document that is not there answers %d", w.Code)
	}
}

func unpack(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	z, err := gzip.NewReader(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTheListHasEveryVersion(t *testing.T) {
	c := edgetest.Contract(t)
	h := handler(t, c)
	var list struct {
		Documents []struct{ Name, URL string } `json:"documents"`
	}
	if err := json.Unmarshal(get(t, h, "GET", "/openapi/index.json").Body.Bytes(), &list); err != nil {
		t.Fatal(err)
	}
	if len(list.Documents) != 1 || list.Documents[0].Name != "test.v1" || !h.Serves("/openapi/"+list.Documents[0].URL) {
		t.Errorf("the list is %+v", list)
	}
}

// All that the page loads is served beside it, and its policy allows nothing else.
func TestThePageNeedsNobodyElse(t *testing.T) {
	h := handler(t, edgetest.Contract(t))
	w := get(t, h, "GET", "/docs")
	if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
		t.Fatalf("the page answers %d, %s", w.Code, w.Header().Get("Content-Type"))
	}
	policy := w.Header().Get("Content-Security-Policy")
	for _, directive := range strings.Split(policy, "; ") {
		name, sources, _ := strings.Cut(directive, " ")
		for _, source := range strings.Fields(sources) {
			allowed := []string{"'self'", "'none'"}
			switch name {
			case "img-src":
				allowed = append(allowed, "data:")
			case "style-src":
				allowed = append(allowed, "'unsafe-inline'")
			}
			if !slices.Contains(allowed, source) {
				t.Errorf("the policy allows %s by %s", source, name)
			}
		}
	}
	if !strings.HasPrefix(policy, "default-src 'none'; script-src 'self';") {
		t.Errorf("the policy is %q", policy)
	}
	linked := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(w.Body.String(), -1)
	if len(linked) < 6 {
		t.Fatalf("the page links to %v", linked)
	}
	for _, link := range linked {
		path := "/" + link[1]
		if !h.Serves(path) {
			t.Errorf("%s is not served", path)
			continue
		}
		plain, packed := get(t, h, "GET", path), get(t, h, "GET", path, "Accept-Encoding", "gzip")
		if plain.Code != http.StatusOK || plain.Body.Len() == 0 || unpack(t, packed) != plain.Body.String() {
			t.Errorf("%s answers %d with %d bytes, and packed with others", path, plain.Code, plain.Body.Len())
		}
	}
}

// Operations go before documents.
func TestOperationsKeepTheirPaths(t *testing.T) {
	c := load(t, contract.Root{Name: "docs", FS: fstest.MapFS{"a.proto": {Data: []byte(`
		syntax = "proto3"; package a.v1; import "google/api/annotations.proto";
		message A { string id = 1; }
		service S {
		  rpc Get(A) returns (A) { option (google.api.http) = { get: "/docs" additional_bindings { get: "/openapi/{id}" } additional_bindings { get: "/{id}/icon.png" } }; }
		}`)}}})
	h := handler(t, c)
	for path, want := range map[string]bool{
		"/docs": false, "/openapi/index.json": false, "/openapi/a.v1.json": false, "/docs/icon.png": false, "/docs/docs.js": true,
	} {
		if h.Serves(path) != want {
			t.Errorf("%s is served: %v, want %v", path, !want, want)
		}
	}
	if want := []string{"/docs", "/docs/icon.png", "/openapi/a.v1.json", "/openapi/index.json"}; !slices.Equal(h.Hidden, want) {
		t.Errorf("hidden are %v, want %v", h.Hidden, want)
	}
}
