package app

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/open-feature/go-sdk/openfeature"
	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/adapters/rabbitmq"
	"banyan.dev/banyan/adapters/store"
	"banyan.dev/banyan/adapters/upstream"
	"banyan.dev/banyan/api/admin"
	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/flags"
	"banyan.dev/banyan/legacy"
	"banyan.dev/banyan/mirror/change"
	"banyan.dev/banyan/strangler"
	"banyan.dev/banyan/strangler/control"
)

// shifting is what lets capabilities move, in a process with the facade. Without capabilities of its own a process with writer
// marks is a replica all the same: shifts that others make have to wait for it, or keep it out. Without marks it does nothing.
type shifting struct {
	app      *App
	backend  *legacy.Backend
	marks    *store.Writer
	provider *flags.Provider
	client   *openfeature.Client
	control  *store.Control
	ledger   *store.Ledger
	writes   *legacy.Writes
	answers  *rabbitmq.Answers
	services map[string]*upstream.Upstream
	// capabilities are those of the config, in its order; entities those that have one.
	capabilities []*strangler.Capability
	entities     map[string]protoreflect.FullName
	router       *strangler.Router
	parts        Parts

	agent       *control.Agent
	coordinator *control.Coordinator
	operator    control.Operator
	known       []control.Coordinated
	facts       []control.Facts

	cancel       context.CancelFunc // of what works beside the calls
	cancelAgent  context.CancelFunc
	running      sync.WaitGroup
	agentRunning sync.WaitGroup
}

// domains counts this program's OpenFeature domains: each App has its own.
var domains atomic.Uint64

// openShifting puts it together. Nothing runs yet, and nothing is connected.
func (a *App) openShifting(backend *legacy.Backend, marks *store.Writer) (s *shifting, err error) {
	s = &shifting{app: a, backend: backend, marks: marks, services: map[string]*upstream.Upstream{}, entities: map[string]protoreflect.FullName{}}
	if marks == nil {
		return s, nil
	}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	cfg, logger := a.project.Config, a.opts.Logger
	if s.control, err = store.NewControl(storeOptions(cfg, logger)); err != nil {
		return s, fmt.Errorf("control store: %w", err)
	}
	s.provider = flags.NewProvider(nil)
	s.parts.Membership = s.control
	if len(cfg.ServiceNames()) > 0 { // whose streams can be fenced
		if s.ledger, err = store.NewLedger(storeOptions(cfg, logger)); err != nil {
			return s, fmt.Errorf("ledger: %w", err)
		}
		if s.answers, err = rabbitmq.NewAnswers(brokerConnection(cfg, "answers", logger)); err != nil {
			return s, fmt.Errorf("answers to fences: %w", err)
		}
		s.parts.Answers = s.answers
	}
	if len(a.project.capabilities) == 0 {
		s.parts = a.replaced(s.parts)
		return s, nil
	}
	for _, c := range a.project.capabilities {
		if err := s.add(c); err != nil {
			return s, err
		}
	}
	s.writes = legacy.NewWrites(backend, cfg.Ledger.Schema.String(), marks.Replica(), s.entities)
	domain := "banyan-" + strconv.FormatUint(domains.Add(1), 10)
	if err := openfeature.SetNamedProviderAndWait(domain, s.provider); err != nil {
		return s, fmt.Errorf("OpenFeature: %w", err)
	}
	s.client = openfeature.NewClient(domain)
	s.parts = a.replaced(Parts{Flags: s.client, Ledger: s.writes, Membership: s.control, Answers: s.answers})
	s.known, s.facts = s.tell()
	s.operator = control.NewOperator(control.OperatorOptions{Store: s.control, Ledger: s.ledger, Capabilities: s.facts, Timing: s.timing()})
	return s, nil
}

// add makes a capability ready.
func (s *shifting) add(bound *capability) error {
	cfg, logger := s.app.project.Config, s.app.opts.Logger
	if s.services[bound.service] == nil {
		up, err := upstream.New(upstream.Options{
			Service: bound.service, Target: cfg.Services[bound.service].Target, Reads: s.app.project.readsOf(bound.service),
			MaxReplyBytes: int(cfg.Limits.MaxReplyBytes), Logger: logger,
		})
		if err != nil {
			return fmt.Errorf("the service %s: %w", bound.service, err)
		}
		s.services[bound.service] = up
	}
	c := &strangler.Capability{Name: bound.name, Service: bound.service, Modern: s.services[bound.service], Routes: map[*contract.Operation]*strangler.Route{}}
	var keys *lookup
	if event := s.app.project.eventOf(bound); event != nil {
		c.Entity = &strangler.Entity{Message: event.Entity, Get: event.Get, ID: event.ID, GetID: event.GetID, Key: bound.key.Of}
		s.entities[bound.name] = event.Entity.FullName()
		keys = &lookup{legacy: s.backend, entity: c.Entity, key: bound.key}
	}
	for _, op := range bound.operations {
		route := &strangler.Route{}
		if c.Entity != nil {
			route.EntityID = idField(op, c.Entity)
		}
		switch key := bound.keys[op]; {
		case key != nil:
			route.Key = requestKey(key)
			if route.EntityID != nil {
				route.Owner = keys.by(route.EntityID)
			}
		case route.EntityID != nil:
			route.Key = keys.by(route.EntityID)
		}
		c.Routes[op] = route
	}
	s.capabilities = append(s.capabilities, c)
	return nil
}

