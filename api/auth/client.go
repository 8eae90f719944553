package auth

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// maxClient bounds a client's name, in bytes.
const maxClient = 128

// Clients that certificates name can't be taken for those that tokens name, and names that stand for others can't be
// taken for names.
const (
	certificatePrefix = "cert:"
	hashPrefix        = "sha256:"
)

// clientOfToken gives the name of a client that a token names.
func clientOfToken(name string) string {
	if strings.HasPrefix(name, certificatePrefix) || strings.HasPrefix(name, hashPrefix) {
		return hashed(name)
	}
	return bounded(name)
}

// clientOfCertificate gives the name of a client that a certificate names.
func clientOfCertificate(name string) string { return bounded(certificatePrefix + name) }

// bounded gives a name itself where it is short and printable, else one that stands for it.
func bounded(name string) string {
	if len(name) > maxClient {
		return hashed(name)
	}
	for i := range len(name) {
		if name[i] < ' ' || name[i] > '~' {
			return hashed(name)
		}
	}
	return name
}

func hashed(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hashPrefix + hex.EncodeToString(sum[:])
}
