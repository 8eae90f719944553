package consumer

import (
	"path/filepath"
	"testing"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"banyan.dev/banyan/internal/devstack"
)

// place is a database of a service.
type place struct {
	dialect     Dialect
	driver, dsn string
}

// spelled gives a statement with the placeholders of the dialect.
func (p place) spelled(statement string) string {
	if p.dialect == PostgreSQL {
		return numbered(statement)
	}
	return statement
}

// where makes an empty database.
type where func(t testing.TB) place

// everywhere runs a test on each kind of database that is there.
func everywhere(t *testing.T, test func(t *testing.T, empty where)) {
	t.Run("sqlite", func(t *testing.T) { test(t, file) })
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			test(t, func(t testing.TB) place { return place{MySQL, "mysql", server.NewSchema(t)} })
		})
	}
	t.Run("postgresql", func(t *testing.T) {
		server := devstack.PostgreSQL(t)
		test(t, func(t testing.TB) place { return place{PostgreSQL, "pgx", server.NewDatabase(t)} })
	})
}

// file makes a database of SQLite's.
func file(t testing.TB) place {
	return place{SQLite, "sqlite", "file:" + filepath.Join(t.TempDir(), "service.db") + "?_pragma=journal_mode(WAL)&_pragma=busy_timeout(30000)&_pragma=synchronous(NORMAL)"}
}
