package strangler

import (
	"context"
	"log/slog"
	"time"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/contract"
)

// Router is the Backend that takes each call to the side that answers it: by the stage of the operation's capability for
// the call's key. Operations that are in no capability are legacy's.
type Router struct {
	opts    RouterOptions
	members map[*contract.Operation]*member
	managed map[string]*managed

	behind       *background
	drain        *drain
	undecidedLog *sparse
}

// RouterOptions are what a Router is made of. Only Legacy is always needed.
type RouterOptions struct {
	Legacy Backend
	// Unserved are the operations that neither side answers, on purpose.
	Unserved []*contract.Operation

	// Capabilities are those that shift. All below is needed only with them.
	Capabilities []*Capability
	Flags        Flags
	Waiter       Waiter
	// Ledger keeps live writes. Without one, and for capabilities without an Entity, writes at live are refused.
	Ledger Ledger
	// Replica is this process's name in the ledger.
	Replica string
	// Drained returns once no transaction is under way any more that this replica had begun in legacy when it was called.
	// It is asked after a COMMIT whose outcome is not known: that write counts as being on its way until then. nil: it
	// doesn't.
	Drained func(ctx context.Context) error

	// HoldTimeout is how long a write waits for a shift (default 10 s), LeaseTimeout for a lease (1 s).
	HoldTimeout, LeaseTimeout time.Duration
	// CallTimeout is how long modern may take for a live write, its repetitions included, if the caller's deadline is not
	// sooner (default 10 s). Grace is how long a write that is in the ledger goes on after its caller has gone (3 s). The
	// Sweeper's Age has to be more than both together.
	CallTimeout, Grace time.Duration
	// ReadTimeout is how long modern may take for an entity that is written back (default 2 s).
	ReadTimeout time.Duration
	// ShadowTimeout is how long modern may take for a shadow read (default 2 s). ShadowReads is how many of one capability
	// run at once; more are dropped (default 16).
	ShadowTimeout time.Duration
	ShadowReads   int

	// Logger is told what operators need to know; nil: nobody is.
	Logger *slog.Logger
}

// managed is a capability, as the Router has it.
type managed struct {
	*Capability
	begun  tracker
	steps  *steps
	shadow *shadow
}

// member is an operation's place in its capability; nil for one that is unserved.
type member struct {
	*managed
	route *Route
}

// NewRouter makes a Router. Close frees it.
func NewRouter(opts RouterOptions) *Router {
	opts.fill()
	r := &Router{
		opts: opts, members: make(map[*contract.Operation]*member), managed: make(map[string]*managed, len(opts.Capabilities)),
		behind: newBackground(), undecidedLog: &sparse{logger: opts.Logger},
	}
	r.drain = &drain{drained: opts.Drained, behind: r.behind, logger: opts.Logger}
	for _, c := range opts.Capabilities {
		m := &managed{
			Capability: c,
			steps:      &steps{capability: c, ledger: opts.Ledger, readTimeout: opts.ReadTimeout},
			shadow: &shadow{
				modern: c.Modern, timeout: opts.ShadowTimeout, slots: make(chan struct{}, opts.ShadowReads),
				behind: r.behind, log: &sparse{logger: opts.Logger.With(slog.String("capability", c.Name))},
			},
		}
		r.managed[c.Name] = m
		for op, route := range c.Routes {
			r.members[op] = &member{m, route}
		}
	}
	for _, op := range opts.Unserved {
		r.members[op] = nil
	}
	return r
}

func (o *RouterOptions) fill() {
	for _, d := range []struct {
		set      *time.Duration
		standard time.Duration
	}{
		{&o.HoldTimeout, 10 * time.Second},
		{&o.LeaseTimeout, time.Second},
		{&o.CallTimeout, 10 * time.Second},
		{&o.Grace, 3 * time.Second},
		{&o.ReadTimeout, 2 * time.Second},
		{&o.ShadowTimeout, 2 * time.Second},
	} {
		if *d.set <= 0 {
			*d.set = d.standard
		}
	}
	if o.ShadowReads <= 0 {
		o.ShadowReads = 16
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

// Call answers by the side that it belongs to, or with UNIMPLEMENTED for an unserved operation.
func (r *Router) Call(ctx context.Context, call *Call, send func(*Reply) error) error {
	m, special := r.members[call.Operation]
	switch {
	case !special:
		return r.opts.Legacy.Call(ctx, call, send)
	case m == nil:
		return Fail(codes.Unimplemented, "UNSERVED", "%s is declared, but not served here", call.Operation.Name)
	case call.Operation.Read, call.Operation.Validates(call.Request):
		return r.read(ctx, m, call, send)
	default:
		return r.write(ctx, m, call, send)
	}
}

// Settled says whether no write of a capability that was decided under a version less than this is on its way: each is
// done, or its row is committed in the ledger. Ask it once the flags have that version; then it stays true. A write that
// waits, at a hold or for a lease, is not on its way. With math.MaxUint64 it says whether none is at all: a replica that
// was fenced asks that, while it has no lease, before it takes new writer marks, since what it decided under the old ones
// must not be done under the new. Of a capability that the Router doesn't have it can't say so.
func (r *Router) Settled(capability string, version uint64) bool {
	m, ok := r.managed[capability]
	return ok && m.begun.settled(version)
}

// Comparisons gives what became of a capability's shadow reads.
func (r *Router) Comparisons(capability string) Comparisons {
	m, ok := r.managed[capability]
	if !ok {
		return Comparisons{}
	}
	return m.shadow.counted()
}

// Close ends what goes on behind callers' backs, and waits for it. Calls may go on; their shadow reads are dropped.
func (r *Router) Close() { r.behind.close() }
