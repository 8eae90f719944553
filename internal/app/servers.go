package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/api/admin"
	"banyan.dev/banyan/api/certs"
	"banyan.dev/banyan/api/grpc"
	"banyan.dev/banyan/api/health"
	"banyan.dev/banyan/api/limit"
	"banyan.dev/banyan/api/openapi"
	"banyan.dev/banyan/legacy/pool"
	"banyan.dev/banyan/strangler"
)

// Bounds on HTTP connections, whoever opens them.
const (
	headerTimeout = 10 * time.Second
	bodyTimeout   = 30 * time.Second
	idleTimeout   = 2 * time.Minute
	replyTimeout  = time.Minute // to receive a unary reply, an error or a page for operators
	maxHeader     = 64 << 10    // bytes
)

// cancelGrace is how long calls have to end once they are cancelled.
const cancelGrace = 5 * time.Second

// adminGrace is how long operators have to receive what they asked for.
const adminGrace = time.Second

// servers are the listeners with what answers on them. Without the facade there are no REST and gRPC.
type servers struct {
	conns  *pool.Pool
	limits *limit.Backend
	probes *health.Health
	mirror *mirroring
	// shifting is nil without the facade.
	shifting *shifting
	identity *identity
	retiring *retiring
	logger   *slog.Logger

	rest, admin *http.Server
	grpc        *grpc.Server
	operators   *admin.Handler
	// cancelCalls ends the calls that came by REST; gRPC ends its own.
	cancelCalls context.CancelCauseFunc

	restOn, grpcOn, adminOn net.Listener
}

// listen takes the addresses and puts the servers together. Nothing is accepted yet.
func (a *App) listen(ctx context.Context, conns *pool.Pool, probes *health.Health, m *mirroring, shifts *shifting, id *identity, retire *retiring) (*servers, error) {
	cfg := a.project.Config
	s := &servers{conns: conns, probes: probes, mirror: m, shifting: shifts, identity: id, retiring: retire, logger: a.opts.Logger}
	for _, l := range []struct {
		key string
		at  string
		to  *net.Listener
	}{
		{"listen.rest", string(cfg.Listen.REST), &s.restOn},
		{"listen.grpc", string(cfg.Listen.GRPC), &s.grpcOn},
		{"listen.admin", string(cfg.Listen.Admin), &s.adminOn},
	} {
		if l.to != &s.adminOn && !a.facade() {
			continue
		}
		on, err := (&net.ListenConfig{}).Listen(ctx, "tcp", l.at)
		if err != nil {
			s.closeListeners()
			return nil, fmt.Errorf("%s: %w; free the address or choose another", l.key, err)
		}
		*l.to = on
	}
	if err := a.assemble(ctx, s); err != nil {
		s.closeListeners()
		return nil, err
	}
	return s, nil
}

func (s *servers) closeListeners() {
	for _, l := range []net.Listener{s.restOn, s.grpcOn, s.adminOn} {
		if l != nil {
			_ = l.Close() // it is given up because something else failed, which is reported
		}
	}
}

// abandon gives up what listen has made, before anything was served.
func (s *servers) abandon(ctx context.Context) {
	s.closeListeners()
	s.operators.Stop()
	if s.grpc != nil {
		_ = s.grpc.Shutdown(context.WithoutCancel(ctx)) // there are no calls to wait for
		s.cancelCalls(nil)
	}
}

// inFlight counts the calls that run.
func (s *servers) inFlight() int {
	if s.limits == nil {
		return 0
	}
	return s.limits.InFlight()
}

func (s *servers) addresses() Addresses {
	at := Addresses{Admin: s.adminOn.Addr().String()}
	if s.restOn != nil {
		at.REST, at.GRPC = s.restOn.Addr().String(), s.grpcOn.Addr().String()
	}
	return at
}

// start lets the servers accept. Each that stops by itself says why on failed.
func (s *servers) start(running *sync.WaitGroup, failed chan<- error) {
	serving := map[string]func() error{"admin": func() error { return serveHTTP(s.admin, s.adminOn) }}
	if s.rest != nil {
		serving["REST"] = func() error { return serveHTTP(s.rest, s.restOn) }
		serving["gRPC"] = func() error { return s.grpc.Serve(s.grpcOn) }
	}
	for name, serve := range serving {
		running.Go(func() {
			if err := serve(); err != nil && !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("the %s server stopped: %w", name, err)
			}
		})
	}
}

