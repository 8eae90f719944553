package devstack_test

import (
	"database/sql"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // The driver under test URLs.

	"banyan.dev/banyan/internal/devstack"
)

func TestPostgreSQLKeepsDataAndPortWhenKilled(t *testing.T) {
	server := devstack.OwnPostgreSQL(t)
	url := server.NewDatabase(t)
	reach := func() *sql.DB {
		t.Helper()
		db, err := sql.Open("pgx", url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		return db
	}
	mustExec(t, reach(), "CREATE TABLE t (id INT PRIMARY KEY)")
	done := server.Done()
	server.Kill()
	<-done
	if err := reach().PingContext(t.Context()); err == nil {
		t.Fatal("the killed server answers")
	}
	for range 2 { // also with a client that stays
		if err := server.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		mustExec(t, reach(), "SELECT id FROM t")
	}
}

func TestSharedPostgreSQLHasDatabasesApart(t *testing.T) {
	server := devstack.PostgreSQL(t)
	one, two := server.NewDatabase(t), server.NewDatabase(t)
	if server != devstack.PostgreSQL(t) || one == two {
		t.Error("servers or databases are not what was asked for")
	}
}
