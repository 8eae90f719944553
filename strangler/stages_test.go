package strangler_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/flags"
	"banyan.dev/banyan/strangler"
)

// health is how a side is.
type health struct {
	name string
	// before and after are faults ahead of and behind what it does.
	before, after fault
}

var healths = []health{
	{name: "well"},
	{name: "refusing", before: fails(codes.FailedPrecondition)},
	{name: "away", before: fails(codes.Unavailable)},
	{name: "deaf", after: fails(codes.Unavailable)}, // it does what it is asked, and the answer is lost
	{name: "hanging", before: hang},
}

// expected is what a call comes to: who answers, or else the error, and whether each side has done it.
type expected struct {
	by             string
	code           codes.Code
	reason         string
	legacy, modern bool
	row            strangler.WriteState
}

// alone is what a call comes to that one side answers alone.
func alone(side string, h health, write bool) expected {
	did := func(e expected) expected {
		e.legacy, e.modern = write && side == "legacy", write && side == "modern"
		return e
	}
	switch h.name {
	case "well":
		return did(expected{by: side})
	case "refusing":
		return expected{code: codes.FailedPrecondition, reason: "INJECTED"}
	case "away":
		return expected{code: codes.Unavailable, reason: "INJECTED"}
	case "deaf":
		return did(expected{code: codes.Unavailable, reason: "INJECTED"})
	default:
		return expected{code: codes.DeadlineExceeded, reason: "DEADLINE_EXCEEDED"}
	}
}

// both is what a live write comes to. Legacy's own health as a Backend doesn't matter to it: the ledger does the write-back.
func both(modern health) expected {
	switch modern.name {
	case "well":
		return expected{by: "modern", legacy: true, modern: true, row: strangler.WriteClosed}
	case "refusing":
		return expected{code: codes.FailedPrecondition, reason: "INJECTED", row: strangler.WriteFailed}
	case "deaf":
		return expected{code: codes.DeadlineExceeded, reason: strangler.ReasonOutcomeUnknown, modern: true, row: strangler.WriteOpen}
	default:
		return expected{code: codes.DeadlineExceeded, reason: strangler.ReasonOutcomeUnknown, row: strangler.WriteOpen}
	}
}

// Every stage, for a read and a write, with each side in every state. DESIGN's table, said a second time.
func TestStages(t *testing.T) {
	held := expected{code: codes.DeadlineExceeded, reason: strangler.ReasonHeld}
	for _, stage := range []struct {
		name        string
		turn        func(*switches)
		read, write func(legacy, modern health) expected
	}{
		{"off", func(s *switches) { s.all(flags.Off) }, legacyReads, legacyWrites},
		{"mirrored", func(s *switches) { s.all(flags.Mirrored) }, legacyReads, legacyWrites},
		{"shadow", func(s *switches) { s.all(flags.Shadow) }, legacyReads, legacyWrites},
		{"hold-legacy", func(s *switches) { s.hold(flags.Legacy) }, legacyReads, func(_, _ health) expected { return held }},
		{"hold-target", func(s *switches) { s.hold(flags.Modern) }, modernReads, func(_, _ health) expected { return held }},
		{"live", func(s *switches) { s.all(flags.Live) }, modernReads, func(_, m health) expected { return both(m) }},
		{"complete", func(s *switches) { s.all(flags.Complete) }, modernReads, func(_, m health) expected { return alone("modern", m, true) }},
		{"no lease", func(s *switches) { s.setLease(false) }, legacyReads, func(_, _ health) expected {
			return expected{code: codes.Unavailable, reason: strangler.ReasonNoLease}
		}},
	} {
		for _, legacy := range healths {
			for _, modern := range healths {
				name := fmt.Sprintf("%s/legacy %s/modern %s", stage.name, legacy.name, modern.name)
				t.Run(name+"/read", func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						tryStage(t, stage.turn, legacy, modern, "GetOrder", stage.read(legacy, modern))
					})
				})
				t.Run(name+"/write", func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						tryStage(t, stage.turn, legacy, modern, "AddLine", stage.write(legacy, modern))
					})
				})
			}
		}
	}
}

func legacyReads(legacy, _ health) expected  { return alone("legacy", legacy, false) }
func modernReads(_, modern health) expected  { return alone("modern", modern, false) }
func legacyWrites(legacy, _ health) expected { return alone("legacy", legacy, true) }

func tryStage(t *testing.T, turn func(*switches), legacy, modern health, op string, want expected) {
	b := newBed(t)
	turn(b.switches)
	b.legacy.put("1", []string{"by legacy"}, true)
	b.modern.put("1", []string{"by modern"}, true)
	b.legacy.before, b.legacy.after = legacy.before, legacy.after
	b.modern.before, b.modern.after = modern.before, modern.after
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()

	begun := time.Now()
	reply, err := b.call(ctx, op, map[string]string{"id": "1", "customer": "c"})
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("it took %s, longer than the caller's deadline", took)
	}
	switch {
	case want.by == "":
		wantError(t, err, want.code, want.reason)
	case err != nil:
		t.Errorf("error %v", err)
	case linesOf(t, reply)[0] != "by "+want.by:
		t.Errorf("answered %v, want %s", linesOf(t, reply), want.by)
	}
	state := func(side string, does bool) []string {
		if does {
			return []string{"by " + side, ""}
		}
		return []string{"by " + side}
	}
	wantLegacy, wantModern := state("legacy", want.legacy), state("modern", want.modern)
	if want.row == strangler.WriteClosed {
		wantLegacy = wantModern
	}
	if got := b.legacy.lines("1"); !slices.Equal(got, wantLegacy) {
		t.Errorf("legacy has %q, want %q", got, wantLegacy)
	}
	if got := b.modern.lines("1"); !slices.Equal(got, wantModern) {
		t.Errorf("modern has %q, want %q", got, wantModern)
	}
	var wantRows []strangler.WriteState
	if want.row != "" {
		wantRows = []strangler.WriteState{want.row}
	}
	if got := b.ledger.states(); !slices.Equal(got, wantRows) {
		t.Errorf("the ledger has %v, want %v", got, wantRows)
	}
	if !b.router.Settled("orders", 1<<60) {
		t.Error("a write is on its way still")
	}
}
