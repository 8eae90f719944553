package store_test

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-sql-driver/mysql"

	"banyan.dev/banyan/adapters/store"
	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/migrations"
)

func tables(t *testing.T, o store.Options) (names []string) {
	t.Helper()
	rows, err := admin(t, o.DSN).QueryContext(t.Context(), "SELECT CONCAT(TABLE_NAME, ' ', ENGINE, ' ', TABLE_COLLATION) FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? ORDER BY 1", o.Schema)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return names
}

// sets are those whose progress a table counts.
var sets = []string{"control", "ledger"}

// all counts the tables that there are in the end: one for each migration, and one for each set.
func all(t *testing.T) int {
	t.Helper()
	files, err := fs.Glob(migrations.Files, "*/*.up.sql")
	if err != nil {
		t.Fatal(err)
	}
	return len(files) + len(sets)
}

func TestManyMigrateAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, o store.Options) {
		var ended sync.WaitGroup
		for range 5 {
			ended.Go(func() {
				if err := store.Migrate(t.Context(), o); err != nil {
					t.Error(err)
				}
			})
		}
		ended.Wait()
		migrated(t, o) // again
		got := tables(t, o)
		for _, table := range []string{"heartbeat", "mirrors", "writers"} {
			if !slices.Contains(got, table+" InnoDB utf8mb4_bin") {
				t.Errorf("no %s in %q", table, got)
			}
		}
		if len(got) != all(t) {
			t.Errorf("got %q", got)
		}
	})
}

