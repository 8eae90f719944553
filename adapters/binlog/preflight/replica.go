package preflight

import (
	"cmp"
	"context"
	"strings"
)

// checkReplica is about changes that come from another server. MariaDB can have several sources.
func (c *check) checkReplica(ctx context.Context) error {
	s := c.server
	statement, right := "SHOW REPLICA STATUS", "REPLICATION CLIENT"
	if s.mariadb {
		statement, right = "SHOW ALL SLAVES STATUS", "SLAVE MONITOR"
	}
	sources, err := c.q.all(ctx, "whether the server is a replica", statement)
	if isSyntax(err) {
		sources, err = c.q.all(ctx, "whether the server is a replica", "SHOW SLAVE STATUS") // MySQL before 8.0.22.
	}
	if denied(err) {
		c.add(Note, Replica, "whether the server is a replica of another can't be seen by "+s.account, "GRANT "+right+" ON *.* TO "+s.account+";")
		return nil
	}
	if err != nil {
		return err
	}
	if len(sources) == 0 {
		return nil
	}
	var hosts, filters []string
	for _, r := range sources {
		hosts = append(hosts, cmp.Or(r["source_host"], r["master_host"], "an unnamed host"))
		for _, filter := range []string{
			"replicate_do_db", "replicate_ignore_db", "replicate_do_table", "replicate_ignore_table",
			"replicate_wild_do_table", "replicate_wild_ignore_table",
		} {
			if r[filter] != "" {
				filters = append(filters, filter+" = "+r[filter])
			}
		}
	}
	what := "the server is a replica of " + list(hosts, c.options.MaxNames)
	if !s.on("log_replica_updates") && !s.on("log_slave_updates") {
		variable := "log_replica_updates"
		if !s.has(variable) {
			variable = "log_slave_updates"
		}
		c.add(Error, Replica, what+", and "+variable+" is OFF: changes that come from there are not in its binlog", s.configure(variable+" = ON")+"\n-- and restart it")
		return nil
	}
	what += ": changes arrive late, with its lag, and writes of the ledger are made on a replica"
	if len(filters) > 0 {
		what += "; " + list(filters, c.options.MaxNames) + " keep changes from it"
	}
	c.add(Warning, Replica, what, "-- let legacy.dsn name the source, "+strings.Join(hosts, ", "))
	return nil
}
