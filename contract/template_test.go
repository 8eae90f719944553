package contract_test

import (
	"strings"
	"testing"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"

	"banyan.dev/banyan/contract"
)

func TestParseTemplate(t *testing.T) {
	good := map[string]struct{ fields, shape string }{
		"/v1/orders":                             {"", "/v1/orders"},
		"/v1/orders/{id}":                        {"id", "/v1/orders/*"},
		"/v1/{name=shops/*/orders/*}":            {"name", "/v1/shops/*/orders/*"},
		"/v1/{a.b.c=x/**}":                       {"a.b.c", "/v1/x/**"},
		"/v1/{name=shops/*}/orders/{id}:cancel":  {"name id", "/v1/shops/*/orders/*:cancel"},
		"/v1/*/x/**":                             {"", "/v1/*/x/**"},
		"/v1/shops:batchGet":                     {"", "/v1/shops:batchGet"},
		"/v1/%7Ex/a.b-c_d":                       {"", "/v1/%7Ex/a.b-c_d"},
		"/v1/{order.line_2=orders/*/lines/*}:do": {"order.line_2", "/v1/orders/*/lines/*:do"},
	}
	for text, want := range good {
		got, err := contract.ParseTemplate(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if f := strings.Join(got.Fields(), " "); f != want.fields || got.Shape() != want.shape {
			t.Errorf("%s: fields %q, shape %q", text, f, got.Shape())
		}
	}
	bad := []string{
		"", "v1", "/", "//", "/v1/", "/v1//x", "/v1/{", "/v1/{}", "/v1/{1a}", "/v1/{a.}", "/v1/{a=}", "/v1/{a=x//y}",
		"/v1/{a={b}}", "/v1/x}", "/v1/a b", "/v1/%zz", "/v1/x:", "/v1/x:y/z", "/v1/**/x", "/v1/a*", "/v1/{a}b", "/v1/ü",
	}
	for _, text := range bad {
		if got, err := contract.ParseTemplate(text); err == nil {
			t.Errorf("%q parses as %+v", text, got)
		}
	}
}

// What is accepted here must be accepted by the mux that serves it.
func FuzzParseTemplate(f *testing.F) {
	for _, s := range []string{"/v1/{name=shops/*/orders/*}:cancel", "/v1/**", "/a/{b.c}/d", "/%41", "/{a=**}", "/a:b:c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := contract.ParseTemplate(text); err != nil {
			return
		}
		if err := runtime.NewServeMux().HandlePath("GET", text, nil); err != nil {
			t.Errorf("%q: accepted here, but: %v", text, err)
		}
	})
}
