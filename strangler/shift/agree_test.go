package shift_test

import (
	"strings"
	"testing"
	"time"

	"banyan.dev/banyan/flags"
	"banyan.dev/banyan/strangler/shift"
)

// Nothing moves forward while a replica takes the capability for another, has none of that name, or is of a version that
// doesn't say: it would write to legacy what the others have in modern.
func TestReplicasHaveToAgree(t *testing.T) {
	for name, c := range map[string]struct {
		odd  shift.Replica
		want string
	}{
		"lacks it":       {shift.Replica{Name: "c", Lacks: true}, "this capability in the config of c"},
		"differs":        {shift.Replica{Name: "c", Digest: "e"}, "in the configs of a, b and of c"},
		"does not say":   {shift.Replica{Name: "c"}, "has from c"},
		"lacks, and all": {shift.Replica{Name: "c", Lacks: true, Applied: 100, Settled: 100}, "this capability in the config of c"},
	} {
		for _, place := range []shift.Place{shift.Prepare, shift.Settle, shift.Target} {
			t.Run(name+" at "+string(place), func(t *testing.T) {
				b := newBench(t, bothShadow)
				b.must(kLive, false)
				b.until(place)
				at := b.s.Version
				b.seen.Replicas = append(b.seen.Replicas, c.odd)
				b.acknowledge()
				b.answer(shift.Answer{})
				for range 5 {
					b.step(0)
				}
				if b.s.Place != place || b.s.Version != at {
					t.Fatalf("it went on to %q", b.s.Place)
				}
				if waits := shift.Waits(b.rules, b.s, b.seen); !strings.Contains(waits, c.want) {
					t.Errorf("it waits for %q, want %q", waits, c.want)
				}
				b.step(b.rules.Prepare)
				b.until(shift.Idle)
				if l := b.s.Last; l.Done || !strings.Contains(l.Why, c.want) || string(b.s.To) != bothShadow {
					t.Errorf("the outcome is %+v", l)
				}
			})
		}
	}
}

// One that is silent, or fenced, doesn't keep the others for ever.
func TestASilentReplicaNeedNotAgree(t *testing.T) {
	b := newBench(t, bothShadow)
	b.seen.Replicas = append(b.seen.Replicas, shift.Replica{Name: "c", Lacks: true, Silent: time.Minute})
	b.must(kLive, false)
	b.step(0)
	if f := actions[shift.FenceReplica](b); len(f) != 1 || f[0].Replica != "c" {
		t.Fatalf("%+v is done", b.did)
	}
	b.seen.Replicas[2].Fenced = true
	b.step(0)
	if f := actions[shift.TakeMarks](b); len(f) != 1 || f[0].Replica != "c" {
		t.Fatalf("%+v is done", b.did)
	}
	b.seen.Replicas = b.seen.Replicas[:2]
	b.until(shift.Idle)
	if !b.s.Last.Done {
		t.Errorf("the outcome is %+v", b.s.Last)
	}
}

// What a replica without the capability does is done in legacy, where a way back leads: it isn't waited for.
func TestAWayBackNeedsNoAgreement(t *testing.T) {
	for _, odd := range []shift.Replica{{Name: "c", Lacks: true}, {Name: "c", Digest: "e", Applied: 2, Settled: 2}, {Name: "c", Applied: 2, Settled: 2}} {
		b := newBench(t, bothLive)
		b.must(bothShadow, true)
		b.seen.Replicas = append(b.seen.Replicas, odd)
		for i := range 2 {
			b.seen.Replicas[i].Applied, b.seen.Replicas[i].Settled = b.s.Version, b.s.Version
		}
		b.step(0)
		b.at(shift.Drain, 2, flags.HoldLegacy, bothLive, bothShadow)
		b.step(time.Second)
		b.at(shift.Finish, 3, flags.Steady, bothShadow, bothShadow)
		for i := range 2 {
			b.seen.Replicas[i].Applied = b.s.Version
		}
		if !odd.Lacks {
			b.seen.Replicas[2].Applied = b.s.Version
		}
		b.step(0)
		b.at(shift.Idle, 3, flags.Steady, bothShadow, bothShadow)
	}
}
