package store_test

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"go.uber.org/goleak"

	"banyan.dev/banyan/adapters/store"
	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/mirror"
	"banyan.dev/banyan/mirror/change"
)

// onEach runs a test on every server, with options for a schema of its own that is not there yet.
func onEach(t *testing.T, run func(t *testing.T, o store.Options)) {
	t.Helper()
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			before := goleak.IgnoreCurrent()
			t.Cleanup(func() { goleak.VerifyNone(t, before) })
			run(t, fresh(t, server))
		})
	}
}

// fresh gives options for a schema that is not there yet, and is dropped when the test ends.
func fresh(t testing.TB, server *devstack.Server) store.Options {
	t.Helper()
	dsn := server.NewSchema(t)
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	db := admin(t, dsn)
	exec(t, db, "DROP DATABASE `"+cfg.DBName+"`")
	return store.Options{DSN: server.DSN(""), Schema: cfg.DBName, Logger: slog.New(slog.DiscardHandler)}
}

// migrated makes the tables.
func migrated(t *testing.T, o store.Options) store.Options {
	t.Helper()
	if err := store.Migrate(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	return o
}

// admin gives a database with all rights.
func admin(t testing.TB, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func exec(t testing.TB, db *sql.DB, statement string, args ...any) int64 {
	t.Helper()
	done, err := db.ExecContext(t.Context(), statement, args...)
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	n, err := done.RowsAffected()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func open(t *testing.T, o store.Options) *store.Store {
	t.Helper()
	s, err := store.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	return s
}

func lead(t *testing.T, s *store.Store) mirror.Term {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	term, err := s.Lead(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = term.Close() })
	return term
}

func at(offset uint64) change.Position {
	return change.Position{Server: "1", File: "binlog.000007", Offset: offset, GTIDs: "0-1-42"}
}

// wantStop gives the StopError of err.
func wantStop(t *testing.T, err error) *change.StopError {
	t.Helper()
	stop := change.Stops(err)
	if stop == nil {
		t.Fatalf("got %v, want a StopError", err)
	}
	if stop.What == "" || stop.Fix == "" {
		t.Fatalf("the StopError says not what to do: %+v", stop)
	}
	return stop
}

func wantDeposed(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, mirror.ErrDeposed) {
		t.Fatalf("got %v, want ErrDeposed", err)
	}
}

// within fails unless the channel is closed in time, and gives how long that took.
func within(t *testing.T, limit time.Duration, c <-chan struct{}, what string) time.Duration {
	t.Helper()
	began := time.Now()
	select {
	case <-c:
	case <-time.After(limit):
		t.Fatalf("%s: not within %s", what, limit)
	}
	return time.Since(began)
}

// eventually polls until condition gives nil.
func eventually(t *testing.T, condition func() error) {
	t.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := condition()
		if err == nil {
			return
		}
		select {
		case <-deadline.C:
			t.Fatalf("in vain: %v", err)
		case <-tick.C:
		}
	}
}

// holder gives the server's number of the connection that leads.
func holder(t *testing.T, db *sql.DB, o store.Options) int64 {
	t.Helper()
	var id sql.NullInt64
	if err := db.QueryRowContext(t.Context(), "SELECT IS_USED_LOCK(?)", store.LockName(o)).Scan(&id); err != nil {
		t.Fatal(err)
	}
	return id.Int64
}
