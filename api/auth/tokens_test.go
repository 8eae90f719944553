package auth_test

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/api/auth"
	"banyan.dev/banyan/api/auth/authtest"
)

func nothing([]byte) ([]byte, error) { return nil, nil }

// Over both transports, on real servers, nothing passes but a good token.
func TestTokens(t *testing.T) {
	rsaKey, ecKey, edKey := authtest.NewKey(t, "r1", "RS256"), authtest.NewKey(t, "e1", "ES256"), authtest.NewKey(t, "o1", "EdDSA")
	other := authtest.NewKey(t, "e1", "ES256") // with the id of a known one
	b := start(t, auth.Options{Tokens: tokensOf(t, rsaKey, ecKey, edKey)}, nil, nil)

	header := func(more map[string]any) map[string]any {
		h := map[string]any{"alg": "ES256", "typ": "JWT", "kid": "e1"}
		maps.Copy(h, more)
		return h
	}
	signed := func(claims map[string]any) string { return ecKey.Token(t, authtest.Claims(claims)) }
	under := func(h map[string]any) string { return ecKey.Sign(t, header(h), authtest.Claims(nil)) }
	good := signed(nil)
	parts := strings.Split(good, ".")
	publicPEM, err := x509.MarshalPKIXPublicKey(rsaKey.Private.Public())
	if err != nil {
		t.Fatal(err)
	}
	publicJWK, err := json.Marshal(rsaKey.JWK(nil))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	raw := base64.RawURLEncoding.EncodeToString
	ps := authtest.Key{ID: "r1", Algorithm: "PS256", Private: rsaKey.Private}

	for _, test := range []struct {
		name, token string
		reason      string // "" for a token that is taken
	}{
		{"good, RS256", rsaKey.Token(t, authtest.Claims(nil)), ""},
		{"good, ES256", good, ""},
		{"good, EdDSA", edKey.Token(t, authtest.Claims(nil)), ""},
		{"good, again", good, ""},
		{"no kid", ecKey.Sign(t, map[string]any{"alg": "ES256"}, authtest.Claims(nil)), ""},
		{"list of audiences", signed(map[string]any{"aud": []string{"x", authtest.Audience}}), ""},
		{"within the leeway", signed(map[string]any{"exp": now.Add(-10 * time.Second).Unix(), "nbf": now.Add(10 * time.Second).Unix()}), ""},
		{"fraction of a second", signed(map[string]any{"exp": float64(now.Add(time.Minute).Unix()) + 0.5}), ""},

		{"expired", signed(map[string]any{"exp": now.Add(-time.Minute).Unix()}), "TOKEN_EXPIRED"},
		{"not yet valid", signed(map[string]any{"nbf": now.Add(time.Minute).Unix()}), "TOKEN_EARLY"},
		{"issued in the future", signed(map[string]any{"iat": now.Add(time.Minute).Unix()}), "TOKEN_EARLY"},
		{"no exp", signed(map[string]any{"exp": nil}), "TOKEN_ENDLESS"},
		{"exp is text", signed(map[string]any{"exp": "tomorrow"}), "TOKEN_ENDLESS"},
		{"nbf is text", signed(map[string]any{"nbf": "yesterday"}), "TOKEN_MALFORMED"},
		{"other audience", signed(map[string]any{"aud": "bank"}), "TOKEN_AUDIENCE"},
		{"part of the audience", signed(map[string]any{"aud": authtest.Audience + "s"}), "TOKEN_AUDIENCE"},
		{"no audience", signed(map[string]any{"aud": nil}), "TOKEN_AUDIENCE"},
		{"other issuer", signed(map[string]any{"iss": "https://id.evil"}), "TOKEN_ISSUER"},
		{"issuer with a slash more", signed(map[string]any{"iss": authtest.Issuer + "/"}), "TOKEN_ISSUER"},
		{"no issuer", signed(map[string]any{"iss": nil}), "TOKEN_ISSUER"},
		{"no client", signed(map[string]any{"client_id": nil}), "TOKEN_CLIENT"},
		{"client is a list", signed(map[string]any{"client_id": []string{"a"}}), "TOKEN_CLIENT"},
		{"bound to a key that isn't checked", signed(map[string]any{"cnf": map[string]any{"jkt": "x"}}), "TOKEN_BOUND"},
		{"bound to a certificate", signed(map[string]any{"cnf": map[string]any{"x5t#S256": "x"}}), "TOKEN_BOUND"},

		{"other key", other.Token(t, authtest.Claims(nil)), "TOKEN_SIGNATURE"},
		{"unknown key", authtest.NewKey(t, "e9", "ES256").Token(t, authtest.Claims(nil)), "TOKEN_KEY_UNKNOWN"},
		{"another key's id", ecKey.Sign(t, header(map[string]any{"kid": "r1"}), authtest.Claims(nil)), "TOKEN_KEY_UNKNOWN"},
		{"changed claims", parts[0] + "." + strings.Split(signed(map[string]any{"sub": "boss"}), ".")[1] + "." + parts[2], "TOKEN_SIGNATURE"},
		{"unsigned", parts[0] + "." + parts[1] + ".", "TOKEN_SIGNATURE"},
		{"alg none", authtest.Compact(t, map[string]any{"alg": "none"}, authtest.Claims(nil), nothing), "TOKEN_ALGORITHM"},
		{"alg None", authtest.Compact(t, map[string]any{"alg": "None", "kid": "e1"}, authtest.Claims(nil), nothing), "TOKEN_ALGORITHM"},
		{"alg empty", authtest.Compact(t, map[string]any{"alg": ""}, authtest.Claims(nil), nothing), "TOKEN_ALGORITHM"},
		{"no alg", authtest.Compact(t, map[string]any{"kid": "e1"}, authtest.Claims(nil), nothing), "TOKEN_ALGORITHM"},
		{"ALG", authtest.Compact(t, map[string]any{"ALG": "ES256", "kid": "e1"}, authtest.Claims(nil), nothing), "TOKEN_ALGORITHM"},
		{"HS256 with the public key's PEM", authtest.Compact(t, map[string]any{"alg": "HS256", "kid": "r1"}, authtest.Claims(nil),
			authtest.HMAC(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: publicPEM}))), "TOKEN_ALGORITHM"},
		{"HS256 with the public key's JWK", authtest.Compact(t, map[string]any{"alg": "HS256", "kid": "r1"}, authtest.Claims(nil), authtest.HMAC(publicJWK)), "TOKEN_ALGORITHM"},
		{"an algorithm that the key is not for", ps.Token(t, authtest.Claims(nil)), "TOKEN_KEY_UNKNOWN"},
		{"a key that it brings along", under(map[string]any{"kid": "e9", "jwk": ecKey.JWK(nil)}), "TOKEN_KEY_UNKNOWN"},
		{"an address of keys that it brings along", under(map[string]any{"kid": "e9", "jku": "http://127.0.0.1:1/"}), "TOKEN_KEY_UNKNOWN"},
		{"crit", under(map[string]any{"crit": []string{"exp"}}), "TOKEN_EXTENDED"},
		{"b64", under(map[string]any{"b64": false}), "TOKEN_EXTENDED"},
		{"a logout token", under(map[string]any{"typ": "logout+jwt"}), "TOKEN_TYPE"},
		{"typ is no text", under(map[string]any{"typ": 7}), "TOKEN_TYPE"},
		{"kid is no text", under(map[string]any{"kid": 7}), "TOKEN_MALFORMED"},

		{"empty", "", "TOKEN_MALFORMED"},
		{"two parts", parts[0] + "." + parts[1], "TOKEN_MALFORMED"},
		{"four parts", good + ".x", "TOKEN_MALFORMED"},
		{"JSON form", `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`, "TOKEN_MALFORMED"},
		{"padded", raw([]byte(`{"alg":"ES256"}`)) + "=." + parts[1] + "." + parts[2], "TOKEN_MALFORMED"},
		{"header is a list", raw([]byte(`["ES256"]`)) + "." + parts[1] + "." + parts[2], "TOKEN_MALFORMED"},
		{"two words", good + " " + good, "TOKEN_MALFORMED"},
		{"claims are a list", ecKey.Sign(t, header(nil), nil), "TOKEN_MALFORMED"},
		{"huge", good + strings.Repeat("x", 20<<10), "TOKEN_TOO_LARGE"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.reason == "" {
				b.both(t, codes.OK, "", "Bearer "+test.token)
				if call := b.last(); call == nil || call.Client != "till" || call.Claims["sub"] != "u1" {
					t.Errorf("what came through: %+v", call)
				}
				return
			}
			a := b.both(t, codes.Unauthenticated, test.reason, "Bearer "+test.token)
			if a.http != http.StatusUnauthorized || !strings.HasPrefix(a.challenge, `Bearer realm="banyan", error="invalid_token", error_description="`) {
				t.Errorf("REST answers %d, %s", a.http, a.challenge)
			}
			if call := b.last(); call != nil {
				t.Errorf("it came through: %+v", call)
			}
		})
	}
	log := b.log.String()
	for _, secret := range []string{parts[1], parts[2], "u1", "boss", "https://id.evil", "bank"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log has %q:\n%s", secret, log)
		}
	}
}

