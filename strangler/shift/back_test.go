package shift_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"banyan.dev/banyan/flags"
	"banyan.dev/banyan/strangler/shift"
)

// A rollback is taken at each place of a way forward from one live key to two, and goes back from what a replica may have.
func TestRollbackInTheMidst(t *testing.T) {
	for _, c := range []struct {
		place shift.Place
		from  string
	}{
		{shift.Prepare, kLive},
		{shift.Settle, kLive},
		{shift.Fence, kLive},
		{shift.Target, bothLive},
		{shift.Retreat, bothLive},
		{shift.Finish, bothLive},
		{shift.Idle, bothLive},
	} {
		t.Run(string(c.place), func(t *testing.T) {
			b := newBench(t, kLive)
			b.must(bothLive, false)
			if c.place == shift.Retreat {
				b.until(shift.Target)
				b.step(b.rules.Shift)
			}
			b.until(c.place)
			version := b.s.Version
			b.must(bothShadow, true)
			b.at(shift.Settle, version+1, flags.HoldLegacy, c.from, bothShadow)
			// The same again is the same.
			first := b.s.Command.ID
			b.must(bothShadow, true)
			b.at(shift.Settle, version+1, flags.HoldLegacy, c.from, bothShadow)
			if b.s.Command.ID != first {
				t.Error("a second rollback is another one")
			}
			b.seen.Queue = "" // the service isn't needed
			b.until(shift.Drain)
			b.step(time.Second)
			b.at(shift.Finish, version+2, flags.Steady, bothShadow, bothShadow)
			b.acknowledge()
			b.step(0)
			b.at(shift.Idle, version+2, flags.Steady, bothShadow, bothShadow)
			if l := b.s.Last; !l.Done || l.Command != first || l.To != "shadow shadow" {
				t.Errorf("the outcome is %+v", l)
			}
		})
	}
}

// Where nothing was in modern, a rollback takes the way forward back without a hold of its own.
func TestRollbackOfTheFirstShift(t *testing.T) {
	for place, version := range map[shift.Place]uint64{shift.Prepare: 1, shift.Settle: 3, shift.Fence: 3} {
		b := newBench(t, `"mirrored shadow"`)
		b.must(`"mirrored live"`, false)
		b.until(place)
		b.must(bothShadow, true)
		b.until(shift.Idle)
		b.at(shift.Idle, version, flags.Steady, `"mirrored shadow"`, `"mirrored shadow"`)
		if !b.s.Last.Done {
			t.Errorf("%s: the outcome is %+v", place, b.s.Last)
		}
	}
	b := newBench(t, bothShadow)
	b.must(bothShadow, true)
	b.at(shift.Idle, 1, flags.Steady, bothShadow, bothShadow)
}