// idField finds the field of a request that names the entity: it is called and typed as the field of the entity's Get.
func idField(op *contract.Operation, of *strangler.Entity) protoreflect.FieldDescriptor {
	fd := op.Input.Fields().ByName(of.GetID.Name())
	if fd == nil || fd.Kind() != of.GetID.Kind() || fd.IsList() || fd.IsMap() {
		return nil
	}
	return fd
}

// eventOf gives the SQL event of a capability's entity; nil when there is none.
func (p *Project) eventOf(c *capability) *legacy.Event {
	if c.entity == nil || c.key == nil {
		return nil
	}
	return p.event(c.entity.FullName())
}

// readsOf gives the reads of a service's capabilities, as gRPC writes them.
func (p *Project) readsOf(service string) (out []string) {
	for _, c := range p.capabilities {
		for _, op := range c.operations {
			if c.service == service && op.Read {
				out = append(out, op.FullMethod)
			}
		}
	}
	return out
}

// makeRouter makes the Router, which knows both sides.
func (s *shifting) makeRouter(unserved []*contract.Operation) *strangler.Router {
	o := strangler.RouterOptions{Legacy: s.backend, Unserved: unserved, Logger: s.app.opts.Logger}
	if len(s.capabilities) > 0 {
		cfg := s.app.project.Config
		o.Capabilities, o.Flags, o.Waiter, o.Ledger = s.capabilities, s.parts.Flags, s.provider, s.parts.Ledger
		o.Replica, o.Drained = s.marks.Replica(), s.marks.Drained
		o.HoldTimeout = 2*cfg.Shift.HoldTimeout + control.Lease // what goes back by itself is not to fail those who wait
	}
	s.router = strangler.NewRouter(o)
	return s.router
}

// strangerPoll is how often a replica without capabilities asks for news: it has none to act on.
const strangerPoll = time.Second

// start joins the other replicas and waits for flags; then calls may come. admin is where this replica is commanded.
func (s *shifting) start(ctx context.Context, admin string) error {
	if s.marks == nil {
		return nil
	}
	cfg, logger := s.app.project.Config, s.app.opts.Logger
	if err := s.ensure(ctx); err != nil {
		return err
	}
	o := control.AgentOptions{
		Membership: s.parts.Membership, Flags: s.provider, Capabilities: map[string]string{}, Settled: s.router.Settled,
		Rejoin: s.marks.Renew, Registered: s.marks.Registered, Replica: s.marks.Replica(), Address: admin, Poll: cfg.Shift.Poll, Logger: logger,
	}
	for _, c := range s.known {
		o.Capabilities[c.Name] = c.Digest
	}
	if len(s.known) == 0 {
		o.Poll = strangerPoll
	}
	var err error
	if s.agent, err = control.NewAgent(o); err != nil {
		return err
	}
	if err := s.agent.Start(ctx); err != nil {
		return fmt.Errorf("join the other replicas: %w", err)
	}
	agent, cancelAgent := context.WithCancel(context.WithoutCancel(ctx))
	s.cancelAgent = cancelAgent
	s.agentRunning.Go(func() { s.agent.Run(agent) })
	beside, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.cancel = cancel
	if s.answers != nil {
		s.running.Go(func() { s.answers.Run(beside) })
	}
	if len(s.known) == 0 {
		return nil
	}
	s.coordinator = control.NewCoordinator(control.CoordinatorOptions{
		Store: s.control, Ledger: s.ledger, Answers: s.parts.Answers, Backfill: s, Capabilities: s.known, Timing: s.timing(), Beside: s.beside, Logger: logger,
	})
	s.running.Go(func() { s.coordinator.Run(beside) })
	return nil
}

// ensure makes what is missing in the control store. It waits while that can't be asked: without it nothing can be decided.
func (s *shifting) ensure(ctx context.Context) error {
	for {
		err := control.Ensure(ctx, s.control, s.ledger, s.known)
		if err == nil || ctx.Err() != nil || change.Stops(err) != nil {
			return err
		}
		s.app.opts.Logger.Warn("waiting for the control store", "cause", err)
		sleep(ctx, waitEvery)
	}
}

func (s *shifting) timing() control.Timing {
	cfg := s.app.project.Config.Shift
	return control.Timing{Hold: cfg.HoldTimeout, Prepare: cfg.FenceTimeout, Grace: cfg.Grace}
}

