package devstack_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	_ "github.com/go-sql-driver/mysql" // The driver under test DSNs.

	"banyan.dev/banyan/internal/devstack"
)

func open(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func mustExec(t *testing.T, db *sql.DB, statement string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func TestSharedMariaDBIsOneServer(t *testing.T) {
	first, second := devstack.MariaDB(t), devstack.MariaDB(t)
	if first != second {
		t.Fatal("two servers were started")
	}
	one, two := first.NewSchema(t), first.NewSchema(t)
	if one == two {
		t.Fatalf("two schemas have the same DSN %s", one)
	}
	db := open(t, one)
	mustExec(t, db, "CREATE TABLE t (id INT PRIMARY KEY)")
	if _, err := open(t, two).ExecContext(t.Context(), "INSERT INTO t VALUES (1)"); err == nil {
		t.Fatal("schemas share their tables")
	}
}

func TestSettingsAreWhatTheMirrorNeeds(t *testing.T) {
	db := open(t, devstack.OwnMariaDB(t).DSN(""))
	for name, want := range map[string]string{
		"log_bin": "1", "binlog_format": "ROW", "binlog_row_image": "FULL", "binlog_row_metadata": "FULL",
		"gtid_strict_mode": "1", "sync_binlog": "1", "innodb_flush_log_at_trx_commit": "1",
		"skip_name_resolve": "1", "bind_address": "127.0.0.1",
	} {
		var got string
		if err := db.QueryRowContext(t.Context(), "SELECT @@global."+name).Scan(&got); err != nil {
			t.Errorf("%s: %v", name, err)
		} else if got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	mustExec(t, db, "SET time_zone = 'Europe/Berlin'")
}

func TestKilledServerKeepsDataAndPort(t *testing.T) {
	server := devstack.OwnMariaDB(t)
	dsn := server.NewSchema(t)
	db := open(t, dsn)
	mustExec(t, db, "CREATE TABLE t (id INT PRIMARY KEY)")
	mustExec(t, db, "INSERT INTO t VALUES (7)")
	port, done := server.Port, server.Done()

	server.Kill()
	<-done
	if err := open(t, dsn).PingContext(t.Context()); err == nil {
		t.Fatal("the killed server answers")
	}
	for range 2 { // After a crash, and while it runs.
		if err := server.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		if server.Port != port {
			t.Fatalf("the port was %d and is %d", port, server.Port)
		}
		var id int
		if err := open(t, dsn).QueryRowContext(t.Context(), "SELECT id FROM t").Scan(&id); err != nil || id != 7 {
			t.Fatalf("read %d, %v after the restart; want 7", id, err)
		}
	}
}

func TestStopTwiceAndStartAgainInTheSameDirectory(t *testing.T) {
	dir := t.TempDir()
	for round := range 2 {
		server, err := devstack.StartDatabase(t.Context(), devstack.DatabaseOptions{
			Dir: dir, Relaxed: true, Settings: map[string]string{"max-connections": "99"},
		})
		if err != nil {
			t.Fatal(err)
		}
		db := open(t, server.DSN(""))
		if round == 0 {
			mustExec(t, db, "CREATE DATABASE kept")
		} else {
			mustExec(t, db, "CREATE TABLE kept.t (id INT)")
		}
		var most int
		if err := db.QueryRowContext(t.Context(), "SELECT @@global.max_connections").Scan(&most); err != nil || most != 99 {
			t.Errorf("max_connections is %d, %v; want 99", most, err)
		}
		for range 2 {
			if err := server.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if err := server.Restart(t.Context()); err == nil {
			t.Fatal("a stopped server was restarted")
		}
	}
	if _, err := os.Stat(dir); err != nil {
		t.Errorf("the caller's directory is gone: %v", err)
	}
}

func TestTemporaryDirectoryGoesWithTheServer(t *testing.T) {
	server, err := devstack.StartDatabase(t.Context(), devstack.DatabaseOptions{Relaxed: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(server.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there: %v", server.Dir, err)
	}
}

// Several test packages at once on a machine that has no cache yet.
func TestParallelStartsWithoutCache(t *testing.T) {
	t.Setenv("BANYAN_CACHE", t.TempDir())
	var wait sync.WaitGroup
	for range 3 {
		wait.Go(func() {
			server, err := devstack.StartDatabase(t.Context(), devstack.DatabaseOptions{Relaxed: true})
			if err != nil {
				t.Error(err)
				return
			}
			if err := open(t, server.DSN("")).PingContext(t.Context()); err != nil {
				t.Error(err)
			}
			if err := server.Stop(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
}

func TestHalfMadeCacheIsMadeAgain(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("BANYAN_CACHE", cache)
	start := func() {
		t.Helper()
		server, err := devstack.StartDatabase(t.Context(), devstack.DatabaseOptions{Relaxed: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := server.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	start()
	locks, err := filepath.Glob(filepath.Join(cache, "mariadb", "*.lock"))
	if err != nil || len(locks) != 1 {
		t.Fatalf("the cache has %v, %v; want one lock", locks, err)
	}
	finished := strings.TrimSuffix(locks[0], ".lock")
	// As a process leaves it that was killed while it made the directory.
	if err := os.Rename(finished, finished+".making"); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(finished+".making", "ibdata1")); err != nil {
		t.Fatal(err)
	}
	start()
	if _, err := os.Stat(filepath.Join(finished, "ibdata1")); err != nil {
		t.Errorf("the cache is not whole: %v", err)
	}
}

func TestFixedPortThatIsTaken(t *testing.T) {
	taken := devstack.MariaDB(t).Port
	if _, err := devstack.StartDatabase(t.Context(), devstack.DatabaseOptions{Port: taken, Relaxed: true}); err == nil {
		t.Fatal("two servers listen on one port")
	}
}

func TestMissingProgramSaysWhatToInstall(t *testing.T) {
	missing := &devstack.MissingError{Program: "mariadbd"}
	const want = "mariadbd is not installed: run `make deps` or `apt-get install -y mariadb-server rabbitmq-server`"
	if missing.Error() != want {
		t.Errorf("got %q, want %q", missing, want)
	}
}

func TestDatabasesByName(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			mustExec(t, open(t, server.NewSchema(t)), "CREATE TABLE t (id INT PRIMARY KEY)")
		})
	}
}
