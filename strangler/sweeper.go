package strangler

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/contract"
)

// Sweeper brings live writes to an end that were left open: by a process that crashed, a modern that was away, a caller's
// deadline. It asks modern again, under the write's own id and epoch: a modern that has done it gives the stored reply, one
// that has not does it now or refuses it. Then the write is brought home as any other. One process at a time need run it;
// two do no harm.
type Sweeper struct {
	opts SweeperOptions
}

// SweeperOptions are what a Sweeper is made of.
type SweeperOptions struct {
	Capabilities []*Capability
	Ledger       Ledger
	// Stale gives open writes of a capability that were begun longer ago than age, at most limit, oldest first and behind
	// after in that order, by creation and id (from the oldest where it is zero), with their requests. Those of other
	// capabilities that it gives besides are left alone.
	Stale func(ctx context.Context, capability string, age time.Duration, after Write, limit int) ([]Write, error)
	// Age is how long a write is left to its own process (default 15 s). It has to be longer than that can go on with it:
	// RouterOptions' CallTimeout and Grace together.
	Age time.Duration
	// Every is the pause between two looks (default 2 s), Most how many writes of a capability are taken at once (default
	// 200).
	Every time.Duration
	Most  int
	// CallTimeout is how long modern may take for one write (default 5 s), ReadTimeout for reading its entity (default 2 s).
	CallTimeout, ReadTimeout time.Duration
	Logger                   *slog.Logger
}

