package certs_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"banyan.dev/banyan/api/auth/authtest"
	"banyan.dev/banyan/api/certs"
)

// Every connection of the tests must end with them.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shake makes a connection and gives the server's certificate and what was agreed on, or why there is none.
func shake(t *testing.T, s *certs.Store, client *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	return shakeWith(t, s.Config(), client)
}

// shakeWith is shake with a listener that there was before: it has the keys of its sessions.
func shakeWith(t *testing.T, server, client *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	on, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer on.Close() //nolint:errcheck // nobody waits for it any more
	served := make(chan error, 1)
	ended := make(chan struct{})
	defer func() { <-ended }()
	go func() {
		defer close(ended)
		conn, err := on.Accept()
		if err != nil {
			served <- err
			return
		}
		defer conn.Close() //nolint:errcheck // all was said
		served <- tls.Server(conn, server).HandshakeContext(t.Context())
		_, _ = conn.Read(make([]byte, 1)) // until the client has gone
	}()
	raw, err := net.Dial("tcp", on.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close() //nolint:errcheck // all was said
	conn := tls.Client(raw, client)
	err = conn.HandshakeContext(t.Context())
	if failed := <-served; failed != nil {
		return tls.ConnectionState{}, failed
	}
	return conn.ConnectionState(), err
}

func TestReload(t *testing.T) {
	dir := t.TempDir()
	authority := authtest.NewAuthority(t, "shop")
	named := func(name string) authtest.Pair {
		return authority.Issue(t, x509.Certificate{Subject: pkix.Name{CommonName: name}})
	}
	first, second, third := named("first"), named("second"), named("third")
	certFile, keyFile := first.Write(t, dir, "server")
	write := func(path string, text []byte) {
		t.Helper()
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := certs.Open(certs.Files{Certificate: certFile, Key: keyFile}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	client := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: authority.Pool(), ServerName: "127.0.0.1", NextProtos: []string{"h2"}}
	serves := func(want string) {
		t.Helper()
		state, err := shake(t, s, client)
		if err != nil {
			t.Fatal(err)
		}
		if got := state.PeerCertificates[0].Subject.CommonName; got != want || state.NegotiatedProtocol != "h2" {
			t.Errorf("it serves %s by %s, want %s", got, state.NegotiatedProtocol, want)
		}
	}
	serves("first")
	s.Look(logger)
	if log.Len() > 0 {
		t.Errorf("nothing has changed, and it says:\n%s", log.String())
	}

	// A pair whose files come one after the other is taken when both are there, and nothing is said between.
	write(certFile, second.Certificate)
	s.Look(logger)
	serves("first")
	write(keyFile, second.Key)
	s.Look(logger)
	serves("second")
	if text := log.String(); strings.Contains(text, "ERROR") || strings.Count(text, "a new certificate is in use") != 1 || s.Stale() {
		t.Errorf("the log:\n%s", text)
	}

	for name, bad := range map[string]func(){
		"another's key": func() { write(keyFile, third.Key) },
		"no PEM":        func() { write(certFile, []byte("secret")) },
		"gone":          func() { _ = os.Remove(certFile) },
		"expired": func() {
			expired := authority.Issue(t, x509.Certificate{NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour)})
			expired.Write(t, dir, "server")
		},
	} {
		t.Run(name, func(t *testing.T) {
			log.Reset()
			bad()
			for range 5 {
				s.Look(logger)
				serves("second")
			}
			text := log.String()
			if strings.Count(text, "level=ERROR") != 1 || !s.Stale() || strings.Contains(text, "secret") || strings.Contains(text, "PRIVATE") {
				t.Errorf("the log (stale: %v):\n%s", s.Stale(), text)
			}
			second.Write(t, dir, "server")
			s.Look(logger)
			if s.Stale() || !strings.Contains(log.String(), "have again what is in use") {
				t.Errorf("it has recovered:\n%s", log.String())
			}
		})
	}
	if s.Leaf().Subject.CommonName != "second" {
		t.Errorf("its certificate is %s", s.Leaf().Subject)
	}
}

func TestClients(t *testing.T) {
	dir := t.TempDir()
	authority, next := authtest.NewAuthority(t, "shop"), authtest.NewAuthority(t, "next")
	certFile, keyFile := authority.Issue(t, x509.Certificate{}).Write(t, dir, "server")
	ca := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(ca, authority.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	client := func(a *authtest.Authority) *tls.Config {
		c := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: authority.Pool(), ServerName: "127.0.0.1", ClientSessionCache: tls.NewLRUClientSessionCache(1)}
		if a != nil {
			cert := a.Issue(t, x509.Certificate{}).TLS(t)
			c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }
		}
		return c
	}
	for _, require := range []bool{false, true} {
		s, err := certs.Open(certs.Files{Certificate: certFile, Key: keyFile, ClientCA: ca, RequireClient: require}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := shake(t, s, client(nil)); (err != nil) != require {
			t.Errorf("required %v, none shown: %v", require, err)
		}
		if _, err := shake(t, s, client(next)); err == nil {
			t.Errorf("required %v: another authority's is taken", require)
		}
		known := client(authority)
		if _, err := shake(t, s, known); err != nil {
			t.Errorf("required %v: %v", require, err)
		}
		if err := os.WriteFile(ca, next.PEM(), 0o600); err != nil {
			t.Fatal(err)
		}
		s.Look(slog.New(slog.DiscardHandler))
		if _, err := shake(t, s, known); err == nil {
			t.Errorf("required %v: an authority that is gone is taken", require)
		}
		if _, err := shake(t, s, client(next)); err != nil {
			t.Errorf("required %v: the new authority: %v", require, err)
		}
		if err := os.WriteFile(ca, authority.PEM(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOldVersionsAreRefused(t *testing.T) {
	authority := authtest.NewAuthority(t, "shop")
	certFile, keyFile := authority.Issue(t, x509.Certificate{}).Write(t, t.TempDir(), "server")
	s, err := certs.Open(certs.Files{Certificate: certFile, Key: keyFile}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for version, taken := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		_, err := shake(t, s, &tls.Config{RootCAs: authority.Pool(), ServerName: "127.0.0.1", MinVersion: version, MaxVersion: version}) //nolint:gosec // that is what is tested
		if (err == nil) != taken {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
	}
}

func TestWatch(t *testing.T) {
	dir := t.TempDir()
	authority := authtest.NewAuthority(t, "shop")
	certFile, keyFile := authority.Issue(t, x509.Certificate{Subject: pkix.Name{CommonName: "first"}}).Write(t, dir, "server")
	s, err := certs.Open(certs.Files{Certificate: certFile, Key: keyFile}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	seen := make(chan string, 10)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		s.Watch(ctx, "rest", slog.New(slog.NewTextHandler(writer(func(p []byte) { seen <- string(p) }), nil)))
	}()
	authority.Issue(t, x509.Certificate{Subject: pkix.Name{CommonName: "second"}}).Write(t, dir, "server")
	if line := <-seen; !strings.Contains(line, "a new certificate is in use") || !strings.Contains(line, "listener=rest") || s.Leaf().Subject.CommonName != "second" {
		t.Errorf("%s: %s", s.Leaf().Subject, line)
	}
	cancel()
	<-watched
}

type writer func(p []byte)

func (w writer) Write(p []byte) (int, error) { w(p); return len(p), nil }

func TestFilesThatCantBeUsed(t *testing.T) {
	dir := t.TempDir()
	authority := authtest.NewAuthority(t, "shop")
	certFile, keyFile := authority.Issue(t, x509.Certificate{}).Write(t, dir, "server")
	_, otherKey := authority.Issue(t, x509.Certificate{}).Write(t, dir, "other")
	oldCert, oldKey := authority.Issue(t, x509.Certificate{NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour)}).Write(t, dir, "old")
	soonCert, soonKey := authority.Issue(t, x509.Certificate{NotBefore: time.Now().Add(time.Hour), NotAfter: time.Now().Add(2 * time.Hour)}).Write(t, dir, "soon")
	file := func(name string, texts ...[]byte) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, bytes.Join(texts, nil), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	chain, err := os.ReadFile(certFile)
	if err != nil {
		t.Fatal(err)
	}
	ca := authority.PEM()
	large := filepath.Join(dir, "large.pem")
	if err := os.WriteFile(large, make([]byte, 1<<20+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		files certs.Files
		want  string
	}{
		"no file":       {certs.Files{Certificate: filepath.Join(dir, "none"), Key: keyFile}, "no such file"},
		"too large":     {certs.Files{Certificate: large, Key: keyFile}, "more than 1048576 bytes"},
		"another's key": {certs.Files{Certificate: certFile, Key: otherKey}, "no certificate with its key"},
		"the other way": {certs.Files{Certificate: keyFile, Key: certFile}, "no certificate with its key"},
		"expired":       {certs.Files{Certificate: oldCert, Key: oldKey}, "has expired"},
		"no authority":  {certs.Files{Certificate: certFile, Key: keyFile, ClientCA: keyFile}, "there is no certificate in it"},
		"not yet valid": {certs.Files{Certificate: soonCert, Key: soonKey}, "is not valid before"},
		"half a chain":  {certs.Files{Certificate: file("chain.pem", chain, ca[:len(ca)/2]), Key: keyFile}, "is cut off"},
		"half an authority": {
			certs.Files{Certificate: certFile, Key: keyFile, ClientCA: file("half.pem", ca, []byte("# the other\n"), ca[:len(ca)/2])}, "is cut off",
		},
		"end without its marks": {certs.Files{Certificate: certFile, Key: keyFile, ClientCA: file("end.pem", ca, ca[:len(ca)-10])}, "is cut off"},
		"a damaged authority": {
			certs.Files{Certificate: certFile, Key: keyFile, ClientCA: file("damaged.pem", ca, []byte("-----BEGIN CERTIFICATE-----\nc2VjcmV0\n-----END CERTIFICATE-----\n"))},
			"certificate 2 can't be read",
		},
		"authority's gone": {certs.Files{Certificate: certFile, Key: keyFile, ClientCA: filepath.Join(dir, "none")}, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := certs.Open(test.files, nil); err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "PRIVATE KEY-") {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}
