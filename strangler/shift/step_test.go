package shift_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"banyan.dev/banyan/flags"
	"banyan.dev/banyan/strangler/shift"
)

// bench is a shift whose world is told what to be.
type bench struct {
	t     *testing.T
	rules shift.Rules
	s     shift.State
	now   time.Time
	ids   int
	seen  shift.Observation
	did   []shift.Action
}

// newBench begins at a definition, with two replicas that have it.
func newBench(t *testing.T, definition string) *bench {
	s := shift.New("orders", json.RawMessage(definition))
	s.Backfill.State = shift.FillDone
	b := &bench{t: t, rules: pairRules(), s: s, now: epoch}
	b.seen = shift.Observation{Queue: "q", Answers: map[string]shift.Answer{}, Looked: true}
	b.seen.Replicas = []shift.Replica{{Name: "a", Digest: "d"}, {Name: "b", Digest: "d"}}
	b.acknowledge()
	return b
}

// pairRules are for definitions that give the stages of two keys, k and l: "shadow live".
func pairRules() shift.Rules {
	stages := func(definition json.RawMessage) []flags.Stage {
		var text string
		if json.Unmarshal(definition, &text) != nil {
			panic("no pair: " + string(definition))
		}
		k, l, _ := strings.Cut(text, " ")
		return []flags.Stage{flags.Stage(k), flags.Stage(l)}
	}
	r := shift.Rules{
		Moves: func(from, to json.RawMessage) (forward, backward bool) {
			for i, f := range stages(from) {
				forward = forward || f.Authority() < stages(to)[i].Authority()
				backward = backward || f.Authority() > stages(to)[i].Authority()
			}
			return forward, backward
		},
		Describe: func(d json.RawMessage) string { return strings.Trim(string(d), `"`) },
		Highest: func(d json.RawMessage) flags.Stage {
			return slices.MaxFunc(stages(d), func(a, b flags.Stage) int { return a.Rank() - b.Rank() })
		},
		Lease: 3 * time.Second,
	}
	r.Moved = func(from, to json.RawMessage, key string, keyed bool) bool {
		if !keyed {
			forward, backward := r.Moves(from, to)
			return forward || backward
		}
		i := slices.Index([]string{"k", "l"}, key)
		if i < 0 {
			return false // an unknown key, the empty one too, is one that stays
		}
		return stages(from)[i].Authority() != stages(to)[i].Authority()
	}
	return r.Defaults()
}

func (b *bench) begin(to string, rollback bool) error {
	b.ids++
	s, actions, err := shift.Begin(b.rules, b.s, shift.Command{ID: fmt.Sprint("c", b.ids), To: json.RawMessage(to), Rollback: rollback, Who: "ann"}, b.now)
	b.s, b.did = s, actions
	return err
}

// must begins what can't be refused.
func (b *bench) must(to string, rollback bool) {
	b.t.Helper()
	if err := b.begin(to, rollback); err != nil {
		b.t.Fatal(err)
	}
}

// step takes one, after some time. What is kept goes through JSON, and what was given may not change.
func (b *bench) step(after time.Duration) {
	b.t.Helper()
	b.now = b.now.Add(after)
	b.seen.Now, b.seen.IDs = b.now, nil
	for range shift.FreshIDs {
		b.ids++
		b.seen.IDs = append(b.seen.IDs, fmt.Sprint("f", b.ids))
	}
	before, err := json.Marshal(b.s)
	if err != nil {
		b.t.Fatal(err)
	}
	var kept shift.State
	if err := json.Unmarshal(before, &kept); err != nil {
		b.t.Fatal(err)
	}
	b.s, b.did = shift.Step(b.rules, kept, b.seen)
	if again, err := json.Marshal(kept); err != nil || string(again) != string(before) {
		b.t.Fatalf("a step has changed what it was given: %s, %v", again, err)
	}
}

func (b *bench) acknowledge() {
	for i := range b.seen.Replicas {
		b.seen.Replicas[i].Applied, b.seen.Replicas[i].Settled = b.s.Version, b.s.Version
	}
}

func (b *bench) answer(a shift.Answer) {
	for _, id := range b.s.Awaits() {
		b.seen.Answers[id] = a
	}
}

