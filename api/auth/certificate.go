package auth

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"time"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/strangler"
)

// certificateClaim is the claim that has a certificate's names. A token's own claim of that name is dropped.
const certificateClaim = "x509"

// NameOf says which name of a certificate names the client.
type NameOf string

// The names of a certificate that can name a client: the subject's common name, or the first alternative name of a kind.
const (
	CommonName NameOf = "cn"
	DNSName    NameOf = "dns"
	URIName    NameOf = "uri"
	EmailName  NameOf = "email"
)

// Certificates say what client certificates prove, which the transport has verified.
type Certificates struct {
	// Client is the name that names the client.
	Client NameOf
}

// identify gives what a certificate says of its owner, and the client's name. A connection may outlive its certificate.
func (c *Certificates) identify(cert *x509.Certificate, now time.Time) (names map[string]any, client string, err error) {
	if now.After(cert.NotAfter) || now.Before(cert.NotBefore) {
		return nil, "", strangler.Fail(codes.Unauthenticated, "CERTIFICATE_EXPIRED", "the client certificate is not valid any more, or not yet; connect with one that is")
	}
	names = certificateNames(cert)
	switch c.Client {
	case DNSName:
		client = first(cert.DNSNames)
	case URIName:
		if len(cert.URIs) > 0 {
			client = cert.URIs[0].String()
		}
	case EmailName:
		client = first(cert.EmailAddresses)
	default:
		client = cert.Subject.CommonName
	}
	if client == "" {
		return nil, "", strangler.Fail(codes.Unauthenticated, "CERTIFICATE_UNNAMED",
			"the client certificate has no %s, which names clients here; use one that has", c.Client)
	}
	return names, clientOfCertificate(client), nil
}

func certificateNames(cert *x509.Certificate) map[string]any {
	uris, ips := make([]any, len(cert.URIs)), make([]any, len(cert.IPAddresses))
	for i, u := range cert.URIs {
		uris[i] = u.String()
	}
	for i, ip := range cert.IPAddresses {
		ips[i] = ip.String()
	}
	print256 := sha256.Sum256(cert.Raw)
	return map[string]any{
		"cn": cert.Subject.CommonName, "o": list(cert.Subject.Organization), "ou": list(cert.Subject.OrganizationalUnit),
		"dns": list(cert.DNSNames), "uri": uris, "email": list(cert.EmailAddresses), "ip": ips,
		"issuer": cert.Issuer.CommonName, "serial": cert.SerialNumber.Text(16), "sha256": hex.EncodeToString(print256[:]),
	}
}

func first(texts []string) string {
	if len(texts) == 0 {
		return ""
	}
	return texts[0]
}

func list(texts []string) []any {
	out := make([]any, len(texts))
	for i, t := range texts {
		out[i] = t
	}
	return out
}
