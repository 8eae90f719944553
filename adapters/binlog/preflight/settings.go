package preflight

import (
	"fmt"
	"slices"
	"strings"
)

// checkVersion tells whether the rest can be looked at.
func (c *check) checkVersion() bool {
	s := c.server
	supported := s.atLeast(8, 0)
	if s.mariadb {
		supported = s.atLeast(10, 5)
	}
	if strings.Contains(s.version, "TiDB") {
		supported = false
	}
	if !supported {
		c.add(Error, Version, fmt.Sprintf("the server is %s %s; the mirror reads MySQL 8.0 and MariaDB 10.5 and later", s.product(), s.version),
			"-- upgrade the server, or give the mirror a replica of it that is newer")
	}
	return supported
}

// checkSettings looks at the server's variables.
func (c *check) checkSettings() {
	if !c.server.on("log_bin") {
		c.add(Error, LogOff, "the server writes no binlog (log_bin is OFF), so there are no changes to read",
			c.server.configure("log_bin = binlog", "server_id = 1", "binlog_format = ROW", "binlog_row_image = FULL", "binlog_row_metadata = FULL")+
				"\n-- and restart it")
	}
	c.checkLogForm()
	c.checkLogFilters()
	c.checkGTIDs()
	c.checkDurability()
	c.checkRetention()
	c.checkLogExtras()
	c.checkNode()
}

// checkLogForm is about what the log has of a change.
func (c *check) checkLogForm() {
	s := c.server
	keep := "\n-- sessions that are open keep theirs: restart what is connected"
	if v := s.variables["binlog_format"]; s.has("binlog_format") && v != "ROW" {
		c.add(Error, LogFormat, "binlog_format is "+v+": statements are logged as text, so nobody can tell which rows they changed",
			s.set("binlog_format", "'ROW'")+keep)
	}
	if v := s.variables["binlog_row_image"]; s.has("binlog_row_image") && v != "FULL" {
		c.add(Error, RowImage, "binlog_row_image is "+v+": columns are missing from the log, so events would have no values for them",
			s.set("binlog_row_image", "'FULL'")+keep)
	}
	if v := s.variables["binlog_row_metadata"]; s.has("binlog_row_metadata") && v != "FULL" {
		c.add(Error, RowMetadata, "binlog_row_metadata is "+v+": the log lacks the columns' names, signs and keys", s.set("binlog_row_metadata", "'FULL'"))
	}
	if v := s.variables["binlog_row_value_options"]; v != "" {
		c.add(Error, PartialJSON, "binlog_row_value_options is "+v+": updates of JSON columns are logged as differences, so events would lack the new value",
			s.set("binlog_row_value_options", "''")+keep)
	}
	if v := s.variables["binlog_storage_engine"]; v != "" {
		c.add(Error, LogEngine, "binlog_storage_engine is "+v+": the binlog is kept in the engine, in files that the mirror can't tell positions in",
			"-- take this line out of the server's configuration, and restart it:\nbinlog_storage_engine = "+v)
	}
	if v := s.variables["binlog_error_action"]; s.has("binlog_error_action") && v != "ABORT_SERVER" {
		c.add(Error, LogErrors, "binlog_error_action is "+v+": when the binlog can't be written, such as when the disk is full, the server goes on without it, and all later changes are lost",
			s.set("binlog_error_action", "'ABORT_SERVER'"))
	}
}

