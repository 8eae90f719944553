package app

import (
	"context"
	"crypto/x509"
	"fmt"
	"os"
	"sync"

	"banyan.dev/banyan/api/auth"
	"banyan.dev/banyan/api/certs"
	"banyan.dev/banyan/internal/config"
	"banyan.dev/banyan/strangler"
)

// identity is what the listeners prove themselves with, and how callers do.
type identity struct {
	// facade and admin are the listeners' certificates; nil where one speaks plain text.
	facade, admin *certs.Store
	// keys are the issuer's; nil where no tokens are taken.
	keys *auth.Keys
	free func()

	stop     context.CancelFunc
	watching sync.WaitGroup
}

// openIdentity reads certificates and waits for keys. From then on both are renewed, until close.
func (a *App) openIdentity(ctx context.Context) (*identity, error) {
	cfg, logger := a.project.Config, a.opts.Logger
	watch, stop := context.WithCancel(context.WithoutCancel(ctx))
	id := &identity{stop: stop, free: func() {}}
	for _, l := range []struct {
		name  string
		files certs.Files
		wants bool
		to    **certs.Store
	}{
		{"listen.tls", facadeFiles(cfg), a.facade(), &id.facade},
		{"listen.admin_tls", adminFiles(cfg), true, &id.admin},
	} {
		if !l.wants || l.files.Certificate == "" {
			continue
		}
		store, err := certs.Open(l.files, nil)
		if err != nil {
			id.close()
			return nil, fmt.Errorf("%s: %w", l.name, err)
		}
		*l.to = store
		id.watching.Go(func() { store.Watch(watch, l.name, logger) })
	}
	if !a.facade() {
		return id, nil
	}
	if cfg.Auth.Off {
		logger.Warn("AUTHENTICATION IS OFF: whoever reaches the listeners may do everything", "fix", "say in auth who may call (docs/auth.md)")
	}
	if cfg.Auth.Tokens.Keys == "" {
		return id, nil
	}
	source, free, err := keySource(cfg)
	if err != nil {
		id.close()
		return nil, fmt.Errorf("auth.tokens.keys: %w", err)
	}
	id.free = free
	refresh := cfg.Auth.Tokens.Refresh
	if cfg.TokenKeysFile() != "" {
		refresh = certs.Every
	}
	id.keys = auth.NewKeys(auth.KeyOptions{Source: source, Name: "auth.tokens.keys", Refresh: refresh, Logger: logger})
	if err := id.keys.Begin(ctx, cfg.Auth.Tokens.StartTimeout); err != nil {
		id.close()
		return nil, err
	}
	return id, nil
}

// close ends what renews. It is called once.
func (id *identity) close() {
	id.stop()
	id.watching.Wait()
	if id.keys != nil {
		id.keys.Close()
	}
	id.free()
}

// guard puts authentication before a Backend, unless it is off.
func (a *App) guard(id *identity, next strangler.Backend) strangler.Backend {
	cfg := a.project.Config.Auth
	if cfg.Off {
		return next
	}
	opts := auth.Options{Public: a.project.policy.public, Rules: a.project.policy.rules}
	if id.keys != nil {
		opts.Tokens = auth.NewTokens(auth.TokenOptions{
			Keys: id.keys, Issuer: cfg.Tokens.Issuer, Audience: cfg.Tokens.Audience, Algorithms: cfg.Tokens.Algorithms,
			Leeway: cfg.Tokens.Leeway, ClientClaim: cfg.Tokens.ClientClaim,
		})
	}
	if cfg.Certificates.CA != "" {
		opts.Certificates = &auth.Certificates{Client: auth.NameOf(cfg.Certificates.Client)}
	}
	return auth.New(opts, next)
}

// keySource gives where an issuer's keys come from.
func keySource(cfg *config.Config) (get func(context.Context) ([]byte, error), free func(), err error) {
	if file := cfg.TokenKeysFile(); file != "" {
		return auth.FileSource(file), func() {}, nil
	}
	var roots *x509.CertPool
	if ca := cfg.Auth.Tokens.KeysCA; ca != "" {
		if roots, err = authorities(ca); err != nil {
			return nil, nil, err
		}
	}
	get, free = auth.URLSource(cfg.Auth.Tokens.Keys.URL(), roots)
	return get, free, nil
}

func authorities(path string) (*x509.CertPool, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pool, err := certs.Authorities(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return pool, nil
}
