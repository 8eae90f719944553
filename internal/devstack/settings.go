package devstack

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// account is the name of the one account that has all rights on a private server.
const account = "banyan"

// logFileSize of InnoDB's redo log. The template has the same, or each start would write a new one.
const logFileSize = "16M"

// settings gives the text of my.cnf.
func (d *Database) settings(options DatabaseOptions) string {
	set := map[string]string{
		"datadir":      filepath.Join(d.Dir, "data"),
		"init_file":    filepath.Join(d.Dir, "init.sql"),
		"tmpdir":       d.temporaryDir(),
		"socket":       "mariadb.sock", // Under datadir; a whole path could be longer than a socket's may be.
		"pid_file":     "mariadb.pid",
		"bind_address": loopback,
		"port":         strconv.Itoa(d.Port),

		"skip_name_resolve":    "ON",
		"character_set_server": "utf8mb4",
		"max_connections":      "512",

		// What the mirror needs: whole rows with names, keys and signs, and GTIDs that are in order.
		"server_id":           "1",
		"log_bin":             "binlog",
		"binlog_format":       "ROW",
		"binlog_row_image":    "FULL",
		"binlog_row_metadata": "FULL",
		"gtid_strict_mode":    "ON",
		"max_binlog_size":     "128M",

		// Durable: a commit is on disk in engine and binlog before it is acknowledged.
		"sync_binlog":                    "1",
		"innodb_flush_log_at_trx_commit": "1",

		// Small and quick to start and stop.
		"innodb_log_file_size":                logFileSize,
		"innodb_buffer_pool_size":             "64M",
		"innodb_buffer_pool_dump_at_shutdown": "OFF",
		"innodb_buffer_pool_load_at_startup":  "OFF",
		"aria_pagecache_buffer_size":          "8M",
		"key_buffer_size":                     "8M",
		"performance_schema":                  "OFF",
	}
	if options.Relaxed {
		set["sync_binlog"] = "0"
		set["innodb_flush_log_at_trx_commit"] = "2" // 2 and not 0: written to the system at commit, so a kill loses nothing.
	}
	if os.Getuid() == 0 {
		set["user"] = "root"
	}
	for name, value := range options.Settings {
		set[strings.ReplaceAll(name, "-", "_")] = value
	}
	var b strings.Builder
	b.WriteString("# Written at each start.\n[mariadbd]\n")
	for _, name := range slices.Sorted(maps.Keys(set)) {
		fmt.Fprintf(&b, "%s = %s\n", name, set[name])
	}
	return b.String()
}

// accountSQL gives the statements, one a line, that the server runs at each
// start: one account with all rights for loopback, and no open one. They stay
// out of the binlog, which is for what tests and people do.
func accountSQL(user, password string) string {
	return fmt.Sprintf(`SET SESSION sql_log_bin = 0;
CREATE OR REPLACE USER '%[1]s'@'%[2]s' IDENTIFIED BY '%[3]s';
GRANT ALL ON *.* TO '%[1]s'@'%[2]s' WITH GRANT OPTION;
DROP USER IF EXISTS 'root'@'127.0.0.1', 'root'@'::1';
`, user, loopback, password)
}
