package auth_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/dynamicpb"

	"banyan.dev/banyan/api/auth"
	"banyan.dev/banyan/api/auth/authtest"
	"banyan.dev/banyan/strangler"
)

// asks gives what comes of a call with a token, without a transport.
func asks(ctx context.Context, guard *auth.Backend, cert *x509.Certificate, token string) (*strangler.Call, *strangler.Error) {
	call := &strangler.Call{Header: func(string) []string { return []string{"Bearer " + token} }, Certificate: cert}
	return call, strangler.AsError(guard.Call(ctx, call, nil))
}

func nobody() strangler.Backend {
	return strangler.BackendFunc(func(context.Context, *strangler.Call, func(*strangler.Reply) error) error { return nil })
}

// The borders of a token's time, to the second: exp is over when it comes, nbf and iat are not.
func TestBordersOfTime(t *testing.T) {
	key := authtest.NewKey(t, "e1", "ES256")
	now := time.Unix(2_000_000_000, 0)
	const leeway = 30
	for name, test := range map[string]struct {
		claims map[string]any
		reason string
	}{
		"exp, a second more": {map[string]any{"exp": now.Unix() - leeway + 1}, ""},
		"exp":                {map[string]any{"exp": now.Unix() - leeway}, "TOKEN_EXPIRED"},
		"nbf":                {map[string]any{"nbf": now.Unix() + leeway}, ""},
		"nbf, a second more": {map[string]any{"nbf": now.Unix() + leeway + 1}, "TOKEN_EARLY"},
		"iat":                {map[string]any{"iat": now.Unix() + leeway}, ""},
		"iat, a second more": {map[string]any{"iat": now.Unix() + leeway + 1}, "TOKEN_EARLY"},
		"exp, far away":      {map[string]any{"exp": uint64(1<<64 - 1)}, ""},
		"nbf, far away":      {map[string]any{"nbf": 1e300}, "TOKEN_EARLY"},
		"exp, long ago":      {map[string]any{"exp": -1e300}, "TOKEN_EXPIRED"},
	} {
		t.Run(name, func(t *testing.T) {
			tokens := auth.NewTokens(auth.TokenOptions{
				Keys: keysOf(t, &source{text: authtest.Set(key.JWK(nil))}, auth.KeyOptions{}), Issuer: authtest.Issuer, Audience: []string{authtest.Audience},
				Leeway: leeway * time.Second, ClientClaim: "client_id", Now: func() time.Time { return now },
			})
			claims := authtest.Claims(map[string]any{"exp": now.Unix() + 1, "nbf": nil, "iat": nil})
			for name, v := range test.claims {
				claims[name] = v
			}
			_, err := asks(t.Context(), auth.New(auth.Options{Tokens: tokens}, nobody()), nil, key.Token(t, claims))
			if err == nil && test.reason != "" || err != nil && err.Reason != test.reason {
				t.Errorf("it is told %v, want %s", err, test.reason)
			}
		})
	}
}

// A key that says nothing of its algorithm is used by those that it is made for.
func TestKeysWithoutAnAlgorithm(t *testing.T) {
	ec, rsa := authtest.NewKey(t, "e", "ES256"), authtest.NewKey(t, "r", "RS256")
	set := authtest.Set(ec.JWK(map[string]any{"alg": nil}), rsa.JWK(map[string]any{"alg": nil}))
	guard := auth.New(auth.Options{Tokens: tokens(keysOf(t, &source{text: set}, auth.KeyOptions{}))}, nobody())
	for _, test := range []struct {
		key            authtest.Key
		alg, kid, want string
	}{
		{ec, "ES256", "e", ""},
		{rsa, "RS256", "r", ""},
		{ec, "ES384", "e", "TOKEN_KEY_UNKNOWN"},
		{ec, "RS256", "e", "TOKEN_KEY_UNKNOWN"},
		{ec, "EdDSA", "e", "TOKEN_KEY_UNKNOWN"},
		{rsa, "ES256", "r", "TOKEN_KEY_UNKNOWN"},
		{rsa, "RS512", "r", "TOKEN_SIGNATURE"},
	} {
		token := test.key.Sign(t, map[string]any{"alg": test.alg, "kid": test.kid}, authtest.Claims(nil))
		if _, err := asks(t.Context(), guard, nil, token); err == nil && test.want != "" || err != nil && err.Reason != test.want {
			t.Errorf("%s by %s: %v, want %s", test.alg, test.kid, err, test.want)
		}
	}
}

