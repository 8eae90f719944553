package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/flags"
	"banyan.dev/banyan/strangler"
	"banyan.dev/banyan/strangler/shift"
)

// Facts are what an operator is told of a capability that is not in the store.
type Facts struct {
	Coordinated
	// NotLive says why the capability can't be live; none when it can. NotShared says why keys can't go one by one.
	NotLive, NotShared []string
	// Healthy says whether the new service answers, and why not.
	Healthy func() (bool, string)
	// Compared gives this process's shadow reads.
	Compared func() strangler.Comparisons
}

// OperatorOptions are what an operator is made of.
type OperatorOptions struct {
	Store        Store
	Ledger       Ledger
	Capabilities []Facts
	Timing       Timing
	// Every is the time between two looks while a command's outcome is awaited; by default 5 ms.
	Every time.Duration
}

// commander is the Operator.
type commander struct{ o OperatorOptions }

// NewOperator makes the Operator of a replica.
func NewOperator(o OperatorOptions) Operator {
	if o.Every <= 0 {
		o.Every = 5 * time.Millisecond
	}
	return &commander{o}
}

// facts finds a capability.
func (c *commander) facts(name string) (Facts, error) {
	i := slices.IndexFunc(c.o.Capabilities, func(f Facts) bool { return f.Name == name })
	if i < 0 {
		var names []string
		for _, f := range c.o.Capabilities {
			names = append(names, f.Name)
		}
		return Facts{}, strangler.Fail(codes.NotFound, "NO_SUCH_CAPABILITY", "there is no capability %q; there are %v", name, names)
	}
	return c.o.Capabilities[i], nil
}

// load reads a capability's record.
func (c *commander) load(ctx context.Context, name string) (Record, shift.State, error) {
	records, err := c.o.Store.Records(ctx)
	if err != nil {
		return Record{}, shift.State{}, away(err)
	}
	i := slices.IndexFunc(records, func(r Record) bool { return r.Capability == name })
	if i < 0 {
		return Record{}, shift.State{}, strangler.Fail(codes.NotFound, "NO_SUCH_CAPABILITY", "the control store has no capability %q: no replica that knows it has been started", name)
	}
	var s shift.State
	if err := json.Unmarshal(records[i].State, &s); err != nil {
		return Record{}, s, strangler.Fail(codes.Internal, "BAD_STATE", "the state of %s in the control store can't be read", name).WithCause(err)
	}
	return records[i], s, nil
}

func away(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return strangler.Fail(codes.Unavailable, "CONTROL_STORE", "the control store can't be asked; try again").WithCause(err).WithRetry(time.Second)
}

// Advance implements Operator.
func (c *commander) Advance(ctx context.Context, change Change) (Outcome, error) {
	facts, err := c.facts(change.Capability)
	if err != nil {
		return Outcome{}, err
	}
	to, err := c.target(ctx, facts, &change)
	if err != nil {
		return Outcome{}, err
	}
	return c.command(ctx, facts, change, shift.Command{To: to})
}

// target checks what a command asks for, and gives the definition.
func (c *commander) target(ctx context.Context, facts Facts, change *Change) (json.RawMessage, error) {
	refuse := func(reason, format string, args ...any) error {
		return strangler.Fail(codes.FailedPrecondition, reason, format, args...)
	}
	switch {
	case !change.Stage.Valid():
		return nil, strangler.Invalid("stage", "%q is no stage; there are off, mirrored, shadow, live", change.Stage)
	case change.Stage == flags.Complete:
		return nil, refuse("NOT_YET", "complete gives up the way back, and can't be commanded yet: stay at live")
	case change.Percent < 0 || change.Percent > 100:
		return nil, strangler.Invalid("percent", "a share is 1 to 100, or 0 for all")
	}
	if change.Percent > 0 && change.Percent < 100 && change.Stage == flags.Off {
		return nil, strangler.Invalid("percent", "no stage lies before off, which the other keys could be at: leave the share out")
	}
	if change.Percent == 0 {
		change.Percent = 100
	}
	_, s, err := c.load(ctx, change.Capability)
	if err != nil {
		return nil, err
	}
	rules := Rules(facts.Name, c.o.Timing)
	highest := rules.Highest(s.To)
	switch {
	case change.Stage.Rank() > highest.Rank() && change.Stage.Before().Rank() > highest.Rank():
		return nil, refuse("STAGE_SKIPPED", "%s is %s: go to %s first", facts.Name, flags.Describe(s.To), highestNext(highest))
	case change.Stage == flags.Live && len(facts.NotLive) > 0:
		return nil, refuse("CANT_BE_LIVE", "%s can't be live: %s", facts.Name, facts.NotLive[0])
	case change.Stage == flags.Live && change.Percent < 100 && len(facts.NotShared) > 0:
		return nil, refuse("CANT_BE_SHARED", "%s shifts only whole: %s", facts.Name, facts.NotShared[0])
	}
	to := flags.Share(change.Stage, change.Percent)
	forward, _ := rules.Moves(s.To, to)
	if forward || rules.Highest(to).Rank() > highest.Rank() {
		replicas, err := c.o.Store.Replicas(ctx)
		if err != nil {
			return nil, away(err)
		}
		if odd := differ(replicas, facts.Name); odd != "" {
			return nil, refuse("REPLICAS_DIFFER", "%s can't go to %s without %s", facts.Name, change.Stage, odd)
		}
	}
	if forward {
		doubt, err := c.o.Ledger.List(ctx, facts.Name, strangler.WriteDoubt, 1)
		if err != nil {
			return nil, away(err)
		}
		if len(doubt) > 0 {
			return nil, refuse("WRITES_IN_DOUBT", "the write %s is in doubt: %s", doubt[0].ID, doubt[0].Reason)
		}
		if ok, why := facts.Healthy(); !ok {
			return nil, refuse("SERVICE_AWAY", "the new service does not answer: %s", why)
		}
	}
	return to, nil
}

