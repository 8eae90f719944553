package config

import (
	"errors"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Auth says how callers prove who they are, and what they may do.
type Auth struct {
	// Off lets everybody do everything.
	Off          bool         `yaml:"off" default:"false"`
	Tokens       Tokens       `yaml:"tokens"`
	Certificates Certificates `yaml:"certificates"`
	// Public are operations that need no credentials: full names, or pkg.Service.* for a whole service.
	Public []string `yaml:"public"`
	// Require is what callers of operations need, by a name of the team's.
	Require map[string]Requirement `yaml:"require"`
}

// Tokens says which access tokens (JWT) are taken. Without Keys none are.
type Tokens struct {
	// Keys is where the issuer's keys are (JWK Set): a file, or an http or https URL.
	Keys KeySource `yaml:"keys"`
	// KeysCA is a file of authorities that may vouch for the URL's server, besides none.
	KeysCA string `yaml:"keys_ca" path:"true"`
	// Issuer is what iss has to be.
	Issuer string `yaml:"issuer"`
	// Audience are those of which aud has to have one.
	Audience []string `yaml:"audience"`
	// Algorithms are those that tokens may be signed by; none: all asymmetric ones.
	Algorithms []string `yaml:"algorithms"`
	// ClientClaim is the claim that names the client.
	ClientClaim string `yaml:"client_claim" default:"client_id"`
	// Leeway is how far the issuer's clock may be away.
	Leeway time.Duration `yaml:"leeway" default:"30s"`
	// Refresh is the time between two looks at a URL's keys.
	Refresh time.Duration `yaml:"refresh" default:"5m"`
	// StartTimeout is how long serve waits at start for keys.
	StartTimeout time.Duration `yaml:"start_timeout" default:"30s"`
}

// Certificates says which client certificates are taken. Without CA none are.
type Certificates struct {
	// CA is a file of the authorities of clients.
	CA string `yaml:"ca" path:"true"`
	// Required refuses connections without a certificate.
	Required bool `yaml:"required" default:"false"`
	// Client is the name of a certificate that names the client: cn, dns, uri or email.
	Client CertificateName `yaml:"client" default:"cn"`
}

// Requirement is what callers of some operations need.
type Requirement struct {
	// Operations are full names, or pkg.Service.* for a whole service.
	Operations []string `yaml:"operations" required:"true"`
	// Scopes are those that the token has to have, all of them.
	Scopes []string `yaml:"scopes"`
	// When is a CEL condition over claims, client, headers and request.
	When string `yaml:"when"`
}

// TLS is a listener's certificate. Without files it speaks plain text.
type TLS struct {
	// Certificate and Key are PEM files: the chain, the listener's own first, and its private key.
	Certificate string `yaml:"certificate" path:"true"`
	Key         string `yaml:"key" path:"true"`
}

// On says whether there is a certificate.
func (t TLS) On() bool { return t.Certificate != "" && t.Key != "" }

// AdminTLS is the admin listener's certificate, and whom it lets in.
type AdminTLS struct {
	Certificate string `yaml:"certificate" path:"true"`
	Key         string `yaml:"key" path:"true"`
	// ClientCA is a file of the authorities of operators; without it nobody has to show a certificate.
	ClientCA string `yaml:"client_ca" path:"true"`
}

// On says whether there is a certificate.
func (t AdminTLS) On() bool { return t.Certificate != "" && t.Key != "" }

// KeySource is a file or an http or https URL.
type KeySource string

// UnmarshalText reads a source.
func (k *KeySource) UnmarshalText(text []byte) error {
	s := string(text)
	if s == "" {
		return errors.New("write a file, or a URL such as https://id.example.com/jwks.json")
	}
	if scheme, _, ok := strings.Cut(s, "://"); ok {
		u, err := url.Parse(s)
		switch {
		case scheme != "https" && scheme != "http" || err != nil || u.Host == "":
			return errors.New("write a file, or a URL such as https://id.example.com/jwks.json")
		case u.User != nil:
			return errors.New("write it without a user and password: public keys need none")
		}
	}
	*k = KeySource(s)
	return nil
}

// URL gives the source if it is a URL, else "".
func (k KeySource) URL() string {
	if strings.Contains(string(k), "://") {
		return string(k)
	}
	return ""
}

// File gives the source if it is a file, else "". Relative ones are as they are written: TokenKeysFile resolves them.
func (k KeySource) File() string {
	if k.URL() != "" {
		return ""
	}
	return string(k)
}

// TokenKeysFile gives the path of the issuer's keys if they are in a file, else "".
func (c *Config) TokenKeysFile() string {
	file := c.Auth.Tokens.Keys.File()
	if file == "" || filepath.IsAbs(file) {
		return file
	}
	return filepath.Join(filepath.Dir(c.file), file)
}

// CertificateName says which name of a certificate names the client.
type CertificateName string

// UnmarshalText reads a name.
func (n *CertificateName) UnmarshalText(text []byte) error {
	if !slices.Contains([]string{"cn", "dns", "uri", "email"}, string(text)) {
		return errors.New("write cn (the subject's common name), dns, uri or email (the first alternative name of the kind)")
	}
	*n = CertificateName(text)
	return nil
}

// RequirementNames gives the names of requirements, in order.
func (c *Config) RequirementNames() []string { return slices.Sorted(maps.Keys(c.Auth.Require)) }

// auth checks that it is said who may call, and that what is said fits together.
func (v validator) auth() {
	a := v.c.Auth
	t, certificates := a.Tokens, a.Certificates
	some := t.Keys != "" || v.given("auth.tokens.keys") || certificates.CA != "" || v.given("auth.certificates.ca")
	switch {
	case a.Off && (some || len(a.Public) > 0 || len(a.Require) > 0):
		v.add("auth.off", "delete it, or all else below auth", "auth.off lets everybody in, and the rest of auth says who may")
	case !a.Off && !some:
		at := v.c.Pos("auth")
		if at.Line == 0 {
			at.Line, at.Col = 1, 1
		}
		v.faults.Add(at, "add auth.tokens or auth.certificates (docs/auth.md); where everybody who reaches the listeners may do everything, say so: `auth: {off: true}`",
			"it is not said who may call")
	}
	v.tokens()
	for _, name := range v.c.RequirementNames() {
		if r := a.Require[name]; len(r.Scopes) == 0 && r.When == "" {
			v.add("auth.require."+name, "add scopes, or a condition in when", "auth.require.%s requires nothing", name)
		}
	}
	v.tls(certificates)
}

// given says whether the file has a key, rightly or wrongly.
func (v validator) given(key string) bool {
	_, ok := v.c.positions[key]
	return ok
}

func (v validator) tokens() {
	t := v.c.Auth.Tokens
	atLeast(v, "auth.tokens.leeway", t.Leeway, 0)
	atMost(v, "auth.tokens.leeway", t.Leeway, 10*time.Minute)
	atLeast(v, "auth.tokens.refresh", t.Refresh, time.Second)
	atLeast(v, "auth.tokens.start_timeout", t.StartTimeout, 0)
	if t.Keys == "" {
		if v.given("auth.tokens.keys") {
			return // what is wrong with it was reported
		}
		if t.Issuer != "" || len(t.Audience) > 0 || len(t.Algorithms) > 0 || t.KeysCA != "" {
			v.add("auth.tokens", "name the issuer's JWK Set: a file, or its URL", "auth.tokens.keys is missing")
		}
		return
	}
	if t.Issuer == "" {
		v.add("auth.tokens", "write what the tokens have in iss", "auth.tokens.issuer is missing")
	}
	if len(t.Audience) == 0 {
		v.add("auth.tokens", "write what the tokens have in aud when they are for this service", "auth.tokens.audience is missing: tokens for other services of the issuer would be taken")
	}
	at := t.Keys.URL()
	if t.KeysCA != "" && !strings.HasPrefix(at, "https:") {
		v.add("auth.tokens.keys_ca", "delete it, or give auth.tokens.keys an https URL", "auth.tokens.keys_ca is for keys at an https URL")
	}
	if u, err := url.Parse(at); err == nil && u.Scheme == "http" && !Address(u.Host).Loopback() && !Address(u.Host+":80").Loopback() {
		v.faults.Warn(v.c.Pos("auth.tokens.keys"), "use https", "whoever is between here and %s can replace the keys, and sign tokens", u.Host)
	}
}

// tls checks the listeners' certificates.
func (v validator) tls(certificates Certificates) {
	l := v.c.Listen
	for _, at := range []struct{ path, certificate, key string }{
		{"listen.tls", l.TLS.Certificate, l.TLS.Key}, {"listen.admin_tls", l.AdminTLS.Certificate, l.AdminTLS.Key},
	} {
		switch {
		case at.certificate != "" && at.key == "":
			v.add(at.path, "name the file of its private key", "%s.key is missing", at.path)
		case at.certificate == "" && at.key != "":
			v.add(at.path, "name the file of the certificate", "%s.certificate is missing", at.path)
		}
	}
	if l.AdminTLS.ClientCA != "" && l.AdminTLS.Certificate == "" {
		v.add("listen.admin_tls", "name the file of the certificate", "listen.admin_tls.certificate is missing: operators show certificates over TLS only")
	}
	if certificates.CA != "" && l.TLS.Certificate == "" {
		v.add("auth.certificates.ca", "add listen.tls.certificate and listen.tls.key", "clients show certificates over TLS only, and the listeners have none")
	}
	if certificates.CA == "" && certificates.Required {
		v.add("auth.certificates.required", "name the file of the clients' authorities", "auth.certificates.ca is missing")
	}
	if v.c.Auth.Tokens.Keys != "" && !l.TLS.On() && !(l.REST.Loopback() && l.GRPC.Loopback()) {
		v.faults.Note(v.c.Pos("auth.tokens"), "add listen.tls, unless something in front of Banyan speaks TLS", "access tokens travel in plain text")
	}
}
