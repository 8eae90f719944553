package app_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"banyan.dev/banyan/internal/chaos/boxes"
)

// After a rollback legacy has the authority again: what the old application changes then gets to the new service, also of what
// that has written itself, and keys go forward again.
func TestTheOldApplicationChangesWhatWasLive(t *testing.T) {
	b := newShiftLab(t, boxes.Options{}, "20s")
	b.to(t, "live")
	for range 2 {
		if err := b.add(t.Context(), 0, 7); err != nil {
			t.Fatal(err)
		}
	}
	b.shift(t, 0, "rollback", map[string]any{"reason": "it was a drill"})
	b.shift(t, 1, "advance", map[string]any{"stage": "live"}) // which waits until the service knows
	b.shift(t, 0, "rollback", map[string]any{"reason": "another"})
	for deadline := time.Now().Add(time.Minute); ; {
		var state string
		if err := b.db.QueryRowContext(t.Context(), "SELECT state FROM "+b.ledger+".capabilities WHERE name = 'boxes'").Scan(&state); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(state, `"return":`) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the service is not told: %s", state)
		}
		<-time.After(20 * time.Millisecond)
	}
	if _, err := b.db.ExecContext(t.Context(), "INSERT INTO things (box, thing) VALUES (7, 'theirs')"); err != nil {
		t.Fatal(err)
	}
	var acked [mostBoxes + 1]atomic.Int64
	acked[7].Store(3)
	b.equal(t, &acked)
	b.shift(t, 1, "advance", map[string]any{"stage": "live"})
	if got, err := b.get(t.Context(), 0, 7); err != nil || got != 3 {
		t.Errorf("box 7 has %d things, %v", got, err)
	}
}
