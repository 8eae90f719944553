package rest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"banyan.dev/banyan/api/rest"
	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/strangler"
)

// nobody takes a reply and keeps nothing.
type nobody struct{ header http.Header }

func (n nobody) Header() http.Header         { return n.header }
func (n nobody) Write(b []byte) (int, error) { return len(b), nil }
func (n nobody) WriteHeader(int)             {}

// The time to route must not grow with the contract.
func BenchmarkGetByPath(b *testing.B) {
	for _, services := range []int{1, 170} {
		b.Run(fmt.Sprintf("%d_services", services), func(b *testing.B) {
			var s strings.Builder
			s.WriteString("syntax = \"proto3\"; package a.v1; import \"google/api/annotations.proto\";\n")
			s.WriteString("message Request { string name = 1; } message Reply { string name = 1; string title = 2; int64 count = 3; bool done = 4; }\n")
			for i := range services {
				fmt.Fprintf(&s, "service S%[1]d { rpc Get(Request) returns (Reply) { option (google.api.http) = { get: \"/v1/{name=things%[1]d/*}\" }; } }\n", i)
			}
			c, faults := contract.Load(b.Context(), []contract.Root{{Name: "b", FS: fstest.MapFS{"a.proto": {Data: []byte(s.String())}}}})
			if err := faults.Err(); err != nil {
				b.Fatal(err)
			}
			wire := []byte("\x0a\x09things0/5\x12\x05title\x18\x07\x20\x01")
			h, err := rest.New(c, strangler.BackendFunc(func(_ context.Context, call *strangler.Call, send func(*strangler.Reply) error) error {
				return send(&strangler.Reply{Message: contract.FromWire(call.Operation.Output, wire)})
			}), rest.Options{})
			if err != nil {
				b.Fatal(err)
			}
			r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/v1/things0/5", nil)
			w := nobody{header: http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(w, r)
			}
		})
	}
}
