package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"
)

// algorithm is one that tokens may be signed by. fits says whether a key is of its kind: a token's header alone never
// decides how a key is used (RFC 8725, 3.1).
type algorithm struct {
	jwa  jwa.SignatureAlgorithm
	fits func(crypto.PublicKey) bool
}

// algorithms are asymmetric, all of them: who can verify a token must not be able to make one.
var algorithms = sync.OnceValue(func() map[string]algorithm {
	isRSA := func(k crypto.PublicKey) bool { _, ok := k.(*rsa.PublicKey); return ok }
	onCurve := func(bits int) func(crypto.PublicKey) bool {
		return func(k crypto.PublicKey) bool {
			ec, ok := k.(*ecdsa.PublicKey)
			return ok && ec.Curve.Params().BitSize == bits
		}
	}
	isEd25519 := func(k crypto.PublicKey) bool { _, ok := k.(ed25519.PublicKey); return ok }
	return map[string]algorithm{
		"RS256": {jwa.RS256(), isRSA}, "RS384": {jwa.RS384(), isRSA}, "RS512": {jwa.RS512(), isRSA},
		"PS256": {jwa.PS256(), isRSA}, "PS384": {jwa.PS384(), isRSA}, "PS512": {jwa.PS512(), isRSA},
		"ES256": {jwa.ES256(), onCurve(256)}, "ES384": {jwa.ES384(), onCurve(384)}, "ES512": {jwa.ES512(), onCurve(521)},
		"EdDSA": {jwa.EdDSA(), isEd25519}, "Ed25519": {jwa.EdDSAEd25519(), isEd25519},
	}
})

// Algorithms gives the names of the algorithms that tokens may be signed by, in order (RFC 7518, 3.1; RFC 8037; RFC 9864).
func Algorithms() []string { return slices.Sorted(maps.Keys(algorithms())) }

// Bounds of RSA keys, in bits: shorter ones are weak (RFC 7518, 3.3), longer ones slow.
const (
	shortestRSA = 2048
	longestRSA  = 8192
)

// mostTried bounds the keys that are tried for a token that names none.
const mostTried = 8

// keySet is an issuer's keys (RFC 7517, 5) with what they have verified. It is not changed.
type keySet struct {
	keys     []publicKey
	verified cache
}

type publicKey struct {
	// id and alg are what the key says of itself; empty: nothing.
	id, alg string
	public  crypto.PublicKey
}

// find gives the keys that may have signed a token: those with its key's id, and those without any.
func (s *keySet) find(h header) []publicKey {
	var out []publicKey
	for _, k := range s.keys {
		if (k.alg == "" || k.alg == h.alg) && (k.id == "" || h.kid == "" || k.id == h.kid) && algorithms()[h.alg].fits(k.public) {
			out = append(out, k)
		}
	}
	if len(out) > mostTried {
		return out[:mostTried]
	}
	return out
}

// verify gives what a token says that one of the keys has signed, nil where none has; found says whether any could have.
func (s *keySet) verify(token string, h header) (payload []byte, found bool) {
	keys := s.find(h)
	for _, k := range keys {
		payload, err := jws.Verify([]byte(token), jws.WithKey(algorithms()[h.alg].jwa, k.public), jws.WithCompact())
		if err == nil { // else its text may have parts of the token
			return payload, true
		}
	}
	return nil, len(keys) > 0
}

// parseKeys reads a JWK Set. Keys that can't be used for tokens are left out, each with a remark that says why; a set
// without any other is an error. Neither has anything of a key in it.
func parseKeys(text []byte) (set *keySet, remarks []string, err error) {
	var raw struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if json.Unmarshal(text, &raw) != nil || raw.Keys == nil {
		return nil, nil, errors.New(`it is no JWK Set ({"keys": […]}, RFC 7517)`)
	}
	set = &keySet{}
	for i, one := range raw.Keys {
		k, remark := parseKey(one)
		if remark != "" {
			remarks = append(remarks, fmt.Sprintf("key %d %s", i+1, remark))
		}
		if k.public != nil {
			set.keys = append(set.keys, k)
		}
	}
	if len(set.keys) == 0 {
		return nil, remarks, errors.New("it has no key that verifies tokens")
	}
	return set, remarks, nil
}

// parseKey reads a key. Without a public one, the remark says why it can't be used.
func parseKey(text []byte) (k publicKey, remark string) {
	key, err := jwk.ParseKey(text)
	if err != nil {
		return k, "can't be read"
	}
	if use, ok := key.KeyUsage(); ok && use != string(jwk.ForSignature) {
		return k, "" // the issuer's own keys for other purposes are nobody's fault
	}
	if ops, ok := key.KeyOps(); ok && !slices.Contains(ops, jwk.KeyOpVerify) {
		return k, "is not for verifying (key_ops)"
	}
	if key.KeyType() == jwa.OctetSeq() {
		return k, "is symmetric, which is never used here: a key that can be shared has to be a public one"
	}
	k.id, _ = key.KeyID()
	if alg, ok := key.Algorithm(); ok {
		k.alg = alg.String()
		if _, known := algorithms()[k.alg]; !known {
			return k, "is for an algorithm that is not taken here"
		}
	}
	if private, err := jwk.IsPrivateKey(key); err == nil && private {
		remark = "is a PRIVATE key, which whoever reads this can sign tokens with: replace it, and publish its public part only"
	}
	public, err := jwk.PublicRawKeyOf(key)
	if err != nil {
		return k, "can't be read"
	}
	switch p := public.(type) {
	case *rsa.PublicKey:
		if bits := p.N.BitLen(); bits < shortestRSA || bits > longestRSA {
			return k, fmt.Sprintf("has %d bits; RSA keys need %d to %d", bits, shortestRSA, longestRSA)
		}
	case *ecdsa.PublicKey, ed25519.PublicKey:
	default:
		return k, "is of a kind that is not taken here"
	}
	k.public = public
	return k, remark
}
