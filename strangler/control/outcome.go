package control

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/flags"
	"banyan.dev/banyan/strangler"
	"banyan.dev/banyan/strangler/shift"
)

// outcome waits until a command has come to its end. Of a rollback, Took is until all replicas have said that they read
// from legacy.
func (c *commander) outcome(ctx context.Context, facts Facts, given shift.State, began time.Time) (Outcome, error) {
	o := Outcome{Version: given.Version, From: given.Command.Was, To: flags.Describe(given.Command.To)}
	legacyBy := given.Hold // the version since which moved keys are read from legacy
	if !given.Back {
		legacyBy = 0
	}
	tick := time.NewTicker(c.o.Every)
	defer tick.Stop()
	heard := began
	for {
		_, s, err := c.load(ctx, facts.Name)
		var replicas []Replica
		if err == nil {
			replicas, err = c.o.Store.Replicas(ctx)
		}
		switch {
		case err == nil:
			heard = time.Now()
		case time.Since(heard) > patience:
			o.Why = "the command was given, but what becomes of it can't be read: ask banyan status " + facts.Name
			return o, away(err)
		}
		if ctx.Err() != nil {
			o.Why = "it is still under way: ask banyan status " + facts.Name
			return o, ctx.Err()
		}
		if err != nil {
			pauseFor(ctx, tick)
			continue
		}
		if legacyBy > 0 && o.Took == 0 && reached(replicas, facts.Name, legacyBy) && s.Version >= legacyBy {
			o.Took = time.Since(began)
		}
		ended := s.Last.Command == given.Command.ID
		if ended || s.Command.ID != given.Command.ID {
			o.Of, o.Replicas = count(replicas, facts.Name, s.Last.Version)
			if o.Took == 0 {
				o.Took = time.Since(began)
			}
			if !ended {
				o.Why = "another command came: by " + s.Command.Who
				if s.Command.Rollback {
					o.Why = "a rollback came: by " + s.Command.Who
				}
				return o, nil
			}
			o.Version, o.Done, o.Why, o.To, o.Fenced, o.Voided = s.Last.Version, s.Last.Done, s.Last.Why, s.Last.To, s.Last.Fenced, s.Last.Voided
			if !s.Last.Held.IsZero() {
				o.Paused = s.Last.Ended.Sub(s.Last.Held)
			}
			return o, nil
		}
		pauseFor(ctx, tick)
	}
}

// taken finds out whether a command was given whose saving has failed with cause: the store may have kept it all the same. Where
// that can't be seen, the caller is told so.
func (c *commander) taken(ctx context.Context, capability, id string, cause error) error {
	tick := time.NewTicker(c.o.Every)
	defer tick.Stop()
	for began := time.Now(); time.Since(began) < patience; pauseFor(ctx, tick) {
		if ctx.Err() != nil {
			return errors.Join(ctx.Err(), cause)
		}
		_, s, err := c.load(ctx, capability)
		if err != nil {
			continue
		}
		if s.Command.ID == id || s.Last.Command == id {
			return nil
		}
		break
	}
	return strangler.Fail(codes.Unavailable, "COMMAND_UNKNOWN", "the control store has not said whether it has taken the command, which may be under way: see banyan status %s before you give it again", capability).WithCause(cause)
}

// patience is how long a control store may be away while an outcome is awaited.
const patience = 5 * time.Second

// pauseFor waits for a tick, or until ctx ends.
func pauseFor(ctx context.Context, tick *time.Ticker) {
	select {
	case <-ctx.Done():
	case <-tick.C:
	}
}

func reached(replicas []Replica, capability string, version uint64) bool {
	of, have := count(replicas, capability, version)
	return of == have
}

// count counts replicas that are not fenced, and those of them that have applied a version.
func count(replicas []Replica, capability string, version uint64) (of, have int) {
	for _, r := range replicas {
		if r.Fenced {
			continue
		}
		of++
		if r.Acks[capability].Applied >= version {
			have++
		}
	}
	return of, have
}