// checkLogFilters is about schemas that the log leaves out. Rows are filtered by their own schema, DDL by the session's.
func (c *check) checkLogFilters() {
	only, without := commaList(c.server.log["binlog_do_db"]), commaList(c.server.log["binlog_ignore_db"])
	if len(only)+len(without) == 0 {
		return
	}
	var filters, mend []string
	for _, name := range only {
		filters, mend = append(filters, "binlog_do_db = "+name), append(mend, "binlog_do_db = "+name)
	}
	for _, name := range without {
		filters, mend = append(filters, "binlog_ignore_db = "+name), append(mend, "binlog_ignore_db = "+name)
	}
	what := "the binlog is filtered (" + list(filters, c.options.MaxNames) + "): "
	severity := Warning
	var left []string
	for _, name := range append(slices.Clone(c.options.Schemas), c.options.Schema) {
		same := func(other string) bool { return c.server.sameName(other, name) }
		if name != "" && (len(only) > 0 && !slices.ContainsFunc(only, same) || slices.ContainsFunc(without, same)) {
			left = append(left, name)
		}
	}
	switch {
	case len(left) > 0:
		severity, what = Error, what+"changes in "+list(left, c.options.MaxNames)+" are left out"
	case len(c.options.Schemas) == 0:
		severity, what = Error, what+"whole schemas are left out"
	default:
		what += "nothing in scope is left out, save DDL from sessions whose default schema is another"
	}
	c.add(severity, LogFilters, what, "-- take these lines out of the server's configuration, and restart it:\n"+lines(mend, c.options.MaxNames))
}

func (c *check) checkGTIDs() {
	s := c.server
	if s.mariadb {
		if !s.on("gtid_strict_mode") {
			c.add(Warning, GTIDStrict, "gtid_strict_mode is OFF: transactions with ids out of order can be written to the log, after which the mirror can't go on on another server", s.set("gtid_strict_mode", "ON"))
		}
		if domains := domainsOf(s.variables["gtid_binlog_pos"]); len(domains) > 1 {
			c.add(Warning, GTIDDomains, "the log has transactions of several GTID domains ("+list(domains, c.options.MaxNames)+"): their order differs from server to server, so after a failover changes of one row may come in another order, should two domains change it",
				"-- let all writers use one domain, see gtid_domain_id; then, when the old logs are gone:\nFLUSH BINARY LOGS DELETE_DOMAIN_ID = ("+strings.Join(domains[1:], ", ")+");")
		}
		return
	}
	if v := s.variables["gtid_mode"]; v != "ON" {
		steps := []string{
			"SET PERSIST enforce_gtid_consistency = WARN;", "-- run the application until the error log has no more warnings about GTIDs, then",
			"SET PERSIST enforce_gtid_consistency = ON;", "SET PERSIST gtid_mode = OFF_PERMISSIVE;", "SET PERSIST gtid_mode = ON_PERMISSIVE;",
			"-- wait until this is 0:", "SHOW STATUS LIKE 'Ongoing_anonymous_transaction_count';", "SET PERSIST gtid_mode = ON;",
		}
		c.add(Error, GTIDMode, "gtid_mode is "+v+": transactions have no ids, so events have none that repeat exactly", strings.Join(steps, "\n"))
	} else if v := s.variables["enforce_gtid_consistency"]; v != "ON" {
		c.add(Error, GTIDMode, "enforce_gtid_consistency is "+v, s.set("enforce_gtid_consistency", "ON"))
	}
}

// domainsOf gives the domains in a MariaDB position such as 0-1-42,7-1-3.
func domainsOf(position string) []string {
	var all []string
	for _, gtid := range commaList(position) {
		domain, _, _ := strings.Cut(gtid, "-")
		if !slices.Contains(all, domain) {
			all = append(all, domain)
		}
	}
	return all
}

func commaList(text string) []string {
	var all []string
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			all = append(all, part)
		}
	}
	return all
}

// checkDurability is about what a power cut leaves of what was committed.
func (c *check) checkDurability() {
	s := c.server
	var what, mend []string
	for _, variable := range []string{"sync_binlog", "innodb_flush_log_at_trx_commit"} {
		if v := s.variables[variable]; s.has(variable) && v != "1" {
			what, mend = append(what, variable+" is "+v), append(mend, s.set(variable, "1"))
		}
	}
	if len(what) > 0 {
		c.add(Warning, Durability, strings.Join(what, " and ")+": after a power cut the tables may have changes that the log lacks, or events may tell of changes that the tables lost", strings.Join(mend, "\n"))
	}
}
