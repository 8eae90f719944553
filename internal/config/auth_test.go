package config

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAuth(t *testing.T) {
	const head = "contract: {paths: [c]}\nsql: [s]\nlegacy: {dsn: d}\n"
	const text = head + `
listen:
  admin: 10.0.0.1:9091
  tls: {certificate: server.pem, key: /etc/server.key}
  admin_tls: {certificate: admin.pem, key: admin.key, client_ca: operators.pem}
auth:
  tokens: {keys: keys.json, issuer: https://id.test, audience: [shop], client_claim: azp}
  certificates: {ca: clients.pem, client: uri}
  public: [shop.v2.CatalogService.*]
  require:
    writes: {operations: [shop.v2.OrderService.PlaceOrder], scopes: [orders.write], when: has(claims.org)}
`
	cfg, faults := Parse("dir/banyan.yaml", []byte(text), env(nil))
	if got := texts(faults); got != nil {
		t.Fatalf("faults: %q", got)
	}
	a := cfg.Auth
	want := Auth{
		Tokens: Tokens{
			Keys: "keys.json", Issuer: "https://id.test", Audience: []string{"shop"}, ClientClaim: "azp",
			Leeway: 30 * time.Second, Refresh: 5 * time.Minute, StartTimeout: 30 * time.Second,
		},
		Certificates: Certificates{CA: "dir/clients.pem", Client: "uri"},
		Public:       []string{"shop.v2.CatalogService.*"},
		Require:      map[string]Requirement{"writes": {Operations: []string{"shop.v2.OrderService.PlaceOrder"}, Scopes: []string{"orders.write"}, When: "has(claims.org)"}},
	}
	if diff := cmp.Diff(want, a); diff != "" {
		t.Error(diff)
	}
	if got := cfg.TokenKeysFile(); got != "dir/keys.json" {
		t.Errorf("the file of keys is %s", got)
	}
	if l := cfg.Listen; l.TLS != (TLS{"dir/server.pem", "/etc/server.key"}) || l.AdminTLS != (AdminTLS{"dir/admin.pem", "dir/admin.key", "dir/operators.pem"}) {
		t.Errorf("%+v", l)
	}

	for keys, warns := range map[string]bool{
		"https://id.test/k": false, "http://id.test/k": true, "http://id.test:8080/k": true, "http://127.0.0.1:8080/k": false, "http://localhost/k": false, "http://[::1]/k": false,
	} {
		cfg, faults := Parse("banyan.yaml", []byte(head+"auth: {tokens: {keys: '"+keys+"', issuer: i, audience: [a]}}\n"), env(nil))
		if got := strings.Join(texts(faults), "\n"); (got != "") != warns || faults.Failed() || warns && !strings.Contains(got, "warning") {
			t.Errorf("%s: %s", keys, got)
		}
		if cfg.Auth.Tokens.Keys.URL() != keys || cfg.TokenKeysFile() != "" {
			t.Errorf("%s is taken for the file %s", keys, cfg.TokenKeysFile())
		}
	}
}
