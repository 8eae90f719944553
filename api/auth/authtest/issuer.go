// Package authtest is an issuer of access tokens and an authority of certificates, for tests. It signs by the standard
// library alone, so that what package auth takes is not only what its own library makes.
package authtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"sync"
	"testing"
	"time"
)

// The issuer's name and audience, which tokens have unless their claims say otherwise.
const (
	Issuer   = "https://id.test"
	Audience = "shop"
)

// Key is a key of the issuer.
type Key struct {
	ID, Algorithm string
	Private       crypto.Signer
}

// rsaKey is made once: that takes long.
var rsaKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// NewKey makes a key for RS256 (the same each time), PS256 (as well), ES256 or EdDSA.
func NewKey(t testing.TB, id, algorithm string) Key {
	t.Helper()
	var private crypto.Signer
	var err error
	switch algorithm {
	case "ES256":
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "EdDSA":
		_, private, err = ed25519.GenerateKey(rand.Reader)
	default:
		private, err = rsaKey()
	}
	if err != nil {
		t.Fatal(err)
	}
	return Key{id, algorithm, private}
}

// JWK gives the public part, with other members besides or instead.
func (k Key) JWK(members map[string]any) map[string]any {
	jwk := map[string]any{"use": "sig", "alg": k.Algorithm}
	if k.ID != "" {
		jwk["kid"] = k.ID
	}
	switch public := k.Private.Public().(type) {
	case *rsa.PublicKey:
		maps.Copy(jwk, map[string]any{"kty": "RSA", "n": encode(public.N.Bytes()), "e": encode(big.NewInt(int64(public.E)).Bytes())})
	case *ecdsa.PublicKey:
		point, err := public.Bytes() // 4, X, Y
		if err != nil {
			panic(err)
		}
		maps.Copy(jwk, map[string]any{"kty": "EC", "crv": "P-256", "x": encode(point[1:33]), "y": encode(point[33:])})
	case ed25519.PublicKey:
		maps.Copy(jwk, map[string]any{"kty": "OKP", "crv": "Ed25519", "x": encode(public)})
	}
	for name, v := range members {
		if v == nil {
			delete(jwk, name)
		} else {
			jwk[name] = v
		}
	}
	return jwk
}

// Set gives the text of a JWK Set.
func Set(jwks ...map[string]any) []byte {
	text, err := json.Marshal(map[string]any{"keys": jwks})
	if err != nil {
		panic(err)
	}
	return text
}

// Claims are those of a good token for the client till, with others besides or instead; nil leaves one out.
func Claims(others map[string]any) map[string]any {
	now := time.Now()
	claims := map[string]any{
		"iss": Issuer, "aud": Audience, "sub": "u1", "client_id": "till",
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}
	for name, v := range others {
		if v == nil {
			delete(claims, name)
		} else {
			claims[name] = v
		}
	}
	return claims
}

// Token signs claims.
func (k Key) Token(t testing.TB, claims map[string]any) string {
	t.Helper()
	header := map[string]any{"alg": k.Algorithm, "typ": "at+jwt"}
	if k.ID != "" {
		header["kid"] = k.ID
	}
	return k.Sign(t, header, claims)
}

// Sign signs claims under any header.
func (k Key) Sign(t testing.TB, header, claims map[string]any) string {
	t.Helper()
	return Compact(t, header, claims, func(input []byte) ([]byte, error) {
		sum := sha256.Sum256(input)
		switch private := k.Private.(type) {
		case *rsa.PrivateKey:
			if k.Algorithm == "PS256" {
				return rsa.SignPSS(rand.Reader, private, crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
			}
			return rsa.SignPKCS1v15(nil, private, crypto.SHA256, sum[:])
		case *ecdsa.PrivateKey:
			r, s, err := ecdsa.Sign(rand.Reader, private, sum[:])
			if err != nil {
				return nil, err
			}
			out := make([]byte, 64)
			r.FillBytes(out[:32])
			s.FillBytes(out[32:])
			return out, nil
		default:
			return private.Sign(nil, input, crypto.Hash(0))
		}
	})
}

// HMAC signs by a shared secret.
func HMAC(secret []byte) func(input []byte) ([]byte, error) {
	return func(input []byte) ([]byte, error) {
		mac := hmac.New(sha256.New, secret)
		mac.Write(input)
		return mac.Sum(nil), nil
	}
}

// Compact puts a token together (RFC 7515, 7.1).
func Compact(t testing.TB, header, claims map[string]any, sign func(input []byte) ([]byte, error)) string {
	t.Helper()
	h, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	c, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	input := encode(h) + "." + encode(c)
	signature, err := sign([]byte(input))
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + encode(signature)
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