func TestOpenWritesAreGivenUpAndModernIsTold(t *testing.T) {
	b := newBench(t, bothLive)
	b.must(kLive, false) // a way back of one key
	b.at(shift.Settle, 2, flags.HoldLegacy, bothLive, kLive)
	b.until(shift.Drain)
	if before, ok := b.s.WantsOpen(); before != 2 || !ok {
		t.Errorf("writes before %d are looked for", before)
	}
	b.seen.Looked = false
	b.step(b.rules.Grace)
	b.at(shift.Drain, 2, flags.HoldLegacy, bothLive, kLive)
	b.seen.Looked, b.seen.Voided = true, 2
	b.seen.Open = []shift.Write{{ID: "w1", Key: "k", Keyed: true}, {ID: "w2", Key: "l", Keyed: true}, {ID: "w3"}}
	b.now = b.s.Held
	b.step(b.rules.Grace - 1)
	if len(b.did) > 0 {
		t.Errorf("within the grace %+v is done", b.did)
	}
	for range 2 { // again, until they are
		b.step(1)
		if v := actions[shift.Void](b); len(v) != 1 || !slices.Equal(v[0].Writes, []string{"w2", "w3"}) {
			t.Errorf("%+v is given up", v)
		}
	}
	b.seen.Open = b.seen.Open[:1]
	b.step(0)
	b.at(shift.Finish, 3, flags.Steady, kLive, kLive)
	if first, last, after, ok := b.s.WantsVoid(); !ok || first != 2 || last != 2 || after != "" || b.s.Voided != 2 {
		t.Errorf("%d are void; of those of %d to %d behind %q modern is told: %t", b.s.Voided, first, last, after, ok)
	}
	b.seen.Void, b.seen.Told = []string{"w2", "w3"}, true
	b.step(0)
	f := actions[shift.SendFence](b)
	if len(f) != 1 || f[0].Epoch != 2 || !slices.Equal(f[0].Void, []string{"w2", "w3"}) {
		t.Fatalf("modern is told by %+v", b.did)
	}
	b.acknowledge()
	b.step(0)
	b.at(shift.Idle, 3, flags.Steady, kLive, kLive)
	b.answer(shift.Answer{Error: "not now"})
	b.step(time.Second)
	if len(b.did) > 0 || b.s.Settling.Over() {
		t.Errorf("after an answer that says why not, %+v is done", b.did)
	}
	b.step(time.Minute) // it is forgotten, and asked for again
	b.step(time.Minute)
	if f := actions[shift.SendFence](b); len(f) != 1 || len(f[0].Void) != 2 {
		t.Fatalf("modern is told by %+v", b.did)
	}

	b.must(bothLive, false) // which has to wait
	b.step(0)
	if waits := shift.Waits(b.rules, b.s, b.seen); !strings.Contains(waits, "given up") {
		t.Errorf("the way forward waits for %q", waits)
	}
	b.at(shift.Prepare, 3, flags.Steady, kLive, kLive)

	b.answer(shift.Answer{Committed: map[string][]string{"w2": {"7", "8"}, "w3": {"7"}}})
	b.step(0)
	b.step(0)
	a, f := actions[shift.Announce](b), actions[shift.SendFence](b)
	if len(a) != 1 || !slices.Equal(a[0].Entities, []string{"7", "8"}) || a[0].Epoch != 3 || len(f) != 1 || len(f[0].Void) != 0 {
		t.Fatalf("modern is told by %+v", b.did)
	}
	if _, first := b.did[0].(shift.Announce); !first {
		t.Error("the fence comes first")
	}
	b.seen.Queue = "another" // whoever takes over does it again
	b.step(0)
	if a := actions[shift.Announce](b); len(a) != 1 {
		t.Errorf("after a takeover %+v is done", b.did)
	}
	b.answer(shift.Answer{})
	b.seen.Void = nil
	b.step(0)
	if _, _, after, ok := b.s.WantsVoid(); !ok || after != "w3" || b.s.Settling.Over() {
		t.Errorf("more behind %q is looked for: %t", after, ok)
	}
	b.step(0)
	if s := actions[shift.Settled](b); len(s) != 1 || s[0].Epoch != 2 || !b.s.Settling.Over() {
		t.Errorf("it isn't settled: %+v", b.did)
	}
	b.until(shift.Idle)
	b.at(shift.Idle, 6, flags.Steady, bothLive, bothLive)
}

// What is given up while modern is told of others begins the telling anew.
func TestMoreIsGivenUpWhileModernIsTold(t *testing.T) {
	b := newBench(t, bothLive)
	give := func(to, write, key string) {
		b.must(to, true)
		b.until(shift.Drain)
		b.seen.Open = []shift.Write{{ID: write, Key: key, Keyed: true}}
		b.step(time.Second)
		b.seen.Open = nil
		b.step(0)
		b.at(shift.Finish, b.s.Version, flags.Steady, to, to)
	}
	give(kLive, "w1", "l")
	b.acknowledge()
	b.seen.Void, b.seen.Told = []string{"w1"}, true
	b.step(0)
	b.answer(shift.Answer{Committed: map[string][]string{"w1": {"7"}}})
	b.step(0)
	if !slices.Equal(b.s.Settling.Entities, []string{"7"}) {
		t.Fatalf("modern is told of %v", b.s.Settling.Entities)
	}
	first := b.s.Hold
	b.seen.Told = false
	give(bothShadow, "w2", "k")
	if from, last, after, ok := b.s.WantsVoid(); !ok || from != first || last != b.s.Hold || after != "" || len(b.s.Settling.Entities) > 0 {
		t.Errorf("modern is told of %+v", b.s.Settling)
	}
	b.acknowledge()
	b.seen.Void, b.seen.Told = []string{"w1", "w2"}, true
	b.step(0)
	b.answer(shift.Answer{}) // it has committed none
	b.seen.Void = nil
	b.step(0)
	b.step(0)
	if b.s.Busy() {
		t.Errorf("it goes on: %+v", b.s.Settling)
	}
}

