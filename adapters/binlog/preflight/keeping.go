package preflight

import (
	"fmt"
	"strings"
	"time"
)

// checkRetention is about how long the log is kept: an outage of the mirror that is longer loses changes, loudly.
func (c *check) checkRetention() {
	s := c.server
	kept := time.Duration(s.number("binlog_expire_logs_seconds") * float64(time.Second))
	if days := time.Duration(s.number("expire_logs_days") * 24 * float64(time.Hour)); kept == 0 {
		kept = days
	}
	automatic := !s.has("binlog_expire_logs_auto_purge") || s.on("binlog_expire_logs_auto_purge")
	variable, unit := "binlog_expire_logs_seconds", time.Second
	if !s.has(variable) {
		variable, unit = "expire_logs_days", 24*time.Hour
	}
	mend := s.set(variable, fmt.Sprint(int64((c.options.Retention+unit-1)/unit)))
	switch {
	case kept == 0 || !automatic:
		c.add(Note, Retention, "the server never removes old binlogs by itself: nothing is lost to the mirror, but the disk fills up unless somebody else removes them", s.set(variable, fmt.Sprint(int64(30*24*time.Hour/unit))))
	case kept < c.options.Retention:
		c.add(Warning, Retention, fmt.Sprintf("binlogs are kept for %s: when the mirror stands for longer, changes are lost; %s is the least that is asked for", kept, c.options.Retention), mend)
	}
	for _, variable := range []string{"max_binlog_total_size", "binlog_space_limit"} {
		if v := s.number(variable); v > 0 {
			c.add(Warning, Retention, fmt.Sprintf("%s is %.0f: binlogs are removed by size, however little of them the mirror has read", variable, v), s.set(variable, "0"))
		}
	}
}

// checkLogExtras is about settings of the log that cost something, or would give more.
func (c *check) checkLogExtras() {
	s := c.server
	if s.on("binlog_transaction_compression") {
		c.add(Warning, Compression, "binlog_transaction_compression is ON: a transaction is one compressed event, which has to be held in memory as a whole to be read", s.set("binlog_transaction_compression", "OFF"))
	}
	if v := s.variables["binlog_checksum"]; strings.EqualFold(v, "NONE") {
		c.add(Warning, Checksum, "binlog_checksum is NONE: a damaged log is read as if it were sound", s.set("binlog_checksum", "'CRC32'"))
	}
	if s.on("binlog_alter_two_phase") {
		c.add(Note, TwoPhaseAlter, "binlog_alter_two_phase is ON: an ALTER TABLE is logged when it starts and when it ends, of which the end alone is an event, and none where it failed", "-- nothing has to be done")
	}
	for _, variable := range []string{"binlog_rows_query_log_events", "binlog_annotate_row_events"} {
		if s.has(variable) && !s.on(variable) {
			c.add(Note, StatementText, variable+" is OFF: the log has no statements' texts, which would help to find out who makes foreign writes", s.set(variable, "ON"))
		}
	}
	if v := s.variables["lower_case_table_names"]; v != "0" && v != "" {
		c.add(Note, NameCase, "lower_case_table_names is "+v+": the names of schemas and tables are in lower case in the log, and so in events and their routing keys, however the scope has them", "-- let consumers bind their queues to names in lower case")
	}
}

// checkNode is about this server among others.
func (c *check) checkNode() {
	s := c.server
	if s.variables["server_id"] == "0" {
		c.add(Error, ServerID, "server_id is 0: the server refuses those who want to read its binlog", s.set("server_id", "1"))
	}
	c.checkReadOnly()
	if s.on("wsrep_on") && !s.on("wsrep_gtid_mode") {
		c.add(Warning, Cluster, "the server is a node of a Galera cluster with wsrep_gtid_mode OFF: each node has GTIDs of its own, so the mirror can't go on on another node",
			s.configure("wsrep_gtid_mode = ON", "log_slave_updates = ON"))
	}
}

// checkReadOnly is about the ledger, which has to be written. Some accounts may write in spite of read_only, none in spite
// of super_read_only.
func (c *check) checkReadOnly() {
	s := c.server
	for _, variable := range []string{"super_read_only", "read_only"} {
		v := s.variables[variable]
		if !s.has(variable) || v == "OFF" || v == "0" || c.options.Schema == "" {
			continue
		}
		mend := s.set(variable, "OFF") + "\n-- or name the server that takes writes"
		if variable == "read_only" && (s.grants.global("SUPER") || s.grants.global("CONNECTION_ADMIN") || s.grants.global("READ_ONLY ADMIN")) {
			c.add(Warning, ReadOnly, fmt.Sprintf("read_only is %s: the ledger %s is written all the same, since %s may, where nobody expects writes", v, c.options.Schema, s.account), mend)
		} else {
			c.add(Error, ReadOnly, fmt.Sprintf("%s is %s: the ledger %s, with the mirror's position and heartbeat, can't be written here", variable, v, c.options.Schema), mend)
		}
		return
	}
}
