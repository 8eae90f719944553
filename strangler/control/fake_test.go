package control_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"banyan.dev/banyan/flags"
	"banyan.dev/banyan/strangler/control"
)

// fakeStore is a control store in memory, whose clock is the test's.
type fakeStore struct {
	mu      sync.Mutex
	change  uint64
	flags   map[string]flags.Flag
	changed map[string]uint64
	replica *fakeReplica // nil: it is not there
	log     []string
	// polls counts exchanges that ask only, renewals those that renew.
	polls, renewals int
	// slow is how long each answer takes; away says that there is none; lost that answers get lost.
	slow time.Duration
	away error
	lost error
}

type fakeReplica struct {
	renewed time.Time
	fenced  bool
	acks    map[string]control.Ack
}

func newFakeStore() *fakeStore {
	return &fakeStore{flags: map[string]flags.Flag{}, changed: map[string]uint64{}}
}

// serve does one request as a server does: what it does happens, even if the answer is lost.
func (s *fakeStore) serve(ctx context.Context, do func() error) error {
	s.mu.Lock()
	slow, away := s.slow, s.away
	s.mu.Unlock()
	select {
	case <-time.After(slow):
	case <-ctx.Done():
		return ctx.Err()
	}
	if away != nil {
		return away
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(do(), s.lost)
}

func (s *fakeStore) Join(ctx context.Context, r control.Joining) error {
	return s.serve(ctx, func() error {
		s.log = append(s.log, "join "+r.Replica)
		s.replica = &fakeReplica{renewed: time.Now(), acks: map[string]control.Ack{}}
		return nil
	})
}

func (s *fakeStore) Exchange(ctx context.Context, r control.Report) (news control.News, err error) {
	err = s.serve(ctx, func() error {
		s.polls++
		if r.Renew {
			s.renewals++
			if s.replica == nil || s.replica.fenced {
				return control.ErrFenced
			}
			s.replica.renewed, s.replica.acks = time.Now(), maps.Clone(r.Acks)
		}
		if r.Since == 0 {
			s.log = append(s.log, "read all")
		}
		news.Change = s.change
		for name, f := range s.flags {
			if s.changed[name] > r.Since {
				news.Flags = append(news.Flags, f)
			}
		}
		return nil
	})
	return news, err
}

func (s *fakeStore) Leave(ctx context.Context, _ string) error {
	return s.serve(ctx, func() error {
		s.log = append(s.log, "leave")
		s.replica = nil
		return nil
	})
}

// publish saves a flag.
func (s *fakeStore) publish(capability string, version uint64, stage ...flags.Stage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.change++
	definition := flags.Uniform(append(stage, flags.Off)[0])
	s.flags[capability] = flags.Flag{Capability: capability, Version: version, From: definition, To: definition}
	s.changed[capability] = s.change
}

func (s *fakeStore) set(set func(*fakeStore)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	set(s)
}

// counts gives exchanges, and those of them that renew.
func (s *fakeStore) counts() (polls, renewals int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.polls, s.renewals
}

// steps gives what was done in order.
func (s *fakeStore) steps() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.log)
}

func (s *fakeStore) there() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.replica != nil
}

// ack gives what the replica has acknowledged last.
func (s *fakeStore) ack(capability string) control.Ack {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.replica == nil {
		return control.Ack{}
	}
	return s.replica.acks[capability]
}

// fence fences as the real store does, and says whether it could.
func (s *fakeStore) fence() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.replica != nil && time.Since(s.replica.renewed) > control.Lease+500*time.Millisecond {
		s.replica.fenced = true
	}
	return s.replica == nil || s.replica.fenced
}

// replica is what else a process has: flags, writes that are on their way, writer marks.
type replica struct {
	store *fakeStore
	log   logged

	mu       sync.Mutex
	versions map[string]uint64
	until    time.Time
	bad      map[uint64]bool
	writing  map[string]uint64 // the lowest version that a write was decided under
	marks    bool
	used     bool
	// behind is called when the lease is set.
	behind func()
}

func (r *replica) Set(given []flags.Flag) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range given {
		if r.bad[f.Version] {
			return errors.New("the flag is bad")
		}
		if f.Version < r.versions[f.Capability] {
			return errors.New("the flag is old")
		}
	}
	for _, f := range given {
		r.versions[f.Capability] = f.Version
	}
	return nil
}

func (r *replica) SetLease(until time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.until = until
	if r.behind != nil {
		r.behind()
	}
}

func (r *replica) Versions() map[string]uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.versions)
}

func (r *replica) settled(capability string, version uint64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	lowest, writing := r.writing[capability]
	return !writing || lowest >= version
}

func (r *replica) write(capability string, version uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.writing[capability] = version; version == 0 {
		delete(r.writing, capability)
	}
}

func (r *replica) rejoin(context.Context) (use func(), err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.marks, r.used = true, false
	r.store.set(func(s *fakeStore) { s.log = append(s.log, "marks") })
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.used = true
	}, nil
}

// writes says whether transactions are begun by the marks that were made last.
func (r *replica) writes() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.used
}

func (r *replica) leased() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Now().Before(r.until)
}

// agent gives a replica and its agent, which is not started.
func agent(t *testing.T, s *fakeStore, with ...func(*control.AgentOptions)) (*replica, *control.Agent) {
	t.Helper()
	r := &replica{store: s, versions: map[string]uint64{}, bad: map[uint64]bool{}, writing: map[string]uint64{}}
	o := control.AgentOptions{
		Membership: s, Flags: r, Capabilities: map[string]string{"orders": "d", "stock": "d"}, Settled: r.settled, Rejoin: r.rejoin, Replica: "one",
		Logger: slog.New(slog.NewTextHandler(&r.log, nil)),
	}
	for _, w := range with {
		w(&o)
	}
	a, err := control.NewAgent(o)
	if err != nil {
		t.Fatal(err)
	}
	return r, a
}

// logged keeps what was logged.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (r *replica) said() string {
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	return r.log.text.String()
}

// spoil makes a version of flags bad.
func (r *replica) spoil(version uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bad[version] = true
}

// start starts and runs an agent; stop ends it.
func start(t *testing.T, a *control.Agent) (stop func()) {
	t.Helper()
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return run(t, a)
}

func run(t *testing.T, a *control.Agent) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.Run(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

// pass lets time pass.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// kept says whether words come in that order.
func kept(log []string, words ...string) bool {
	for _, word := range words {
		i := slices.Index(log, word)
		if i < 0 {
			return false
		}
		log = log[i+1:]
	}
	return true
}
