package auth_test

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"net/url"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/api/auth"
	"banyan.dev/banyan/api/auth/authtest"
	"banyan.dev/banyan/contract"
)

// secured gives both sides of TLS. The client shows pair, unless it is nil.
func secured(t *testing.T, a *authtest.Authority, pair *authtest.Pair) (server, client *tls.Config) {
	t.Helper()
	server = &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{a.Issue(t, x509.Certificate{}).TLS(t)},
		ClientCAs: a.Pool(), ClientAuth: tls.VerifyClientCertIfGiven, NextProtos: []string{"h2", "http/1.1"},
	}
	client = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: a.Pool()}
	if pair != nil {
		client.Certificates = []tls.Certificate{pair.TLS(t)}
	}
	return server, client
}

func TestCertificates(t *testing.T) {
	authority, stranger := authtest.NewAuthority(t, "shop"), authtest.NewAuthority(t, "evil")
	spiffe, err := url.Parse("spiffe://shop/till")
	if err != nil {
		t.Fatal(err)
	}
	till := authority.Issue(t, x509.Certificate{
		Subject:  pkix.Name{CommonName: "till", Organization: []string{"Shop"}, OrganizationalUnit: []string{"Front"}},
		DNSNames: []string{"till.shop.test"}, URIs: []*url.URL{spiffe}, EmailAddresses: []string{"till@shop.test"},
	})
	nameless := authority.Issue(t, x509.Certificate{DNSNames: []string{"till.shop.test"}})
	key := authtest.NewKey(t, "1", "ES256")
	sum := sha256.Sum256(till.Leaf.Raw)
	bound := "Bearer " + key.Token(t, authtest.Claims(map[string]any{"cnf": map[string]any{"x5t#S256": base64.RawURLEncoding.EncodeToString(sum[:])}}))
	free := "Bearer " + key.Token(t, authtest.Claims(map[string]any{"x509": map[string]any{"cn": "boss"}}))

	for name, test := range map[string]struct {
		pair   *authtest.Pair
		client auth.NameOf
		bearer []string
		code   codes.Code
		reason string
		want   string // the client
		cn     any
	}{
		"common name":                  {&till, auth.CommonName, nil, codes.OK, "", "cert:till", "till"},
		"DNS name":                     {&till, auth.DNSName, nil, codes.OK, "", "cert:till.shop.test", "till"},
		"URI":                          {&till, auth.URIName, nil, codes.OK, "", "cert:spiffe://shop/till", "till"},
		"address":                      {&till, auth.EmailName, nil, codes.OK, "", "cert:till@shop.test", "till"},
		"nameless":                     {&nameless, auth.CommonName, nil, codes.Unauthenticated, "CERTIFICATE_UNNAMED", "", nil},
		"none":                         {nil, auth.CommonName, nil, codes.Unauthenticated, "CREDENTIALS_MISSING", "", nil},
		"a token alone":                {nil, auth.CommonName, []string{free}, codes.OK, "", "till", nil},
		"both":                         {&till, auth.CommonName, []string{free}, codes.OK, "", "till", "till"},
		"a wrong token besides":        {&till, auth.CommonName, []string{"Bearer x"}, codes.Unauthenticated, "TOKEN_MALFORMED", "", nil},
		"another scheme besides":       {&till, auth.CommonName, []string{"Basic x"}, codes.OK, "", "cert:till", "till"},
		"a token for the certificate":  {&till, auth.CommonName, []string{bound}, codes.OK, "", "till", "till"},
		"a token for another":          {&nameless, auth.DNSName, []string{bound}, codes.Unauthenticated, "TOKEN_BOUND", "", nil},
		"a token for one, without any": {nil, auth.CommonName, []string{bound}, codes.Unauthenticated, "TOKEN_BOUND", "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			server, client := secured(t, authority, test.pair)
			b := start(t, auth.Options{Tokens: tokensOf(t, key), Certificates: &auth.Certificates{Client: test.client}}, server, client)
			b.both(t, test.code, test.reason, test.bearer...)
			call := b.last()
			if test.code != codes.OK {
				if call != nil {
					t.Error("it came through")
				}
				return
			}
			names, _ := call.Claims["x509"].(map[string]any)
			if call.Client != test.want || names["cn"] != test.cn {
				t.Errorf("client %s, names %v", call.Client, names)
			}
		})
	}

	t.Run("names", func(t *testing.T) {
		server, client := secured(t, authority, &till)
		b := start(t, auth.Options{Certificates: &auth.Certificates{Client: auth.CommonName}}, server, client)
		b.both(t, codes.OK, "")
		names, _ := b.last().Claims["x509"].(map[string]any)
		for name, want := range map[string]any{"cn": "till", "issuer": "shop", "serial": till.Leaf.SerialNumber.Text(16)} {
			if names[name] != want {
				t.Errorf("%s: %v, want %v", name, names[name], want)
			}
		}
		for name, want := range map[string]string{
			"o": "Shop", "ou": "Front", "dns": "till.shop.test", "uri": "spiffe://shop/till", "email": "till@shop.test", "ip": "127.0.0.1",
		} {
			if list, _ := names[name].([]any); len(list) == 0 || list[0] != want {
				t.Errorf("%s: %v, want %v", name, names[name], want)
			}
		}
	})

	t.Run("of another authority", func(t *testing.T) {
		pair := stranger.Issue(t, x509.Certificate{Subject: pkix.Name{CommonName: "till"}})
		server, client := secured(t, authority, &pair)
		client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { // whoever the server trusts
			return &client.Certificates[0], nil
		}
		b := start(t, auth.Options{Certificates: &auth.Certificates{Client: auth.CommonName}}, server, client)
		for transport, a := range map[string]answer{"REST": b.overREST(t), "gRPC": b.overGRPC(t)} {
			if a.code != codes.Unavailable {
				t.Errorf("%s: %+v", transport, a)
			}
		}
		if b.last() != nil {
			t.Error("it came through")
		}
	})

	t.Run("expired on a connection", func(t *testing.T) {
		server, client := secured(t, authority, &till)
		clk := &clock{at: time.Now()}
		b := start(t, auth.Options{Certificates: &auth.Certificates{Client: auth.CommonName}, Now: clk.now}, server, client)
		b.both(t, codes.OK, "")
		clk.advance(2 * time.Hour)
		b.both(t, codes.Unauthenticated, "CERTIFICATE_EXPIRED")
	})
}

func TestPublicOperations(t *testing.T) {
	key := authtest.NewKey(t, "1", "ES256")
	opts := auth.Options{Tokens: tokensOf(t, key), Public: map[*contract.Operation]bool{}}
	b := start(t, opts, nil, nil)
	b.both(t, codes.Unauthenticated, "CREDENTIALS_MISSING")
	for _, op := range b.contract.Operations() {
		opts.Public[op] = op.Descriptor.Name() == "Fail" // before anybody calls: the map is read only
	}
	b.both(t, codes.OK, "")
	if call := b.last(); call.Client != "" || call.Claims != nil {
		t.Errorf("nobody is %q, %v", call.Client, call.Claims)
	}
	b.both(t, codes.OK, "", "Bearer "+key.Token(t, authtest.Claims(nil)))
	if call := b.last(); call.Client != "till" {
		t.Errorf("the caller is %q", call.Client)
	}
	b.both(t, codes.Unauthenticated, "TOKEN_EXPIRED", "Bearer "+key.Token(t, authtest.Claims(map[string]any{"exp": 1})))
}
