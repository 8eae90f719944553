package app_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"banyan.dev/banyan/adapters/store"
	"banyan.dev/banyan/internal/app"
	"banyan.dev/banyan/internal/app/apptest"
	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/strangler/control"
)

// Where services are only told of entities, the facade may fence their streams, and move nothing.
func TestAFacadeWithoutCapabilitiesMayFence(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			l := newGrantLab(t, server)
			path := filepath.Join(l.dir, "banyan.yaml")
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			before, rest, _ := strings.Cut(string(text), "services:\n")
			_, after, found := strings.Cut(rest, "timeouts:")
			if !found {
				t.Fatalf("the config is another:\n%s", text)
			}
			if err := os.WriteFile(path, []byte(before+"services:\n  boxes: {entities: {boxes.v1.Box: {key: owner}}}\ntimeouts:"+after), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := store.Migrate(t.Context(), l.options(l.dsn)); err != nil {
				t.Fatal(err)
			}
			account := apptest.Grant(t, l.project(t, l.dsn), app.RoleFacade)
			ledger, err := store.NewLedger(l.options(account.DSN))
			if err != nil {
				t.Fatal(err)
			}
			defer ledger.Close()
			fence := func(id string) error {
				return ledger.SendFence(t.Context(), control.FenceRow{ID: id, Service: "boxes", ReplyTo: "q"})
			}
			if err := fence("1"); err != nil {
				t.Errorf("it may not fence: %v", err)
			}
			if err := ledger.Announce(t.Context(), control.Announcement{Service: "boxes", Entity: "boxes.v1.Box", IDs: []string{"1"}}); err == nil {
				t.Error("it may announce, which nothing that it does asks for")
			}
			account.Run("REVOKE INSERT ON " + l.ledger + ".fences FROM " + account.Name)
			if err := fence("2"); err == nil {
				t.Error("nobody misses INSERT")
			}
		})
	}
}
