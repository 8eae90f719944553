package strangler_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/open-feature/go-sdk/openfeature"
	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/flags"
	"banyan.dev/banyan/strangler"
)

// switches are flags that a test turns: what a replica's provider is.
type switches struct {
	mu      sync.Mutex
	lease   bool
	missing bool
	version uint64
	decide  func(key string) flags.Decision
	changed chan struct{}
}

func newSwitches() *switches {
	s := &switches{lease: true, changed: make(chan struct{})}
	s.all(flags.Off)
	return s
}

// all puts all keys at a stage, in the next version.
func (s *switches) all(stage flags.Stage) uint64 {
	return s.turn(func(string) flags.Decision { return flags.Decision{Stage: stage, Reads: stage.Authority()} })
}

// hold holds all keys, in the next version.
func (s *switches) hold(reads flags.Side) uint64 {
	return s.turn(func(string) flags.Decision { return flags.Decision{Stage: flags.Hold, Reads: reads} })
}

// turn makes the next version.
func (s *switches) turn(decide func(key string) flags.Decision) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.set(s.version+1, decide)
	return s.version
}

// at makes a version that another replica has already.
func (s *switches) at(version uint64, decide func(key string) flags.Decision) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.set(version, decide)
}

func (s *switches) set(version uint64, decide func(key string) flags.Decision) {
	s.version, s.decide = version, decide
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *switches) current() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.version
}

func (s *switches) setLease(lease bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lease = lease
	s.set(s.version, s.decide)
}

func (s *switches) StringValueDetails(_ context.Context, _, byDefault string, about openfeature.EvaluationContext, _ ...openfeature.Option) (openfeature.StringEvaluationDetails, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	details := openfeature.StringEvaluationDetails{Value: byDefault}
	switch {
	case !s.lease:
		details.ErrorCode = openfeature.ProviderNotReadyCode
		return details, openfeature.ProviderNotReadyError
	case s.missing:
		details.ErrorCode = openfeature.FlagNotFoundCode
		return details, openfeature.NewFlagNotFoundResolutionError("no such flag")
	}
	d := s.decide(about.TargetingKey())
	details.Value = string(d.Stage)
	details.FlagMetadata = openfeature.FlagMetadata{"version": int64(s.version), "reads": d.Reads.String(), "mixed": d.Mixed}
	return details, nil
}

func (s *switches) Wait(ctx context.Context, _ string, beyond uint64) error {
	return s.until(ctx, func() bool { return s.version > beyond && !s.missing })
}

func (s *switches) WaitLease(ctx context.Context) error {
	return s.until(ctx, func() bool { return s.lease })
}

func (s *switches) until(ctx context.Context, met func() bool) error {
	for {
		s.mu.Lock()
		changed, ok := s.changed, met()
		s.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// bed is a Router between two sides.
type bed struct {
	*switches
	trace          *trace
	legacy, modern *side
	ledger         *ledger
	capability     *strangler.Capability
	router         *strangler.Router
}

func newBed(t testing.TB, change ...func(*strangler.RouterOptions)) *bed {
	b := &bed{switches: newSwitches(), trace: &trace{}}
	b.legacy, b.modern = newSide("legacy", b.trace), newSide("modern", b.trace)
	b.ledger = newLedger(t, b.legacy)
	b.capability = orders(b.modern)
	opts := strangler.RouterOptions{
		Legacy: b.legacy, Capabilities: []*strangler.Capability{b.capability},
		Flags: b.switches, Waiter: b.switches, Ledger: b.ledger, Replica: "r1",
		Logger: slog.New(slog.DiscardHandler),
	}
	for _, c := range change {
		c(&opts)
	}
	b.router = strangler.NewRouter(opts)
	t.Cleanup(b.router.Close)
	return b
}

// call calls the Router, and gives the last reply.
func (b *bed) call(ctx context.Context, name string, fields map[string]string) (reply *contract.Payload, err error) {
	op := operation(name)
	err = b.router.Call(ctx, &strangler.Call{Operation: op, Request: message(op.Input, fields), RequestID: "q"}, func(r *strangler.Reply) error {
		b.trace.add("reply")
		reply = r.Message
		return nil
	})
	return reply, err
}

// add adds a line to the order 1.
func (b *bed) add(ctx context.Context, line string) (*contract.Payload, error) {
	return b.call(ctx, "AddLine", map[string]string{"id": "1", "customer": "c", "line": line})
}

// outcome is what a call in the background came to.
type outcome struct {
	reply *contract.Payload
	err   error
	took  time.Duration
}

// adding adds a line in the background.
func (b *bed) adding(ctx context.Context, line string) <-chan outcome {
	done := make(chan outcome, 1)
	go func() {
		begun := time.Now()
		reply, err := b.add(ctx, line)
		done <- outcome{reply, err, time.Since(begun)}
	}()
	return done
}

func wantError(t testing.TB, err error, code codes.Code, reason string) *strangler.Error {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %s %s", code, reason)
	}
	e := strangler.AsError(err)
	if e.Code != code || e.Reason != reason {
		t.Fatalf("error %v, want %s %s", err, code, reason)
	}
	return e
}
