package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"banyan.dev/banyan/strangler/shift"
)

// Coordinated is a capability as the coordinator knows it.
type Coordinated struct {
	Name string
	// Service is the name of the new service, Entity the full name of its message; empty when there is none.
	Service, Entity string
	// Digest is of the operations, the keys, the entity and the service that this process's config gives it. Replicas whose
	// digests differ route calls differently.
	Digest string
}

// CoordinatorOptions are what a Coordinator is made of.
type CoordinatorOptions struct {
	Store        Store
	Ledger       Ledger
	Answers      Answers
	Backfill     Backfill
	Capabilities []Coordinated
	Timing       Timing
	// Beside is run for as long as this process coordinates: the sweeper, and what else only one may do. It may be nil.
	Beside func(ctx context.Context)
	Logger *slog.Logger
	// Every is the time between two looks at the store; by default 15 ms.
	Every time.Duration
}

const (
	// marksTimeout bounds waiting for the transactions of a silent replica, actionTimeout all else.
	marksTimeout  = 10 * time.Second
	actionTimeout = 5 * time.Second
	// openPage is how many unfinished writes are read at once, mostGivenUp how many one step gives up at most, and mostTold of
	// how many a service is told by one fence.
	openPage    = 5000
	mostGivenUp = 2000
	mostTold    = 500
	// idle is how many times longer it is between two looks while nothing is under way.
	idle = 3
	// longSilent is after how long a replica is taken away that no shift waits for, and tidyEvery how often that is looked at.
	// watchEvery is how often replicas are looked at in any case.
	watchEvery = 500 * time.Millisecond
	longSilent = time.Minute
	tidyEvery  = 10 * time.Second
	// chunks is how many announcements a fence of the first filling stands behind.
	chunks = 5
	// failurePause is waited after a failure, turnPause after the seat was given up: the others wait for it already.
	failurePause = 500 * time.Millisecond
	turnPause    = time.Second
	// seatPatience is how long this process tries to move something on that it can't before it gives up the seat; twice as
	// long each further time, up to mostPatience, since then the others can't, either.
	seatPatience = 3 * time.Second
	mostPatience = time.Minute
)

// Coordinator moves shifts on, while it is this process's turn. What it does can be done again by any other, from what is
// saved.
type Coordinator struct {
	o     CoordinatorOptions
	seats map[string]*seat
	made  time.Time
	// strange is since when a capability has had something under way that this process doesn't have. It is round's.
	strange map[string]time.Time
}

// seat is a capability's, so that one whose step takes long holds no other up.
type seat struct {
	Coordinated
	rules shift.Rules
	// taken says that a step is being done.
	taken atomic.Bool
	// told is the last failure that was logged. It is the step's.
	told string
	// failing is since when its steps have failed, in nanoseconds since the coordinator was made; 0: the last one has not.
	failing atomic.Int64
}

// NewCoordinator makes one. Run lets it work.
func NewCoordinator(o CoordinatorOptions) *Coordinator {
	if o.Every <= 0 {
		o.Every = 15 * time.Millisecond
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Coordinator{o: o, seats: map[string]*seat{}, made: time.Now(), strange: map[string]time.Time{}}
	for _, one := range o.Capabilities {
		c.seats[one.Name] = &seat{Coordinated: one, rules: Rules(one.Name, o.Timing)}
	}
	return c
}

func record(s shift.State, revision uint64) (Record, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return Record{}, fmt.Errorf("write the state of %s: %w", s.Capability, err)
	}
	return Record{Capability: s.Capability, Revision: revision, State: text, Flag: s.Flag}, nil
}

// Run leads when it is this process's turn, until ctx ends.
func (c *Coordinator) Run(ctx context.Context) {
	var watching sync.WaitGroup
	defer watching.Wait()
	watching.Go(func() { c.watch(ctx) })
	patience := seatPatience
	for ctx.Err() == nil {
		leadership, err := c.o.Store.Lead(ctx)
		began := time.Now()
		if err == nil {
			err = c.lead(ctx, leadership, patience)
			err = errors.Join(err, leadership.Close())
		}
		if ctx.Err() != nil {
			return
		}
		wait := failurePause
		if errors.Is(err, errTurn) {
			wait = turnPause
			if time.Since(began) < 2*patience {
				patience = min(2*patience, mostPatience)
			} else {
				patience = seatPatience
			}
		}
		if err != nil {
			c.o.Logger.Warn("this process doesn't move shifts on at present", "cause", err)
		}
		pause(ctx, wait)
	}
}