// Only so many keys are tried for a token that names none: each costs time.
func TestFewKeysAreTried(t *testing.T) {
	var jwks []map[string]any
	var keys []authtest.Key
	for i := range 9 {
		keys = append(keys, authtest.NewKey(t, fmt.Sprint(i), "ES256"))
		jwks = append(jwks, keys[i].JWK(nil))
	}
	guard := auth.New(auth.Options{Tokens: tokens(keysOf(t, &source{text: authtest.Set(jwks...)}, auth.KeyOptions{}))}, nobody())
	nameless := func(k authtest.Key) string { return k.Sign(t, map[string]any{"alg": "ES256"}, authtest.Claims(nil)) }
	if _, err := asks(t.Context(), guard, nil, nameless(keys[7])); err != nil {
		t.Errorf("the eighth: %v", err)
	}
	if _, err := asks(t.Context(), guard, nil, nameless(keys[8])); err == nil || err.Reason != "TOKEN_SIGNATURE" {
		t.Errorf("the ninth: %v", err)
	}
}

// What is remembered of tokens is bounded.
func TestRememberedTokensAreBounded(t *testing.T) {
	key := authtest.NewKey(t, "1", "EdDSA")
	keys := keysOf(t, &source{text: authtest.Set(key.JWK(nil))}, auth.KeyOptions{})
	guard := auth.New(auth.Options{Tokens: tokens(keys)}, nobody())
	filling := strings.Repeat("x", 11<<10) // some 15 KiB a token
	used := key.Token(t, authtest.Claims(nil))
	for i := range 1000 {
		if _, err := asks(t.Context(), guard, nil, used); err != nil {
			t.Fatal(err)
		}
		if _, err := asks(t.Context(), guard, nil, key.Token(t, authtest.Claims(map[string]any{"n": i, "filling": filling}))); err != nil {
			t.Fatal(err)
		}
	}
	tokens, size := auth.Remembered(keys)
	if size > 8<<20 || tokens < 250 || !auth.Remembers(keys, used) {
		t.Errorf("it remembers %d tokens of %d bytes, the used one: %v", tokens, size, auth.Remembers(keys, used))
	}
}

// A token is used with a certificate once: who uses it without one has no names of a certificate, nor of another's.
func TestNamesOfCertificatesStayWithTheirCall(t *testing.T) {
	authority, key := authtest.NewAuthority(t, "shop"), authtest.NewKey(t, "1", "ES256")
	cert := authority.Issue(t, x509.Certificate{DNSNames: []string{"till"}}).Leaf
	guard := auth.New(auth.Options{Tokens: tokensOf(t, key), Certificates: &auth.Certificates{Client: auth.DNSName}}, nobody())
	token := key.Token(t, authtest.Claims(nil))
	for range 2 {
		call, err := asks(t.Context(), guard, cert, token)
		if err != nil || call.Claims["x509"] == nil {
			t.Fatal(err, call.Claims)
		}
		if call, err = asks(t.Context(), guard, nil, token); err != nil || call.Claims["x509"] != nil {
			t.Fatal(err, call.Claims)
		}
	}
}

// An issuer that does not answer is given up.
func TestAnIssuerThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys := auth.NewKeys(auth.KeyOptions{
			Name: "x", Refresh: time.Hour, Logger: slog.New(slog.DiscardHandler),
			Source: func(ctx context.Context) ([]byte, error) { <-ctx.Done(); return nil, ctx.Err() },
		})
		defer keys.Close()
		begun := time.Now()
		if err := keys.Begin(t.Context(), 0); err == nil || time.Since(begun) != auth.FetchTimeout {
			t.Errorf("after %s: %v", time.Since(begun), err)
		}
	})
}