// A state that was saved while all ids were kept in it is settled, also when more is given up.
func TestWhatOlderStatesHaveGivenUp(t *testing.T) {
	for _, more := range []bool{false, true} {
		b := newBench(t, kLive)
		b.s.Settling = shift.Settling{Writes: []string{"w8", "w9"}, Epoch: 1}
		if more {
			b.must(bothShadow, true)
			b.until(shift.Drain)
			b.seen.Open = []shift.Write{{ID: "w1", Key: "k", Keyed: true}}
			b.step(time.Second)
			b.seen.Open, b.seen.Queue = nil, ""
			b.until(shift.Idle)
			b.seen.Queue = "q"
		}
		if more {
			b.step(0)
			b.answer(shift.Answer{}) // the keys are legacy's
			b.step(0)
		}
		b.step(time.Minute)
		if f := actions[shift.SendFence](b); len(f) != 1 || !slices.Equal(f[0].Void, []string{"w8", "w9"}) {
			t.Fatalf("modern is told by %+v", b.did)
		}
		b.answer(shift.Answer{})
		b.step(0)
		if more {
			if _, _, after, ok := b.s.WantsVoid(); !ok || after != "" {
				t.Errorf("what was given up since is not looked for: %+v", b.s.Settling)
			}
			b.seen.Told = true
			b.step(0)
		}
		if b.s.Busy() {
			t.Errorf("it goes on: %+v", b.s.Settling)
		}
	}
}

// However many writes are open, a rollback ends: those that are seen are given up, and what is kept stays small.
func TestManyOpenWritesAreGivenUp(t *testing.T) {
	b := newBench(t, bothLive)
	b.must(bothShadow, true)
	b.until(shift.Drain)
	const all, some = 100_000, 2000
	for left := all; left > 0; left -= some {
		b.seen.Open, b.seen.Looked = nil, left <= some
		for i := range some {
			b.seen.Open = append(b.seen.Open, shift.Write{ID: fmt.Sprintf("00000000-0000-4000-8000-%012d", left-i), Key: "k", Keyed: true})
		}
		b.step(time.Second)
		if v := actions[shift.Void](b); len(v) != 1 || len(v[0].Writes) != some || v[0].Epoch != 2 {
			t.Fatalf("with %d left, %d actions are done", left, len(b.did))
		}
	}
	b.seen.Open, b.seen.Voided = nil, all
	b.until(shift.Idle)
	if text, err := json.Marshal(b.s); err != nil || len(text) > 4000 || b.s.Last.Voided != all {
		t.Errorf("%d are void; %d bytes are kept, %v", b.s.Last.Voided, len(text), err)
	}
}

func TestFencesAreSentAgain(t *testing.T) {
	b := newBench(t, bothShadow)
	b.must(bothLive, false)
	b.seen.Queue = ""
	b.step(0)
	if len(b.did) > 0 {
		t.Errorf("without a queue %+v is done", b.did)
	}
	b.seen.Queue = "q1"
	b.step(0)
	first := b.s.Awaits()
	for _, again := range []struct {
		after time.Duration
		sent  int
	}{{b.rules.Again - 1, 1}, {1, 2}, {2*b.rules.Again - 1, 2}, {1, 3}} {
		b.step(again.after)
		if got := len(b.s.Awaits()); got != again.sent {
			t.Errorf("%d are sent, want %d", got, again.sent)
		}
	}
	b.seen.Queue = "q2" // answers to the first ones won't come
	b.step(0)
	if got := b.s.Awaits(); len(got) != 1 || got[0] == first[0] {
		t.Errorf("%v are awaited", got)
	}
	b.seen.Queue = "q1"
	b.step(0)
	b.step(b.rules.Again)
	b.seen.Answers[b.s.Awaits()[0]] = shift.Answer{} // the older one
	b.step(0)
	b.at(shift.Settle, 2, flags.HoldLegacy, bothShadow, bothLive)
}

