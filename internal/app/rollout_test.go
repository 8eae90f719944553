package app_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"banyan.dev/banyan/internal/app"
	"banyan.dev/banyan/internal/app/apptest"
	"banyan.dev/banyan/internal/chaos/boxes"
	"banyan.dev/banyan/strangler/control"
)

// otherwise lays the project out with another config.
func otherwise(t *testing.T, edit func(config string) string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := boxes.LayOut(dir); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "banyan.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	edited := edit(string(text))
	if edited == string(text) {
		t.Fatal("the config has changed, and this test with it")
	}
	if err := os.WriteFile(path, []byte(edited), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// unaware takes services and capabilities out of the config.
func unaware(config string) string {
	begin, end := strings.Index(config, "services:"), strings.Index(config, "shift:")
	return config[:begin] + config[end:]
}

// A rolling deployment has processes with the config of before beside those with the new one. No key moves while they differ:
// the old ones would go on writing to legacy what the others have in the new service.
func TestNoKeyMovesWhileConfigsDiffer(t *testing.T) {
	b := newShiftLab(t, boxes.Options{}, "300ms")
	// refused wants a refusal, once the process that has come or gone is known of.
	refused := func(stage, want string) {
		t.Helper()
		apptest.Poll(t, "a refusal", func() error {
			_, err := b.admin(t, 0, http.MethodPost, "capabilities/boxes:advance", map[string]any{"stage": stage, "dry_run": true})
			if err == nil || !strings.Contains(err.Error(), "REPLICAS_DIFFER") || !strings.Contains(err.Error(), want) {
				return fmt.Errorf("to %s: %w", stage, errors.Join(errors.New("not refused as it should be"), err))
			}
			return nil
		})
	}
	old := apptest.StartWith(t, otherwise(t, unaware), b.variables, app.Options{Roles: []app.Role{app.RoleFacade}})
	refused("mirrored", "this capability in the config of")
	if err := old.Wait(t); err != nil {
		t.Fatal(err)
	}
	b.to(t, "shadow")
	other := apptest.StartWith(t, otherwise(t, func(config string) string {
		return strings.Replace(config, "    key: owner\n", "    key: owner + 1\n", 1)
	}), b.variables, app.Options{Roles: []app.Role{app.RoleFacade}})
	refused("live", "in the configs of")
	if err := other.Wait(t); err != nil {
		t.Fatal(err)
	}
	b.shift(t, 0, "advance", map[string]any{"stage": "live"})
}

// Who lacks a capability that has left off does not start.
func TestAProcessWithoutAMovedCapabilityDoesNotStart(t *testing.T) {
	b := newShiftLab(t, boxes.Options{}, "300ms")
	b.to(t, "shadow")
	project, faults := app.Load(t.Context(), filepath.Join(otherwise(t, unaware), "banyan.yaml"), func(name string) (string, bool) {
		value, ok := b.variables[name]
		return value, ok
	})
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := app.New(project, app.Options{Logger: slog.New(slog.DiscardHandler), Roles: []app.Role{app.RoleFacade}}).Run(ctx)
	if lacks := (*control.LacksError)(nil); !errors.As(err, &lacks) || lacks.Capability != "boxes" {
		t.Fatalf("got %v", err)
	}
	b.shift(t, 0, "advance", map[string]any{"stage": "live"}) // nobody waits for it
}