func highestNext(s flags.Stage) flags.Stage {
	for _, next := range []flags.Stage{flags.Mirrored, flags.Shadow, flags.Live} {
		if next.Rank() > s.Rank() {
			return next
		}
	}
	return flags.Live
}

// Rollback implements Operator.
func (c *commander) Rollback(ctx context.Context, change Change) (Outcome, error) {
	facts, err := c.facts(change.Capability)
	if err != nil {
		return Outcome{}, err
	}
	return c.command(ctx, facts, change, shift.Command{To: flags.Uniform(flags.Shadow), Rollback: true})
}

// command gives a command and waits for what becomes of it.
func (c *commander) command(ctx context.Context, facts Facts, change Change, command shift.Command) (Outcome, error) {
	rules := Rules(facts.Name, c.o.Timing)
	command.ID, command.Who, command.Reason = uuid.NewString(), change.Who, change.Reason
	given := time.Now()
	for {
		r, s, err := c.load(ctx, facts.Name)
		if err != nil {
			return Outcome{}, err
		}
		after, actions, err := shift.Begin(rules, s, command, r.Now)
		var refusal *shift.Refusal
		if errors.As(err, &refusal) {
			return Outcome{}, strangler.Fail(codes.FailedPrecondition, refusal.Reason, "%s", refusal.What)
		}
		if err != nil {
			return Outcome{}, err
		}
		if change.DryRun {
			return c.rehearse(ctx, rules, s, after, command)
		}
		next, err := record(after, r.Revision)
		if err != nil {
			return Outcome{}, err
		}
		err = c.o.Store.Save(ctx, next, audits(facts.Name, actions)...)
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err != nil {
			if err := c.taken(ctx, facts.Name, command.ID, err); err != nil {
				return Outcome{}, err
			}
		}
		return c.outcome(ctx, facts, after, given)
	}
}

// rehearse says what a command would do.
func (c *commander) rehearse(ctx context.Context, rules shift.Rules, before, after shift.State, command shift.Command) (Outcome, error) {
	o := Outcome{Version: before.Version, From: flags.Describe(before.From), To: flags.Describe(after.Command.To)}
	replicas, err := c.o.Store.Replicas(ctx)
	if err != nil {
		return o, away(err)
	}
	o.Of = len(replicas)
	forward, backward := rules.Moves(before.To, command.To)
	switch {
	case shift.Same(before.To, command.To) || after.Place == shift.Idle:
		o.To = flags.Describe(after.To)
		o.Steps = []string{"nothing: it is there already"}
	case forward:
		o.Steps = []string{
			"wait until the new service has applied all that is on its way to it",
			"hold writes of moved keys, on all replicas; reads go on, from legacy",
			"wait until the new service has applied all that was written before",
			"read moved keys from the new service, on all replicas",
			"let held writes go on, to the new service",
		}
	case backward:
		o.Steps = []string{
			"read moved keys from legacy, on all replicas, and hold their writes",
			fmt.Sprintf("give open writes %s to end, and give up those that have not", rules.Grace),
			"let held writes go on, to legacy",
			"tell the new service what was given up",
		}
	default:
		o.Steps = []string{"no key changes its side: all replicas take the new flag at once"}
	}
	return o, nil
}

// History implements Operator.
func (c *commander) History(ctx context.Context, capability string, limit int) ([]Audit, error) {
	if capability != "" {
		if _, err := c.facts(capability); err != nil {
			return nil, err
		}
	}
	audits, err := c.o.Store.History(ctx, capability, limit)
	if err != nil {
		return nil, away(err)
	}
	return audits, nil
}

// Writes implements Operator.
func (c *commander) Writes(ctx context.Context, capability string, state strangler.WriteState, limit int) ([]strangler.Write, error) {
	if capability != "" {
		if _, err := c.facts(capability); err != nil {
			return nil, err
		}
	}
	writes, err := c.o.Ledger.List(ctx, capability, state, limit)
	if err != nil {
		return nil, away(err)
	}
	return writes, nil
}
