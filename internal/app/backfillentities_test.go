package app_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"banyan.dev/banyan/internal/app/apptest"
	"banyan.dev/banyan/internal/chaos/boxes"
)

// backfill asks for one of the new service's entities and gives what became of it.
func (b *shiftLab) backfill(t *testing.T, body map[string]any) map[string]any {
	t.Helper()
	out, err := b.admin(t, 0, http.MethodPost, "backfills", body)
	if err != nil {
		t.Fatal(err)
	}
	id := out["backfills"].([]any)[0].(map[string]any)["id"]
	var last map[string]any
	apptest.Poll(t, "the backfill's end", func() error {
		var err error
		if last, err = b.admin(t, 1, http.MethodGet, fmt.Sprintf("backfills/%v", id), nil); err != nil { // any replica knows
			return err
		}
		switch last["state"] {
		case "done", "failed", "stopped":
			return nil
		}
		return fmt.Errorf("%v", last)
	})
	return last
}

func TestEntitiesAreSentAnew(t *testing.T) {
	b := newShiftLab(t, boxes.Options{}, "1s")
	b.to(t, "mirrored")
	b.filled(t)
	if err := b.add(t.Context(), 0, 7); err != nil {
		t.Fatal(err)
	}
	// The service loses what it has, and is told of it again.
	b.stop()
	if err := removeDatabase(b.options.Database); err != nil {
		t.Fatal(err)
	}
	b.start(t)
	if has, err := b.service.Contents(t.Context()); err != nil || len(has) != 0 {
		t.Fatalf("it has %v, %v", has, err)
	}
	told := b.backfill(t, map[string]any{"targets": []string{"boxes.v1.Box"}, "service": "boxes"})
	if told["state"] != "done" || told["done"] != fmt.Sprint(mostBoxes) || told["target"] != "boxes.v1.Box" || told["who"] != "test@here" {
		t.Errorf("got %v", told)
	}
	if has, err := b.service.Contents(t.Context()); err != nil || len(has) != mostBoxes || len(has[7]) != 1 { // before the backfill was done
		t.Errorf("it has %v, %v", has, err)
	}
	// A slow one tells of some at a time.
	if told = b.backfill(t, map[string]any{"targets": []string{"boxes.v1.Box"}, "rate": 15}); told["state"] != "done" || told["done"] != fmt.Sprint(mostBoxes) {
		t.Errorf("got %v", told)
	}
	// What the service has written itself is not told over.
	b.to(t, "live")
	told = b.backfill(t, map[string]any{"targets": []string{"boxes.v1.Box"}})
	if note := fmt.Sprint(told["note"]); told["state"] != "failed" || !strings.Contains(note, "at live") || !strings.Contains(note, "banyan rollback boxes") {
		t.Errorf("got %v", told)
	}
	b.shift(t, 0, "rollback", map[string]any{})
	if told = b.backfill(t, map[string]any{"targets": []string{"boxes.v1.Box"}}); told["state"] != "done" {
		t.Errorf("got %v", told)
	}
	for _, refused := range []struct {
		body map[string]any
		want string
	}{
		{map[string]any{"targets": []string{"boxes.v1.Bax"}}, "is no table that the mirror sends changes of"},
		{map[string]any{"targets": []string{"boxes.v1.Box"}, "service": "others"}, "is not told of boxes.v1.Box"},
		{map[string]any{"targets": []string{"boxes"}, "service": "boxes"}, "no service is told of an entity"},
		{map[string]any{}, "name a table or an entity"},
		{map[string]any{"all": true, "targets": []string{"x"}}, "not both"},
		{map[string]any{"targets": []string{"boxes"}, "max_lag": "-1s"}, "out of range"},
	} {
		if _, err := b.admin(t, 0, http.MethodPost, "backfills", refused.body); err == nil || !strings.Contains(err.Error(), refused.want) {
			t.Errorf("%v: got %v", refused.body, err)
		}
	}
	if _, err := b.admin(t, 0, http.MethodGet, "backfills/4711", nil); err == nil || !strings.Contains(err.Error(), "NO_SUCH_BACKFILL") {
		t.Errorf("got %v", err)
	}
	out, err := b.admin(t, 0, http.MethodPost, "backfills", map[string]any{"all": true})
	if err != nil || !strings.Contains(fmt.Sprint(out), ".boxes") {
		t.Errorf("got %v, %v", out, err)
	}
}

// removeDatabase removes a database of SQLite, with its log.
func removeDatabase(path string) error {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(path + suffix); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	return nil
}
