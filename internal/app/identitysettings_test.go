package app_test

import (
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"banyan.dev/banyan/api/auth/authtest"
)

// What the config says of tokens and certificates is what counts.
func TestSettingsOfIdentity(t *testing.T) {
	key, other := authtest.NewKey(t, "e", "ES256"), authtest.NewKey(t, "o", "EdDSA")
	issuer := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(authtest.Set(key.JWK(nil), other.JWK(nil)))
	}))
	issuer.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	issuer.StartTLS()
	defer issuer.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: issuer.Certificate().Raw})
	s := startTills(t,
		"keys: keys.json", "keys: "+issuer.URL+", keys_ca: issuer.pem",
		"audience: [shop]}", "audience: [till, shop], algorithms: [ES256], leeway: 2m, client_claim: azp}",
		"{ca: ca.pem}", "{ca: ca.pem, client: dns}",
		"-- tills.sql --\n", "-- issuer.pem --\n"+string(ca)+"-- tills.sql --\n",
	)
	claims := func(others map[string]any) map[string]any {
		all := authtest.Claims(map[string]any{"azp": "front", "client_id": nil})
		for name, v := range others {
			all[name] = v
		}
		return all
	}
	minute := time.Now().Add(-time.Minute).Unix()
	for name, test := range map[string]struct {
		token  string
		reason string
	}{
		"good":                     {key.Token(t, claims(nil)), ""},
		"the other audience":       {key.Token(t, claims(map[string]any{"aud": "till"})), ""},
		"within the leeway":        {key.Token(t, claims(map[string]any{"exp": minute})), ""},
		"another algorithm":        {other.Token(t, claims(nil)), "TOKEN_ALGORITHM"},
		"a client by another name": {key.Token(t, authtest.Claims(nil)), "TOKEN_CLIENT"},
	} {
		code, body := s.overREST(t, s.caller(t, test.token, nil), "GET", "/v1/sales", "")
		if (code == http.StatusOK) != (test.reason == "") || !strings.Contains(body, test.reason) {
			t.Errorf("%s: %d %s", name, code, body)
		}
	}
	pair := s.authority.Issue(t, x509.Certificate{DNSNames: []string{"till.shop.test"}})
	if code, body := s.overREST(t, s.caller(t, "", &pair), "GET", "/v1/sales", ""); code != http.StatusOK {
		t.Errorf("a certificate with that name: %d %s", code, body)
	}
	nameless := s.issue(t, "till")
	if code, body := s.overREST(t, s.caller(t, "", &nameless), "GET", "/v1/sales", ""); code != http.StatusUnauthorized || !strings.Contains(body, "CERTIFICATE_UNNAMED") {
		t.Errorf("a certificate without that name: %d %s", code, body)
	}
	for _, client := range []string{`"client":"front"`, `"client":"cert:till.shop.test"`} {
		if err := s.LogLine(client, "ListSales"); err != nil {
			t.Error(err)
		}
	}

	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+s.REST+"/v1/hours", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Huge", strings.Repeat("x", 100<<10))
	if answer, err := s.caller(t, "", nil).client.Do(r); err == nil {
		_ = answer.Body.Close()
		if answer.StatusCode < http.StatusBadRequest {
			t.Errorf("huge headers: %s", answer.Status)
		}
	}
}
