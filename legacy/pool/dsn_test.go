package pool_test

import (
	"strings"
	"testing"

	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/legacy/pool"
)

func TestOptionsThatAreRefused(t *testing.T) {
	for dsn, want := range map[string]string{
		"":                                     "is empty",
		"u:hunter2@tcp(db:3306":                "can't be read",
		"u:hunter2@tcp(db:3306)":               "can't be read",
		"u:hunter2@tcp(db:3306)/d?tls=hunter2": "not of its kind",
		"u:hunter2@tcp(db:3306)/d?parseTime=hunter2": "not of its kind",
		"u:hunter2@quic(db:3306)/d":                  "unknown network",
		"u:hunter2@tcp(db)/d?strict=true":            "strict",
		"u:hunter2@tcp(db)/d?readTimeout=5s":         "readTimeout",
		"u:hunter2@tcp(db)/d?charset=latin1":         "charset",
		"u:hunter2@tcp(db)/d?collation=latin1_bin":   "collation",
		"u:hunter2@tcp(db)/d?timeTruncate=1s":        "timeTruncate",
		"u:hunter2@tcp(db)/d?sql_mode=''":            "sql_mode",
		"u:hunter2@tcp(db)/d?autocommit=0":           "autocommit",
		"u:hunter2@tcp(db)/d?time_zone='x'":          "legacy.time_zone",
		"u:hunter2@tcp(db)/d?hunter2+x=1":            "special characters",
	} {
		t.Run(dsn, func(t *testing.T) {
			p, err := pool.Open(pool.Options{DSN: dsn})
			if err == nil {
				p.Close()
				t.Fatal("was taken")
			}
			if strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), want) {
				t.Errorf("got %q, want it to say %q and no secret", err, want)
			}
		})
	}
	for zone, want := range map[string]string{
		"SYSTEM": "name the zone", "+1": "no time zone", "Europe/Berlin'; DROP": "no time zone",
	} {
		p, err := pool.Open(pool.Options{DSN: "u@tcp(db)/d", TimeZone: zone})
		if err == nil {
			p.Close()
			t.Fatalf("the zone %q was taken", zone)
		}
		if !strings.Contains(err.Error(), want) {
			t.Errorf("zone %q: got %q, want %q", zone, err, want)
		}
	}
}

func TestSessionSettings(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			p := open(t, server, func(o *pool.Options) {
				o.TimeZone = "-03:30"
				o.DSN += "?parseTime=true&clientFoundRows=false&interpolateParams=true&multiStatements=true&columnsWithAlias=true" +
					"&collation=utf8mb4_unicode_ci&charset=utf8mb4&innodb_lock_wait_timeout=7"
			})
			c := acquire(t, p)
			isolation := "@@transaction_isolation"
			if s, _ := p.Server(); s.MariaDB {
				isolation = "@@tx_isolation"
			}
			got := table(t, c, "SELECT @@sql_mode, @@time_zone, "+isolation+", @@character_set_client, @@character_set_results, @@collation_connection, @@autocommit, @@innodb_lock_wait_timeout")[0]
			for i, want := range []any{
				"STRICT_TRANS_TABLES,STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION", "-03:30",
				"REPEATABLE-READ", "utf8mb4", "utf8mb4", "utf8mb4_unicode_ci", int64(1), int64(7),
			} {
				if got[i] != want {
					t.Errorf("setting %d is %v, want %v", i, got[i], want)
				}
			}
			if got := table(t, c, "SELECT CAST('0000-00-00' AS CHAR), TIMESTAMP'2024-05-01 00:00:00'")[0]; got[1] != "2024-05-01 00:00:00" {
				t.Errorf("a time came as %#v", got[1])
			}
			if _, err := c.Query(t.Context(), "SELECT 1; SELECT 2", nil); err == nil {
				t.Error("two statements at once were taken")
			}
		})
	}
}

func TestSettingsThatTheServerRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*pool.Options)
		want   string
	}{
		"zone":   {func(o *pool.Options) { o.TimeZone = "Mars/Olympus_Mons" }, "mysql_tzinfo_to_sql"},
		"option": {func(o *pool.Options) { o.DSN += "?parsetime=true" }, "typing error"},
	} {
		t.Run(name, func(t *testing.T) {
			p := open(t, &devstack.MariaDB(t).Server, c.change)
			err := p.Ping(t.Context())
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func FuzzOpen(f *testing.F) {
	for _, dsn := range []string{"u:p@tcp(h:1)/d?a=b", "/", "u@unix(/s)/d?strict=1", "u:p/@tcp/d?tls=x&collation=utf8mb4_bin", "@%zz/%zz?%zz=%zz"} {
		f.Add(dsn, "UTC")
	}
	f.Fuzz(func(t *testing.T, dsn, zone string) {
		p, err := pool.Open(pool.Options{DSN: "someone:hunter2xyz@tcp(127.0.0.1:1)/" + dsn, TimeZone: zone})
		if err == nil {
			p.Close()
			return
		}
		if strings.Contains(err.Error(), "hunter2xyz") {
			t.Errorf("%q shows the password", err)
		}
	})
}
