package certs_test

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"banyan.dev/banyan/api/auth/authtest"
	"banyan.dev/banyan/api/certs"
)

// A session does not outlive the authority of the client's certificate.
func TestSessionsDontGoOn(t *testing.T) {
	dir := t.TempDir()
	authority, next := authtest.NewAuthority(t, "shop"), authtest.NewAuthority(t, "next")
	certFile, keyFile := authority.Issue(t, x509.Certificate{}).Write(t, dir, "server")
	ca := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(ca, authority.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := certs.Open(certs.Files{Certificate: certFile, Key: keyFile, ClientCA: ca}, nil)
	if err != nil {
		t.Fatal(err)
	}
	own := authority.Issue(t, x509.Certificate{}).TLS(t)
	client := &tls.Config{
		MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12, // whose tickets come with the handshake
		RootCAs: authority.Pool(), ServerName: "127.0.0.1", ClientSessionCache: tls.NewLRUClientSessionCache(1),
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &own, nil },
	}
	server := s.Config()
	for range 2 {
		if state, err := shakeWith(t, server, client); err != nil || state.DidResume {
			t.Errorf("resumed: %v, %v", state.DidResume, err)
		}
	}
	if err := os.WriteFile(ca, next.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Look(slog.New(slog.DiscardHandler))
	if _, err := shakeWith(t, server, client); err == nil {
		t.Error("an authority that is gone is taken")
	}
}

// A client's certificate may come with those that lead to the authority. It has to be valid now, and for clients.
func TestClientsCertificates(t *testing.T) {
	dir := t.TempDir()
	authority := authtest.NewAuthority(t, "shop")
	below, stranger := authority.Below(t, "tills"), authtest.NewAuthority(t, "shop") // of the same name
	certFile, keyFile := authority.Issue(t, x509.Certificate{}).Write(t, dir, "server")
	ca := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(ca, authority.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := certs.Open(certs.Files{Certificate: certFile, Key: keyFile, ClientCA: ca}, nil)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	chained := below.Issue(t, x509.Certificate{})
	for name, test := range map[string]struct {
		pair  authtest.Pair
		chain []byte
		taken bool
	}{
		"direct":                  {authority.Issue(t, x509.Certificate{}), nil, true},
		"with the one between":    {chained, below.PEM(), true},
		"without the one between": {chained, nil, false},
		"of one of the same name": {stranger.Issue(t, x509.Certificate{}), stranger.PEM(), false},
		"expired":                 {authority.Issue(t, x509.Certificate{NotBefore: now.Add(-2 * time.Hour), NotAfter: now.Add(-time.Hour)}), nil, false},
		"not yet valid":           {authority.Issue(t, x509.Certificate{NotBefore: now.Add(time.Hour), NotAfter: now.Add(2 * time.Hour)}), nil, false},
		"for servers only":        {authority.Issue(t, x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}), nil, false},
		"for clients only":        {authority.Issue(t, x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}), nil, true},
	} {
		own := authtest.Pair{Certificate: append(test.pair.Certificate, test.chain...), Key: test.pair.Key}.TLS(t)
		_, err := shake(t, s, &tls.Config{
			MinVersion: tls.VersionTLS12, RootCAs: authority.Pool(), ServerName: "127.0.0.1",
			GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &own, nil },
		})
		if (err == nil) != test.taken {
			t.Errorf("%s: %v", name, err)
		}
	}
}
