package app

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/types/dynamicpb"

	"banyan.dev/banyan/adapters/versions"
	"banyan.dev/banyan/api/edge/edgetest"
	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/internal/config"
	"banyan.dev/banyan/strangler"
)

// Requests can be routed by who calls; entities can't.
func TestKeysOfCallers(t *testing.T) {
	c := edgetest.Contract(t)
	bind := func(key, keys string) ([]*capability, string) {
		t.Helper()
		text := "contract: {paths: [c]}\nsql: [s]\nlegacy: {dsn: d}\nbroker: {url: amqp://h}\nauth: {off: true}\nservices: {s: {target: 'h:1'}}\ncapabilities:\n" +
			"  all: {service: s, operations: [test.v1.AllService.Echo], entity: test.v1.All, key: '" + key + "', keys: {Echo: '" + keys + "'}}\n"
		cfg, faults := config.Parse("banyan.yaml", []byte(text), func(string) (string, bool) { return "", false })
		if err := faults.Err(); err != nil {
			t.Fatal(err)
		}
		bound, _, found := bindCapabilities(cfg, c, &versions.Versions{})
		if err := found.Err(); err != nil {
			return nil, err.Error()
		}
		return bound, ""
	}
	bound, wrong := bind("f_string", `claims.org.shop + headers[?"x-part"].orValue("")`)
	if wrong != "" {
		t.Fatal(wrong)
	}
	op := bound[0].operations[0]
	route := requestKey(bound[0].keys[op])
	for _, test := range []struct {
		claims map[string]any
		part   []string
		want   string
	}{
		{map[string]any{"org": map[string]any{"shop": "berlin"}}, nil, "berlin"},
		{map[string]any{"org": map[string]any{"shop": "berlin"}}, []string{"7"}, "berlin7"},
		{map[string]any{"org": map[string]any{}}, []string{"7"}, ""},
		{nil, []string{"7"}, ""},
	} {
		call := &strangler.Call{
			Operation: op, Request: contract.FromMessage(dynamicpb.NewMessage(op.Input)), Claims: test.claims,
			Header: func(string) []string { return test.part },
		}
		if key, ok, err := route(t.Context(), call); key != test.want || ok != (test.want != "") || err != nil {
			t.Errorf("%v, %v: %q, %v, %v", test.claims, test.part, key, ok, err)
		}
	}
	if _, wrong := bind("claims.org", "f_string"); !strings.Contains(wrong, "banyan.yaml:8:") || !strings.Contains(wrong, "capabilities.all.key: undeclared reference to 'claims'") {
		t.Errorf("an entity's key: %s", wrong)
	}
	if _, wrong := bind("f_string", `headers["cookie"]`); !strings.Contains(wrong, "is a secret") {
		t.Errorf("a secret header: %s", wrong)
	}
}
