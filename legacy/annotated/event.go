package annotated

import "strings"

const eventFix = "write `-- event: shop.v2.Order id=orders_id on=orders(orders_id),orders_lines(orders_id) via=shop.v2.OrderService.GetOrder`"

// event reads an event directive: NAME id=column on=table(column),… via=RPC.
func (p *parser) event(d directive) {
	words := fields(d.value, d.at)
	if len(words) == 0 {
		p.fault(d.at, eventFix, "an event without an entity")
		return
	}
	e := &Event{Pos: p.pos(d.off), Entity: words[0].text}
	if _, ok := splitPath(e.Entity); !ok {
		p.fault(words[0].off, eventFix, "%s is no full name of a message", quoted(e.Entity))
	}
	for _, other := range p.file.Events {
		if other.Entity == e.Entity {
			p.fault(d.off, "make one directive of the two", "a second event %q; the first is on line %d", e.Entity, other.Pos.Line)
		}
	}
	p.file.Events = append(p.file.Events, e)
	seen := map[string]bool{}
	for _, w := range words[1:] {
		key, value, ok := strings.Cut(w.text, "=")
		if !ok || value == "" {
			p.fault(w.off, eventFix+"; no blanks within a word", "%s is no option of an event", quoted(w.text))
			return
		}
		if seen[key] {
			p.fault(w.off, "keep one", "a second %s=", key)
		}
		seen[key] = true
		at := w.off + len(key) + len("=")
		switch key {
		case "id":
			if e.ID = value; !isIdent(value) {
				p.fault(at, "name the column that identifies the entity", "%s is no column's name", quoted(value))
			}
		case "via":
			if path, ok := splitPath(value); !ok || len(path) < 2 {
				p.fault(at, "name the RPC that reads one, such as shop.v2.OrderService.GetOrder", "%s is no full name of an RPC", quoted(value))
			}
			e.Via = value
		case "on":
			p.eventTables(e, value, at)
		default:
			p.fault(w.off, "known are id=, on= and via=", "an event has no option %s", quoted(key))
		}
	}
	for _, key := range []string{"id", "on", "via"} {
		if !seen[key] {
			p.fault(d.off, eventFix, "the event %s has no %s=", quoted(e.Entity), key)
		}
	}
}

const eventTableFix = "write on=table(column),table(column), with the column that has the entity's id, or with table(column>other.column) for one whose rows belong to those of another table before it"

// eventTables reads table(column),table(column>table.column),… at value, whose offset is at.
func (p *parser) eventTables(e *Event, value string, at int) {
	for part := range strings.SplitSeq(value, ",") {
		name, inside, ok := strings.Cut(part, "(")
		inside, closed := strings.CutSuffix(inside, ")")
		column, by, leads := strings.Cut(inside, ">")
		path, named := splitPath(name)
		if !ok || !closed || !named || len(path) > 2 || !isIdent(column) {
			p.fault(at, eventTableFix, "%s is no table with its column", quoted(part))
			return
		}
		t := EventTable{Pos: p.pos(at), Table: path[len(path)-1], Column: column}
		if len(path) == 2 {
			t.Schema = path[0]
		}
		for _, other := range e.On {
			if other.Schema == t.Schema && other.Table == t.Table {
				p.fault(at, "name each table once", "the table %s again", quoted(name))
			}
		}
		if leads {
			if t.By = p.eventBy(e, by, at+len(name)+len("(")+len(column)+len(">")); t.By == nil {
				return
			}
		}
		e.On = append(e.On, t)
		at += len(part) + len(",")
	}
}

// eventBy reads the table.column that a table's column refers to; nil after a fault.
func (p *parser) eventBy(e *Event, by string, at int) *EventBy {
	path, ok := splitPath(by)
	if !ok || len(path) < 2 || len(path) > 3 {
		p.fault(at, eventTableFix, "%s is no column of a table", quoted(by))
		return nil
	}
	table, column := path[len(path)-2], path[len(path)-1]
	schema := ""
	if len(path) == 3 {
		schema = path[0]
	}
	for i, other := range e.On {
		if other.Schema == schema && other.Table == table {
			return &EventBy{Pos: p.pos(at), Table: i, Column: column}
		}
	}
	p.fault(at, "name it before, with the column by which its own rows are part of the entity", "%s is no table of this on= so far", quoted(strings.Join(path[:len(path)-1], ".")))
	return nil
}
