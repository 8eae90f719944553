package legacy

import (
	"context"
	"fmt"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/internal/fault"
	"banyan.dev/banyan/legacy/pool"
	"banyan.dev/banyan/legacy/value"
)

// VerifyEvents is Verify for a process that only reads entities for services: it looks at their events, and at the operations
// that read them. An account needs no more rights for it than that reading does.
func (p *Program) VerifyEvents(ctx context.Context, conns *pool.Pool, entities []protoreflect.FullName) (fault.List, error) {
	events := p.eventsOf(entities)
	return p.verify(ctx, conns, p.reading(events), events)
}

// check holds an event against the live schema.
func (e *Event) check(s *schema, faults *fault.List) {
	entity := string(e.Entity.Name())
	e.cascades(s, faults)
	for i, named := range e.Tables {
		t := s.table(named.Schema, named.Table)
		if t == nil {
			faults.Add(named.pos, "name a table that is there", "there is no table %s", named.name())
			continue
		}
		switch {
		case t.engine == "":
			faults.Add(named.pos, "name the tables below it, each with its column", "%s is a view: the log has no rows of it", named.Table)
		case !t.transactional:
			faults.Add(named.pos, "convert it: ALTER TABLE "+named.Table+" ENGINE=InnoDB", "%s has no transactions, so that its changes can't be told apart from others': an entity's tables need them", named.Table)
		}
		column, ok := t.columns[strings.ToLower(named.Column)]
		if !ok {
			faults.Add(named.pos, "name the column that has the id of a "+entity, "the table %s has no column %s", named.Table, named.Column)
			continue
		}
		if named.By != nil {
			e.leads(s, &e.Tables[i], faults)
			continue
		}
		if fix := e.unfit(column); fix != "" {
			faults.Add(named.pos, fix, "%s.%s is %s, and %s is of type %s: its values can't be told to be ids", named.Table, named.Column, column.Type, e.ID.Name(), e.ID.Kind())
			continue
		}
		if i == 0 {
			if fix := e.narrow(column); fix != "" {
				faults.Add(named.pos, fix, "%s.%s is %s, and %s is of type %s: some of its values are no ids", named.Table, named.Column, column.Type, e.ID.Name(), e.ID.Kind())
			}
		}
		e.spells(s, i, faults)
		if i == 0 && t.engine != "" && !t.unique(strings.ToLower(named.Column)) {
			faults.Add(named.pos, "name the table that has one row for each "+entity+", by its key", "%s.%s is no unique key: several rows could be one %s", named.Table, named.Column, entity)
		}
	}
}

// spells looks whether a table's ids, which are fit to be ids, are texts: those that the server takes for equal are one id, as the
// first table spells it.
func (e *Event) spells(s *schema, i int, faults *fault.List) {
	named, root := &e.Tables[i], &e.Tables[0]
	t, first := s.table(named.Schema, named.Table), s.table(root.Schema, root.Table)
	if first == nil {
		return // which is a fault already
	}
	name, key := strings.ToLower(named.Column), strings.ToLower(root.Column)
	a, b := t.columns[name], first.columns[key]
	named.loose = false
	switch {
	case i == 0 && whole(a):
		e.spelling = nil
	case i == 0:
		e.spelling = &EventBy{Table: 0, Column: root.Column, kind: byText, pos: root.pos}
	case whole(a):
	case comparable(a, b, t.collations[name], first.collations[key]):
		named.loose = true
	default:
		faults.Warn(named.pos, "make the two the same: texts of one collation", "%s.%s is %s, and %s.%s is %s: where a row spells an id in another way than the %s itself, the services are told of two",
			named.Table, named.Column, described(a, t.collations[name]), root.Table, root.Column, described(b, first.collations[key]), e.Entity.Name())
	}
}