// until goes on, with replicas and a service that do what they should, until the shift is at a place.
func (b *bench) until(place shift.Place) {
	b.t.Helper()
	for range 20 {
		if b.s.Place == place {
			return
		}
		b.acknowledge()
		b.answer(shift.Answer{})
		b.step(time.Millisecond)
	}
	b.t.Fatalf("it stays at %q and doesn't come to %q", b.s.Place, place)
}

// at wants a place and a flag.
func (b *bench) at(place shift.Place, version uint64, phase flags.Phase, from, to string) {
	b.t.Helper()
	if b.s.Place != place || b.s.Version != version || b.s.Phase != phase || string(b.s.From) != from || string(b.s.To) != to {
		b.t.Fatalf("at %q, v%d %s, %s to %s; want %q, v%d %s, %s to %s", b.s.Place, b.s.Version, b.s.Phase, b.s.From, b.s.To, place, version, phase, from, to)
	}
}

// actions gives those of one kind.
func actions[A shift.Action](b *bench) (out []A) {
	for _, a := range b.did {
		if a, ok := a.(A); ok {
			out = append(out, a)
		}
	}
	return out
}

const (
	bothShadow = `"shadow shadow"`
	bothLive   = `"live live"`
	kLive      = `"live shadow"`
	lLive      = `"shadow live"`
)

func TestForward(t *testing.T) {
	b := newBench(t, bothShadow)
	b.must(kLive, false)
	b.at(shift.Prepare, 1, flags.Steady, bothShadow, bothShadow)
	b.step(0)
	if f := actions[shift.SendFence](b); len(f) != 1 || f[0].Epoch != 0 || f[0].ReplyTo != "q" {
		t.Errorf("before the hold %+v is sent", f)
	}
	b.answer(shift.Answer{Parked: []string{"l"}}) // which doesn't move
	b.step(time.Second)
	b.at(shift.Settle, 2, flags.HoldLegacy, bothShadow, kLive)
	b.seen.Replicas[0].Applied, b.seen.Replicas[0].Settled, b.seen.Replicas[1].Applied = 2, 2, 2
	b.step(0)
	b.at(shift.Settle, 2, flags.HoldLegacy, bothShadow, kLive)
	b.acknowledge()
	b.step(0)
	b.step(0)
	if f := actions[shift.SendFence](b); len(f) != 1 || f[0].Epoch != 2 {
		t.Errorf("in the hold %+v is sent", f)
	}
	b.answer(shift.Answer{})
	b.step(0)
	b.at(shift.Target, 3, flags.HoldTarget, bothShadow, kLive)
	b.step(0)
	b.at(shift.Target, 3, flags.HoldTarget, bothShadow, kLive)
	b.acknowledge()
	b.step(0)
	b.at(shift.Finish, 4, flags.Steady, kLive, kLive)
	b.acknowledge()
	b.step(0)
	b.at(shift.Idle, 4, flags.Steady, kLive, kLive)
	if l := b.s.Last; !l.Done || l.From != "shadow shadow" || l.To != "live shadow" || l.Version != 4 || l.Ended.Sub(l.Held) != 0 || l.Who != "ann" {
		t.Errorf("the outcome is %+v", l)
	}
	if b.s.Busy() {
		t.Error("something is under way")
	}
	if b.step(time.Hour); len(b.did) > 0 {
		t.Errorf("afterwards %+v is done", b.did)
	}
}

func TestNothingMoves(t *testing.T) {
	b := newBench(t, `"mirrored mirrored"`)
	b.must(bothShadow, false)
	b.at(shift.Finish, 2, flags.Steady, bothShadow, bothShadow)
	b.acknowledge()
	b.step(0)
	b.at(shift.Idle, 2, flags.Steady, bothShadow, bothShadow)
	b.must(bothShadow, false)
	if b.at(shift.Idle, 2, flags.Steady, bothShadow, bothShadow); !b.s.Last.Done || b.s.Last.Command != b.s.Command.ID {
		t.Errorf("the outcome is %+v", b.s.Last)
	}
}

