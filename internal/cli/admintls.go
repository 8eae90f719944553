package cli

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/spf13/cobra"

	"banyan.dev/banyan/internal/config"
)

// adminTLS is how an admin listener with TLS is reached.
type adminTLS struct {
	// ca has the authorities that may vouch for it, cert and key what it is shown of the operator: PEM files.
	ca, cert, key string
}

// tlsFlag is a flag with its variable of the environment.
type tlsFlag struct {
	to               *string
	name, env, usage string
}

func (t *adminTLS) all() []tlsFlag {
	return []tlsFlag{
		{&t.ca, "admin-ca", "BANYAN_ADMIN_CA", "PEM `FILE` of the authorities that vouch for the admin listener"},
		{&t.cert, "admin-cert", "BANYAN_ADMIN_CERT", "PEM `FILE` of the certificate that is shown to the admin listener"},
		{&t.key, "admin-key", "BANYAN_ADMIN_KEY", "PEM `FILE` of that certificate's key"},
	}
}

func (t *adminTLS) flags(cmd *cobra.Command) {
	for _, f := range t.all() {
		cmd.Flags().StringVar(f.to, f.name, "", f.usage+", instead of $"+f.env)
	}
}

// given completes the flags by the environment, and says whether there are any.
func (t *adminTLS) given(lookup config.Lookup) (bool, error) {
	some := false
	for _, f := range t.all() {
		if *f.to == "" {
			*f.to, _ = lookup(f.env)
		}
		some = some || *f.to != ""
	}
	if (t.cert == "") != (t.key == "") {
		return some, usageError{errors.New("--admin-cert and --admin-key go together: name both files")}
	}
	return some, nil
}

// client makes an HTTP client. own is the listener's own certificate file, where that is known: it is trusted then, under
// the name that it has.
func (t *adminTLS) client(own string) (*http.Client, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	switch {
	case t.ca != "":
		text, err := os.ReadFile(t.ca)
		if err != nil {
			return nil, fmt.Errorf("--admin-ca: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("--admin-ca: there is no certificate in %s (PEM)", t.ca)
		}
	case own != "":
		leaf, err := firstCertificate(own)
		if err != nil {
			return nil, fmt.Errorf("listen.admin_tls.certificate: %w; name the authorities that vouch for it with --admin-ca", err)
		}
		c.RootCAs = x509.NewCertPool()
		c.RootCAs.AddCert(leaf)
		switch {
		case len(leaf.DNSNames) > 0:
			c.ServerName = leaf.DNSNames[0]
		case len(leaf.IPAddresses) > 0:
			c.ServerName = leaf.IPAddresses[0].String()
		}
	}
	if t.cert != "" {
		pair, err := tls.LoadX509KeyPair(t.cert, t.key)
		if err != nil {
			return nil, fmt.Errorf("--admin-cert and --admin-key: %w", err)
		}
		// One of other authorities than the listener asks for is shown, too: it is told then that it is unknown. Certificates
		// keeps such a one back, and the answer would be that a certificate is needed.
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	return &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: c, ForceAttemptHTTP2: true, DisableKeepAlives: true}}, nil
}

func firstCertificate(path string) (*x509.Certificate, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("there is no certificate in %s (PEM)", path)
	}
	return x509.ParseCertificate(block.Bytes)
}
