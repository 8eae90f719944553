package auth_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/api/auth"
	"banyan.dev/banyan/api/auth/authtest"
	"banyan.dev/banyan/strangler"
)

// Whatever is sent, it is refused as unauthenticated or malformed and nothing panics, unless it is a token that was given out.
func FuzzAuthorization(f *testing.F) {
	key := authtest.NewKey(f, "1", "EdDSA")
	good := key.Token(f, authtest.Claims(nil))
	parts := strings.Split(good, ".")
	for _, seed := range []string{
		good, "", ".", "..", "...", parts[0] + "..", parts[0] + "." + parts[1] + ".", "." + parts[1] + "." + parts[2],
		"e30.e30.", "eyJhbGciOiJub25lIn0." + parts[1] + ".", strings.Repeat("W", 5000) + "." + parts[1] + "." + parts[2], "\x00", "Bearer " + good,
	} {
		f.Add("Bearer " + seed)
	}
	f.Add("Basic " + good)
	passed := false
	guard := auth.New(auth.Options{Tokens: tokensOf(f, key)}, strangler.BackendFunc(func(context.Context, *strangler.Call, func(*strangler.Reply) error) error {
		passed = true
		return nil
	}))
	f.Fuzz(func(t *testing.T, value string) {
		passed = false
		err := guard.Call(t.Context(), &strangler.Call{Header: func(string) []string { return []string{value} }}, nil)
		if err == nil {
			scheme, token, _ := strings.Cut(strings.TrimLeft(value, " "), " ")
			if !passed || !strings.EqualFold(scheme, "bearer") || strings.Trim(token, " ") != good {
				t.Errorf("%q passes", value)
			}
			return
		}
		if told := strangler.AsError(err); passed || told.Code != codes.Unauthenticated {
			t.Errorf("%q: %v", value, err)
		}
	})
}

// Whatever an issuer signs, its claims are read without a panic, and pass only with all that is needed.
func FuzzClaims(f *testing.F) {
	key := authtest.NewKey(f, "1", "EdDSA")
	for _, seed := range []string{
		"", "null", "[]", "{}", `{"exp":1e400}`, `{"exp":-1e30,"iss":"https://id.test"}`, `{"a":{"b":[1,{"c":1e5}]}}`, `{} {}`,
		`{"iss":"https://id.test","aud":["shop",7],"exp":9223372036854775808,"client_id":"\u0000"}`, strings.Repeat("[", 5000),
	} {
		f.Add(seed)
	}
	guard := auth.New(auth.Options{Tokens: tokensOf(f, key)}, strangler.BackendFunc(func(_ context.Context, call *strangler.Call, _ func(*strangler.Reply) error) error {
		if call.Client == "" || len(call.Client) > 128 || call.Claims["iss"] != authtest.Issuer {
			return strangler.Fail(codes.Internal, "PASSED", "client %q of %v", call.Client, call.Claims)
		}
		return nil
	}))
	encode := base64.RawURLEncoding.EncodeToString
	private := key.Private.(ed25519.PrivateKey)
	f.Fuzz(func(t *testing.T, claims string) {
		input := encode([]byte(`{"alg":"EdDSA","kid":"1"}`)) + "." + encode([]byte(claims))
		token := "Bearer " + input + "." + encode(ed25519.Sign(private, []byte(input)))
		err := guard.Call(t.Context(), &strangler.Call{Header: func(string) []string { return []string{token} }}, nil)
		if err != nil && strangler.AsError(err).Code != codes.Unauthenticated {
			t.Errorf("%q: %v", claims, err)
		}
	})
}

// Whatever a JWK Set says, it is read without a panic.
func FuzzKeySet(f *testing.F) {
	f.Add(string(authtest.Set(authtest.NewKey(f, "1", "ES256").JWK(nil), authtest.NewKey(f, "2", "RS256").JWK(nil), authtest.NewKey(f, "3", "EdDSA").JWK(nil))))
	f.Add(`{"keys":[{"kty":"oct","k":"AA"},{"kty":"RSA","n":"","e":""},{"kty":"EC","crv":"P-256"},{"kty":"OKP","crv":"Ed25519","x":"AA"},7,null]}`)
	f.Fuzz(func(_ *testing.T, text string) { _, _ = auth.CheckKeys([]byte(text)) })
}