// While an issuer hangs, only so many calls wait for it: nobody knows yet who makes them.
func TestFewCallsWaitForKeys(t *testing.T) {
	known, unknown := authtest.NewKey(t, "1", "EdDSA"), authtest.NewKey(t, "2", "EdDSA")
	clk, s := &clock{at: time.Now()}, &source{text: authtest.Set(known.JWK(nil))}
	gate := make(chan struct{})
	var hangs atomic.Bool
	keys := auth.NewKeys(auth.KeyOptions{
		Name: "x", Refresh: time.Hour, Logger: slog.New(slog.DiscardHandler), Now: clk.now,
		Source: func(ctx context.Context) ([]byte, error) {
			if hangs.Load() {
				<-gate
			}
			return s.get(ctx)
		},
	})
	if err := keys.Begin(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(keys.Close)
	guard := auth.New(auth.Options{Tokens: tokens(keys)}, nobody())
	hangs.Store(true)
	clk.advance(time.Minute)
	s.set(authtest.Set(known.JWK(nil), unknown.JWK(nil)), nil)
	good, token := known.Token(t, authtest.Claims(nil)), unknown.Token(t, authtest.Claims(nil))
	var refused, taken atomic.Int64
	var asking sync.WaitGroup
	for range auth.MostWaiting + 100 {
		asking.Go(func() {
			if _, err := asks(t.Context(), guard, nil, token); err == nil {
				taken.Add(1)
			} else {
				refused.Add(1)
			}
		})
	}
	poll(t, "those too many are refused", func() bool { return refused.Load() == 100 })
	if _, err := asks(t.Context(), guard, nil, good); err != nil {
		t.Errorf("a known key: %v", err)
	}
	close(gate)
	asking.Wait()
	if n := taken.Load(); n != auth.MostWaiting {
		t.Errorf("%d are taken", n)
	}
}

// A challenge is one header of well-formed parameters, whatever names the config has.
func TestChallengesAreQuoted(t *testing.T) {
	key := authtest.NewKey(t, "1", "ES256")
	tokens := auth.NewTokens(auth.TokenOptions{
		Keys: keysOf(t, &source{text: authtest.Set(key.JWK(nil))}, auth.KeyOptions{}), Issuer: "a\"b\\c\r\nX-Evil: ä", Audience: []string{"x"}, ClientClaim: "client_id",
	})
	_, err := asks(t.Context(), auth.New(auth.Options{Tokens: tokens}, nobody()), nil, key.Token(t, authtest.Claims(nil)))
	if err == nil || strings.Count(err.Challenge, `"`) != 6 || strings.ContainsAny(err.Challenge, "\\\r\nä") {
		t.Errorf("the challenge: %+v", err)
	}
}

// Headers that are huge together are refused, whoever sends them; the next call is answered.
func TestHugeHeaders(t *testing.T) {
	key := authtest.NewKey(t, "1", "ES256")
	authority := authtest.NewAuthority(t, "shop")
	good := "Bearer " + key.Token(t, authtest.Claims(nil))
	for _, overTLS := range []bool{false, true} {
		var b *bed
		if overTLS { // REST by HTTP/2
			server, client := secured(t, authority, nil)
			b = start(t, auth.Options{Tokens: tokensOf(t, key)}, server, client)
		} else {
			b = start(t, auth.Options{Tokens: tokensOf(t, key)}, nil, nil)
		}
		for size, taken := range map[int]bool{32 << 10: true, 100 << 10: false} {
			huge := strings.Repeat("x", size)
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.rest+"/v1/fail/0", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", good)
			r.Header.Set("X-Huge", huge)
			reply, err := b.client.Do(r)
			got := err == nil && reply.StatusCode == http.StatusOK
			if err == nil {
				_ = reply.Body.Close()
			}
			if got != taken {
				t.Errorf("REST, TLS %v, %d bytes: %v, %v", overTLS, size, reply, err)
			}
			ctx := metadata.NewOutgoingContext(t.Context(), metadata.Pairs("authorization", good, "x-huge", huge))
			in := dynamicpb.NewMessage(b.contract.Message("test.v1.FailRequest"))
			if err := b.conn.Invoke(ctx, "/test.v1.AllService/Fail", in, dynamicpb.NewMessage(in.Descriptor())); (status.Code(err) == codes.OK) != taken {
				t.Errorf("gRPC, TLS %v, %d bytes: %v", overTLS, size, err)
			}
		}
		b.both(t, codes.OK, "", good)
	}
}
