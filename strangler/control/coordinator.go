package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"banyan.dev/banyan/flags"
	"banyan.dev/banyan/strangler"
	"banyan.dev/banyan/strangler/shift"
)

// Coordinated is a capability as the coordinator knows it.
type Coordinated struct {
	Name string
	// Service is the name of the new service, Entity the full name of its message; empty when there is none.
	Service, Entity string
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
	// mostOpen is how many unfinished writes are looked at.
	mostOpen = 100_000
	// chunks is how many announcements a fence of the first filling stands behind.
	chunks = 5
	// failurePause is waited after a failure.
	failurePause = 500 * time.Millisecond
)

// Coordinator moves shifts on, while it is this process's turn. What it does can be done again by any other, from what is
// saved.
type Coordinator struct {
	o     CoordinatorOptions
	rules map[string]shift.Rules
	known map[string]Coordinated
	dues  map[string]string // the last failure that was logged, by capability
}

// NewCoordinator makes one. Run lets it work.
func NewCoordinator(o CoordinatorOptions) *Coordinator {
	if o.Every <= 0 {
		o.Every = 15 * time.Millisecond
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Coordinator{o: o, rules: map[string]shift.Rules{}, known: map[string]Coordinated{}, dues: map[string]string{}}
	for _, one := range o.Capabilities {
		c.known[one.Name] = one
		c.rules[one.Name] = Rules(one.Name, o.Timing)
	}
	return c
}

// Ensure makes the records of capabilities that have none: all of their keys are off.
func Ensure(ctx context.Context, store Store, capabilities []Coordinated) error {
	for _, c := range capabilities {
		s := shift.New(c.Name, flags.Uniform(flags.Off))
		r, err := record(s, 0)
		if err != nil {
			return err
		}
		if err := store.Ensure(ctx, r); err != nil {
			return fmt.Errorf("make the capability %s: %w", c.Name, err)
		}
	}
	return nil
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
	for ctx.Err() == nil {
		leadership, err := c.o.Store.Lead(ctx)
		if err == nil {
			err = c.lead(ctx, leadership)
			err = errors.Join(err, leadership.Close())
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			c.o.Logger.Warn("shifts are not moved on at present", "cause", err)
		}
		pause(ctx, failurePause)
	}
}

// lead works until leadership is lost or something fails.
func (c *Coordinator) lead(ctx context.Context, leadership Leadership) error {
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
	c.o.Logger.Info("this process moves shifts on")
	tick := time.NewTicker(c.o.Every)
	defer tick.Stop()
	for {
		if err := c.round(ctx); err != nil && ctx.Err() == nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-c.o.Answers.Arrived():
		}
	}
}

// round takes each capability one step on.
func (c *Coordinator) round(ctx context.Context) error {
	records, err := c.o.Store.Records(ctx)
	if err != nil {
		return fmt.Errorf("read the capabilities: %w", err)
	}
	for i := range records {
		if _, ours := c.known[records[i].Capability]; !ours {
			continue
		}
		if err := c.step(ctx, &records[i]); ctx.Err() == nil {
			c.tell(records[i].Capability, err)
		}
	}
	return nil
}

// tell logs a failure once, until it is another.
func (c *Coordinator) tell(capability string, err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != c.dues[capability] && text != "" {
		c.o.Logger.Warn("a shift can't be moved on; it is tried again", "capability", capability, "cause", err)
	}
	c.dues[capability] = text
}

