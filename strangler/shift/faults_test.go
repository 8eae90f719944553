package shift_test

import (
	"testing"

	"banyan.dev/banyan/flags"
	"banyan.dev/banyan/strangler/shift"
)

// planted are the safety steps, each taken out. None of them may go unnoticed.
func planted() map[string]struct {
	fault fault
	stage string
	left  choices
} {
	type plant = struct {
		fault fault
		stage string
		left  choices
	}
	all := func(place shift.Place) fault {
		return fault{observe: func(_ *model, s shift.State, o *shift.Observation) {
			for i := range o.Replicas {
				if s.Place == place {
					o.Replicas[i].Applied, o.Replicas[i].Settled = s.Version, s.Version
				}
			}
		}}
	}
	at := func(place shift.Place, change func(*shift.Observation)) fault {
		return fault{observe: func(_ *model, s shift.State, o *shift.Observation) {
			if s.Place == place {
				change(o)
			}
		}}
	}
	without := func(drop func(shift.Action) bool) fault {
		return fault{decide: func(_, after shift.State, actions []shift.Action) (shift.State, []shift.Action) {
			var kept []shift.Action
			for _, a := range actions {
				if !drop(a) {
					kept = append(kept, a)
				}
			}
			return after, kept
		}}
	}
	forward, back := choices{forward: 1}, choices{back: 1}
	return map[string]plant{
		"no hold": {fault{decide: func(before, after shift.State, actions []shift.Action) (shift.State, []shift.Action) {
			if before.Place == shift.Prepare && after.Place == shift.Settle {
				after.Place, after.Phase, after.From = shift.Finish, flags.Steady, after.To
			}
			return after, actions
		}}, "shadow", forward},
		"modern is read before the fence is answered": {fault{observe: func(_ *model, s shift.State, o *shift.Observation) {
			for _, id := range s.Ask.Fences {
				if s.Place == shift.Fence {
					o.Answers[id] = shift.Answer{}
				}
			}
		}}, "shadow", forward},
		"writes before the hold are not waited for":      {all(shift.Settle), "shadow", forward},
		"reads of the target before all have them":       {all(shift.Target), "shadow", forward},
		"modern takes writes of any epoch":               {fault{noEpochs: true}, "live", choices{back: 1}},
		"open writes are not given up":                   {at(shift.Drain, func(o *shift.Observation) { o.Open = nil }), "live", back},
		"legacy takes writes before the hold is settled": {all(shift.Settle), "live", back},
		"a silent replica keeps its marks":               {fault{keepsMarks: true}, "shadow", choices{forward: 1, silence: 1}},
		"a silent replica is not given its lease":        {fault{noLease: true}, "live", choices{back: 1, silence: 1}},
		"what a fenced replica had begun goes on":        {fault{newMarks: true}, "shadow", choices{forward: 1, silence: 1}},
		"entities are announced late":                    {fault{lateWords: true}, "settling", choices{forward: 1, crash: 1}},
		"entities are announced before the fence": {fault{decide: func(_, after shift.State, actions []shift.Action) (shift.State, []shift.Action) {
			var changed []shift.Action
			for _, a := range actions {
				if f, is := a.(shift.SendFence); is && len(f.Void) > 0 {
					f.Void = nil
					changed = append(changed, shift.Announce{Entities: []string{"the entity"}}, f)
					continue
				}
				changed = append(changed, a)
			}
			return after, changed
		}}, "live", back},
		"modern is not told which entities": {without(func(a shift.Action) bool { _, is := a.(shift.Announce); return is }), "live", back},
		"modern is not told of void writes": {without(func(a shift.Action) bool { f, is := a.(shift.SendFence); return is && len(f.Void) > 0 }), "live", back},
		"a way back from the target skips reading from legacy": {fault{decide: func(before, after shift.State, actions []shift.Action) (shift.State, []shift.Action) {
			if before.Place == shift.Target && after.Place == shift.Retreat {
				after.Place, after.Phase, after.To = shift.Finish, flags.Steady, after.From
			}
			return after, actions
		}}, "shadow", forward},
	}
}

// TestPlantedFaultsAreFound takes out each safety step, and wants the walk to come upon what must not be.
func TestPlantedFaultsAreFound(t *testing.T) {
	const most = 3_000_000
	for name, plant := range planted() {
		t.Run(name, func(t *testing.T) {
			m := newModel(plant.fault)
			e, v := explore(m, most, m.start(plant.stage, 2, plant.left))
			if v == nil {
				t.Fatalf("nothing is found in %d worlds", len(e.nodes))
			}
			t.Logf("after %d worlds: %s", len(e.nodes), v)
		})
	}
}
