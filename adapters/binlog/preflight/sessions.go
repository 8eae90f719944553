package preflight

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// checkSessions looks for sessions that evade the global settings. Only MySQL shows other sessions' variables.
func (c *check) checkSessions(ctx context.Context) error {
	s := c.server
	if s.mariadb {
		c.add(Note, SessionsUnseen, "MariaDB shows no session's variables to others: whether one writes with sql_log_bin = 0, or logs statements, can't be seen", "-- see who has the right to do so, under session-rights")
		return nil
	}
	if !s.on("performance_schema") {
		c.add(Note, SessionsUnseen, "performance_schema is OFF: whether a session writes with sql_log_bin = 0, or logs statements, can't be seen", s.configure("performance_schema = ON")+"\n-- and restart it")
		return nil
	}
	rows, err := c.q.all(ctx, "the sessions' variables", `SELECT t.processlist_id AS id, CONCAT(t.processlist_user, '@', IFNULL(t.processlist_host, '')) AS who,
 v.variable_name AS name, v.variable_value AS value
FROM performance_schema.variables_by_thread v JOIN performance_schema.threads t USING (thread_id)
WHERE t.processlist_id <> CONNECTION_ID() AND t.processlist_user IS NOT NULL
 AND (v.variable_name = 'sql_log_bin' AND v.variable_value = 'OFF' OR v.variable_name = 'binlog_format' AND v.variable_value <> 'ROW'
 OR v.variable_name = 'binlog_row_image' AND v.variable_value <> 'FULL' OR v.variable_name = 'binlog_row_value_options' AND v.variable_value <> '')
ORDER BY t.processlist_id, v.variable_name`)
	if denied(err) {
		c.add(Note, SessionsUnseen, s.account+" lacks SELECT on performance_schema: whether a session writes with sql_log_bin = 0, or logs statements, can't be seen",
			"GRANT SELECT ON performance_schema.* TO "+s.account+";")
		return nil
	}
	if err != nil {
		return err
	}
	var names, mend []string
	for _, r := range rows {
		names = append(names, fmt.Sprintf("%s (connection %s): %s = %q", r["who"], r["id"], r["name"], r["value"]))
		if kill := "KILL " + r["id"] + ";"; len(mend) == 0 || mend[len(mend)-1] != kill {
			mend = append(mend, kill)
		}
	}
	if len(names) > 0 {
		c.add(Error, Sessions, "sessions have settings of their own by which their changes are missing from the log, or are there without all columns: "+list(names, c.options.MaxNames), lines(mend, c.options.MaxNames))
	}
	return nil
}

// checkXA is about prepared transactions, which nobody has decided on.
func (c *check) checkXA(ctx context.Context) error {
	s, statement := c.server, "XA RECOVER CONVERT XID"
	if s.mariadb {
		statement = "XA RECOVER FORMAT = 'SQL'"
	}
	rows, err := c.q.all(ctx, "prepared transactions", statement)
	if denied(err) {
		c.add(Note, PreparedXA, "whether XA transactions are prepared and undecided can't be seen by "+s.account, "GRANT XA_RECOVER_ADMIN ON *.* TO "+s.account+";")
		return nil
	}
	if err != nil {
		return err
	}
	var ids, mend []string
	for _, r := range rows {
		id := r["data"]
		if !s.mariadb {
			if id, err = xid(r); err != nil {
				return err
			}
		}
		ids, mend = append(ids, id), append(mend, "XA COMMIT "+id+"; -- or: XA ROLLBACK "+id+";")
	}
	if len(ids) > 0 {
		c.add(Warning, PreparedXA, count(len(ids), "XA transaction")+" prepared and undecided ("+list(ids, c.options.MaxNames)+"): the mirror's position can't go further than where the first of them begins, and after a restart all behind it is sent again; if it is old, the binlog may be removed meanwhile",
			lines(mend, c.options.MaxNames))
	}
	return nil
}

// xid writes MySQL's form, one number of both parts, as XA COMMIT wants it.
func xid(r row) (string, error) {
	data, err := hex.DecodeString(strings.TrimPrefix(r["data"], "0x"))
	if err != nil {
		return "", fmt.Errorf("read the id %s of a prepared transaction: %w", r["data"], err)
	}
	n, err := strconv.Atoi(r["gtrid_length"])
	if err != nil || n < 0 || n > len(data) {
		return "", fmt.Errorf("the id %s of a prepared transaction has no first part of %s bytes", r["data"], r["gtrid_length"])
	}
	return fmt.Sprintf("X'%x',X'%x',%s", data[:n], data[n:], r["formatid"]), nil
}