// step takes one capability on: what is read is read after its state was, and what is done is done once that is saved.
func (c *Coordinator) step(ctx context.Context, r *Record) error {
	var s shift.State
	if err := json.Unmarshal(r.State, &s); err != nil {
		return fmt.Errorf("read the state of %s: %w", r.Capability, err)
	}
	if !s.Busy() {
		return nil
	}
	seen, err := c.observe(ctx, r, &s)
	if err != nil {
		return err
	}
	after, actions := shift.Step(c.rules[r.Capability], s, seen)
	next, err := record(after, r.Revision)
	if err != nil {
		return err
	}
	if before, err := json.Marshal(s); err != nil || !bytes.Equal(before, next.State) {
		err := c.o.Store.Save(ctx, next, audits(r.Capability, actions)...)
		if errors.Is(err, ErrConflict) {
			return nil // a command came between: the next round reads it
		}
		if err != nil {
			return fmt.Errorf("save the state of %s: %w", r.Capability, err)
		}
	}
	for _, a := range actions {
		if err := c.do(ctx, c.known[r.Capability], a); err != nil {
			return err
		}
	}
	return nil
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

func (c *Coordinator) observe(ctx context.Context, r *Record, s *shift.State) (shift.Observation, error) {
	seen := shift.Observation{Now: r.Now, Queue: c.o.Answers.Queue(), Answers: map[string]shift.Answer{}}
	replicas, err := c.o.Store.Replicas(ctx)
	if err != nil {
		return seen, fmt.Errorf("read the replicas: %w", err)
	}
	for _, one := range replicas {
		ack := one.Acks[r.Capability]
		seen.Replicas = append(seen.Replicas, shift.Replica{Name: one.Name, Silent: one.Silent, Fenced: one.Fenced, Applied: ack.Applied, Settled: ack.Settled})
	}
	for _, id := range s.Awaits() {
		if a, ok := c.o.Answers.Take(id); ok {
			seen.Answers[id] = shift.Answer(a)
		}
	}
	if before, wants := s.WantsOpen(); wants {
		open, err := c.o.Ledger.Open(ctx, r.Capability, before, mostOpen)
		if err != nil {
			return seen, fmt.Errorf("read the open writes: %w", err)
		}
		seen.Looked = len(open) < mostOpen
		for _, w := range open {
			if w.State == strangler.WriteOpen {
				seen.Open = append(seen.Open, shift.Write{ID: w.ID, Key: w.Key, Keyed: w.Keyed})
			}
		}
	}
	if after, wants := s.WantsPage(); wants && s.Phase == flags.Steady {
		if c.known[r.Capability].Entity != "" { // else there is nothing to fill
			if seen.Page, err = c.o.Backfill.Next(ctx, r.Capability, after, chunks*c.rules[r.Capability].Chunk); err != nil {
				return seen, fmt.Errorf("list entities for the new service: %w", err)
			}
		}
		seen.Paged = true
	}
	for range shift.FreshIDs {
		seen.IDs = append(seen.IDs, uuid.NewString())
	}
	return seen, nil
}

// do does an action. Each may be done again.
func (c *Coordinator) do(ctx context.Context, of Coordinated, a shift.Action) error {
	timeout := actionTimeout
	if _, slow := a.(shift.TakeMarks); slow {
		timeout = marksTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	switch a := a.(type) {
	case shift.SendFence:
		return told("send a fence", c.o.Ledger.SendFence(ctx, FenceRow{ID: a.ID, Service: of.Service, Capability: of.Name, Epoch: a.Epoch, ReplyTo: a.ReplyTo, Void: a.Void}))
	case shift.FenceReplica:
		_, err := c.o.Store.Fence(ctx, a.Replica)
		return told("fence the replica "+a.Replica, err)
	case shift.TakeMarks:
		if err := c.o.Ledger.FenceWriter(ctx, a.Replica); err != nil {
			return told("take the writer marks of "+a.Replica, err)
		}
		return told("forget the replica "+a.Replica, c.o.Store.Forget(ctx, a.Replica))
	case shift.Void:
		_, err := c.o.Ledger.Void(ctx, a.Writes, a.Reason)
		return told("give up open writes", err)
	case shift.Announce:
		return told("announce entities", c.o.Ledger.Announce(ctx, Announcement{Service: of.Service, Entity: of.Entity, IDs: a.Entities}))
	default: // audits are saved with the state
		return nil
	}
}

func told(what string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
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
