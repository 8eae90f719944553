package mirror

import (
	"bytes"
	"slices"

	"banyan.dev/banyan/mirror/change"
)

// cascade makes the event that says what the change of a parent row has done to other tables without a trace in the log,
// or gives nil when it has done nothing. relations are the parent's.
func (e *encoder) cascade(t *change.Table, op change.Op, row *change.Row, number uint32, relations []Relation) *change.Message {
	p := e.plans.of(t)
	e.body = append(e.body[:0], p.cascade.head...)
	b := p.appendKey(e.body, row.Before)
	b = append(b, `,"cause":"`...)
	b = append(b, op...)
	b = append(b, `","children":[`...)
	var also []string
	for i := range relations {
		r := &relations[i]
		rule := r.OnDelete
		if op == change.Update {
			rule = r.OnUpdate
		}
		parents, ok := columnsOf(t, r.Parents)
		if rule == "" || !ok || len(r.Columns) != len(parents) || !sets(row, parents, op) {
			continue
		}
		if len(also) > 0 {
			b = append(b, ',')
		}
		b = appendRelation(b, r, rule)
		b = append(b, `,"match":`...)
		b = p.appendMatch(b, r.Columns, row.Before, parents)
		if set := setTo(rule, row); set != nil {
			b = append(b, `,"set":`...)
			b = p.appendMatch(b, r.Columns, set, parents)
		}
		b = appendNext(b, r, op)
		b = append(b, '}')
		also = appendTables(also, r)
	}
	if len(also) == 0 {
		return nil
	}
	b = append(b, ']')
	e.body = b
	m := e.finish(p.cascade.routing, p.cascade.kind, number, true)
	slices.Sort(also)
	m.Also = slices.DeleteFunc(slices.Compact(also), func(key string) bool { return key == p.cascade.routing })
	return m
}

// columnsOf finds columns by name.
func columnsOf(t *change.Table, names []string) (at []int, found bool) {
	for _, name := range names {
		i := slices.IndexFunc(t.Columns, func(c change.Column) bool { return equalFold(c.Name, name) })
		if i < 0 {
			return nil, false
		}
		at = append(at, i)
	}
	return at, len(at) > 0
}

// equalFold compares names of columns, which have no case in MySQL.
func equalFold(a, b string) bool { return bytes.EqualFold([]byte(a), []byte(b)) }

// sets says whether a change sets a foreign key off: a delete does, an update when it changes what is referred to. What
// is NULL is not referred to.
func sets(row *change.Row, parents []int, op change.Op) bool {
	changed := op == change.Delete
	for _, i := range parents {
		if row.Before[i].Kind == change.Null {
			return false
		}
		changed = changed || !equal(&row.Before[i], &row.After[i])
	}
	return changed
}

func equal(a, b *change.Value) bool {
	return a.Kind == b.Kind && a.Num == b.Num && bytes.Equal(a.Text, b.Text)
}

// setTo gives the row whose values the children get; nil where they are deleted, or get what the log doesn't say.
func setTo(rule string, row *change.Row) []change.Value {
	switch {
	case rule == "SET NULL":
		null := make([]change.Value, len(row.Before))
		for i := range null {
			null[i].Kind = change.Null
		}
		return null
	case rule == "CASCADE" && row.After != nil:
		return row.After
	default:
		return nil
	}
}

func appendRelation(dst []byte, r *Relation, rule string) []byte {
	dst = append(dst, `{"constraint":`...)
	dst = appendString(dst, r.Constraint)
	dst = append(dst, `,"schema":`...)
	dst = appendString(dst, r.Schema)
	dst = append(dst, `,"table":`...)
	dst = appendString(dst, r.Table)
	dst = append(dst, `,"rule":`...)
	return appendString(dst, rule)
}

// appendMatch appends child columns with the parent's values, save those that events leave out.
func (p *plan) appendMatch(dst []byte, columns []string, row []change.Value, parents []int) []byte {
	dst = append(dst, '{')
	shown := 0
	for i, name := range columns {
		if p.columns[parents[i]] == nil {
			continue
		}
		dst = append(dst, label(shown, name)...)
		dst = appendValue(dst, &row[parents[i]])
		shown++
	}
	return append(dst, '}')
}

// appendNext appends what the children's change sets off in turn: tables and columns, since their rows are not known.
func appendNext(dst []byte, r *Relation, op change.Op) []byte {
	effect := op
	if op == change.Delete && r.OnDelete != "CASCADE" {
		effect = change.Update // the children are changed, not deleted
	}
	first := true
	for i := range r.Next {
		n := &r.Next[i]
		rule := n.OnDelete
		if effect == change.Update {
			rule = n.OnUpdate
		}
		if rule == "" {
			continue
		}
		if first {
			dst = append(dst, `,"children":[`...)
		} else {
			dst = append(dst, ',')
		}
		first = false
		dst = appendRelation(dst, n, rule)
		dst = append(dst, `,"columns":`...)
		dst = appendNames(dst, n.Columns)
		dst = append(dst, `,"references":`...)
		dst = appendNames(dst, n.Parents)
		dst = appendNext(dst, n, effect)
		dst = append(dst, '}')
	}
	if !first {
		dst = append(dst, ']')
	}
	return dst
}

func appendNames(dst []byte, names []string) []byte {
	dst = append(dst, '[')
	for i, name := range names {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, name)
	}
	return append(dst, ']')
}

// appendTables adds the routing keys of all tables that a relation reaches.
func appendTables(keys []string, r *Relation) []string {
	keys = append(keys, RoutingKey(r.Table, Cascade))
	for i := range r.Next {
		keys = appendTables(keys, &r.Next[i])
	}
	return keys
}
