package app_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"banyan.dev/banyan/internal/app/apptest"
	"banyan.dev/banyan/internal/chaos/boxes"
	"banyan.dev/banyan/internal/devstack"
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

// A service that is away, or whose answer is lost, is told of entities once, and meanwhile a backfill can be stopped.
func TestEntitiesAreToldOnceHoweverLateTheServiceIs(t *testing.T) {
	b := newShiftLab(t, boxes.Options{}, "1s")
	b.to(t, "mirrored")
	b.filled(t)
	b.stop()
	count := func(table string) (n int) {
		t.Helper()
		if err := b.db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM "+b.ledger+"."+table).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	told, fences := count("announcements"), count("fences")
	fenced := func(n int) {
		t.Helper()
		apptest.Poll(t, "fences", func() error {
			if now := count("fences") - fences; now < n {
				return fmt.Errorf("%d of %d", now, n)
			}
			return nil
		})
	}
	ask := func() any {
		t.Helper()
		out, err := b.admin(t, 0, http.MethodPost, "backfills", map[string]any{"targets": []string{"boxes.v1.Box"}})
		if err != nil {
			t.Fatal(err)
		}
		return out["backfills"].([]any)[0].(map[string]any)["id"]
	}
	state := func(id any, want string) {
		t.Helper()
		apptest.Poll(t, "the backfill to be "+want, func() error {
			out, err := b.admin(t, 0, http.MethodGet, fmt.Sprintf("backfills/%v", id), nil)
			if err == nil && !strings.Contains(fmt.Sprint(out["state"], ": ", out["note"]), want) {
				err = fmt.Errorf("%v", out)
			}
			return err
		})
	}
	first := ask()
	fenced(1)
	// The connection that answers come by is lost.
	broker := devstack.RabbitMQ(t)
	list, err := broker.Control(t.Context(), "list_connections", "--quiet", "--no-table-headers", "pid", "vhost", "client_properties")
	if err != nil {
		t.Fatal(err)
	}
	closed := 0
	for line := range strings.Lines(list) {
		parts := strings.Split(strings.TrimSpace(line), "\t")
		if len(parts) == 3 && strings.HasSuffix(b.variables["BANYAN_BROKER_URL"], parts[1]) && strings.Contains(parts[2], "answers to backfills") {
			if out, err := broker.Control(t.Context(), "close_connection", parts[0], "tested"); err != nil {
				t.Fatal(out, err)
			}
			closed++
		}
	}
	if closed == 0 {
		t.Fatalf("nothing to close in %q", list)
	}
	fenced(2)
	if n := count("announcements") - told; n != 1 {
		t.Errorf("it was told %d times", n)
	}
	state(first, "running: waits: the service boxes has not applied what it was told")
	if _, err := b.admin(t, 0, http.MethodPost, fmt.Sprintf("backfills/%v:stop", first), map[string]any{}); err != nil {
		t.Fatal(err)
	}
	second := ask()
	state(second, "running")
	b.start(t)
	state(second, "done")
	if n := count("announcements") - told; n != 2 {
		t.Errorf("two backfills told it %d times", n)
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
