package auth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
)

// TokenOptions say which tokens are taken. Keys, Issuer and Audience are needed.
type TokenOptions struct {
	Keys *Keys
	// Issuer is what iss has to be, exactly.
	Issuer string
	// Audience are those of which aud has to have one.
	Audience []string
	// Algorithms are the names of those that tokens may be signed by (Algorithms lists them); none: all.
	Algorithms []string
	// Leeway is how far the issuer's clock may be away.
	Leeway time.Duration
	// ClientClaim is the claim that names the client. Tokens without it are refused.
	ClientClaim string
	// Now is the clock; nil: the system's.
	Now func() time.Time
}

// Tokens verifies access tokens. What was verified is remembered until the token ends or the keys change. It is safe for
// concurrent use.
type Tokens struct{ opts TokenOptions }

// NewTokens makes a Tokens.
func NewTokens(opts TokenOptions) *Tokens {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if len(opts.Algorithms) == 0 {
		opts.Algorithms = Algorithms()
	}
	return &Tokens{opts}
}

// identity is what a token says.
type identity struct {
	claims map[string]any
	client string
	// subject is whom it is about.
	subject string
	// bound is the thumbprint of the only certificate that the token may be used with (RFC 8705); empty: any, and none.
	bound string
	until time.Time
}

// verify gives what a token says of who brings it.
func (t *Tokens) verify(ctx context.Context, token string, cert *x509.Certificate) (*identity, error) {
	set := t.opts.Keys.current()
	name := sha256.Sum256([]byte(token))
	who := set.verified.get(name)
	if who == nil {
		var err error
		if who, set, err = t.read(ctx, token, set); err != nil {
			return nil, err
		}
		set.verified.put(name, who, len(token))
	}
	if !t.opts.Now().Before(who.until) {
		return nil, refused("TOKEN_EXPIRED", "the access token has expired; get a new one")
	}
	if who.bound != "" && !fits(who.bound, cert) {
		return nil, refused("TOKEN_BOUND", "the access token belongs to another client certificate than the connection's; use the one that it was made for")
	}
	return who, nil
}

// fits says whether a thumbprint is a certificate's (RFC 8705, 3.1).
func fits(thumbprint string, cert *x509.Certificate) bool {
	if cert == nil {
		return false
	}
	sum := sha256.Sum256(cert.Raw)
	return subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(thumbprint)) == 1
}

// header is the part of a token's header that counts (RFC 7515, 4.1).
type header struct{ alg, kid string }

// read verifies a token that isn't known, and gives the keys by which.
func (t *Tokens) read(ctx context.Context, token string, set *keySet) (*identity, *keySet, error) {
	h, err := readHeader(token)
	if err != nil {
		return nil, nil, err
	}
	if !slices.Contains(t.opts.Algorithms, h.alg) {
		return nil, nil, refused("TOKEN_ALGORITHM", "the access token is signed by an algorithm that is not taken here; ask its issuer for one of %s", strings.Join(t.opts.Algorithms, ", "))
	}
	payload, found := set.verify(token, h)
	if payload == nil { // an issuer may change keys without changing their ids, too
		if newer := t.opts.Keys.renewed(ctx, set); newer != set {
			set = newer
			payload, found = set.verify(token, h)
		}
	}
	switch {
	case payload != nil:
		who, err := t.claims(payload)
		return who, set, err
	case !found:
		return nil, nil, refused("TOKEN_KEY_UNKNOWN", "the access token is signed by a key that is not its issuer's, or not any more; get a new one")
	}
	return nil, nil, refused("TOKEN_SIGNATURE", "the access token's signature is wrong; get a new one")
}

