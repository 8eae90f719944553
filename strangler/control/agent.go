package control

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"banyan.dev/banyan/flags"
)

// Flags is what an Agent gives flags to: a flags.Provider.
type Flags interface {
	// Set takes over flags, all or none.
	Set(given []flags.Flag) error
	// SetLease says how long decisions may be made; a time in the past ends the lease at once.
	SetLease(until time.Time)
	// Versions gives the version of each flag that decisions are made by.
	Versions() map[string]uint64
}

// AgentOptions say what an Agent works with. Membership, Flags, Settled and Replica have to be set.
type AgentOptions struct {
	Membership Membership
	Flags      Flags
	// Capabilities are those of this process, with their digests: see Coordinated. Flags of others aren't taken over, nor
	// acknowledged; a replica does not join while one of them is past off.
	Capabilities map[string]string
	// Settled says whether no write of a capability that was decided under a version less than that is on its way, those
	// excepted that are open in the ledger. Once it was so, it stays so: newer decisions are made by newer versions.
	Settled func(capability string, version uint64) bool
	// Rejoin registers the replica's writer marks anew. It is called before each time that the replica joins, the first
	// one too, and never while a write is on its way that was decided before. The marks may be written with once use is
	// called, which is when the replica has joined. nil: there are no marks.
	Rejoin func(ctx context.Context) (use func(), err error)
	// Registered says whether the writer marks are there. It is asked once in each Renew: marks can be taken away late,
	// when the replica has joined again already, and then it has to join once more. nil: it isn't asked.
	Registered func(ctx context.Context) (bool, error)
	// Replica is the replica's name, Address where its admin API listens.
	Replica string
	Address string
	// Poll is how often the store is asked for news (default 25 ms), Renew how often the lease is renewed at least (1 s).
	Poll  time.Duration
	Renew time.Duration
	// Lease is how long the replica acts on what it knows (default Lease). It has to be no longer than that.
	Lease time.Duration
	// Logger gets what passes. Default slog.Default().
	Logger *slog.Logger
}

func (o AgentOptions) withDefaults() (AgentOptions, error) {
	o.Poll = cmp.Or(o.Poll, 25*time.Millisecond)
	o.Renew = cmp.Or(o.Renew, time.Second)
	o.Lease = cmp.Or(o.Lease, Lease)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	switch {
	case o.Membership == nil, o.Flags == nil, o.Settled == nil, o.Replica == "":
		return o, errors.New("an agent needs a membership, flags, what says that writes are settled, and a replica's name")
	case o.Poll < 0, o.Renew < o.Poll, o.Lease < 2*o.Renew, o.Lease > Lease:
		return o, fmt.Errorf("an agent can't poll each %s, renew each %s and hold a lease of %s: want poll ≤ renew ≤ lease/2, and a lease of at most %s", o.Poll, o.Renew, o.Lease, Lease)
	}
	return o, nil
}

// Agent is a replica's part in shifts: it joins, brings news of flags, says what the replica has applied and settled, and
// holds its lease. The lease counts from before the request that renews it, by this process's own clock, so that it is
// over here before the store takes it for over. When the store can't be asked, the lease runs out by itself.
//
// Start is called once, then Run. Status may be called at any time.
type Agent struct {
	options AgentOptions

	// All below is of the goroutine that runs Start or Run.

	since   uint64
	renewed time.Time // when the request began that renewed the lease last
	sent    map[string]Ack
	settled map[string]uint64
	refused map[string]uint64 // versions of flags that could not be taken over, and were told of
	newer   map[string]uint64 // the version here where the store's is older
	lacking map[string]string // the stages of capabilities in the store that this process hasn't
	listed  bool              // the store has had this replica
	joined  bool              // it has had a lease
	failed  int               // times in a row
	warned  bool              // that the lease is over

	mu     sync.Mutex
	status AgentStatus
	until  time.Time // the lease
	asked  time.Time // when the store has answered last
}

// NewAgent makes an Agent without asking anybody.
func NewAgent(options AgentOptions) (*Agent, error) {
	o, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Agent{options: o, settled: map[string]uint64{}, refused: map[string]uint64{}, lacking: map[string]string{}, newer: map[string]uint64{}}, nil
}

// Start joins and gets the first flags. It waits while the store can't be asked: without flags nothing can be decided.
// Its error is that of ctx, with what was waited for, or a *LacksError. What can't be taken over of the first flags is told,
// and its capability has no flag.
func (a *Agent) Start(ctx context.Context) error {
	err := a.join(ctx)
	if err != nil && a.listed {
		a.leave(context.WithoutCancel(ctx))
	}
	return err
}

// Run keeps the replica going until ctx ends. Then the lease ends, and the replica leaves, once its writes are settled:
// ctx should end when calls have. A replica whose writes don't settle stays, and is fenced by those who wait for it.
func (a *Agent) Run(ctx context.Context) {
	defer a.leave(context.WithoutCancel(ctx))
	watch := a.watchMarks(ctx)
	defer watch.stop()
	for ctx.Err() == nil {
		began := time.Now()
		err := a.exchange(ctx)
		if err == nil && watch.missing() {
			err = fmt.Errorf("the writer marks were taken away: %w", ErrFenced)
		}
		if errors.Is(err, ErrFenced) {
			a.told(ctx, err)
			if a.join(ctx) == nil {
				watch.anew()
			}
			continue
		}
		a.told(ctx, err)
		if err == nil && a.unsaid() {
			continue
		}
		a.pause(ctx, time.Until(began.Add(a.patience())))
	}
}