// lead works until leadership is lost, something fails, or a capability can't be moved on for as long as patience.
func (c *Coordinator) lead(ctx context.Context, leadership Leadership, patience time.Duration) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var beside sync.WaitGroup
	defer beside.Wait()
	defer cancel() // before waiting
	beside.Go(func() {
		select {
		case <-leadership.Lost():
			cancel()
		case <-ctx.Done():
		}
	})
	if c.o.Beside != nil {
		beside.Go(func() { c.o.Beside(ctx) })
	}
	beside.Go(func() { c.tidy(ctx) })
	c.o.Logger.Info("this process moves shifts on")
	clear(c.strange)
	for _, at := range c.seats {
		at.failing.Store(0)
	}
	moved := make(chan struct{}, 1)
	look := time.NewTimer(0)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
		case <-moved:
		case <-c.o.Answers.Arrived():
		}
		busy, err := c.round(ctx, &beside, moved)
		if err == nil {
			err = c.turn(patience)
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
		every := c.o.Every
		if !busy {
			every *= idle
		}
		look.Reset(every)
	}
}

// round begins a step of each capability that has something under way, unless its last one goes on still. moved is told
// when a step has changed something, so that the next begins at once.
func (c *Coordinator) round(ctx context.Context, steps *sync.WaitGroup, moved chan<- struct{}) (busy bool, err error) {
	records, err := c.o.Store.Records(ctx)
	if err != nil {
		return false, fmt.Errorf("read the capabilities: %w", err)
	}
	for i := range records {
		r := &records[i]
		at := c.seats[r.Capability]
		var s shift.State
		unread := json.Unmarshal(r.State, &s)
		if unread == nil && !s.Busy() {
			delete(c.strange, r.Capability)
			continue
		}
		if at == nil {
			if _, known := c.strange[r.Capability]; !known {
				c.strange[r.Capability] = time.Now()
			}
			continue
		}
		busy = true
		if !at.taken.CompareAndSwap(false, true) {
			continue
		}
		if unread != nil {
			c.tell(at, fmt.Errorf("read its state: %w", unread))
			at.taken.Store(false)
			continue
		}
		steps.Go(func() {
			changed, err := c.step(ctx, at, r, s)
			if ctx.Err() == nil {
				c.tell(at, err)
			}
			at.taken.Store(false)
			if changed && err == nil {
				select {
				case moved <- struct{}{}:
				default:
				}
			}
		})
	}
	return busy, nil
}

// tell logs a failure once, until it is another.
func (c *Coordinator) tell(at *seat, err error) {
	text := ""
	if err != nil {
		text = err.Error()
		at.failing.CompareAndSwap(0, max(int64(time.Since(c.made)), 1))
	} else {
		at.failing.Store(0)
	}
	if text != at.told && text != "" {
		c.o.Logger.Warn("a shift can't be moved on; it is tried again", "capability", at.Name, "cause", err)
	}
	at.told = text
}

// step takes one capability on: what is read is read after its state was, and what is done is done once that is saved.
func (c *Coordinator) step(ctx context.Context, at *seat, r *Record, s shift.State) (changed bool, err error) {
	seen, err := c.observe(ctx, at, r, &s)
	if err != nil {
		return false, err
	}
	after, actions := shift.Step(at.rules, s, seen)
	next, err := record(after, r.Revision)
	if err != nil {
		return false, err
	}
	if before, err := json.Marshal(s); err != nil || !bytes.Equal(before, next.State) {
		err := c.o.Store.Save(ctx, next, audits(r.Capability, actions)...)
		if errors.Is(err, ErrConflict) {
			return true, nil // a command came between: the next round reads it
		}
		if err != nil {
			return false, fmt.Errorf("save the state of %s: %w", r.Capability, err)
		}
		changed = true
	}
	for _, a := range actions {
		if err := c.do(ctx, at.Coordinated, a); err != nil {
			return changed, err
		}
	}
	return changed, nil
}

// audits gives those of a step's actions.
func audits(capability string, actions []shift.Action) (out []Audit) {
	for _, a := range actions {
		if a, ok := a.(shift.Audit); ok {
			out = append(out, Audit{Capability: capability, Version: a.Version, Who: a.Who, What: a.What, From: a.From, To: a.To, Reason: a.Reason})
		}
	}
	return out
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