func TestHeaders(t *testing.T) {
	key := authtest.NewKey(t, "e1", "ES256")
	b := start(t, auth.Options{Tokens: tokensOf(t, key)}, nil, nil)
	good := key.Token(t, authtest.Claims(nil))
	for name, test := range map[string]struct {
		values []string
		code   codes.Code
		reason string
		begins string // of the challenge
	}{
		"lower case":   {[]string{"bearer " + good}, codes.OK, "", ""},
		"upper case":   {[]string{"BEARER  " + good + " "}, codes.OK, "", ""},
		"none":         {nil, codes.Unauthenticated, "CREDENTIALS_MISSING", `Bearer realm="banyan"`},
		"basic":        {[]string{"Basic dTpw"}, codes.Unauthenticated, "CREDENTIALS_MISSING", `Bearer realm="banyan"`},
		"no scheme":    {[]string{good}, codes.Unauthenticated, "CREDENTIALS_MISSING", `Bearer realm="banyan"`},
		"empty":        {[]string{""}, codes.Unauthenticated, "CREDENTIALS_MISSING", `Bearer realm="banyan"`},
		"scheme alone": {[]string{"Bearer"}, codes.Unauthenticated, "TOKEN_MALFORMED", `Bearer realm="banyan", error="invalid_token"`},
		"twice":        {[]string{"Bearer " + good, "Bearer " + good}, codes.InvalidArgument, "AUTHORIZATION_REPEATED", `Bearer realm="banyan", error="invalid_request"`},
		"with another": {[]string{"Basic dTpw", "Bearer " + good}, codes.InvalidArgument, "AUTHORIZATION_REPEATED", `Bearer realm="banyan", error="invalid_request"`},
	} {
		t.Run(name, func(t *testing.T) {
			if a := b.both(t, test.code, test.reason, test.values...); !strings.HasPrefix(a.challenge, test.begins) || test.begins == "" && a.challenge != "" {
				t.Errorf("the challenge: %s", a.challenge)
			}
		})
	}
	// The transports refuse what is larger than all headers may be, before there is a call.
	huge := "Bearer " + strings.Repeat("x", 200<<10)
	if a := b.overREST(t, huge); a.http != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("REST with huge headers: %+v", a)
	}
	if a := b.overGRPC(t, huge); a.code == codes.OK {
		t.Errorf("gRPC with huge headers: %+v", a)
	}
	b.last()
	b.both(t, codes.OK, "", "Bearer "+good) // both go on
}