func TestSilentReplicas(t *testing.T) {
	b := newBench(t, bothShadow)
	b.must(bothLive, false)
	b.seen.Replicas[1].Silent = b.rules.Quiet + 1
	b.step(0)
	if len(b.did) > 0 {
		t.Errorf("of a replica that may be back %+v is done", b.did)
	}
	b.seen.Replicas[1].Silent = 0
	b.until(shift.Settle)
	b.seen.Replicas[0].Applied, b.seen.Replicas[0].Settled = 2, 2
	b.seen.Replicas[1].Silent = b.rules.Lease + b.rules.Margin
	b.step(0)
	if len(b.did) > 0 {
		t.Errorf("while the lease may last %+v is done", b.did)
	}
	b.seen.Replicas[1].Silent++
	b.step(0)
	if f := actions[shift.FenceReplica](b); len(f) != 1 || f[0].Replica != "b" {
		t.Errorf("%+v is done", b.did)
	}
	b.seen.Replicas[1].Fenced = true
	b.step(0)
	b.at(shift.Settle, 2, flags.HoldLegacy, bothShadow, bothLive) // until its marks are taken
	if f := actions[shift.TakeMarks](b); len(f) != 1 || f[0].Replica != "b" {
		t.Errorf("%+v is done", b.did)
	}
	b.seen.Replicas = b.seen.Replicas[:1]
	b.step(0)
	b.until(shift.Target)
	// One that joins has to have the flag, too; one that is fenced reads from legacy.
	b.seen.Replicas = append(b.seen.Replicas, shift.Replica{Name: "c", Digest: "d"}, shift.Replica{Name: "d", Fenced: true})
	b.seen.Replicas[0].Applied = 3
	b.step(0)
	b.at(shift.Target, 3, flags.HoldTarget, bothShadow, bothLive)
	b.seen.Replicas[1].Applied = 3
	b.step(0)
	b.at(shift.Finish, 4, flags.Steady, bothLive, bothLive)
	b.until(shift.Idle)
	if l := b.s.Last; !l.Done || !slices.Equal(l.Fenced, []string{"b", "d"}) {
		t.Errorf("the outcome is %+v", l)
	}
}

func TestFirstFilling(t *testing.T) {
	b := newBench(t, `"off off"`)
	b.s.Backfill = shift.Backfill{}
	b.must(`"mirrored off"`, false)
	if b.s.Backfill.State != shift.FillRunning {
		t.Fatalf("the filling is %+v", b.s.Backfill)
	}
	b.acknowledge()
	var page []string
	for i := range 450 {
		page = append(page, fmt.Sprintf("%03d", i))
	}
	b.step(0)
	b.at(shift.Idle, 2, flags.Steady, `"mirrored off"`, `"mirrored off"`)
	if after, ok := b.s.WantsPage(); !ok || after != "" || !b.s.Busy() {
		t.Errorf("entities behind %q are wanted: %v", after, ok)
	}
	send := func() {
		t.Helper()
		b.seen.Page, b.seen.Paged = page, true
		b.step(0)
		b.seen.Page, b.seen.Paged = nil, false
		a, f := actions[shift.Announce](b), actions[shift.SendFence](b)
		if len(a) != 3 || len(a[2].Entities) != 50 || len(f) != 1 || f[0].Epoch != 0 {
			t.Fatalf("%+v is done", b.did)
		}
		if _, ok := b.s.WantsPage(); ok {
			t.Error("more is wanted before an answer")
		}
	}
	send()
	b.seen.Queue = "another" // the answer won't come: it is done again
	b.step(0)
	if after, ok := b.s.WantsPage(); !ok || after != "" {
		t.Errorf("entities behind %q are wanted: %v", after, ok)
	}
	send()
	b.answer(shift.Answer{Error: "not now"})
	b.step(time.Second)
	if _, ok := b.s.WantsPage(); ok {
		t.Error("more is wanted after an answer that says why not")
	}
	b.step(time.Hour)
	send()
	b.answer(shift.Answer{Parked: []string{"k"}}) // which is for a way forward to mind
	b.step(0)
	if after, ok := b.s.WantsPage(); !ok || after != "449" || b.s.Backfill.Done != 450 {
		t.Errorf("entities behind %q are wanted: %v, %+v", after, ok, b.s.Backfill)
	}
	b.seen.Paged = true
	b.step(0)
	if b.s.Backfill.State != shift.FillDone || b.s.Busy() {
		t.Errorf("the filling is %+v", b.s.Backfill)
	}
	b.must(`"off off"`, false)
	if b.s.Backfill.State != shift.FillNone || b.s.Backfill.Done > 0 {
		t.Errorf("at off the filling is %+v", b.s.Backfill)
	}
}
