package auth_test

import (
	"context"
	"testing"

	"banyan.dev/banyan/api/auth"
	"banyan.dev/banyan/api/auth/authtest"
	"banyan.dev/banyan/strangler"
)

// BenchmarkTokens measures what authentication adds to a call: "known" is a token that was verified before, "new" one that
// was not.
func BenchmarkTokens(b *testing.B) {
	for _, algorithm := range []string{"RS256", "ES256", "EdDSA"} {
		key := authtest.NewKey(b, "1", algorithm)
		claims := authtest.Claims(map[string]any{"scope": "orders.read orders.write", "org": map[string]any{"id": "o1"}, "jti": "9a1f0c52"})
		token := "Bearer " + key.Token(b, claims)
		values := []string{token}
		call := strangler.Call{Header: func(string) []string { return values }}
		next := strangler.BackendFunc(func(context.Context, *strangler.Call, func(*strangler.Reply) error) error { return nil })
		ask := func(b *testing.B, guard *auth.Backend) {
			once := call
			if err := guard.Call(b.Context(), &once, nil); err != nil {
				b.Fatal(err)
			}
		}
		b.Run(algorithm+"/known", func(b *testing.B) {
			guard := auth.New(auth.Options{Tokens: tokensOf(b, key)}, next)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					ask(b, guard)
				}
			})
		})
		b.Run(algorithm+"/new", func(b *testing.B) {
			s := &source{text: authtest.Set(key.JWK(nil))}
			keys := keysOf(b, s, auth.KeyOptions{})
			guard := auth.New(auth.Options{Tokens: tokens(keys)}, next)
			b.ReportAllocs()
			for b.Loop() {
				auth.Forget(keys)
				ask(b, guard)
			}
		})
	}
}
