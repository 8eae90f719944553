package shift_test

import (
	"strings"
	"testing"
	"time"

	"banyan.dev/banyan/strangler/shift"
)

// Once all keys are back, modern is told that they are legacy's: not while some are its own, nor when none is to come back.
func TestModernIsToldThatAllKeysAreBack(t *testing.T) {
	b := newBench(t, bothLive)
	settle := func(to string, rollback bool) {
		t.Helper()
		b.must(to, rollback)
		b.until(shift.Finish)
	}
	settle(kLive, false)
	b.until(shift.Idle)
	if b.s.Busy() {
		t.Errorf("while one key is live modern is told of %+v", b.s.Return)
	}
	settle(bothShadow, true)
	hold := b.s.Hold
	if f := actions[shift.SendFence](b); len(f) != 1 || !f[0].Back || f[0].Epoch != hold || len(f[0].Void) > 0 {
		t.Fatalf("modern is told by %+v", b.did)
	}
	b.acknowledge()
	b.step(0)
	b.must(bothLive, false) // which has to wait
	b.step(0)
	if waits := shift.Waits(b.rules, b.s, b.seen); !strings.Contains(waits, "come back") || b.s.Place != shift.Prepare {
		t.Errorf("the way forward waits for %q", waits)
	}
	b.seen.Queue = "another" // whoever takes over tells it again
	b.step(0)
	if f := actions[shift.SendFence](b); len(f) != 1 || !f[0].Back || f[0].Epoch != hold {
		t.Fatalf("modern is told by %+v", b.did)
	}
	b.answer(shift.Answer{Error: "not now"})
	b.step(0)
	if b.s.Return.Epoch == 0 {
		t.Error("an answer that says why not counts")
	}
	b.step(time.Minute)
	b.step(time.Minute)
	b.answer(shift.Answer{Parked: []string{"k"}}) // which is for a way forward to mind
	b.step(0)
	if b.s.Busy() {
		t.Errorf("it goes on: %+v", b.s)
	}
	// At off, modern is told nothing: it is filled anew.
	b = newBench(t, bothLive)
	b.seen.Queue = ""
	settle(bothShadow, true)
	b.until(shift.Idle)
	if b.s.Return.Epoch != b.s.Hold || !b.s.Busy() {
		t.Errorf("without a queue it is over: %+v", b.s)
	}
	b.must(`"off off"`, false)
	if b.s.Return.Epoch != 0 {
		t.Errorf("at off modern is told of %+v", b.s.Return)
	}
	b = newBench(t, bothLive)
	settle(`"off off"`, false)
	if b.s.Return.Epoch != 0 {
		t.Errorf("at off modern is told of %+v", b.s.Return)
	}
}