// readHeader reads the header of a token in compact form (RFC 7515, 7.1). Names are exact: "ALG" is not "alg".
func readHeader(token string) (header, error) {
	malformed := refused("TOKEN_MALFORMED", "the access token is no JWT in compact form (header.payload.signature); send it as its issuer gave it")
	encoded, rest, ok := strings.Cut(token, ".")
	payload, signature, more := strings.Cut(rest, ".")
	if !ok || !more || payload == "" || strings.ContainsAny(token, "\r\n") { // the decoder skips line breaks
		return header{}, malformed
	}
	// One token has one spelling: what verifies it takes other encodings, too.
	strict := base64.RawURLEncoding.Strict()
	text, err := strict.DecodeString(encoded)
	for _, part := range []string{payload, signature} {
		_, wrong := strict.DecodeString(part)
		err = errors.Join(err, wrong)
	}
	if err != nil {
		return header{}, malformed
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(text, &fields) != nil {
		return header{}, malformed
	}
	for _, name := range []string{"crit", "b64", "zip", "enc"} {
		if _, ok := fields[name]; ok {
			return header{}, refused("TOKEN_EXTENDED", "the access token's header has %s, which is not understood here; ask its issuer for a plain signed JWT", name)
		}
	}
	var h header
	for name, to := range map[string]*string{"alg": &h.alg, "kid": &h.kid} {
		if raw, ok := fields[name]; ok && json.Unmarshal(raw, to) != nil {
			return header{}, malformed
		}
	}
	if raw, ok := fields["typ"]; ok {
		var typ string
		if json.Unmarshal(raw, &typ) != nil || !access(typ) {
			return header{}, refused("TOKEN_TYPE", "this is a token of another kind than an access token; send that (its typ is JWT or at+jwt)")
		}
	}
	return h, nil
}

// access says whether typ is that of an access token (RFC 9068, 2.1) or says nothing (RFC 7519, 5.1). Others, such as
// logout tokens, are signed by the same keys and mean something else.
func access(typ string) bool {
	switch strings.TrimPrefix(strings.ToLower(typ), "application/") {
	case "jwt", "at+jwt":
		return true
	}
	return false
}

// claims reads and checks what a token says whose signature is right.
func (t *Tokens) claims(payload []byte) (*identity, error) {
	claims, ok := decodeClaims(payload)
	if !ok {
		return nil, refused("TOKEN_MALFORMED", "the access token has no claims; send it as its issuer gave it")
	}
	if issuer, ok := claims["iss"].(string); !ok || issuer != t.opts.Issuer {
		return nil, refused("TOKEN_ISSUER", "the access token is of another issuer; get one of %s", t.opts.Issuer)
	}
	if !has(claims["aud"], t.opts.Audience) {
		return nil, refused("TOKEN_AUDIENCE", "the access token is for another audience; get one for %s", strings.Join(t.opts.Audience, " or "))
	}
	until, err := t.times(claims)
	if err != nil {
		return nil, err
	}
	who := &identity{claims: claims, until: until, client: named(claims[t.opts.ClientClaim]), subject: named(claims["sub"])}
	if who.client == "" {
		return nil, refused("TOKEN_CLIENT", "the access token does not say which client it is for: it has no text in the claim %s", t.opts.ClientClaim)
	}
	who.client = clientOfToken(who.client)
	if cnf, ok := claims["cnf"]; ok {
		fields, _ := cnf.(map[string]any)
		if who.bound, ok = fields["x5t#S256"].(string); !ok || who.bound == "" {
			return nil, refused("TOKEN_BOUND", "the access token is bound to a key (cnf) in a way that is not checked here; get a bearer token")
		}
	}
	return who, nil
}

// named gives a claim that names somebody: a text or a whole number.
func named(claim any) string {
	switch v := claim.(type) {
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	case uint64:
		return strconv.FormatUint(v, 10)
	}
	return ""
}

// times checks exp, nbf and iat, and gives when the token is not taken any more.
func (t *Tokens) times(claims map[string]any) (until time.Time, err error) {
	now := t.opts.Now()
	exp, ok := instant(claims["exp"])
	if !ok {
		return until, refused("TOKEN_ENDLESS", "the access token does not say when it expires (exp); get one that does")
	}
	if until = exp.Add(t.opts.Leeway); !now.Before(until) {
		return until, refused("TOKEN_EXPIRED", "the access token has expired; get a new one")
	}
	for _, name := range []string{"nbf", "iat"} {
		claim, given := claims[name]
		if !given {
			continue
		}
		from, ok := instant(claim)
		if !ok {
			return until, refused("TOKEN_MALFORMED", "the access token's %s is no time; send it as its issuer gave it", name)
		}
		if now.Before(from.Add(-t.opts.Leeway)) {
			return until, refused("TOKEN_EARLY", "the access token is not valid yet (%s); wait, or mend the clocks", name)
		}
	}
	return until, nil
}
