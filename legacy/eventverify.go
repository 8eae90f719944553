package legacy

import (
	"context"
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
		if fix := e.unfit(column); fix != "" {
			faults.Add(named.pos, fix, "%s.%s is %s, and %s is of type %s: its values can't be told to be ids", named.Table, named.Column, column.Type, e.ID.Name(), e.ID.Kind())
			continue
		}
		if i == 0 {
			if fix := e.narrow(column); fix != "" {
				faults.Add(named.pos, fix, "%s.%s is %s, and %s is of type %s: some of its values are no ids", named.Table, named.Column, column.Type, e.ID.Name(), e.ID.Kind())
			}
		}
		if i == 0 && t.engine != "" && !t.unique(strings.ToLower(named.Column)) {
			faults.Add(named.pos, "name the table that has one row for each "+entity+", by its key", "%s.%s is no unique key: several rows could be one %s", named.Table, named.Column, entity)
		}
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
	switch strings.TrimPrefix(c.Type, "UNSIGNED ") {
	case "TINYINT", "SMALLINT", "MEDIUMINT", "INT", "BIGINT":
		return ""
	}
	switch {
	case c.Type == "DECIMAL" && c.Scale == 0:
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
