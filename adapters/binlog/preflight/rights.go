package preflight

import (
	"context"
	"slices"
	"strings"
)

// Right is what an account may do on a table; Table is empty for all of a schema, Schema for the whole server.
type Right struct {
	Schema, Table string
	Privileges    []string
}

// Needs gives the rights without which the mirror can't read the log of a server, and see the schemas in its scope; and
// those by which the preflight sees more. Both are checked here.
func Needs(mariadb bool, schemas []string) (must, may []Right) {
	must = append(must, Right{Privileges: []string{replicate, monitor(mariadb)}})
	sees := []string{"SELECT"}
	if mariadb {
		sees = append(sees, references)
	}
	for _, name := range schemas {
		must = append(must, Right{Schema: name, Privileges: sees})
		may = append(may, Right{Schema: name, Privileges: []string{"TRIGGER"}})
	}
	if mariadb {
		return must, append(may, Right{Privileges: []string{"SLAVE MONITOR"}}, Right{Schema: "mysql", Privileges: []string{"SELECT"}})
	}
	return must, append(may, Right{Privileges: []string{"XA_RECOVER_ADMIN"}},
		Right{Schema: "mysql", Privileges: []string{"SELECT"}}, Right{Schema: "performance_schema", Privileges: []string{"SELECT"}})
}

// replicate is the privilege to read the log, references that by which MariaDB shows foreign keys.
const replicate, references = "REPLICATION SLAVE", "REFERENCES"

// monitor is the privilege to see where the log is.
func monitor(mariadb bool) string {
	if mariadb {
		return "BINLOG MONITOR"
	}
	return "REPLICATION CLIENT"
}

// showRights are those of which MariaDB asks for one before it shows a table's foreign keys.
var showRights = []string{"REFERENCES", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "INDEX", "ALTER", "CREATE VIEW", "SHOW VIEW", "TRIGGER"}

func (c *check) checkRights(context.Context) error {
	s := c.server
	var lacks []string
	if !s.grants.global(replicate) {
		lacks = append(lacks, replicate)
	}
	if s.logUnseen {
		lacks = append(lacks, monitor(s.mariadb))
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
		c.add(Error, RightsReferences, c.server.account+" has no right but SELECT on "+list(unseen, c.options.MaxNames)+": MariaDB then hides foreign keys, so what they delete and update would be lost without a cascade event", c.grantOn(unseen, references))
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
	g := &c.server.grants
	var what, mend []string
	for _, right := range c.options.Ledger {
		var lacks []string
		for _, privilege := range right.Privileges {
			if right.Table == "" && !g.schema(right.Schema, privilege) || right.Table != "" && !g.table(right.Schema, right.Table, privilege, c.server.sameName) {
				lacks = append(lacks, privilege)
			}
		}
		if len(lacks) == 0 {
			continue
		}
		object := onSchema(right.Schema)
		if right.Table == "" {
			what = append(what, strings.Join(lacks, ", ")+" on "+right.Schema)
		} else {
			object = quote(right.Schema) + "." + quote(right.Table)
			what = append(what, strings.Join(lacks, ", ")+" on "+qualified(right.Schema, right.Table))
		}
		mend = append(mend, "GRANT "+strings.Join(lacks, ", ")+" ON "+object+" TO "+c.server.account+";")
	}
	if len(what) > 0 {
		c.add(Error, RightsLedger, c.server.account+" lacks "+list(what, c.options.MaxNames)+", where Banyan keeps positions, heartbeats, writer marks and flags",
			"-- or run what `banyan grants` prints:\n"+lines(mend, c.options.MaxNames))
	}
}