// exchange asks once. What is new is applied before the lease is longer.
func (a *Agent) exchange(ctx context.Context) error {
	began := time.Now()
	acks := a.acks()
	renew := !maps.Equal(acks, a.sent) || began.Sub(a.renewed) >= a.options.Renew
	news, err := a.ask(ctx, Report{Replica: a.options.Replica, Renew: renew, Acks: acks, Since: a.since})
	if err != nil {
		return err
	}
	a.take(news)
	if err := a.overtook(); err != nil {
		a.lease(time.Time{})
		a.sent = acks
		return err
	}
	if renew {
		a.sent, a.renewed = acks, began
		a.lease(began.Add(a.options.Lease))
	}
	return nil
}

// overtook gives an error where this replica has a newer flag than the store. What the store says now may be anything, and
// others may go by it: without a lease reads are legacy's, which has every write.
func (a *Agent) overtook() error {
	for _, capability := range slices.Sorted(maps.Keys(a.newer)) {
		return fmt.Errorf("the control store has an older flag of %s than this replica, which has version %d: was it restored from a backup? The replica that coordinates brings all keys to legacy under a newer version", capability, a.newer[capability])
	}
	return nil
}

// ask gives the store half of the lease to answer: later there is time for one more try.
func (a *Agent) ask(ctx context.Context, r Report) (News, error) {
	ctx, cancel := context.WithTimeout(ctx, a.options.Lease/2)
	defer cancel()
	return a.options.Membership.Exchange(ctx, r)
}

// take applies news, and gives the capabilities whose flag is older than it should be.
func (a *Agent) take(news News) (stale []string) {
	known := a.options.Flags.Versions()
	var fresh []flags.Flag
	for _, f := range news.Flags {
		if _, has := a.options.Capabilities[f.Capability]; !has {
			a.lacks(f)
			continue
		}
		if f.Version >= known[f.Capability] {
			fresh = append(fresh, f)
			delete(a.newer, f.Capability)
			continue
		}
		a.newer[f.Capability] = known[f.Capability]
		if a.refuses(f) {
			a.options.Logger.Error("the store has an older flag than this replica: was it restored from a backup? This replica reads from legacy and takes no writes until there is a newer one", "capability", f.Capability, "version", f.Version, "newer", known[f.Capability])
		}
	}
	if len(fresh) > 0 && a.options.Flags.Set(fresh) != nil {
		for _, f := range fresh { // all but those that are wrong
			if err := a.options.Flags.Set([]flags.Flag{f}); err != nil && a.refuses(f) {
				a.options.Logger.Error("a flag can't be taken over: this replica goes on by the one before, and does not acknowledge it", "capability", f.Capability, "version", f.Version, "error", err)
			}
		}
	}
	now := a.options.Flags.Versions()
	for _, f := range fresh {
		if v, there := now[f.Capability]; there && v < f.Version {
			stale = append(stale, f.Capability)
		}
	}
	for capability, version := range a.refused {
		if now[capability] > version {
			delete(a.refused, capability)
		}
	}
	a.since = news.Change
	a.note()
	return stale
}

// refuses notes a flag that isn't taken over, and says whether that is new.
func (a *Agent) refuses(f flags.Flag) bool {
	version, told := a.refused[f.Capability]
	a.refused[f.Capability] = f.Version
	return !told || version != f.Version
}

// acks says what is applied and settled now.
func (a *Agent) acks() map[string]Ack {
	acks := make(map[string]Ack, len(a.options.Capabilities)+len(a.lacking))
	for capability, version := range a.options.Flags.Versions() {
		digest, has := a.options.Capabilities[capability]
		if !has {
			continue // nobody here decides by it
		}
		if a.settled[capability] < version && a.options.Settled(capability, version) {
			a.settled[capability] = version
		}
		acks[capability] = Ack{Applied: version, Settled: a.settled[capability], Digest: digest}
	}
	for capability := range a.lacking {
		acks[capability] = Ack{Lacks: true}
	}
	return acks
}

// unsaid says whether there is something to acknowledge that the store doesn't know.
func (a *Agent) unsaid() bool { return !maps.Equal(a.acks(), a.sent) }

// drained says whether no write is on its way that was decided by the flags as they are.
func (a *Agent) drained() bool {
	for capability, version := range a.options.Flags.Versions() {
		if version < math.MaxUint64 && !a.options.Settled(capability, version+1) {
			return false
		}
	}
	return true
}

// patience is how long after the last try the next one begins: longer while the store can't be asked.
func (a *Agent) patience() time.Duration { return a.options.Poll * time.Duration(min(1+a.failed, 10)) }

func (a *Agent) pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
