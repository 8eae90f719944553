package preflight

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// mysqlDefaults are the variables of a MySQL that is as it has to be. Tests may not set those of a MySQL that others use,
// so what only MySQL has is looked at here.
var mysqlDefaults = map[string]string{
	"version": "8.4.3", "version_comment": "MySQL Community Server - GPL", "log_bin": "ON", "binlog_format": "ROW", "binlog_row_image": "FULL",
	"binlog_row_metadata": "FULL", "binlog_row_value_options": "", "binlog_error_action": "ABORT_SERVER", "gtid_mode": "ON", "enforce_gtid_consistency": "ON",
	"sync_binlog": "1", "innodb_flush_log_at_trx_commit": "1", "binlog_expire_logs_seconds": "2592000", "binlog_expire_logs_auto_purge": "ON",
	"binlog_transaction_compression": "OFF", "binlog_checksum": "CRC32", "binlog_rows_query_log_events": "ON", "lower_case_table_names": "0",
	"server_id": "1", "read_only": "OFF", "super_read_only": "OFF", "log_replica_updates": "ON",
}

func TestSettingsOfMySQL(t *testing.T) {
	for _, test := range []struct {
		change   map[string]string // of variables
		topic    Topic             // empty for no finding
		severity Severity
		text     string
	}{
		{nil, "", "", ""},
		{map[string]string{"binlog_row_value_options": "PARTIAL_JSON"}, PartialJSON, Error, "SET PERSIST binlog_row_value_options = '';"},
		{map[string]string{"binlog_error_action": "IGNORE_ERROR"}, LogErrors, Error, "SET PERSIST binlog_error_action = 'ABORT_SERVER';"},
		{map[string]string{"gtid_mode": "OFF_PERMISSIVE"}, GTIDMode, Error, "SET PERSIST gtid_mode = ON;"},
		{map[string]string{"enforce_gtid_consistency": "WARN"}, GTIDMode, Error, "SET PERSIST enforce_gtid_consistency = ON;"},
		{map[string]string{"binlog_transaction_compression": "ON"}, Compression, Warning, "SET PERSIST binlog_transaction_compression = OFF;"},
		{map[string]string{"binlog_rows_query_log_events": "OFF"}, StatementText, Note, "SET PERSIST binlog_rows_query_log_events = ON;"},
		{map[string]string{"server_id": "0"}, ServerID, Error, "SET PERSIST server_id = 1;"},
		{map[string]string{"super_read_only": "ON", "read_only": "ON"}, ReadOnly, Error, "SET PERSIST super_read_only = OFF;"},
		{map[string]string{"read_only": "ON"}, ReadOnly, Error, "SET PERSIST read_only = OFF;"},
		{map[string]string{"binlog_expire_logs_auto_purge": "OFF"}, Retention, Note, "never removes"},
		{map[string]string{"binlog_expire_logs_seconds": "0"}, Retention, Note, "never removes"},
		{map[string]string{"binlog_expire_logs_seconds": "0", "expire_logs_days": "1"}, Retention, Warning, "kept for 24h"},
		{map[string]string{"binlog_space_limit": "1073741824"}, Retention, Warning, "binlog_space_limit is 1073741824"},
		{map[string]string{"max_binlog_total_size": "1000"}, Retention, Warning, "SET PERSIST max_binlog_total_size = 0;"},
		{map[string]string{"wsrep_on": "ON", "wsrep_gtid_mode": "OFF"}, Cluster, Warning, "wsrep_gtid_mode = ON"},
		{map[string]string{"binlog_storage_engine": "innodb"}, LogEngine, Error, "binlog_storage_engine = innodb"},
	} {
		c := &check{server: &server{variables: maps.Clone(mysqlDefaults), major: 8, minor: 4}}
		c.options = Options{Schema: "banyan", MaxNames: 10, Retention: 72 * 3600e9}
		maps.Copy(c.server.variables, test.change)
		c.checkSettings()
		switch {
		case test.topic == "" && len(c.found) > 0:
			t.Errorf("as it has to be there is %+v", c.found)
		case test.topic != "" && (len(c.found) != 1 || c.found[0].Topic != test.topic || c.found[0].Severity != test.severity || !strings.Contains(c.found[0].What+c.found[0].Mend, test.text)):
			t.Errorf("%v: got %+v, want a %s %s with %q", test.change, c.found, test.severity, test.topic, test.text)
		}
	}
}

