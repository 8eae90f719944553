package app

import (
	"context"
	"fmt"

	googlegrpc "google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"banyan.dev/banyan/api/grpc"
	"banyan.dev/banyan/api/limit"
	"banyan.dev/banyan/api/openapi"
	"banyan.dev/banyan/api/rest"
	"banyan.dev/banyan/api/telemetry"
	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/internal/config"
	"banyan.dev/banyan/strangler"
)

// assemble puts the request path together, from the legacy outwards:
//
//	REST, gRPC → telemetry → auth → retirement → limits → versions → idempotency keys → Router → legacy
func (a *App) assemble(ctx context.Context, s *servers) error {
	cfg, c, logger := a.project.Config, a.project.Contract, a.opts.Logger
	operations := c.Operations()
	m := newMetrics(s.conns, a.opts.Version)
	s.mirror.register(m.registry)
	s.identity.register(m.registry)
	base := context.WithoutCancel(ctx)
	var err error
	if s.operators, err = a.newOperators(s, m); err != nil {
		return err
	}
	s.admin = s.httpServer(s.operators, base, replyTimeout, s.identity.admin)
	if !a.facade() {
		return nil
	}

	s.limits = limit.New(limits(cfg), a.project.versions.Backend(strangler.NewIdempotent(strangler.IdempotentOptions{
		Next: s.shifting.makeRouter(a.unserved(operations)), Refuse: a.refusesKeys,
	}), a.project.policy.rules.Check))
	gate := s.retiring.guard(s.limits)
	guarded := a.guard(s.identity, gate)
	over := func(transport string) strangler.Backend {
		return telemetry.New(transport, operations, m.calls, logger, guarded)
	}
	var secured []googlegrpc.ServerOption
	if s.identity.facade != nil {
		secured = append(secured, googlegrpc.Creds(credentials.NewTLS(s.identity.facade.Config())))
	}

	s.grpc = grpc.New(c, over("grpc"), grpc.Options{
		Logger: logger, Refused: m.calls.Refused("grpc"),
		MaxRequestBytes: int(cfg.Limits.MaxRequestBytes), MaxReplyBytes: int(cfg.Limits.MaxReplyBytes),
		StreamTimeout: cfg.Timeouts.Stream, ReceiveTimeout: bodyTimeout, HandshakeTimeout: headerTimeout,
		Notice: notice(cfg), Extra: secured,
	})
	calls, cancelCalls := context.WithCancelCause(base)
	s.cancelCalls = cancelCalls
	routes, err := rest.New(c, over("rest"), rest.Options{
		Logger: logger, Refused: m.calls.Refused("rest"),
		MaxRequestBytes: int(cfg.Limits.MaxRequestBytes), MaxReplyBytes: int(cfg.Limits.MaxReplyBytes),
		StreamTimeout: cfg.Timeouts.Stream, WriteTimeout: replyTimeout, Notice: notice(cfg), Gone: gate.Gone,
	})
	if err != nil {
		return fmt.Errorf("REST: %w", err)
	}
	docs, err := openapi.New(c, a.describeServed())
	if err != nil {
		return fmt.Errorf("OpenAPI: %w", err)
	}
	for _, path := range docs.Hidden {
		logger.Warn("the contract has a path of the OpenAPI documents, which are not served there", "path", path)
	}
	longest := max(cfg.Timeouts.Stream, cfg.Timeouts.Max)
	s.rest = s.httpServer(s.restHandler(routes, docs), calls, longest+bodyTimeout+replyTimeout, s.identity.facade)
	return nil
}

func (a *App) unserved(operations []*contract.Operation) []*contract.Operation {
	var out []*contract.Operation
	for _, op := range operations {
		if !a.project.Program.Serves(op.Name) {
			out = append(out, op)
		}
	}
	return out
}

func limits(cfg *config.Config) limit.Options {
	return limit.Options{
		MaxInFlight: cfg.Limits.MaxInFlight,
		Default:     cfg.Timeouts.Default, Max: cfg.Timeouts.Max, Stream: cfg.Timeouts.Stream,
	}
}