// leads holds a table whose rows are part of an entity by way of another table's against the live schema. The tables are checked,
// and the table has the column.
func (e *Event) leads(s *schema, from *EventTable, faults *fault.List) {
	by := from.By
	to := &e.Tables[by.Table]
	t, other := s.table(from.Schema, from.Table), s.table(to.Schema, to.Table)
	if other == nil {
		return // which is a fault already
	}
	name, key := strings.ToLower(from.Column), strings.ToLower(by.Column)
	b, ok := other.columns[key]
	switch {
	case !ok:
		faults.Add(by.pos, "name its column that "+from.Table+"."+from.Column+" refers to", "the table %s has no column %s", to.Table, by.Column)
	case !other.unique(key):
		faults.Add(by.pos, "make it one: ALTER TABLE "+to.name()+" MODIFY "+by.Column+" … NOT NULL, ADD UNIQUE KEY ("+by.Column+")",
			"%s.%s is no unique key without NULL: a row of %s could be part of several %s, and finding them would read all of %s", to.Table, by.Column, from.Table, e.Entity.Name(), to.Table)
	default:
		a := t.columns[name]
		by.kind = kindOf(b)
		if !comparable(a, b, t.collations[name], other.collations[key]) {
			faults.Add(by.pos, "make the two the same: whole numbers, texts of one collation, or BINARY of one length", "%s.%s is %s, and %s.%s is %s: their values can't be compared by the key's index",
				from.Table, from.Column, described(a, t.collations[name]), to.Table, by.Column, described(b, other.collations[key]))
		}
	}
}

// comparable says whether the server looks values of one column up in the key of another, and finds those that are the same.
func comparable(a, b value.Column, collationA, collationB string) bool {
	switch {
	case whole(a) || whole(b):
		return whole(a) && whole(b)
	case a.Type == "BINARY" || b.Type == "BINARY": // which pads with zeros
		return a.Type == b.Type && a.Length == b.Length
	case a.Type == "VARBINARY":
		return a.Type == b.Type
	default:
		worded := func(c value.Column) bool { return c.Type == "CHAR" || c.Type == "VARCHAR" || c.Type == "TEXT" }
		return worded(a) && worded(b) && collationA == collationB
	}
}

// kindOf says what values of a key column are.
func kindOf(c value.Column) byKind {
	switch {
	case whole(c):
		return byNumber
	case c.Type == "BINARY" || c.Type == "VARBINARY":
		return byBytes
	default:
		return byText
	}
}

// whole says whether a column has whole numbers.
func whole(c value.Column) bool {
	switch strings.TrimPrefix(c.Type, "UNSIGNED ") {
	case "TINYINT", "SMALLINT", "MEDIUMINT", "INT", "BIGINT":
		return true
	}
	return c.Type == "DECIMAL" && c.Scale == 0
}

func described(c value.Column, collation string) string {
	switch {
	case collation != "":
		return c.Type + " COLLATE " + collation
	case c.Type == "BINARY":
		return fmt.Sprintf("%s(%d)", c.Type, c.Length)
	default:
		return c.Type
	}
}

// name gives the table as it is written.
func (t *EventTable) name() string {
	if t.Schema == "" {
		return t.Table
	}
	return t.Schema + "." + t.Table
}

// unfit says what to do where a column's values are not, each by one text, ids of the entity; "" where they are.
func (e *Event) unfit(c value.Column) (fix string) {
	switch {
	case whole(c):
		return ""
	case e.ID.Kind() != protoreflect.StringKind: // '7' and '07' are the same number
		return "name a column of whole numbers, or make the column one"
	case c.Type == "CHAR" || c.Type == "VARCHAR" || c.Type == "TEXT":
		return ""
	default:
		return "name a column with a whole number or a text"
	}
}

// narrow says what to do where an integer field has no room for a column's positive numbers; "" where it has. BIGINT UNSIGNED in
// a field of 64 bits is let pass, since no AUTO_INCREMENT comes to where they differ; such an id stops a stream.
func (e *Event) narrow(c value.Column) (fix string) {
	var digits, unsigned int64 // decimal digits that always fit
	switch e.ID.Kind() {
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		digits, unsigned = 9, 0
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		digits, unsigned = 9, 1
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		digits, unsigned = 18, 1
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		digits, unsigned = 19, 1
	default:
		return ""
	}
	wide := strings.HasSuffix(c.Type, "BIGINT") && digits < 18 || c.Type == "UNSIGNED INT" && unsigned == 0 || c.Type == "DECIMAL" && c.Precision > digits
	if wide {
		return "make the field int64 or uint64, or the column narrower"
	}
	return ""
}

// unique says whether a column alone is a unique key without NULLs.
func (t *table) unique(column string) bool {
	for _, key := range t.uniques {
		if len(key) == 1 && key[0] == column {
			return true
		}
	}
	return false
}
