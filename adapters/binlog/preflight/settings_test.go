package preflight_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"banyan.dev/banyan/adapters/binlog/preflight"
	"banyan.dev/banyan/internal/devstack"
)

// own starts a private server with settings, for this test only.
func own(t *testing.T, settings map[string]string) *devstack.Database {
	t.Helper()
	db, err := devstack.StartDatabase(t.Context(), devstack.DatabaseOptions{Relaxed: true, Settings: settings})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := db.Stop(ctx); err != nil {
			t.Logf("%v", err)
		}
	})
	return db
}

func TestSettingsAreNamed(t *testing.T) {
	server := own(t, map[string]string{
		"binlog_format": "STATEMENT", "binlog_row_image": "MINIMAL", "binlog_row_metadata": "MINIMAL",
		"gtid_strict_mode": "OFF", "sync_binlog": "100", "innodb_flush_log_at_trx_commit": "2",
		"binlog_expire_logs_seconds": "7200", "binlog_checksum": "NONE", "binlog_alter_two_phase": "ON", "binlog_annotate_row_events": "OFF",
		"lower_case_table_names": "1", "read_only": "ON", "log_slave_updates": "ON", "replicate_ignore_table": "s.secret", "binlog_ignore_db": "shop",
	})
	root := open(t, server.DSN(""))
	run(t, root, "CREATE DATABASE shop", "CREATE DATABASE other", "CREATE TABLE shop.a (id INT PRIMARY KEY)",
		"CHANGE MASTER TO MASTER_HOST = 'far.example', MASTER_USER = 'u', MASTER_PASSWORD = 'p'")
	run(t, open(t, server.DSN("")+"?gtid_domain_id=5"), "CREATE TABLE other.b (id INT PRIMARY KEY)")
	run(t, root, "CREATE TABLE other.c (id INT PRIMARY KEY)")

	options := preflight.Options{DSN: server.DSN(""), Schemas: []string{"shop"}, Schema: "banyan"}
	found := check(t, options)
	expect(t, found, preflight.Error, preflight.LogFormat, "STATEMENT", "SET GLOBAL binlog_format = 'ROW';", "[mariadbd]\nbinlog_format = ROW")
	expect(t, found, preflight.Error, preflight.RowImage, "MINIMAL", "SET GLOBAL binlog_row_image = 'FULL';")
	expect(t, found, preflight.Error, preflight.RowMetadata, "MINIMAL", "SET GLOBAL binlog_row_metadata = 'FULL';")
	expect(t, found, preflight.Error, preflight.LogFilters, "binlog_ignore_db = shop", "changes in shop are left out")
	expect(t, found, preflight.Warning, preflight.ReadOnly, "read_only is ON", "may, where nobody", "SET GLOBAL read_only = OFF;")
	_, plain := newAccount(t, root, &server.Server)
	expect(t, check(t, preflight.Options{DSN: plain, Schema: "banyan"}), preflight.Error, preflight.ReadOnly, "can't be written", "SET GLOBAL read_only = OFF;")
	expect(t, found, preflight.Warning, preflight.GTIDStrict, "SET GLOBAL gtid_strict_mode = ON;")
	expect(t, found, preflight.Warning, preflight.GTIDDomains, "0, 5", "DELETE_DOMAIN_ID = (5);")
	expect(t, found, preflight.Warning, preflight.Durability, "sync_binlog is 100 and innodb_flush_log_at_trx_commit is 2", "sync_binlog = 1", "SET GLOBAL innodb_flush_log_at_trx_commit = 1;")
	expect(t, found, preflight.Warning, preflight.Retention, "kept for 2h0m0s", "binlog_expire_logs_seconds = 259200;")
	expect(t, found, preflight.Warning, preflight.Checksum, "SET GLOBAL binlog_checksum = 'CRC32';")
	expect(t, found, preflight.Note, preflight.TwoPhaseAlter, "the end alone is an event", "nothing has to be done")
	expect(t, found, preflight.Note, preflight.StatementText, "SET GLOBAL binlog_annotate_row_events = ON;")
	expect(t, found, preflight.Note, preflight.NameCase, "lower_case_table_names is 1")
	lower := func(schema, name string) bool { return schema == "shop" && name == "a" } // as in the log
	mixed := check(t, preflight.Options{DSN: server.DSN(""), Schemas: []string{"Shop"}, Schema: "Other", Scope: lower})
	if of := on(mixed, preflight.ScopeEmpty); len(of) > 0 {
		t.Errorf("names in another case give %+v", of)
	}
	expect(t, mixed, preflight.Error, preflight.LogFilters, "changes in Shop are left out")
	expect(t, check(t, preflight.Options{DSN: server.DSN(""), Schemas: []string{"OTHER"}, Schema: "Other"}), preflight.Error, preflight.ScopeEmpty, "nothing to mirror")
	expect(t, found, preflight.Warning, preflight.Replica, "far.example", "replicate_ignore_table = s.secret", "legacy.dsn")
	expect(t, check(t, preflight.Options{DSN: server.DSN(""), Schemas: []string{"other"}}), preflight.Warning, preflight.LogFilters, "nothing in scope")
	expect(t, check(t, preflight.Options{DSN: server.DSN("")}), preflight.Error, preflight.LogFilters, "whole schemas")

	// What mends them is taken by the server, and mends.
	byStatement := []preflight.Topic{
		preflight.LogFormat, preflight.RowImage, preflight.RowMetadata, preflight.ReadOnly, preflight.GTIDStrict, preflight.Durability,
		preflight.Retention, preflight.Checksum, preflight.StatementText,
	}
	for _, f := range found {
		if slices.Contains(byStatement, f.Topic) {
			run(t, root, mends(f)...)
		}
	}
	for _, f := range check(t, options) {
		if slices.Contains(byStatement, f.Topic) {
			t.Errorf("after mending there is %+v", f)
		}
	}
}

func TestAServerWithoutALog(t *testing.T) {
	server := own(t, map[string]string{"skip_log_bin": "1", "binlog_format": "MIXED"})
	run(t, open(t, server.DSN("")), "CREATE DATABASE shop", "CREATE TABLE shop.a (id INT PRIMARY KEY)",
		"CHANGE MASTER TO MASTER_HOST = 'far.example', MASTER_USER = 'u', MASTER_PASSWORD = 'p'")
	found := check(t, preflight.Options{DSN: server.DSN("")})
	expect(t, found, preflight.Error, preflight.LogOff, "log_bin = binlog", "binlog_row_metadata = FULL")
	expect(t, found, preflight.Error, preflight.LogFormat, "MIXED")
	expect(t, found, preflight.Error, preflight.Replica, "far.example", "log_slave_updates = ON")
}