// Claims come through as they are, whole numbers without a loss.
func TestClaims(t *testing.T) {
	key := authtest.NewKey(t, "e1", "ES256")
	b := start(t, auth.Options{Tokens: tokensOf(t, key)}, nil, nil)
	token := key.Token(t, authtest.Claims(map[string]any{
		"small": 7, "large": uint64(1<<64 - 1), "larger": json.Number("123456789012345678901234567890"), "half": 0.5, "yes": true, "none": nil,
		"org": map[string]any{"id": int64(1<<53 + 1), "list": []any{1, "a"}}, "x509": map[string]any{"cn": "boss"},
		"client_id": 4711,
	}))
	b.both(t, codes.OK, "", "Bearer "+token)
	call := b.last()
	org, _ := call.Claims["org"].(map[string]any)
	for name, test := range map[string]struct{ got, want any }{
		"small": {call.Claims["small"], int64(7)}, "large": {call.Claims["large"], uint64(1<<64 - 1)},
		"larger": {call.Claims["larger"], "123456789012345678901234567890"}, "half": {call.Claims["half"], 0.5},
		"yes": {call.Claims["yes"], true}, "org.id": {org["id"], int64(1<<53 + 1)},
		"x509, which only certificates have": {call.Claims["x509"], nil},
		"client":                             {call.Client, "4711"},
	} {
		if test.got != test.want {
			t.Errorf("%s: %T %v, want %T %v", name, test.got, test.got, test.want, test.want)
		}
	}
}

func TestClientsNames(t *testing.T) {
	key := authtest.NewKey(t, "e1", "ES256")
	b := start(t, auth.Options{Tokens: tokensOf(t, key)}, nil, nil)
	for given, want := range map[string]string{
		"till":                   "till",
		"Till of the shop":       "Till of the shop",
		"cert:till":              "sha256:", // is not the owner of the certificate
		"sha256:x":               "sha256:",
		"Kasse\n7":               "sha256:",
		"käse":                   "sha256:",
		strings.Repeat("x", 129): "sha256:",
		strings.Repeat("x", 128): "xxxx",
	} {
		if a := b.overREST(t, "Bearer "+key.Token(t, authtest.Claims(map[string]any{"client_id": given}))); a.code != codes.OK {
			t.Fatal(a)
		}
		got := b.last().Client
		if !strings.HasPrefix(got, want) || want == "sha256:" && (len(got) != len("sha256:")+64 || got == given) || len(got) > 128 {
			t.Errorf("%q: %q", given, got)
		}
	}
}

// A token that was verified is not taken longer than it lasts.
func TestRememberedTokensExpire(t *testing.T) {
	key := authtest.NewKey(t, "e1", "ES256")
	now := time.Now()
	tokens := auth.NewTokens(auth.TokenOptions{
		Keys: keysOf(t, &source{text: authtest.Set(key.JWK(nil))}, auth.KeyOptions{}), Issuer: authtest.Issuer, Audience: []string{authtest.Audience},
		Leeway: 30 * time.Second, ClientClaim: "client_id", Now: func() time.Time { return now },
	})
	b := start(t, auth.Options{Tokens: tokens}, nil, nil)
	token := "Bearer " + key.Token(t, authtest.Claims(nil))
	b.both(t, codes.OK, "", token)
	now = now.Add(time.Hour + 29*time.Second)
	b.both(t, codes.OK, "", token)
	now = now.Add(2 * time.Second)
	b.both(t, codes.Unauthenticated, "TOKEN_EXPIRED", token)
}
