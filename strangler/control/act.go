package control

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"banyan.dev/banyan/flags"
	"banyan.dev/banyan/strangler"
	"banyan.dev/banyan/strangler/shift"
)

// observe reads what a step goes by.
func (c *Coordinator) observe(ctx context.Context, at *seat, r *Record, s *shift.State) (shift.Observation, error) {
	seen := shift.Observation{Now: r.Now, Queue: c.o.Answers.Queue(), Answers: map[string]shift.Answer{}}
	replicas, err := c.o.Store.Replicas(ctx)
	if err != nil {
		return seen, fmt.Errorf("read the replicas: %w", err)
	}
	seen.Replicas = seenOf(replicas, r.Capability)
	for _, id := range s.Awaits() {
		a, ok := c.o.Answers.Take(id)
		if !ok {
			continue
		}
		answer := shift.Answer{Parked: a.Parked, More: a.More, Committed: a.Committed, Error: a.Error}
		if at.Entity != "" && slices.Contains(s.Ask.Fences, id) {
			if answer.Unread, err = c.o.Store.Passed(ctx, id, at.Entity); err != nil {
				return seen, fmt.Errorf("look what the fence %s has passed: %w", id, err)
			}
		}
		seen.Answers[id] = answer
	}
	if err := c.settle(ctx, r.Capability, s, seen.Answers); err != nil {
		return seen, err
	}
	if err := c.observeWrites(ctx, at, s, &seen); err != nil {
		return seen, err
	}
	if after, wants := s.WantsPage(); wants && s.Phase == flags.Steady {
		if at.Entity != "" { // else there is nothing to fill
			if seen.Page, err = c.o.Backfill.Next(ctx, r.Capability, after, chunks*at.rules.Chunk); err != nil {
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

// settle keeps what modern has answered of void writes, before the state forgets which they are.
func (c *Coordinator) settle(ctx context.Context, capability string, s *shift.State, answers map[string]shift.Answer) error {
	if s.Settling.Over() || len(s.Settling.Entities) > 0 {
		return nil
	}
	for _, id := range s.Settling.Ask.Fences {
		if a, ok := answers[id]; ok && a.Error == "" {
			return told("keep what became of void writes", c.o.Ledger.Settle(ctx, capability, s.Settling.Writes, a.Committed))
		}
	}
	return nil
}

// observeWrites reads the open writes that have to end, and those of which modern has to be told.
func (c *Coordinator) observeWrites(ctx context.Context, at *seat, s *shift.State, seen *shift.Observation) error {
	if before, wants := s.WantsOpen(); wants {
		var err error
		if seen.Open, seen.Looked, err = c.open(ctx, at, s, before); err != nil {
			return fmt.Errorf("read the open writes: %w", err)
		}
		if _, seen.Voided, err = c.o.Ledger.Voids(ctx, at.Name, s.Hold, s.Hold, "", 0); err != nil {
			return fmt.Errorf("count the writes that were given up: %w", err)
		}
	}
	if first, last, after, wants := s.WantsVoid(); wants {
		var err error
		if seen.Void, _, err = c.o.Ledger.Voids(ctx, at.Name, first, last, after, mostTold); err != nil {
			return fmt.Errorf("read the writes that were given up: %w", err)
		}
		seen.Told = true
	}
	return nil
}

// open gives the open writes of keys that move; all is false where there may be more. Those of other keys are passed over,
// however many they are. None comes to them meanwhile: all replicas decide by a later version.
func (c *Coordinator) open(ctx context.Context, at *seat, s *shift.State, before uint64) (open []shift.Write, all bool, err error) {
	var last strangler.Write
	for {
		page, err := c.o.Ledger.Open(ctx, at.Name, before, last, openPage)
		if err != nil {
			return nil, false, err
		}
		for _, w := range page {
			if at.rules.Moved(s.From, s.To, w.Key, w.Keyed) {
				open = append(open, shift.Write{ID: w.ID, Key: w.Key, Keyed: w.Keyed})
			}
		}
		if len(page) < openPage {
			return open, true, nil
		}
		if len(open) >= mostGivenUp {
			return open[:mostGivenUp], false, nil
		}
		last = page[len(page)-1]
	}
}

// seenOf gives what replicas say of a capability.
func seenOf(replicas []Replica, capability string) []shift.Replica {
	seen := make([]shift.Replica, 0, len(replicas))
	for _, r := range replicas {
		ack := r.Acks[capability]
		seen = append(seen, shift.Replica{Name: r.Name, Silent: r.Silent, Fenced: r.Fenced, Applied: ack.Applied, Settled: ack.Settled, Digest: ack.Digest, Lacks: ack.Lacks})
	}
	return seen
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
		return told("send a fence", c.o.Ledger.SendFence(ctx, FenceRow{ID: a.ID, Service: of.Service, Capability: of.Name, Epoch: a.Epoch, ReplyTo: a.ReplyTo, Void: a.Void, Back: a.Back}))
	case shift.FenceReplica:
		_, err := c.o.Store.Fence(ctx, a.Replica)
		return told("fence the replica "+a.Replica, err)
	case shift.TakeMarks:
		if err := c.o.Ledger.FenceWriter(ctx, a.Replica); err != nil {
			return told("take the writer marks of "+a.Replica, err)
		}
		return told("forget the replica "+a.Replica, c.o.Store.Forget(ctx, a.Replica))
	case shift.Void:
		_, err := c.o.Ledger.Void(ctx, of.Name, a.Epoch, a.Writes, a.Reason)
		return told("give up open writes", err)
	case shift.Settled:
		return told("forget the writes that were given up", c.o.Ledger.Settled(ctx, of.Name, a.Epoch))
	case shift.Announce:
		return told("announce entities", c.o.Ledger.Announce(ctx, Announcement{Service: of.Service, Capability: of.Name, Epoch: a.Epoch, Entity: of.Entity, IDs: a.Entities}))
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

// watch looks at the replicas all the time, also while another process coordinates: so this one knows how long they have been
// silent when it has to.
func (c *Coordinator) watch(ctx context.Context) {
	for ctx.Err() == nil {
		limited, cancel := context.WithTimeout(ctx, actionTimeout)
		_, _ = c.o.Store.Replicas(limited) // whoever needs them tells what is wrong
		cancel()
		pause(ctx, watchEvery)
	}
}

// tidy takes replicas away that have crashed long ago, and no shift has had to wait for. Before, it looks whether versions
// have gone back.
func (c *Coordinator) tidy(ctx context.Context) {
	for ctx.Err() == nil {
		if err := c.recoverAll(ctx); err != nil && ctx.Err() == nil {
			c.o.Logger.Warn("it can't be found out whether the control store has gone back; it is tried again", "cause", err)
		}
		if err := c.tidyOnce(ctx); err != nil && ctx.Err() == nil {
			c.o.Logger.Warn("replicas that are silent can't be taken away; it is tried again", "cause", err)
		}
		pause(ctx, tidyEvery)
	}
}

func (c *Coordinator) tidyOnce(ctx context.Context) error {
	replicas, err := c.o.Store.Replicas(ctx)
	if err != nil {
		return fmt.Errorf("read the replicas: %w", err)
	}
	for _, r := range replicas {
		if r.Silent < longSilent {
			continue
		}
		if !r.Fenced {
			fenced, err := c.o.Store.Fence(ctx, r.Name)
			if err != nil {
				return fmt.Errorf("fence the replica %s: %w", r.Name, err)
			}
			if !fenced {
				continue
			}
		}
		if err := c.do(ctx, Coordinated{}, shift.TakeMarks{Replica: r.Name}); err != nil {
			return err
		}
		c.o.Logger.Info("a replica is taken away that has been silent", "replica", r.Name, "silent", r.Silent.Round(time.Second))
	}
	return nil
}
