package preflight

import (
	"context"
	"strings"

	"banyan.dev/banyan/adapters/binlog/relations"
)

// checkForeignKeys is about children that change without a trace in the binlog, which MySQL 9.6 and later don't have.
func (c *check) checkForeignKeys(ctx context.Context) error {
	found, err := relations.Read(ctx, c.q.conn)
	if err != nil {
		return err
	}
	var told, lost, mend, mendLost []string
	for _, fk := range found {
		parent, child := c.inScope(fk.Parent.Schema, fk.Parent.Table), c.inScope(fk.Child.Schema, fk.Child.Table)
		if !parent && !child {
			continue
		}
		var rules, restricts []string
		for _, rule := range []struct{ on, action string }{{"DELETE", fk.OnDelete}, {"UPDATE", fk.OnUpdate}} {
			if rule.action != "" {
				rules, restricts = append(rules, "ON "+rule.on+" "+rule.action), append(restricts, "ON "+rule.on+" RESTRICT")
			}
		}
		text := qualified(fk.Parent.Schema, fk.Parent.Table) + " → " + qualified(fk.Child.Schema, fk.Child.Table) + " " + strings.Join(rules, " ")
		alter := "ALTER TABLE " + qualified(fk.Child.Schema, fk.Child.Table) + " DROP FOREIGN KEY " + bare(fk.Name) + ", ADD FOREIGN KEY (" + columns(fk.Columns) +
			") REFERENCES " + qualified(fk.Parent.Schema, fk.Parent.Table) + " (" + columns(fk.Parents) + ") " + strings.Join(restricts, " ") + ";"
		if parent {
			told, mend = append(told, text), append(mend, alter)
		} else {
			lost, mendLost = append(lost, text), append(mendLost, "-- take "+qualified(fk.Parent.Schema, fk.Parent.Table)+" into the scope, or: "+alter)
		}
	}
	if len(told) > 0 {
		c.add(Warning, Cascades, count(len(told), "foreign key")+" with actions ("+list(told, c.options.MaxNames)+"): children change without a trace in the binlog, and consumers get a cascade event of the parent, not each child's row",
			"-- let consumers handle cascade events, or let the application change the children itself:\n"+lines(mend, c.options.MaxNames))
	}
	if len(lost) > 0 {
		c.add(Error, CascadesOutside, count(len(lost), "foreign key")+" with actions from a parent out of scope ("+list(lost, c.options.MaxNames)+"): what they change in scope would be lost, as the binlog has the parent only",
			lines(mendLost, c.options.MaxNames))
	}
	return nil
}

func columns(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = bare(n)
	}
	return strings.Join(quoted, ", ")
}
