package app_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"banyan.dev/banyan/internal/app"
	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/internal/fault"
)

// TestAnotherZoneThanTheServersIsTold checks a project in a zone that no place has.
func TestAnotherZoneThanTheServersIsTold(t *testing.T) {
	dir, schema := large(t, 1)
	dsn := devstack.MariaDB(t).NewSchema(t)
	if err := execute(dsn, schema); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "banyan.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), `dsn: "${DSN}"`, `dsn: "${DSN}", time_zone: "-11:45"`, 1)
	if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	project, faults := app.Load(t.Context(), file, func(string) (string, bool) { return dsn, true })
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	var warned []string
	found := project.Verify(t.Context(), app.AllRoles())
	for _, f := range found.All() {
		if f.Severity == fault.Warning && strings.Contains(f.Message, "the server's own zone is") {
			warned = append(warned, f.String())
		}
	}
	if len(warned) != 1 || !strings.HasPrefix(warned[0], file+":3:") {
		t.Errorf("warned of %q", warned)
	}
}
