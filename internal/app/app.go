package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"banyan.dev/banyan/adapters/store"
	"banyan.dev/banyan/api/health"
	"banyan.dev/banyan/internal/fault"
	"banyan.dev/banyan/legacy"
	"banyan.dev/banyan/legacy/pool"
	"banyan.dev/banyan/mirror/change"
	"banyan.dev/banyan/strangler"
	"banyan.dev/banyan/strangler/control"
)

// Options are what an App takes from the program that runs it.
type Options struct {
	Logger *slog.Logger
	// Version is this build's, for the metrics.
	Version string
	// Abort cancels calls that still drain, once it is closed. Nil: they have all of shutdown.drain.
	Abort <-chan struct{}
	// Ready is called once, when calls are taken. It may be nil.
	Ready func(Addresses)
	// Roles are what this process does; none stands for all.
	Roles []Role
	// Replace may put others in the place of parts, to inject faults; nil leaves all as they are.
	Replace func(*Parts)
}

// Parts are those on which shifts stand.
type Parts struct {
	Flags      strangler.Flags
	Ledger     strangler.Ledger
	Membership control.Membership
	Answers    control.Answers
	Marker     pool.Marker
}

// replaced gives parts as Options.Replace leaves them.
func (a *App) replaced(p Parts) Parts {
	if a.opts.Replace != nil {
		a.opts.Replace(&p)
	}
	return p
}

// Role is a part of Banyan that can run in a process of its own.
type Role string

// The roles.
const (
	// RoleFacade serves the contract.
	RoleFacade Role = "facade"
	// RoleMirror sends the legacy's changes to the broker, when it is this process's turn.
	RoleMirror Role = "mirror"
	// RoleMigrate makes Banyan's own tables. No process that serves has it by itself: it is for grants.
	RoleMigrate Role = "migrate"
)

// AllRoles are all roles of processes that serve.
func AllRoles() []Role { return []Role{RoleFacade, RoleMirror} }

// Addresses are where an App listens, as host:port with the real port. REST and GRPC are empty without the facade.
type Addresses struct {
	REST, GRPC, Admin string
}

// App serves a Project.
type App struct {
	project *Project
	opts    Options
}

// New makes an App of a project that has no faults. Nothing runs yet.
func New(p *Project, opts Options) *App {
	if len(opts.Roles) == 0 {
		opts.Roles = AllRoles()
	}
	return &App{project: p, opts: opts}
}

func (a *App) facade() bool { return slices.Contains(a.opts.Roles, RoleFacade) }

// mirrors says whether this process runs the mirror, or waits to.
func (a *App) mirrors() bool {
	return slices.Contains(a.opts.Roles, RoleMirror) && a.project.Config.MirrorOn()
}

const (
	// readyFresh bounds how often probes reach the legacy, readyTimeout how long one may take.
	readyFresh   = time.Second
	readyTimeout = 2 * time.Second
)

// Run waits for the legacy, checks the project against it, and serves until ctx ends; then it drains. When it returns,
// all is stopped. It returns nil after an orderly stop, a *fault.Errors when the project doesn't fit the legacy, and
// else why it could not start or go on. An App runs once.
func (a *App) Run(ctx context.Context) error {
	cfg, logger := a.project.Config, a.opts.Logger
	logger.Debug("loaded", a.project.timings...)
	marks, err := a.newWriter()
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	options := poolOptions(cfg, logger)
	if marks != nil {
		options.Marker = a.replaced(Parts{Marker: marks}).Marker
	}
	conns, err := pool.Open(options)
	if err != nil {
		return fmt.Errorf("legacy: %w", err)
	}
	defer conns.Close()

	if err := a.prepare(ctx, conns, marks); err != nil {
		return stoppedEarly(ctx, err)
	}
	defer a.closeLedger(ctx, marks)
	id, err := a.openIdentity(ctx)
	if err != nil {
		return stoppedEarly(ctx, err)
	}
	defer id.close()
	backend := legacy.New(a.project.Program, conns, int(cfg.Limits.MaxReplyBytes))
	if a.keepsKeys() {
		backend.WithKeys(keys(cfg))
	}
	m, err := a.openMirror(backend, conns)
	if err != nil {
		return err
	}
	defer m.close()
	shifts := &shifting{app: a, backend: backend}
	if a.facade() {
		if shifts, err = a.openShifting(backend, marks); err != nil {
			return err
		}
	}
	defer shifts.close()
	retire, err := a.openRetiring()
	if err != nil {
		return err
	}
	defer retire.close()
	probes := health.New([]health.Part{{Name: "legacy", Ask: conns.Ping}},
		health.Options{Fresh: readyFresh, Timeout: readyTimeout, Logger: logger})
	s, err := a.listen(ctx, conns, probes, m, shifts, id, retire)
	if err != nil {
		return err
	}
	if err := shifts.start(ctx, s.adminOn.Addr().String()); err != nil {
		s.abandon(ctx)
		return stoppedEarly(ctx, err)
	}
	return a.serve(ctx, s)
}

