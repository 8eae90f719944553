package control

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"banyan.dev/banyan/flags"
	"banyan.dev/banyan/strangler"
	"banyan.dev/banyan/strangler/shift"
)

// mostOpen is how many unfinished writes are counted.
const mostOpen = 100_000

// Status implements Operator.
func (c *commander) Status(ctx context.Context, capability string) ([]CapabilityStatus, error) {
	wanted := c.o.Capabilities
	if capability != "" {
		facts, err := c.facts(capability)
		if err != nil {
			return nil, err
		}
		wanted = []Facts{facts}
	}
	records, err := c.o.Store.Records(ctx)
	if err != nil {
		return nil, away(err)
	}
	replicas, err := c.o.Store.Replicas(ctx)
	if err != nil {
		return nil, away(err)
	}
	out := make([]CapabilityStatus, 0, len(wanted))
	for _, facts := range wanted {
		i := slices.IndexFunc(records, func(r Record) bool { return r.Capability == facts.Name })
		if i < 0 {
			continue // it is made when the first replica starts
		}
		one, err := c.status(ctx, facts, &records[i], replicas)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}

func (c *commander) status(ctx context.Context, facts Facts, r *Record, replicas []Replica) (CapabilityStatus, error) {
	var s shift.State
	if err := json.Unmarshal(r.State, &s); err != nil {
		return CapabilityStatus{}, fmt.Errorf("read the state of %s: %w", facts.Name, err)
	}
	out := CapabilityStatus{
		Capability: facts.Name, Service: facts.Service, Stage: flags.Describe(s.To), Version: s.Version, Phase: s.Phase,
		Replicas: replicas, Backfill: string(s.Backfill.State), Backfilled: s.Backfill.Done, Shadow: facts.Compared(), Last: lastWords(s.Last),
	}
	var err error
	if out.Flag, err = json.Marshal(s.Flag); err != nil {
		return out, fmt.Errorf("write the flag of %s: %w", facts.Name, err)
	}
	unfinished, err := c.o.Ledger.Open(ctx, facts.Name, 0, strangler.Write{}, mostOpen)
	if err != nil {
		return out, away(err)
	}
	for _, w := range unfinished {
		if w.State == strangler.WriteDoubt {
			out.Doubt++
		} else {
			out.Open++
		}
	}
	if s.Place != shift.Idle {
		out.Shift = fmt.Sprintf("to %s by %s, at %s", flags.Describe(s.Command.To), s.Command.Who, s.Place)
		if waits := c.waits(facts.Name, r, &s, replicas, unfinished); waits != "" {
			out.Shift += ": waits for " + waits
		}
	}
	out.Blockers = c.blockers(facts, &s, &out)
	if facts.Entity != "" {
		unread, err := c.o.Store.Unread(ctx, facts.Service, facts.Entity)
		if err != nil {
			return out, away(err)
		}
		if unread > 0 {
			out.Blockers = append(out.Blockers, fmt.Sprintf("%d %s can't be read in legacy, or can't be sent, so that the new service is not told of them: banyan status names them", unread, facts.Entity))
		}
	}
	out.RollbackSafe, out.RollbackWhy = safe(&s)
	out.Next = next(facts.Name, &s, &out, len(facts.NotShared) == 0)
	if s.Place == shift.Idle && s.Last.Why != "" { // it may be over, so it is no reason not to try again
		out.Blockers = append(out.Blockers, fmt.Sprintf("the last shift, to %s, went back: %s", s.Last.Wanted, s.Last.Why))
	}
	return out, nil
}

// waits says what a shift waits for, as far as it can be seen from here: answers to fences can't.
func (c *commander) waits(name string, r *Record, s *shift.State, replicas []Replica, unfinished []strangler.Write) string {
	seen := shift.Observation{Now: r.Now, Replicas: seenOf(replicas, name), Queue: s.Ask.Queue, Looked: true}
	if seen.Queue == "" {
		seen.Queue = "unknown"
	}
	for _, w := range unfinished {
		if before, _ := s.WantsOpen(); w.Epoch < before {
			seen.Open = append(seen.Open, shift.Write{ID: w.ID, Key: w.Key, Keyed: w.Keyed})
		}
	}
	return shift.Waits(Rules(name, c.o.Timing), *s, seen)
}

func lastWords(o shift.Outcome) string {
	switch {
	case o.Command == "":
		return ""
	case !o.Done:
		return fmt.Sprintf("%s to %s by %s went back: %s", o.From, o.Wanted, o.Who, o.Why)
	default:
		return fmt.Sprintf("%s to %s by %s, done at %s", o.From, o.To, o.Who, o.Ended.UTC().Format("2006-01-02 15:04:05"))
	}
}

// blockers say why the next stage can't be had.
func (c *commander) blockers(facts Facts, s *shift.State, of *CapabilityStatus) []string {
	out := []string{}
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	highest := Rules(facts.Name, c.o.Timing).Highest(s.To)
	if s.Place != shift.Idle {
		add("a shift is under way: %s", of.Shift)
	}
	if highest.Rank() >= flags.Mirrored.Rank() && s.Backfill.State != shift.FillDone {
		add("the new service is being filled: %d entities so far", s.Backfill.Done)
	}
	if highest.Rank() >= flags.Shadow.Rank() {
		for _, why := range facts.NotLive {
			add("%s", why)
		}
		if s.Return.Epoch > 0 {
			add("the new service has to be told that keys have come back to legacy")
		}
		if !s.Settling.Over() {
			add("the new service has to be told of writes that were given up: it has been of %d so far", s.Settling.Done)
		}
	}
	if of.Doubt > 0 {
		add("%d writes are in doubt: banyan writes list %s --state doubt", of.Doubt, facts.Name)
	}
	if ok, why := facts.Healthy(); !ok {
		add("the new service does not answer: %s", why)
	}
	live := slices.DeleteFunc(slices.Clone(of.Replicas), func(r Replica) bool { return r.Silent > Lease })
	if odd := shift.Disagreement(seenOf(live, facts.Name)); odd != "" {
		add("no key moves forward without %s", odd)
	}
	for _, r := range of.Replicas {
		if r.Fenced || r.Silent > Lease {
			add("the replica %s has been silent for %s", r.Name, r.Silent.Round(100_000_000))
		}
	}
	return out
}

// safe says whether a rollback keeps every acknowledged write now.
func safe(s *shift.State) (bool, string) {
	d, err := flags.Parse(s.To)
	if err != nil {
		return false, "the flag can't be read"
	}
	if slices.Contains(d.Stages(), flags.Complete) {
		return false, "keys at complete are in the new service only"
	}
	return true, ""
}

// next is the command to type; shared says whether keys can go one by one.
func next(name string, s *shift.State, of *CapabilityStatus, shared bool) string {
	d, err := flags.Parse(s.To)
	if err != nil {
		return "banyan history " + name
	}
	stages := d.Stages()
	highest, lowest := stages[len(stages)-1], stages[0]
	switch {
	case s.Place == shift.Idle && of.Doubt > 0:
		return "banyan writes list " + name + " --state doubt"
	case s.Place != shift.Idle, len(of.Blockers) > 0:
		return "banyan status " + name
	case highest == flags.Live && lowest == flags.Live:
		return "banyan rollback " + name
	case highest == flags.Live:
		return "banyan advance " + name + " --to live"
	case highest == flags.Shadow && shared:
		return "banyan advance " + name + " --to live --percent 10"
	default:
		return fmt.Sprintf("banyan advance %s --to %s", name, highestNext(highest))
	}
}