// serveHTTP serves over TLS where the server has it.
func serveHTTP(server *http.Server, on net.Listener) error {
	if server.TLSConfig != nil {
		return server.ServeTLS(on, "", "")
	}
	return server.Serve(on)
}

// shutdown makes the process unready, takes no more calls, lets those in flight go on for as long as drain or until
// abort, and cancels what is left. The admin listener goes last, so that it can be seen meanwhile.
func (s *servers) shutdown(ctx context.Context, drain time.Duration, abort <-chan struct{}) {
	s.probes.Drain()
	draining, drained := context.WithTimeout(ctx, drain)
	defer drained()
	var all sync.WaitGroup
	all.Go(func() {
		select {
		case <-abort:
			drained()
		case <-draining.Done():
		}
	})
	var calls sync.WaitGroup
	if s.rest != nil {
		calls.Go(func() {
			if err := s.grpc.Shutdown(draining); err != nil {
				s.logger.Warn("gRPC calls were cancelled", "cause", err)
			}
		})
		calls.Go(func() { s.shutdownREST(ctx, draining) })
	}
	calls.Wait()
	drained()
	all.Wait()
	s.shutdownAdmin(ctx)
}

// shutdownAdmin tells those who wait for the outcome of a command that this process won't.
func (s *servers) shutdownAdmin(ctx context.Context) {
	s.operators.Stop()
	ending, cancel := context.WithTimeout(ctx, adminGrace)
	defer cancel()
	if s.admin.Shutdown(ending) != nil {
		_ = s.admin.Close() // what it answers to has ended
	}
}

func (s *servers) shutdownREST(ctx, draining context.Context) {
	err := s.rest.Shutdown(draining)
	s.cancelCalls(strangler.Fail(codes.Unavailable, "SHUTTING_DOWN", "the service is stopping; try again").WithRetry(time.Second))
	if err == nil {
		return
	}
	s.logger.Warn("REST calls were cancelled", "cause", err)
	ending, cancel := context.WithTimeout(ctx, cancelGrace)
	defer cancel()
	if err := s.rest.Shutdown(ending); err != nil {
		s.logger.Error("REST calls did not end", "cause", err)
		_ = s.rest.Close() // nothing more can be done for them
	}
}

// httpServer makes a server that no client can hold by being slow.
func (s *servers) httpServer(h http.Handler, base context.Context, writeTimeout time.Duration, secured *certs.Store) *http.Server { //nolint:revive // base is no context of this call
	server := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.logger.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return base },
	}
	if secured != nil {
		server.TLSConfig = secured.Config()
	}
	return server
}

// restHandler puts the probes and the documents beside the contract's routes.
func (s *servers) restHandler(contract http.Handler, docs *openapi.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", s.probes.Livez)
	mux.HandleFunc("GET /readyz", s.probes.Readyz)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if slices.Contains(probePaths(), r.URL.Path) {
			mux.ServeHTTP(w, r)
			return
		}
		if docs.Serves(r.URL.Path) {
			docs.ServeHTTP(w, r)
			return
		}
		boundBody(w, r)
		contract.ServeHTTP(w, r)
	})
}

// newOperators serves operators.
func (a *App) newOperators(s *servers, m *metrics) (*admin.Handler, error) {
	return admin.New(admin.Options{
		Operator: s.shifting.commands(), Versions: a.report(s.retiring), Fences: s.shifting.fences(), Backfills: a.desk(s.mirror, s.conns),
		Metrics: m.registry, Health: s.probes, Status: func() any { return s.mirror.status() }, Logger: s.logger,
		// With TLS, no page reaches it under a name that isn't in its certificate.
		AnyHost: a.project.Config.Listen.AdminRemote || s.identity.admin != nil, BodyTimeout: bodyTimeout, WriteTimeout: replyTimeout,
	})
}
