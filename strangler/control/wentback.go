package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"banyan.dev/banyan/flags"
	"banyan.dev/banyan/strangler/shift"
)

// Ensure makes the records of capabilities that have none: all of their keys are off. Where the ledger knows of versions
// already, the store is not the one that they were published by: see shift.Recover.
func Ensure(ctx context.Context, store Store, ledger Ledger, capabilities []Coordinated) error {
	records, err := store.Records(ctx)
	if err != nil {
		return fmt.Errorf("read the capabilities: %w", err)
	}
	for _, c := range capabilities {
		if slices.ContainsFunc(records, func(r Record) bool { return r.Capability == c.Name }) {
			continue
		}
		greatest, err := ledger.Greatest(ctx, c.Name)
		if err != nil {
			return fmt.Errorf("look for versions of %s: %w", c.Name, err)
		}
		s := shift.New(c.Name, flags.Uniform(flags.Off))
		if greatest > 0 {
			s, _ = shift.Recover(Rules(c.Name, Timing{}), s, greatest, uuid.NewString(), time.Now())
		}
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

// recoverAll looks for capabilities whose version has gone back, and brings their keys to legacy.
func (c *Coordinator) recoverAll(ctx context.Context) error {
	records, err := c.o.Store.Records(ctx)
	if err != nil {
		return fmt.Errorf("read the capabilities: %w", err)
	}
	for i := range records {
		r := &records[i]
		at := c.seats[r.Capability]
		if at == nil {
			continue
		}
		greatest, err := c.greatest(ctx, r.Capability)
		if err != nil {
			return err
		}
		if greatest <= r.Flag.Version {
			continue
		}
		if err := c.recover(ctx, at, r, greatest); err != nil {
			return err
		}
	}
	return nil
}

// greatest gives the greatest version that is known of: from the ledger, and from replicas that go by it.
func (c *Coordinator) greatest(ctx context.Context, capability string) (uint64, error) {
	greatest, err := c.o.Ledger.Greatest(ctx, capability)
	if err != nil {
		return 0, fmt.Errorf("look for versions of %s: %w", capability, err)
	}
	replicas, err := c.o.Store.Replicas(ctx)
	if err != nil {
		return 0, fmt.Errorf("read the replicas: %w", err)
	}
	for _, r := range replicas {
		greatest = max(greatest, r.Acks[capability].Applied)
	}
	return greatest, nil
}

// recover saves what shift.Recover gives, unless a greater version was published meanwhile.
func (c *Coordinator) recover(ctx context.Context, at *seat, r *Record, greatest uint64) error {
	var s shift.State
	if err := json.Unmarshal(r.State, &s); err != nil {
		return fmt.Errorf("read the state of %s: %w", r.Capability, err)
	}
	after, actions := shift.Recover(at.rules, s, greatest, uuid.NewString(), r.Now)
	next, err := record(after, r.Revision)
	if err != nil {
		return err
	}
	err = c.o.Store.Save(ctx, next, audits(r.Capability, actions)...)
	if errors.Is(err, ErrConflict) {
		return nil // it is looked at again
	}
	if err != nil {
		return fmt.Errorf("save the state of %s: %w", r.Capability, err)
	}
	c.o.Logger.Error("the control store has gone back, as if it was restored from a backup: all keys of the capability go to legacy, which has every write",
		"capability", r.Capability, "version", r.Flag.Version, "greater", greatest, "next", after.Version)
	return nil
}
