package flags

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// Provider is an OpenFeature provider whose flags are those of capabilities. An evaluation is made in memory, and is about
// the targeting key only; a context without one, or with an empty one, is a call without a key. The value is the stage
// (Hold included); the flag's metadata has the rest of the Decision:
//
//	version  int64   the flag's
//	reads    string  legacy or modern
//	mixed    bool    Decision.Mixed
//
// It is for the string type; other types are a TYPE_MISMATCH. Unknown flags are FLAG_NOT_FOUND. Without a valid lease all
// evaluations are PROVIDER_NOT_READY: what is known may have been overtaken then. It is safe for concurrent use.
type Provider struct {
	now   func() time.Time
	start time.Time
	flags atomic.Pointer[map[string]*Compiled]
	// lease is when it ends, counted from start.
	lease atomic.Int64

	mu sync.Mutex // for changes
	// changed is closed, and replaced, whenever flags or the lease change.
	changed chan struct{}
}

// NewProvider makes a Provider without flags and without a lease. now gives the time with a monotonic reading; nil means
// time.Now.
func NewProvider(now func() time.Time) *Provider {
	if now == nil {
		now = time.Now
	}
	p := &Provider{now: now, start: now(), changed: make(chan struct{})}
	p.flags.Store(&map[string]*Compiled{})
	return p
}

// ErrOlder says that a flag has a newer version already, or another content under the same version.
var ErrOlder = errors.New("the flag is not newer than what is there")

// Set takes over flags, all or none of them; flags that it isn't given stay as they are. When it returns, evaluations that
// begin are by them. A flag that is there already, in the same version, is none to take over.
func (p *Provider) Set(given []Flag) error {
	compiled := make([]*Compiled, 0, len(given))
	for _, f := range given {
		c, err := Compile(f)
		if err != nil {
			return err
		}
		compiled = append(compiled, c)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	next, news := maps.Clone(*p.flags.Load()), false
	for _, c := range compiled {
		old, ok := next[c.flag.Capability]
		switch {
		case !ok, c.flag.Version > old.flag.Version:
			next[c.flag.Capability] = c
			news = true
		case c.flag.Version < old.flag.Version:
			return fmt.Errorf("flag %q, version %d: %w: version %d", c.flag.Capability, c.flag.Version, ErrOlder, old.flag.Version)
		case c.flag.Phase != old.flag.Phase || !c.from.Equal(old.from) || !c.to.Equal(old.to):
			return fmt.Errorf("flag %q, version %d: %w: the same version says something else", c.flag.Capability, c.flag.Version, ErrOlder)
		}
	}
	if news {
		p.flags.Store(&next)
		p.wake()
	}
	return nil
}

// wake tells all who wait to look again. p.mu is held.
func (p *Provider) wake() {
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *Provider) change() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.changed
}

// SetLease says how long evaluations may be made. It shortens a lease, too.
func (p *Provider) SetLease(until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lease.Store(int64(until.Sub(p.start)))
	p.wake()
}

// LeaseValid says whether evaluations may be made now.
func (p *Provider) LeaseValid() bool { return int64(p.now().Sub(p.start)) < p.lease.Load() }

// Flag gives what is known of a capability; nil when nothing is. The lease does not matter.
func (p *Provider) Flag(capability string) *Compiled { return (*p.flags.Load())[capability] }

// Versions gives the version of each flag.
func (p *Provider) Versions() map[string]uint64 {
	flags := *p.flags.Load()
	versions := make(map[string]uint64, len(flags))
	for name, c := range flags {
		versions[name] = c.flag.Version
	}
	return versions
}

// Wait waits until a capability's flag has a version greater than beyond. When ctx ends first, it gives ctx's error.
func (p *Provider) Wait(ctx context.Context, capability string, beyond uint64) error {
	return p.until(ctx, func() bool {
		c := p.Flag(capability)
		return c != nil && c.flag.Version > beyond
	})
}

// WaitLease waits until there is a valid lease. When ctx ends first, it gives ctx's error.
func (p *Provider) WaitLease(ctx context.Context) error { return p.until(ctx, p.LeaseValid) }

func (p *Provider) until(ctx context.Context, met func() bool) error {
	for {
		changed := p.change()
		if met() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