// tell says what is known of the capabilities beforehand.
func (s *shifting) tell() (known []control.Coordinated, facts []control.Facts) {
	for i, c := range s.capabilities {
		bound := s.app.project.capabilities[i]
		one := control.Coordinated{Name: c.Name, Service: c.Service, Digest: bound.digest()}
		f := control.Facts{
			Healthy:  s.services[c.Service].Healthy,
			Compared: func() strangler.Comparisons { return s.router.Comparisons(c.Name) },
		}
		if c.Entity != nil {
			one.Entity = string(c.Entity.Message.FullName())
			f.NotLive = append(s.app.project.Program.CanWriteBack(c.Entity.Message.FullName()), s.app.project.strangers(bound)...)
		} else {
			f.NotLive = []string{"the config names no entity of it, with its key, that SQL has an `-- event:` for"}
		}
		for _, op := range bound.operations {
			route := c.Routes[op]
			if op.Read {
				continue
			}
			if s.app.project.Program.Sticky(op.Name) {
				f.NotLive = append(f.NotLive, fmt.Sprintf("%s changes tables without transactions, which don't commit with its mark: convert them to InnoDB", op.Descriptor.Name()))
			}
			if route.Key == nil {
				f.NotShared = append(f.NotShared, fmt.Sprintf("the write %s has no key: give it one in capabilities.%s.keys", op.Descriptor.Name(), c.Name))
			}
			if c.Entity != nil && route.EntityID == nil && op.Output != c.Entity.Message {
				f.NotLive = append(f.NotLive, fmt.Sprintf("neither request nor reply of %s tell which %s it writes", op.Descriptor.Name(), c.Entity.Message.Name()))
			}
		}
		f.Coordinated = one
		known, facts = append(known, one), append(facts, f)
	}
	return known, facts
}

// strangers says which operations outside of a capability write its entity, and which puts of others do. At live such a write
// would be in legacy only, and its event would take what the new service has written meanwhile back.
func (p *Project) strangers(c *capability) (out []string) {
	for _, name := range p.Program.Writers(c.entity.FullName()) {
		if !slices.ContainsFunc(c.operations, func(op *contract.Operation) bool { return op.Name == name }) {
			out = append(out, fmt.Sprintf("%s writes rows of %s, too: make it part of the capability, or let it write other tables", name, c.entity.Name()))
		}
	}
	for _, other := range p.Program.Putters(c.entity.FullName()) {
		out = append(out, fmt.Sprintf("the put of %s writes rows of %s, too: let it write other tables, or make both one entity", other, c.entity.Name()))
	}
	return out
}

// Next implements control.Backfill.
func (s *shifting) Next(ctx context.Context, capability, after string, limit int) ([]string, error) {
	event := s.app.project.Program.Event(s.entities[capability])
	if event == nil {
		return nil, nil
	}
	return s.backend.List(ctx, event, after, limit)
}

// sweepEvery is the time between two looks for finished writes that are old.
const sweepEvery = time.Minute

// beside is what only the coordinating process does: it ends writes that were left open, and sweeps old ones.
func (s *shifting) beside(ctx context.Context) {
	var both sync.WaitGroup
	sweeper := strangler.NewSweeper(strangler.SweeperOptions{
		Capabilities: s.capabilities, Ledger: s.parts.Ledger, Stale: s.ledger.Stale, Age: s.app.project.Config.Shift.SweepAfter, Logger: s.app.opts.Logger,
	})
	both.Go(func() { sweeper.Run(ctx) })
	both.Go(func() {
		tick := time.NewTicker(sweepEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if n, err := s.ledger.SweepWrites(ctx); err != nil && ctx.Err() == nil {
				s.app.opts.Logger.Warn("old writes could not be swept from the ledger", "cause", err)
			} else if n > 0 {
				s.app.opts.Logger.Debug("swept from the ledger", slog.Int("rows", n))
			}
		}
	})
	both.Wait()
}

// stop ends what works beside the calls, which have ended; then this replica leaves.
func (s *shifting) stop() {
	if s.router != nil {
		s.router.Close()
	}
	if s.cancel != nil {
		s.cancel()
	}
	s.running.Wait()
	if s.cancelAgent != nil {
		s.cancelAgent()
	}
	s.agentRunning.Wait()
}

// close gives up what was opened.
func (s *shifting) close() {
	s.stop()
	for _, up := range s.services {
		_ = up.Close() // it is of no more use
	}
	if s.control != nil {
		_ = s.control.Close() // the same
	}
	if s.ledger != nil {
		_ = s.ledger.Close() // the same
	}
}

// commands is the Operator; nil without capabilities.
func (s *shifting) commands() control.Operator {
	if s == nil {
		return nil
	}
	return s.operator
}

// fences times fences; nil where no service has a stream.
func (s *shifting) fences() admin.Fences {
	if s == nil || s.ledger == nil || s.answers == nil {
		return nil
	}
	return &control.Fencer{Ledger: s.ledger, Answers: s.parts.Answers, Services: s.app.project.Config.ServiceNames(), Patience: s.app.project.Config.Shift.FenceTimeout}
}