// NewSweeper makes a Sweeper.
func NewSweeper(opts SweeperOptions) *Sweeper {
	for _, d := range []struct {
		set      *time.Duration
		standard time.Duration
	}{
		{&opts.Age, 15 * time.Second},
		{&opts.Every, 2 * time.Second},
		{&opts.CallTimeout, 5 * time.Second},
		{&opts.ReadTimeout, 2 * time.Second},
	} {
		if *d.set <= 0 {
			*d.set = d.standard
		}
	}
	if opts.Most <= 0 {
		opts.Most = 200
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	return &Sweeper{opts}
}

// Run sweeps until ctx ends.
func (s *Sweeper) Run(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, c := range s.opts.Capabilities {
		if c.Entity == nil {
			continue
		}
		b := &broom{
			opts: &s.opts, steps: &steps{capability: c, ledger: s.opts.Ledger, readTimeout: s.opts.ReadTimeout},
			operations: make(map[string]*contract.Operation, len(c.Routes)), later: map[string]later{},
			logger: s.opts.Logger.With(slog.String("capability", c.Name)),
		}
		for op := range c.Routes {
			b.operations[string(op.Name)] = op
		}
		wg.Go(func() { b.run(ctx) })
	}
}

// broom sweeps one capability, so that a modern that hangs delays no other's writes.
type broom struct {
	opts       *SweeperOptions
	steps      *steps
	operations map[string]*contract.Operation
	logger     *slog.Logger
	// later has the writes that could not be brought to an end, and when they are tried again.
	later map[string]later
	// after is where the next look begins.
	after Write
	// stuck says that the last look left something; it is logged once.
	stuck bool
}

// later is when a write is tried again.
type later struct {
	at   time.Time
	wait time.Duration
	// unclear is when a try was given up that modern may still be at.
	unclear time.Time
}

// mostLater is the longest pause between two tries of one write.
const mostLater = time.Minute

func (b *broom) run(ctx context.Context) {
	for {
		again := b.sweep(ctx)
		if ctx.Err() != nil || !again && !pause(ctx, b.opts.Every) {
			return
		}
	}
}

// mostAway is how many writes in a row modern may leave unanswered before the rest waits for the next look.
const mostAway = 3

// mostPages is how many times Most one look takes, where those that can't be ended yet stand in front of others.
const mostPages = 20

// sweep looks once, from where the last look has ended. again says that there may be more to do at once.
func (b *broom) sweep(ctx context.Context) (again bool) {
	l := look{broom: b, known: make(map[string]later, len(b.later))}
	whole := b.after.ID == ""
	for range mostPages {
		writes, err := b.opts.Stale(ctx, b.steps.capability.Name, b.opts.Age, b.after, b.opts.Most)
		if err != nil {
			b.tell(ctx, l.ended, l.left+1, err)
			return false
		}
		for i := range writes {
			l.take(ctx, &writes[i])
		}
		if again = len(writes) >= b.opts.Most; !again || l.away >= mostAway || ctx.Err() != nil {
			b.after = Write{}
			break
		}
		b.after = writes[len(writes)-1]
		b.after.Request = nil
	}
	if !whole || again {
		for id, before := range b.later { // not all were seen
			if _, seen := l.known[id]; !seen && !l.gone[id] {
				l.known[id] = before
			}
		}
	}
	b.later = l.known
	b.tell(ctx, l.ended, l.left, l.last)
	return again && l.away < mostAway && l.ended > 0
}

// look is one look at the writes that were left open.
type look struct {
	*broom
	ended, left int
	// away is how many writes in a row modern has left unanswered.
	away int
	last error
	// known are those to be tried again, gone those that have come to an end.
	known map[string]later
	gone  map[string]bool
}

// take brings one write to an end, if it is its time.
func (l *look) take(ctx context.Context, w *Write) {
	if w.Capability != l.steps.capability.Name || ctx.Err() != nil {
		return
	}
	before, failed := l.later[w.ID]
	if l.away >= mostAway || failed && time.Now().Before(before.at) {
		l.left++
		if failed {
			l.known[w.ID] = before
		}
		return
	}
	end, unclear := l.end(ctx, w, before.unclear)
	if end.state != WriteOpen {
		l.ended, l.away = l.ended+1, 0
		if failed {
			if l.gone == nil {
				l.gone = map[string]bool{}
			}
			l.gone[w.ID] = true
		}
		return
	}
	l.left++
	l.last = end.why
	if unreachable(end.why) {
		l.away++
	} else {
		l.away = 0
	}
	wait := min(max(2*before.wait, l.opts.Every), mostLater)
	l.known[w.ID] = later{time.Now().Add(wait), wait, unclear}
}

// unreachable says whether an error is about the way to a side rather than the write.
func unreachable(err error) bool {
	if err == nil {
		return false
	}
	code := AsError(err).Code
	return code == codes.Unavailable || code == codes.DeadlineExceeded
}

// end takes the steps that are left of one write, once. unclear is when an earlier try was given up that modern may still be
// at, and then when this one was.
func (b *broom) end(ctx context.Context, w *Write, unclear time.Time) (ending, time.Time) {
	op, ok := b.operations[w.Operation]
	if !ok {
		return ending{state: WriteOpen, why: Fail(codes.Internal, "UNKNOWN_OPERATION", "the capability has no operation %s (any more): put it back, or end write %s by hand", w.Operation, w.ID)}, unclear
	}
	asking, answered := context.WithTimeout(ctx, b.opts.CallTimeout)
	defer answered()
	ctx, ended := context.WithTimeout(ctx, 2*b.opts.CallTimeout+b.opts.ReadTimeout)
	defer ended()
	reply, said, why := b.steps.ask(asking, &Call{
		Operation: op, Request: contract.FromWire(op.Input, w.Request), RequestID: w.ID, Write: WriteTag{ID: w.ID, Epoch: w.Epoch},
	})
	var end ending
	switch said {
	case committed:
		end = b.steps.bring(ctx, w, reply)
	case refused:
		if time.Since(unclear) < b.opts.Age {
			return ending{state: WriteOpen, why: why}, unclear // what that try does may still come after this refusal
		}
		end = b.steps.finish(ctx, w, WriteFailed, why)
	case passed:
		end = b.steps.finish(ctx, w, WriteVoid, why)
	case unsent:
		end = ending{state: WriteOpen, why: why}
	default:
		end, unclear = ending{state: WriteOpen, why: why}, time.Now()
	}
	if end.state == WriteDoubt {
		b.logger.Error("a live write is in doubt: modern has it, and legacy can't take it", slog.String("write", w.ID),
			slog.String("operation", w.Operation), slog.String("entity", w.Entity), slog.Any("error", end.why))
	}
	return end, unclear
}

// tell logs what has come to an end, and once, that something can't.
func (b *broom) tell(ctx context.Context, ended, left int, why error) {
	if ended > 0 {
		b.logger.Info("live writes that were left open have come to an end", slog.Int("writes", ended), slog.Int("left", left))
	}
	if why != nil && !b.stuck && ctx.Err() == nil {
		b.logger.Warn("live writes can't be brought to an end yet; they are tried again", slog.Int("writes", left), slog.Any("error", why))
	}
	b.stuck = left > 0 && (b.stuck || why != nil)
}
