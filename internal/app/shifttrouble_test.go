package app_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"banyan.dev/banyan/internal/chaos/boxes"
)

// to brings all boxes to a stage.
func (b *shiftLab) to(t *testing.T, stage string) {
	t.Helper()
	b.shift(t, 0, "advance", map[string]any{"stage": "mirrored"})
	b.filled(t)
	b.shift(t, 0, "advance", map[string]any{"stage": "shadow"})
	if stage == "live" {
		b.shift(t, 0, "advance", map[string]any{"stage": "live"})
	}
}

// A rollback never waits for a service that hangs: what is open is given up, and done anew in legacy, so that its caller
// sees no error; the service is told legacy's state.
func TestARollbackDoesNotWaitForAHungService(t *testing.T) {
	release := make(chan struct{})
	hung := make(chan struct{}, 10)
	b := newShiftLab(t, boxes.Options{Held: func(ctx context.Context) {
		select {
		case hung <- struct{}{}:
		default:
		}
		select {
		case <-release:
		case <-ctx.Done():
		}
	}}, "300ms")
	b.to(t, "live")
	answered := make(chan error, 1)
	go func() { answered <- b.add(t.Context(), 1, 7) }()
	select {
	case <-hung: // the service has committed the write, and does not answer
	case <-time.After(time.Minute):
		t.Fatal("the write has not reached the service")
	}
	out := b.shift(t, 0, "rollback", map[string]any{"reason": "it hangs"})
	if out["voided"] != float64(1) {
		t.Errorf("the rollback: %v", out)
	}
	select {
	case err := <-answered:
		if err != nil {
			t.Errorf("the caller of the write that was given up: %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("the caller of the write waits for ever")
	}
	close(release)
	var acked [mostBoxes + 1]atomic.Int64
	acked[7].Store(1)
	b.equal(t, &acked)
	writes, err := b.admin(t, 1, http.MethodGet, "writes?capability=boxes&state=void", nil)
	if list, ok := writes["writes"].([]any); err != nil || !ok || len(list) != 1 {
		t.Errorf("void writes: %v, %v", writes, err)
	}
	b.shift(t, 0, "advance", map[string]any{"stage": "live"}) // once the service knows what is void
	if got, err := b.get(t.Context(), 0, 7); err != nil || got != 1 {
		t.Errorf("box 7 has %d things, %v", got, err)
	}
}

// What can't be had is refused with what to do, and changes nothing; what can't be finished goes back.
func TestShiftsThatCantBe(t *testing.T) {
	b := newShiftLab(t, boxes.Options{}, "300ms")
	for _, test := range []struct {
		path string
		body map[string]any
		want string
	}{
		{"capabilities/boxes:advance", map[string]any{"stage": "live"}, "go to mirrored first"},
		{"capabilities/boxes:advance", map[string]any{"stage": "gone"}, "is no stage"},
		{"capabilities/boxes:advance", map[string]any{"stage": "hold"}, "is no stage"},
		{"capabilities/boxes:advance", map[string]any{"stage": "complete"}, "can't be commanded yet"},
		{"capabilities/boxes:advance", map[string]any{"stage": "mirrored", "percent": 101}, "1 to 100"},
		{"capabilities/other:advance", map[string]any{"stage": "mirrored"}, "there is no capability"},
	} {
		if _, err := b.admin(t, 0, http.MethodPost, test.path, test.body); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s %v: %v", test.path, test.body, err)
		}
	}
	dry, err := b.admin(t, 0, http.MethodPost, "capabilities/boxes:advance", map[string]any{"stage": "mirrored", "dry_run": true})
	if steps, ok := dry["steps"].([]any); err != nil || !ok || len(steps) != 1 {
		t.Errorf("a dry run: %v, %v", dry, err)
	}
	b.to(t, "shadow")
	dry, err = b.admin(t, 0, http.MethodPost, "capabilities/boxes:advance", map[string]any{"stage": "live", "dry_run": true})
	if steps, ok := dry["steps"].([]any); err != nil || !ok || len(steps) != 5 {
		t.Errorf("a dry run: %v, %v", dry, err)
	}
	if _, err := b.admin(t, 0, http.MethodPost, "capabilities/boxes:advance", map[string]any{"stage": "off"}); err != nil {
		t.Errorf("back to off: %v", err)
	}
	status, err := b.admin(t, 1, http.MethodGet, "capabilities/boxes", nil)
	if err != nil || status["stage"] != "off" || status["rollback_safe"] != true || status["next"] == "" {
		t.Errorf("status: %v, %v", status, err)
	}
	if _, err := b.db.ExecContext(t.Context(), "INSERT INTO things (box, thing) SELECT id, CONCAT('old-', id) FROM boxes"); err != nil {
		t.Fatal(err)
	}
	b.to(t, "shadow") // it is filled anew, with what has changed meanwhile
	var acked [mostBoxes + 1]atomic.Int64
	for i := range acked {
		acked[i].Store(1)
	}
	b.equal(t, &acked)
	b.stop()
	b.blocked(t, 0, true)
	_, err = b.admin(t, 0, http.MethodPost, "capabilities/boxes:advance", map[string]any{"stage": "live"})
	if err == nil || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("a shift to a service that is down: %v", err)
	}
	if err := b.add(t.Context(), 0, 1); err != nil {
		t.Errorf("a write in legacy, while the service is down: %v", err)
	}
	b.start(t)
	b.blocked(t, 1, false)
	b.shift(t, 1, "advance", map[string]any{"stage": "live"})
	if err := b.add(t.Context(), 1, 1); err != nil {
		t.Error(err)
	}
	acked[1].Store(3)
	b.equal(t, &acked)
	history, err := b.admin(t, 0, http.MethodGet, "history?capability=boxes", nil)
	if list, ok := history["entries"].([]any); err != nil || ok && len(list) < 5 {
		t.Errorf("history: %v, %v", history, err)
	}
}

// blocked waits until a replica knows that the service is away, or that it is back.
func (b *shiftLab) blocked(t *testing.T, replica int, away bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		status, err := b.admin(t, replica, http.MethodGet, "capabilities/boxes", nil)
		if err == nil && strings.Contains(fmt.Sprint(status["blockers"]), "does not answer") == away {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the service's state is not seen: %v, %v", status, err)
		}
		<-time.After(50 * time.Millisecond)
	}
}
