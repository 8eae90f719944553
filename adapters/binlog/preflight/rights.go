package preflight

import (
	"context"
	"slices"
	"strings"
)

// ledgerRights are those that the store needs for its tables.
var ledgerRights = []string{"SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP", "INDEX", "REFERENCES"}

// showRights are those of which MariaDB asks for one before it shows a table's foreign keys.
var showRights = []string{"REFERENCES", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "INDEX", "ALTER", "CREATE VIEW", "SHOW VIEW", "TRIGGER"}

func (c *check) checkRights(context.Context) error {
	s := c.server
	monitor := "REPLICATION CLIENT"
	if s.mariadb {
		monitor = "BINLOG MONITOR"
	}
	var lacks []string
	if !s.grants.global("REPLICATION SLAVE") {
		lacks = append(lacks, "REPLICATION SLAVE")
	}
	if s.logUnseen {
		lacks = append(lacks, monitor)
	}
	if len(lacks) > 0 {
		c.add(Error, RightsReplication, s.account+" lacks "+strings.Join(lacks, " and ")+", without which it can't read the binlog",
			"GRANT "+strings.Join(lacks, ", ")+" ON *.* TO "+s.account+";")
	}
	c.checkSchemaRights()
	c.checkLedgerRights()
	return nil
}

// schemas gives those that are looked at: those asked for, else those that have tables in scope.
func (c *check) schemas() []string {
	if len(c.options.Schemas) > 0 {
		return c.options.Schemas
	}
	var all []string
	for _, t := range c.tables {
		if !slices.Contains(all, t.schema) {
			all = append(all, t.schema)
		}
	}
	return all
}

func (c *check) checkSchemaRights() {
	g := &c.server.grants
	var unread, unseen, untold []string
	for _, name := range c.schemas() {
		if !g.schema(name, "SELECT") {
			unread = append(unread, name)
		}
		if c.server.mariadb && !slices.ContainsFunc(showRights, func(right string) bool { return g.schema(name, right) }) {
			unseen = append(unseen, name)
		}
		if !g.schema(name, "TRIGGER") {
			untold = append(untold, name)
		}
	}
	if len(unread) > 0 {
		c.add(Error, RightsSelect, c.server.account+" lacks SELECT on "+list(unread, c.options.MaxNames)+": tables that it can't see are mirrored unchecked, and can't be read again", c.grantOn(unread, "SELECT"))
	}
	if len(unseen) > 0 {
		c.add(Error, RightsReferences, c.server.account+" has no right but SELECT on "+list(unseen, c.options.MaxNames)+": MariaDB then hides foreign keys, so what they delete and update would be lost without a cascade event", c.grantOn(unseen, "REFERENCES"))
	}
	if len(untold) > 0 {
		c.add(Note, RightsTriggers, c.server.account+" lacks TRIGGER on "+list(untold, c.options.MaxNames)+": which triggers there are can't be seen", c.grantOn(untold, "TRIGGER"))
	}
}

// grantOn gives the statements that grant rights on schemas.
func (c *check) grantOn(schemas []string, rights ...string) string {
	var all []string
	for _, name := range schemas {
		all = append(all, "GRANT "+strings.Join(rights, ", ")+" ON "+onSchema(name)+" TO "+c.server.account+";")
	}
	return lines(all, c.options.MaxNames)
}

func (c *check) checkLedgerRights() {
	if c.options.Schema == "" {
		return
	}
	var lacks []string
	for _, right := range ledgerRights {
		if !c.server.grants.schema(c.options.Schema, right) {
			lacks = append(lacks, right)
		}
	}
	if len(lacks) > 0 {
		c.add(Error, RightsLedger, c.server.account+" lacks "+strings.Join(lacks, ", ")+" on "+c.options.Schema+", where the mirror keeps its position, heartbeat and writer marks", c.grantOn([]string{c.options.Schema}, lacks...))
	}
}
