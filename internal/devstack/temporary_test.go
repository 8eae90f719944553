package devstack_test

import (
	"path/filepath"
	"testing"

	"banyan.dev/banyan/internal/devstack"
)

// A server that starts removes temporary tables from its directory for them, so that no two may share one.
func TestTemporaryTablesAreApart(t *testing.T) {
	server := devstack.MariaDB(t)
	var dir string
	if err := open(t, server.DSN("")).QueryRowContext(t.Context(), "SELECT @@tmpdir").Scan(&dir); err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(server.Dir, "tmp"); dir != want {
		t.Errorf("tmpdir is %s, not %s", dir, want)
	}
}
