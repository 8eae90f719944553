package certs

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Files are where a listener's certificate is, in PEM.
type Files struct {
	// Certificate has the listener's certificate, then those that lead from it to an authority. Key is its private key.
	Certificate, Key string
	// ClientCA has the authorities of client certificates; empty: clients are not asked for any.
	ClientCA string
	// RequireClient refuses connections without a client certificate.
	RequireClient bool
}

// mostBytes bounds a file.
const mostBytes = 1 << 20

// Every is the time between two looks at the files.
const Every = time.Second

// Store has a listener's current certificate. It is safe for concurrent use.
type Store struct {
	files   Files
	now     func() time.Time
	current atomic.Pointer[loaded]

	mu sync.Mutex
	// bad is what the files had when they could last not be used, told says that this was logged.
	bad  [][]byte
	told bool
}

// loaded is what was read from the files, and what is served of it.
type loaded struct {
	texts  [][]byte
	config *tls.Config
	leaf   *x509.Certificate
}

// Open reads the files. now is the clock; nil: the system's.
func Open(files Files, now func() time.Time) (*Store, error) {
	if now == nil {
		now = time.Now
	}
	texts, err := files.read()
	if err != nil {
		return nil, err
	}
	s := &Store{files: files, now: now}
	l, err := s.load(texts)
	if err != nil {
		return nil, err
	}
	s.current.Store(l)
	return s, nil
}

// Config is for a listener. Each handshake gets what is current.
func (s *Store) Config() *tls.Config {
	c := s.current.Load().config.Clone()
	c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return s.current.Load().config, nil }
	return c
}

// Leaf is the listener's current certificate.
func (s *Store) Leaf() *x509.Certificate { return s.current.Load().leaf }

// Stale says whether the files have had for a while what can't be used.
func (s *Store) Stale() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.told
}

// Watch looks at the files every so often, until ctx ends. listener is what logs call it.
func (s *Store) Watch(ctx context.Context, listener string, logger *slog.Logger) {
	logger = logger.With("listener", listener)
	tick := time.NewTicker(Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.Look(logger)
		}
	}
}

// Look takes what the files have now. A pair is replaced file by file: only what can't be used twice in a row is told.
func (s *Store) Look(logger *slog.Logger) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.current.Load()
	texts, err := s.files.read()
	if err == nil && same(texts, before.texts) {
		s.recovered(logger)
		return
	}
	var next *loaded
	if err == nil {
		next, err = s.load(texts)
	}
	if err != nil {
		if s.bad != nil && same(texts, s.bad) && !s.told {
			s.told = true
			logger.Error("the new certificate can't be used; the old one stays in use", "cause", err, "expires", before.leaf.NotAfter.UTC().Format(time.RFC3339))
		} else if s.bad == nil || !same(texts, s.bad) {
			s.told = false
		}
		s.bad = texts
		return
	}
	s.current.Store(next)
	s.bad, s.told = nil, false
	logger.Info("a new certificate is in use", "expires", next.leaf.NotAfter.UTC().Format(time.RFC3339))
}

func (s *Store) recovered(logger *slog.Logger) {
	if s.told {
		logger.Info("the certificate's files have again what is in use")
	}
	s.bad, s.told = nil, false
}

// same compares texts; nil ones are files that can't be read.
func same(a, b [][]byte) bool { return slices.EqualFunc(a, b, bytes.Equal) }

// read gives the files' texts, nil for those that can't be read.
func (f Files) read() ([][]byte, error) {
	var texts [][]byte
	var failed error
	for _, path := range []string{f.Certificate, f.Key, f.ClientCA} {
		if path == "" {
			continue
		}
		text, err := readFile(path)
		failed = errors.Join(failed, err)
		texts = append(texts, text)
	}
	return texts, failed
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	text, err := io.ReadAll(io.LimitReader(f, mostBytes+1))
	if err == nil && len(text) > mostBytes {
		err = fmt.Errorf("%s has more than %d bytes", path, mostBytes)
	}
	return text, err
}

// load makes texts ready to be served.
func (s *Store) load(texts [][]byte) (*loaded, error) {
	for i, path := range []string{s.files.Certificate, s.files.Key} {
		if _, err := blocks(texts[i]); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	pair, err := tls.X509KeyPair(texts[0], texts[1])
	if err != nil {
		return nil, fmt.Errorf("%s and %s are no certificate with its key: %w", s.files.Certificate, s.files.Key, err)
	}
	leaf := pair.Leaf
	if now := s.now(); now.Before(leaf.NotBefore) {
		return nil, fmt.Errorf("the certificate in %s is not valid before %s; wait, or mend the clock", s.files.Certificate, leaf.NotBefore.UTC().Format(time.RFC3339))
	} else if now.After(leaf.NotAfter) {
		return nil, fmt.Errorf("the certificate in %s has expired at %s", s.files.Certificate, leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2", "http/1.1"}}
	if s.files.ClientCA != "" {
		if config.ClientCAs, err = Authorities(texts[2]); err != nil {
			return nil, fmt.Errorf("%s: %w", s.files.ClientCA, err)
		}
		config.ClientAuth = tls.VerifyClientCertIfGiven
		if s.files.RequireClient {
			config.ClientAuth = tls.RequireAndVerifyClientCert
		}
		// A session that goes on would be one of an authority that may be gone.
		config.SessionTicketsDisabled = true
	}
	return &loaded{texts, config, leaf}, nil
}

// Authorities reads certificates of authorities, in PEM: all of them, or none where one can't be read.
func Authorities(text []byte) (*x509.CertPool, error) {
	found, err := blocks(text)
	if err != nil {
		return nil, err
	}
	pool, n := x509.NewCertPool(), 0
	for _, block := range found {
		if block.Type != "CERTIFICATE" {
			continue
		}
		n++
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d can't be read: %w", n, err)
		}
		pool.AddCert(cert)
	}
	if n == 0 {
		return nil, errors.New("there is no certificate in it (PEM)")
	}
	return pool, nil
}

// blocks reads PEM. A file that is being written ends in a part of a block, which decoders pass over.
func blocks(text []byte) ([]*pem.Block, error) {
	var out []*pem.Block
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		out = append(out, block)
	}
	if begun := bytes.Count(text, []byte("-----BEGIN ")); begun != len(out) {
		return nil, fmt.Errorf("it has %d blocks of PEM that can be read, and begins %d: one of them is cut off or damaged", len(out), begun)
	}
	return out, nil
}