// prepare waits for the legacy, checks the project against it and opens the ledger. A legacy that goes away meanwhile is
// waited for again, for as long as legacy.start_timeout in all.
func (a *App) prepare(ctx context.Context, conns *pool.Pool, marks *store.Writer) error {
	cfg, logger := a.project.Config, a.opts.Logger
	patience := cfg.Legacy.StartTimeout
	for begin := time.Now(); ; patience = max(0, cfg.Legacy.StartTimeout-time.Since(begin)) {
		if err := waitForLegacy(ctx, conns.Ping, patience, logger); err != nil {
			return err
		}
		connected := time.Now()
		faults, unasked := a.project.verify(ctx, conns, a.opts.Roles)
		if unasked == nil {
			if err := faults.Err(); err != nil {
				return err
			}
			warn(logger, faults)
			logger.Debug("checked", "connect", connected.Sub(begin).String(), "verify", time.Since(connected).String())
			if unasked = a.openLedger(ctx, marks); unasked == nil || change.Stops(unasked) != nil {
				return unasked
			}
		}
		if ctx.Err() != nil || time.Since(begin) > cfg.Legacy.StartTimeout {
			return errors.Join(faults.Err(), unasked)
		}
		logger.Warn("the legacy could not be asked: trying again", "cause", unasked)
		sleep(ctx, waitEvery)
	}
}

// serve runs the servers until ctx ends or one of them fails.
func (a *App) serve(ctx context.Context, s *servers) error {
	cfg, logger := a.project.Config, a.opts.Logger
	failed := make(chan error, 3)
	var running sync.WaitGroup
	s.start(&running, failed)

	stop := make(chan struct{})
	running.Go(func() { followHealth(s, stop) })
	sweeping, endSweeping := context.WithCancel(context.WithoutCancel(ctx))
	defer endSweeping()
	running.Go(func() { a.sweepKeys(sweeping, s.shifting.backend) })
	s.retiring.start(ctx)
	s.mirror.start(ctx)

	at := s.addresses()
	server, _ := s.conns.Server()
	logger.Info("serving", "rest", at.REST, "grpc", at.GRPC, "admin", at.Admin, "version", a.opts.Version,
		"operations", len(a.project.Contract.Operations()), "legacy", server.String(), "start_ms", time.Since(a.project.began).Milliseconds())
	if a.opts.Ready != nil {
		a.opts.Ready(at)
	}

	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
		logger.Error("a server failed", "cause", err)
	}
	logger.Info("stopping", "in_flight", s.inFlight(), "drain", cfg.Shutdown.Drain.String())
	close(stop)
	endSweeping()
	s.shutdown(context.WithoutCancel(ctx), cfg.Shutdown.Drain, a.opts.Abort)
	s.retiring.stop()
	s.shifting.stop()
	s.mirror.stop() // after the last calls, whose changes it may still send
	running.Wait()
	logger.Info("stopped")
	return err
}

// followHealth lets gRPC's health service say what /readyz says.
func followHealth(s *servers, stop <-chan struct{}) {
	tick := time.NewTicker(readyFresh)
	defer tick.Stop()
	for {
		if ready := s.probes.Ready().Ready; s.grpc != nil {
			s.grpc.SetServing(ready)
		}
		select {
		case <-stop:
			return
		case <-tick.C:
		}
	}
}

// stoppedEarly tells a stop that was asked for from a failure.
func stoppedEarly(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil //nolint:nilerr // whatever failed, it did so because it was told to stop
	}
	return err
}

func warn(logger *slog.Logger, faults fault.List) {
	for _, f := range faults.All() {
		if f.Severity == fault.Note {
			continue
		}
		logger.Warn(f.Message, "at", f.Pos.String(), "fix", f.Fix)
	}
}

// waitEvery is the time between two looks at a legacy that is down.
const waitEvery = time.Second

// cause gives what the server said, where there is more to an error: the rest is written for callers.
func cause(err error) error {
	var told *strangler.Error
	if errors.As(err, &told) && told.Cause != nil {
		return told.Cause
	}
	return err
}

// waitForLegacy returns nil as soon as ping does, and gives up after patience.
func waitForLegacy(ctx context.Context, ping func(context.Context) error, patience time.Duration, logger *slog.Logger) error {
	start := time.Now()
	for {
		err := ping(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if fix := pool.Misconfigured(err); fix != "" {
			return fmt.Errorf("the legacy answers and refuses: %s: %w", fix, cause(err))
		}
		left := patience - time.Since(start)
		if left <= 0 {
			return errors.Join(fmt.Errorf("the legacy did not answer within legacy.start_timeout (%s); start it, or check legacy.dsn", patience), cause(err))
		}
		logger.Warn("waiting for the legacy", "waited", time.Since(start).Round(time.Second).String(), "patience", patience.String(), "cause", cause(err))
		sleep(ctx, min(waitEvery, left))
	}
}