func TestVersions(t *testing.T) {
	for version, want := range map[string]bool{
		"5.7.44-log": false, "8.0.11": true, "9.7.4-2": true, "10.4.34-MariaDB": false, "10.5.4-MariaDB-log": true, "12.0.2-MariaDB": true,
		"8.0.11-TiDB-v8.5.0": false, "nonsense": false,
	} {
		s := &server{variables: map[string]string{}}
		s.setVersion(version)
		c := &check{server: s}
		if got := c.checkVersion(); got != want || got == (len(c.found) == 1 && c.found[0].Topic == Version && c.found[0].Severity == Error) {
			t.Errorf("%s: supported is %v, findings are %+v", version, got, c.found)
		}
	}
}

func TestGrantsAreRead(t *testing.T) {
	var g grants
	for _, line := range []string{
		"GRANT USAGE ON *.* TO `u`@`%`", "GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO `u`@`%`", "GRANT PROXY ON ''@'%' TO 'u'@'%'",
		"GRANT `role` TO `u`@`%`", "GRANT SELECT (`a, b`), INSERT ON `one`.`t` TO `u`@`%`", "GRANT ALL PRIVILEGES ON `my\\_%`.* TO `u`@`%` WITH GRANT OPTION",
		"GRANT EXECUTE ON PROCEDURE `one`.`p` TO `u`@`%`", "GRANT SELECT ON `odd ON ``x`.* TO `u`@`%`", "GRANT TRIGGER ON *.* TO `u`@`%`", "REVOKE TRIGGER ON `secret`.* FROM `u`@`%`",
		"SET DEFAULT ROLE `role` FOR `u`@`%`", "GRANT", "GRANT x ON", "",
	} {
		g.read(line)
	}
	for _, test := range []struct {
		schema, right string
		want          bool
	}{
		{"my_shop", "SELECT", true},
		{"my_", "ALTER", true},
		{"myshop", "SELECT", false},
		{"one", "SELECT", false},
		{"one", "INSERT", false},
		{"one", "EXECUTE", false},
		{"one", "TRIGGER", true},
		{"secret", "TRIGGER", false},
		{"odd ON `x", "SELECT", true},
	} {
		if got := g.schema(test.schema, test.right); got != test.want {
			t.Errorf("%s on %s: %v", test.right, test.schema, got)
		}
	}
	if !g.global("REPLICATION SLAVE") || !g.global("BINLOG MONITOR") || g.global("SELECT") || g.global("ALL") {
		t.Error("rights on everything are read wrongly")
	}
}

func TestWhatTriggersWrite(t *testing.T) {
	c := &check{server: &server{variables: map[string]string{"lower_case_table_names": "0"}}}
	for body, want := range map[string]string{
		"INSERT INTO a VALUES (1)":                               "s.a",
		"insert low_priority ignore into `x y`.`b``c` select 1":  "`x y`.`b``c`",
		"BEGIN UPDATE a SET n = 1; DELETE FROM b; END":           "s.a, s.b",
		"REPLACE INTO a SELECT * FROM b":                         "s.a",
		"INSERT INTO a VALUES (1) ON DUPLICATE KEY UPDATE n = 2": "s.a",
		"BEGIN SELECT n INTO @x FROM a FOR UPDATE; END":          "",
		"UPDATE x . a SET n = 1":                                 "x.a",
		"INSERT INTO größe VALUES (1)":                           "s.`größe`",
		"SET NEW.a = 1":                                          "",
	} {
		if got, _ := c.written("s", body); strings.Join(got, ", ") != want {
			t.Errorf("%s: got %q, want %q", body, got, want)
		}
	}
}

func TestTopicsAreListedOnce(t *testing.T) {
	all := Topics()
	slices.Sort(all)
	if len(slices.Compact(all)) != len(Topics()) {
		t.Error("a topic is listed twice")
	}
}

func FuzzGrants(f *testing.F) {
	f.Add("GRANT SELECT (`a, b`), INSERT ON `one`.`t` TO `u`@`%`", "one")
	f.Add("REVOKE ALL PRIVILEGES ON `\\_%a`.* FROM u", "%")
	f.Fuzz(func(_ *testing.T, line, schema string) {
		var g grants
		g.read(line)
		g.schema(schema, "SELECT")
		g.global("SELECT")
	})
}