// A legacy's own settings may be anything.
func TestMigrateOnOddServers(t *testing.T) {
	db, err := devstack.StartDatabase(t.Context(), devstack.DatabaseOptions{Relaxed: true, Settings: map[string]string{
		"sql_mode": "ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT,NO_ZERO_DATE,PAD_CHAR_TO_FULL_LENGTH,IGNORE_SPACE", "character_set_server": "latin1", "collation_server": "latin1_german1_ci",
		"character_set_client_handshake": "OFF", "default_storage_engine": "MyISAM", "autocommit": "0", "wait_timeout": "2", "transaction_isolation": "SERIALIZABLE",
		"explicit_defaults_for_timestamp": "OFF", "default_time_zone": "+05:30", "lower_case_table_names": "1", "innodb_strict_mode": "OFF", "completion_type": "CHAIN", "max_statement_time": "0.5", "sql_safe_updates": "ON",
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Stop(t.Context()) })
	o := migrated(t, fresh(t, &db.Server))
	for _, table := range tables(t, o) {
		if !strings.Contains(table, "InnoDB") {
			t.Errorf("got %q", table)
		}
	}
	s := open(t, o)
	term := lead(t, s)
	p := at(1)
	p.Server = `é'"\` + "`"
	if err := term.Save(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	state, err := s.State(t.Context())
	if err != nil || state.Position != p {
		t.Errorf("got %+v, %v", state, err)
	}
}

// A process that ended in the middle of a migration has left it half done: the next one ends it.
func TestHalfMadeTables(t *testing.T) {
	onEach(t, func(t *testing.T, o store.Options) {
		migrated(t, o)
		db := admin(t, o.DSN)
		for _, c := range []struct{ set, gone string }{{"control", "backfills"}, {"ledger", "epochs"}} { // what the last of each makes
			for _, made := range []bool{false, true} { // it ended before the statement, or behind it
				if !made {
					exec(t, db, fmt.Sprintf("DROP TABLE `%s`.%s", o.Schema, c.gone))
				}
				exec(t, db, fmt.Sprintf("UPDATE `%s`.migrations_%s SET dirty = 1", o.Schema, c.set))
				if got := state(t, o, c.set); got.State != store.Interrupted || len(got.Pending) != 1 || got.Pending[0].Name != c.gone {
					t.Errorf("%s made %v: got %+v", c.gone, made, got)
				}
				if stop := wantStop(t, store.Check(t.Context(), o)); !strings.Contains(stop.Fix, "banyan migrate up") || !strings.Contains(stop.What, "interrupted") {
					t.Errorf("got %v", stop)
				}
				done, err := store.Up(t.Context(), o)
				if err != nil || len(done) != 1 || done[0].Name != c.gone {
					t.Errorf("%s made %v: did %v, %v", c.gone, made, done, err)
				}
				exec(t, db, fmt.Sprintf("SELECT * FROM `%s`.%s", o.Schema, c.gone))
				if got := state(t, o, c.set); got.State != store.Current || len(got.Pending) != 0 {
					t.Errorf("got %+v", got)
				}
			}
		}
		exec(t, db, "UPDATE `"+o.Schema+"`.migrations_control SET version = 1, dirty = 1") // the first one
		done, err := store.Up(t.Context(), o)
		if err != nil || len(done) == 0 || done[0].Version != 1 {
			t.Errorf("did %v, %v", done, err)
		}
	})
}

// state gives how far a set is.
func state(t *testing.T, o store.Options, set string) store.SetState {
	t.Helper()
	states, err := store.States(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range states {
		if s.Set == set {
			return s
		}
	}
	t.Fatalf("there is no set %s in %v", set, states)
	return store.SetState{}
}

func TestStates(t *testing.T) {
	onEach(t, func(t *testing.T, o store.Options) {
		if got := state(t, o, "ledger"); got.State != store.Absent || got.Version != 0 || len(got.Pending) != got.Latest {
			t.Errorf("without a schema: %+v", got)
		}
		stop := wantStop(t, store.Check(t.Context(), o))
		if !strings.Contains(stop.What, "absent") || !strings.Contains(stop.Fix, "banyan migrate up") {
			t.Errorf("got %v", stop)
		}
		done, err := store.Up(t.Context(), o)
		if err != nil || len(done) != all(t)-len(sets) {
			t.Fatalf("did %v, %v", done, err)
		}
		if err := store.Check(t.Context(), o); err != nil {
			t.Error(err)
		}
		if done, err := store.Up(t.Context(), o); err != nil || len(done) != 0 {
			t.Errorf("again: did %v, %v", done, err)
		}
		db := admin(t, o.DSN)
		exec(t, db, "UPDATE `"+o.Schema+"`.migrations_ledger SET version = 2")
		got := state(t, o, "ledger")
		if got.State != store.Behind || got.Pending[0].Version != 3 || got.Pending[0].Name != "writes" {
			t.Errorf("got %+v", got)
		}
		wantStop(t, store.Check(t.Context(), o))
		conn, err := db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.ExecContext(t.Context(), "DO GET_LOCK(?, 0)", store.MigrationsLock(o)); err != nil {
			t.Fatal(err)
		}
		if got := state(t, o, "ledger"); got.State != store.Migrating {
			t.Errorf("got %+v", got)
		}
	})
}

// Programs of two versions run side by side while Banyan is upgraded, and an older one may come back.
func TestNewerTables(t *testing.T) {
	onEach(t, func(t *testing.T, o store.Options) {
		migrated(t, o)
		db := admin(t, o.DSN)
		exec(t, db, "UPDATE `"+o.Schema+"`.migrations_ledger SET version = 999")
		if got := state(t, o, "ledger"); got.State != store.Newer || got.Version != 999 {
			t.Errorf("got %+v", got)
		}
		if done, err := store.Up(t.Context(), o); err != nil || len(done) > 0 {
			t.Errorf("did %v, %v", done, err)
		}
		if err := store.Check(t.Context(), o); err != nil {
			t.Error(err)
		}
		exec(t, db, "UPDATE `"+o.Schema+"`.migrations_control SET version = 1") // of the other set, some are missing
		if done, err := store.Up(t.Context(), o); err != nil || len(done) == 0 || done[0].Set != "control" {
			t.Errorf("did %v, %v", done, err)
		}
		exec(t, db, "UPDATE `"+o.Schema+"`.migrations_ledger SET dirty = 1")
		wantTooNew(t, o, "999")
		exec(t, db, "UPDATE `"+o.Schema+"`.migrations_ledger SET version = 1000, dirty = 0")
		wantTooNew(t, o, "1000")
	})
}

func wantTooNew(t *testing.T, o store.Options, version string) {
	t.Helper()
	for what, err := range map[string]error{"migrate": store.Migrate(t.Context(), o), "check": store.Check(t.Context(), o)} {
		if stop := wantStop(t, err); !strings.Contains(stop.What, "newer Banyan") || !strings.Contains(stop.What, version) || !strings.Contains(stop.Fix, "newer program") {
			t.Errorf("%s: got %v", what, stop)
		}
	}
}

// A restricted account is told what it needs, and with that it works.
func TestMissingGrants(t *testing.T) {
	onEach(t, func(t *testing.T, o store.Options) {
		db := admin(t, o.DSN)
		user := "u_" + o.Schema[len(o.Schema)-8:]
		exec(t, db, fmt.Sprintf("CREATE USER '%s'@'127.0.0.%%' IDENTIFIED BY 'Secret-1'", user))
		t.Cleanup(func() { _, _ = admin(t, o.DSN).Exec(fmt.Sprintf("DROP USER '%s'@'127.0.0.%%'", user)) })
		cfg, err := mysql.ParseDSN(o.DSN)
		if err != nil {
			t.Fatal(err)
		}
		cfg.User, cfg.Passwd = user, "Secret-1"
		restricted := o
		restricted.DSN = cfg.FormatDSN()

		stop := wantStop(t, store.Migrate(t.Context(), restricted))
		_, grant, found := strings.Cut(stop.Fix, "server: ")
		if want := fmt.Sprintf("ON `%s`.* TO '%s'@'127.0.0.%%'", o.Schema, user); !found || !strings.HasSuffix(grant, want) {
			t.Fatalf("got %q, want a GRANT %s", stop.Fix, want)
		}
		exec(t, db, grant)
		migrated(t, restricted)

		exec(t, db, strings.Replace(strings.Replace(grant, "GRANT", "REVOKE", 1), " TO ", " FROM ", 1))
		exec(t, db, fmt.Sprintf("GRANT SELECT ON `%s`.* TO '%s'@'127.0.0.%%'", o.Schema, user))
		migrated(t, restricted) // all is there, so that it needs no right to make anything
		_, err = open(t, restricted).Reset(t.Context(), at(1))
		if stop := wantStop(t, err); !strings.Contains(stop.Fix, "GRANT SELECT, INSERT, UPDATE, DELETE ON") {
			t.Errorf("got %v", stop)
		}

		cfg.Passwd = "wrong"
		restricted.DSN = cfg.FormatDSN()
		if stop := wantStop(t, store.Migrate(t.Context(), restricted)); strings.Contains(stop.Error(), "wrong") {
			t.Errorf("the error shows the password: %v", stop)
		}
	})
}

func TestMissingTables(t *testing.T) {
	onEach(t, func(t *testing.T, o store.Options) {
		s := open(t, o)
		_, err := s.State(t.Context())
		wantStop(t, err)
		_, err = s.Lead(t.Context())
		wantStop(t, err)
	})
}

// Each file has one statement and an inverse, which works.
func TestMigrationsGoUpAndDown(t *testing.T) {
	files, err := fs.Glob(migrations.Files, "*/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("no migrations: %v", err)
	}
	onEach(t, func(t *testing.T, o store.Options) {
		migrated(t, o)
		db := admin(t, o.DSN+o.Schema)
		for _, dir := range []string{"down", "up"} {
			for _, file := range files {
				text, err := fs.ReadFile(migrations.Files, file)
				if err != nil {
					t.Fatal(err)
				}
				if strings.Contains(string(text), ";") {
					t.Errorf("%s has more than one statement", file)
				}
				base, isUp := strings.CutSuffix(file, ".up.sql")
				if !isUp {
					base, _ = strings.CutSuffix(file, ".down.sql")
				}
				if !slices.Contains(files, base+".down.sql") || !slices.Contains(files, base+".up.sql") {
					t.Errorf("%s has no inverse", file)
				}
				if strings.HasSuffix(file, dir+".sql") {
					exec(t, db, string(text)) // a second time is harmless
					exec(t, db, string(text))
				}
			}
			if n := len(tables(t, o)); dir == "down" && n != len(sets) || dir == "up" && n != all(t) {
				t.Errorf("%d tables after %s", n, dir)
			}
		}
	})
}