// Keys that move back while others move forward: what is open is waited for, and never given up, so that the shift can go
// back.
func TestMixed(t *testing.T) {
	b := newBench(t, kLive)
	b.must(lLive, false)
	b.until(shift.Drain)
	b.seen.Open = []shift.Write{{ID: "w1", Key: "k", Keyed: true}, {ID: "w2", Key: "l", Keyed: true}}
	b.step(time.Second)
	b.at(shift.Drain, 2, flags.HoldLegacy, kLive, lLive)
	if v := actions[shift.Void](b); len(v) > 0 {
		t.Errorf("%+v is given up", v)
	}
	b.seen.Open = nil
	b.until(shift.Idle)
	b.at(shift.Idle, 4, flags.Steady, lLive, lLive)

	b.must(kLive, false)
	b.until(shift.Drain)
	b.seen.Open = []shift.Write{{ID: "w3", Key: "l", Keyed: true}}
	b.step(b.rules.Shift)
	b.at(shift.Finish, 6, flags.Steady, lLive, lLive)
	b.until(shift.Idle)
	if l := b.s.Last; l.Done || !strings.Contains(l.Why, "1 open writes") {
		t.Errorf("the outcome is %+v", l)
	}
}

func TestTimeIsOver(t *testing.T) {
	for place, want := range map[shift.Place]string{
		shift.Prepare: "a fence", shift.Settle: "no write from before the hold from a, b", shift.Fence: "a fence", shift.Target: "version 3 from a, b",
	} {
		t.Run(string(place), func(t *testing.T) {
			b := newBench(t, bothShadow)
			b.must(bothLive, false)
			b.until(place)
			b.step(0) // which sends the fence
			if waits := shift.Waits(b.rules, b.s, b.seen); !strings.Contains(waits, want) {
				t.Errorf("it waits for %q", waits)
			}
			limit := b.rules.Shift
			if place == shift.Prepare {
				limit = b.rules.Prepare
			}
			b.step(limit)
			if place == shift.Target {
				b.at(shift.Retreat, 4, flags.HoldLegacy, bothShadow, bothLive)
				b.step(time.Hour)
				b.at(shift.Retreat, 4, flags.HoldLegacy, bothShadow, bothLive)
				b.acknowledge()
				b.step(0)
			}
			if place != shift.Prepare {
				b.at(shift.Finish, b.s.Version, flags.Steady, bothShadow, bothShadow)
			}
			b.until(shift.Idle)
			if l := b.s.Last; l.Done || !strings.Contains(l.Why, want) || l.To != "shadow shadow" {
				t.Errorf("the outcome is %+v", l)
			}
		})
	}
}

func TestAServiceThatCant(t *testing.T) {
	for _, c := range []struct {
		answer shift.Answer
		want   string
	}{
		{shift.Answer{Parked: []string{"l", "k"}}, `"k"`},
		{shift.Answer{Parked: []string{"l", ""}}, "whose key it does not know"},
		{shift.Answer{More: true}, "more keys"},
		{shift.Answer{Error: "disk full"}, "disk full"},
	} {
		for _, place := range []shift.Place{shift.Prepare, shift.Fence} {
			b := newBench(t, bothShadow)
			b.must(kLive, false)
			b.until(place)
			b.step(0)
			b.answer(c.answer)
			b.step(0)
			b.until(shift.Idle)
			if b.s.Last.Done || !strings.Contains(b.s.Last.Why, c.want) || string(b.s.To) != bothShadow {
				t.Errorf("at %s: %+v", place, b.s.Last)
			}
		}
	}
}

func TestOutcomesAndRefusals(t *testing.T) {
	b := newBench(t, bothShadow)
	b.s.Backfill = shift.Backfill{}
	refused := func(reason, to string, rollback bool) {
		t.Helper()
		before := b.s
		err := b.begin(to, rollback)
		var r *shift.Refusal
		if !errors.As(err, &r) || r.Reason != reason || r.Error() == "" || !reflect.DeepEqual(b.s, before) {
			t.Errorf("got %v, want %s", err, reason)
		}
	}
	refused("NOT_FILLED", bothLive, false)
	b.s.Backfill = shift.Backfill{State: shift.FillRunning, Done: 7}
	refused("NOT_FILLED", bothLive, false)
	b.s.Backfill = shift.Backfill{State: shift.FillDone}
	b.must(kLive, false)
	refused("SHIFT_UNDER_WAY", bothLive, false)
	b.until(shift.Idle)
	refused("NOT_BACK", `"shadow live"`, true)
}
