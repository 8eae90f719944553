package control

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"banyan.dev/banyan/flags"
	"banyan.dev/banyan/strangler/shift"
)

// LacksError says that a capability is past off which a replica's config does not have. The replica would take all of its
// calls to legacy, past the new service.
type LacksError struct {
	Capability string
	// Stages says in words where its keys are.
	Stages string
}

func (e *LacksError) Error() string {
	return fmt.Sprintf("the capability %[1]s is at %[2]s, and this config has none of that name, so that its calls would go to legacy past the new service: "+
		"put it back into the config; or, to give it up, bring it to off by a replica that has it (banyan rollback %[1]s, then banyan advance %[1]s --to off), and start this one again", e.Capability, e.Stages)
}

// lacks notes the flag of a capability that this process doesn't have. One that leaves off while the replica is there is
// told: shifts to live wait for the replica, and it can't join again.
func (a *Agent) lacks(f flags.Flag) {
	stages := pastOff(f)
	before, known := a.lacking[f.Capability]
	a.lacking[f.Capability] = stages
	if a.joined && stages != "" && (!known || before == "") {
		a.options.Logger.Error("a capability has left off that this replica's config doesn't have: keys can't move to its service while this replica is there; give it the config that the others have",
			"capability", f.Capability, "stage", stages, "replica", a.options.Replica)
	}
}

// pastOff says in words where a flag has keys; empty when all are off.
func pastOff(f flags.Flag) string {
	for _, def := range [][]byte{f.To, f.From} {
		d, err := flags.Parse(def)
		if err != nil || slices.ContainsFunc(d.Stages(), func(s flags.Stage) bool { return s != flags.Off }) {
			return flags.Describe(def)
		}
	}
	return ""
}

// amiss gives the *LacksError of the first capability that keeps this replica from joining.
func (a *Agent) amiss() error {
	for _, capability := range slices.Sorted(maps.Keys(a.lacking)) {
		if stages := a.lacking[capability]; stages != "" {
			return &LacksError{Capability: capability, Stages: stages}
		}
	}
	return nil
}

// retire takes a replica away that can't take part, so that nobody waits for it. Its marks are in nobody's use.
func (a *Agent) retire(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, a.options.Lease/2)
	defer cancel()
	if err := a.options.Membership.Leave(ctx, a.options.Replica); err != nil {
		a.options.Logger.Warn("this replica could not leave: a shift waits until it has been silent for a lease", "replica", a.options.Replica, "error", err)
		return
	}
	a.listed = false
}

// differ says what is missing for the replicas that live to agree on a capability, as far as they have said it; empty when
// nothing is.
func differ(replicas []Replica, capability string) string {
	live := slices.DeleteFunc(slices.Clone(replicas), func(r Replica) bool {
		ack := r.Acks[capability]
		return r.Silent > Lease || ack.Digest == "" && !ack.Lacks
	})
	return shift.Disagreement(seenOf(live, capability))
}
