package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	osexec "os/exec"
	"strings"
	"testing"

	"banyan.dev/banyan/adapters/store"
	"banyan.dev/banyan/internal/devstack"
)

// Variables that make this test binary a process that migrates.
const migrateDSN, migrateSchema = "BANYAN_TEST_MIGRATE_DSN", "BANYAN_TEST_MIGRATE_SCHEMA"

func TestMain(m *testing.M) {
	if dsn := os.Getenv(migrateDSN); dsn != "" {
		os.Exit(migrateHere(store.Options{DSN: dsn, Schema: os.Getenv(migrateSchema), Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))}))
	}
	os.Exit(m.Run())
}

// migrateHere prints what was done, a line each.
func migrateHere(o store.Options) int {
	done, err := store.Up(context.Background(), o)
	for _, m := range done {
		fmt.Printf("did %s %d %s\n", m.Set, m.Version, m.Name)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// migrating is a process that migrates.
type migrating struct {
	cmd      *osexec.Cmd
	out, log bytes.Buffer // to be read once it has ended
}

func startMigrating(t *testing.T, o store.Options) *migrating {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &migrating{cmd: osexec.Command(self)}
	p.cmd.Env = append(os.Environ(), migrateDSN+"="+o.DSN, migrateSchema+"="+o.Schema)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.cmd.ProcessState == nil {
			_ = p.cmd.Process.Kill()
			_ = p.cmd.Wait()
		}
	})
	return p
}

// Ten processes at once: each migration is done once, and all end well.
func TestTenProcessesMigrateAtOnce(t *testing.T) {
	o := fresh(t, &devstack.MariaDB(t).Server)
	var processes []*migrating
	for range 10 {
		processes = append(processes, startMigrating(t, o))
	}
	did := map[string]int{}
	for _, p := range processes {
		if err := p.cmd.Wait(); err != nil {
			t.Errorf("%v:\n%s", err, p.log.String())
		}
		for line := range strings.Lines(p.out.String()) {
			did[line]++
		}
	}
	if len(did) != all(t)-len(sets) {
		t.Errorf("did %v", did)
	}
	for line, n := range did {
		if n != 1 {
			t.Errorf("%d times: %s", n, line)
		}
	}
}

// One of ten is killed in the middle of a migration, which is held up until then: whoever comes next ends it.
func TestKilledInTheMiddleOfAMigration(t *testing.T) {
	server := devstack.OwnMariaDB(t) // DDL is held up in all of it
	o := migrated(t, fresh(t, &server.Server))
	db := admin(t, o.DSN)
	exec(t, db, "DROP TABLE `"+o.Schema+"`.announcements")
	exec(t, db, "UPDATE `"+o.Schema+"`.migrations_ledger SET version = 5")
	holding, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer holding.Close()
	hold := func(stage string) {
		t.Helper()
		if _, err := holding.ExecContext(t.Context(), "BACKUP STAGE "+stage); err != nil {
			t.Fatal(err)
		}
	}
	hold("START")
	hold("FLUSH")
	hold("BLOCK_DDL")
	first := startMigrating(t, o)
	inTheMiddle := func() error {
		var n int
		err := db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE DB = ? AND INFO LIKE 'CREATE TABLE%announcements%' AND STATE LIKE 'Waiting%'", o.Schema).Scan(&n)
		if err == nil && n != 1 {
			err = fmt.Errorf("%d are in the middle", n)
		}
		return err
	}
	eventually(t, inTheMiddle)
	if got := state(t, o, "ledger"); got.State != store.Migrating || got.Version != 6 {
		t.Errorf("while it runs: %+v", got)
	}
	var others []*migrating
	for range 9 {
		others = append(others, startMigrating(t, o))
	}
	eventually(t, func() error {
		var n int
		err := db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE DB = ? AND INFO LIKE 'SELECT GET_LOCK%'", o.Schema).Scan(&n)
		if err == nil && n < len(others) {
			err = fmt.Errorf("%d wait", n)
		}
		return err
	})
	if err := first.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	var killed *osexec.ExitError
	if err := first.cmd.Wait(); !errors.As(err, &killed) {
		t.Fatalf("it ended with %v", err)
	}
	hold("END")
	for _, p := range others {
		if err := p.cmd.Wait(); err != nil {
			t.Errorf("%v:\n%s", err, p.log.String())
		}
	}
	if err := store.Check(t.Context(), o); err != nil {
		t.Error(err)
	}
	exec(t, db, "SELECT * FROM `"+o.Schema+"`.announcements")
	if got := state(t, o, "ledger"); got.State != store.Current || got.Version != got.Latest {
		t.Errorf("got %+v", got)
	}
	var mended int
	for _, p := range others {
		mended += strings.Count(p.log.String(), "broken off")
	}
	if mended != 1 {
		t.Errorf("%d processes have ended what was broken off", mended)
	}
}

// A server that goes away while a migration runs is no ruin either.
func TestServerKilledInTheMiddleOfAMigration(t *testing.T) {
	server := devstack.OwnMariaDB(t)
	o := migrated(t, fresh(t, &server.Server))
	db := admin(t, o.DSN)
	exec(t, db, "DROP TABLE `"+o.Schema+"`.audit")
	exec(t, db, "UPDATE `"+o.Schema+"`.migrations_control SET version = 5, dirty = 1")
	server.Kill()
	if err := store.Migrate(t.Context(), o); err == nil {
		t.Error("nobody was there, and it went well")
	}
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if done, err := store.Up(t.Context(), o); err != nil || len(done) == 0 || done[0].Name != "audit" {
		t.Errorf("did %v, %v", done, err)
	}
	if err := store.Check(t.Context(), o); err != nil {
		t.Error(err)
	}
}
