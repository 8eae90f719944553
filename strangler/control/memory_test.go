package control_test

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"banyan.dev/banyan/flags"
	"banyan.dev/banyan/strangler"
	"banyan.dev/banyan/strangler/control"
)

// memory is a control store, a ledger, replicas that do what they should, and a service that answers fences. Its clock is
// the test's.
type memory struct {
	mu       sync.Mutex
	records  map[string]control.Record
	replicas map[string]*member
	audits   []control.Audit
	leader   chan struct{}
	lead     *seat

	writes    map[string]strangler.Write
	voids     map[string]uint64 // by which hold they were given up
	taken     []string          // replicas whose marks were taken away
	fences    []control.FenceRow
	announced []control.Announcement
	// committed are the entities of the writes that modern has committed.
	committed map[string][]string
	// service makes the answer to a fence; nil: there is none.
	service func(f control.FenceRow) *control.FenceAnswer
	boxes   []*mailbox
	passed  bool     // fences pass what can't be read
	ids     []string // of entities in legacy

	// on is called before and after each call of a coordinator that changes something. An error before it keeps it from
	// happening.
	on func(what string, before bool) error
}

// member is a replica.
type member struct {
	control.Replica
	renewed time.Time
	silent  bool
	// digest is what it takes capabilities for, "d" when empty; lacks says that it has none.
	digest string
	lacks  bool
	// versions are those that it has seen of each capability, in their order.
	versions map[string][]uint64
}

func newMemory(replicas ...string) *memory {
	m := &memory{
		records: map[string]control.Record{}, replicas: map[string]*member{}, leader: make(chan struct{}, 1),
		writes: map[string]strangler.Write{}, voids: map[string]uint64{}, committed: map[string][]string{},
	}
	for _, name := range replicas {
		m.replicas[name] = &member{Replica: control.Replica{Name: name, Acks: map[string]control.Ack{}}, renewed: time.Now(), versions: map[string][]uint64{}}
	}
	m.service = func(f control.FenceRow) *control.FenceAnswer {
		a := &control.FenceAnswer{Committed: map[string][]string{}}
		for _, id := range f.Void {
			if entities, ok := m.committed[id]; ok {
				a.Committed[id] = entities
			}
		}
		return a
	}
	return m
}

// run lets the replicas run until the test ends.
func (m *memory) run(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for _, name := range []string{"a", "b", "c"} {
		wg.Go(func() {
			for tick(ctx, 25*time.Millisecond) {
				m.poll(name)
			}
		})
	}
	t.Cleanup(func() { cancel(); wg.Wait() })
}

func tick(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// poll is what a replica does again and again.
func (m *memory) poll(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.replicas[name]
	if r == nil || r.silent || r.Fenced {
		return
	}
	r.renewed = time.Now()
	for capability, record := range m.records {
		v := record.Flag.Version
		if r.Acks[capability].Applied != v {
			r.versions[capability] = append(r.versions[capability], v)
		}
		r.Acks[capability] = control.Ack{Applied: v, Settled: v, Digest: cmp.Or(r.digest, "d"), Lacks: r.lacks}
	}
}

// coordinating marks the contexts of coordinators.
type coordinating struct{}

func (m *memory) set(set func(*memory)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	set(m)
}

// change does what changes something, as a server does.
func (m *memory) change(ctx context.Context, what string, do func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	on := func(string, bool) error { return nil }
	m.set(func(m *memory) {
		if m.on != nil && ctx.Value(coordinating{}) != nil {
			on = m.on
		}
	})
	if err := on(what, true); err != nil {
		return err
	}
	m.mu.Lock()
	err := do()
	m.mu.Unlock()
	return errors.Join(err, on(what, false))
}

func (m *memory) Ensure(_ context.Context, r control.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, there := m.records[r.Capability]; !there {
		r.Revision = 1
		m.records[r.Capability] = r
	}
	return nil
}

func (m *memory) Records(ctx context.Context) ([]control.Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []control.Record
	for _, r := range m.records {
		r.Now = time.Now()
		out = append(out, r)
	}
	return out, ctx.Err()
}

func (m *memory) Save(ctx context.Context, r control.Record, audits ...control.Audit) error {
	return m.change(ctx, "save", func() error {
		if m.records[r.Capability].Revision != r.Revision {
			return control.ErrConflict
		}
		r.Revision++
		m.records[r.Capability] = r
		m.audits = append(m.audits, audits...)
		return nil
	})
}

func (m *memory) Replicas(ctx context.Context) ([]control.Replica, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []control.Replica
	for _, r := range m.replicas {
		one := r.Replica
		one.Silent = time.Since(r.renewed)
		one.Acks = map[string]control.Ack{}
		for capability, ack := range r.Acks {
			one.Acks[capability] = ack
		}
		out = append(out, one)
	}
	slices.SortFunc(out, func(a, b control.Replica) int { return cmp.Compare(a.Name, b.Name) })
	return out, ctx.Err()
}

func (m *memory) Fence(ctx context.Context, replica string) (fenced bool, err error) {
	err = m.change(ctx, "fence a replica", func() error {
		if r := m.replicas[replica]; r != nil && time.Since(r.renewed) > control.Lease {
			r.Fenced = true
			fenced = true
		}
		return nil
	})
	return fenced, err
}

func (m *memory) Forget(ctx context.Context, replica string) error {
	return m.change(ctx, "forget", func() error {
		if r := m.replicas[replica]; r != nil && r.Fenced {
			delete(m.replicas, replica)
		}
		return nil
	})
}

func (m *memory) History(_ context.Context, capability string, limit int) ([]control.Audit, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []control.Audit
	for _, a := range slices.Backward(m.audits) {
		if (capability == "" || a.Capability == capability) && len(out) < limit {
			out = append(out, a)
		}
	}
	return out, nil
}

// seat is a leadership.
type seat struct {
	m    *memory
	once sync.Once
	lost chan struct{}
}

func (s *seat) Lost() <-chan struct{} { return s.lost }

func (s *seat) Close() error {
	s.end()
	return nil
}

// end is what a server does that hears nothing any more.
func (s *seat) end() {
	s.once.Do(func() {
		close(s.lost)
		<-s.m.leader
	})
}

func (m *memory) Lead(ctx context.Context) (control.Leadership, error) {
	select {
	case m.leader <- struct{}{}:
		s := &seat{m: m, lost: make(chan struct{})}
		m.set(func(m *memory) { m.lead = s })
		return s, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// stage says what a capability's keys are at now.
func (m *memory) stage(capability string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return flags.Describe(m.records[capability].Flag.To)
}

func (m *memory) Passed(context.Context, string, string) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.passed, nil
}

func (m *memory) Unread(context.Context, string, string) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.passed {
		return 2, nil
	}
	return 0, nil
}
