package legacy

import (
	"cmp"
	"context"
	"database/sql/driver"
	"slices"
	"strings"

	"banyan.dev/banyan/internal/fault"
	"banyan.dev/banyan/legacy/pool"
)

// foreignKey is one that changes the rows of its table when the parent's row is deleted or gets another key.
type foreignKey struct {
	name             string
	schema, parent   string   // the parent's
	columns, parents []string // the child's and the parent's, in the same order, in lower case
	rules            []string // such as ON DELETE CASCADE
}

// loadForeignKeys reads the foreign keys whose changes the log does not have, by the child's table: all that change anything,
// but where MySQL (from 9.6 on) carries them out above the engine.
func (s *schema) loadForeignKeys(ctx context.Context, conn *pool.Conn, in string, args []driver.Value) error {
	native := true
	err := scan(ctx, conn, "SHOW GLOBAL VARIABLES LIKE 'innodb_native_foreign_keys'", nil, func(row []driver.Value) {
		native = !strings.EqualFold(text(row[1]), "OFF")
	})
	if err != nil || !native {
		return err
	}
	const acts = "('CASCADE', 'SET NULL', 'SET DEFAULT')"
	return scan(ctx, conn, "SELECT k.table_schema, k.table_name, k.constraint_name, k.column_name, k.referenced_table_schema, k.referenced_table_name, k.referenced_column_name,"+
		" r.delete_rule, r.update_rule FROM information_schema.key_column_usage k JOIN information_schema.referential_constraints r"+
		" ON r.constraint_schema = k.constraint_schema AND r.constraint_name = k.constraint_name AND r.table_name = k.table_name"+
		" WHERE k.table_schema IN ("+in+") AND (r.delete_rule IN "+acts+" OR r.update_rule IN "+acts+")"+
		" ORDER BY k.table_schema, k.table_name, k.constraint_name, k.ordinal_position", args, func(row []driver.Value) {
		t := s.tables[strings.ToLower(text(row[0])+"."+text(row[1]))]
		if t == nil {
			return
		}
		name := text(row[2])
		if n := len(t.keys); n == 0 || t.keys[n-1].name != name {
			key := foreignKey{name: name, schema: text(row[4]), parent: text(row[5])}
			for i, when := range []string{"ON DELETE ", "ON UPDATE "} {
				if rule := text(row[7+i]); strings.Contains(acts, "'"+rule+"'") {
					key.rules = append(key.rules, when+rule)
				}
			}
			t.keys = append(t.keys, key)
		}
		key := &t.keys[len(t.keys)-1]
		key.columns = append(key.columns, strings.ToLower(text(row[3])))
		key.parents = append(key.parents, strings.ToLower(text(row[6])))
	})
}

// cascades reports foreign keys that change rows of an entity where nobody sees it. Those are seen whose parent is part of the
// same entity, and names it by the column that the key refers to: its own change tells. So are those by which rows are part of
// it in the first place: the parent's row is part of the same entity as its children, by whatever way that is told.
func (e *Event) cascades(s *schema, faults *fault.List) {
	for _, child := range e.Tables {
		t := s.table(child.Schema, child.Table)
		if t == nil {
			continue
		}
		for _, key := range t.keys {
			seen := func(n int, parent EventTable) bool {
				if !strings.EqualFold(parent.Table, key.parent) || !strings.EqualFold(cmp.Or(parent.Schema, s.current), key.schema) {
					return false
				}
				i := slices.Index(key.columns, strings.ToLower(child.Column))
				if i < 0 {
					return false
				}
				if child.By != nil {
					return child.By.Table == n && key.parents[i] == strings.ToLower(child.By.Column)
				}
				return parent.By == nil && key.parents[i] == strings.ToLower(parent.Column)
			}
			told := false
			for n, parent := range e.Tables {
				told = told || seen(n, parent)
			}
			if told {
				continue
			}
			faults.Add(child.pos, "make it restrict (ALTER TABLE "+child.Table+" DROP FOREIGN KEY "+key.name+", ADD FOREIGN KEY … ON DELETE RESTRICT ON UPDATE RESTRICT), and change the rows themselves instead",
				"the foreign key %s changes rows of %s by %s when a row of %s changes, and the log has nothing of it: the services of %s would not be told",
				key.name, child.Table, strings.Join(key.rules, ", "), key.parent, e.Entity.Name())
		}
	}
}
