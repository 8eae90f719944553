package annotated

import "strings"

// level is what one depth of parentheses is: a query, in which FROM names tables, and whether its list of tables is
// being read.
type level struct {
	query bool
	from  bool
}

// readTables finds the tables of the whole statement.
func (o *outliner) readTables() {
	levels := []level{{query: true}}
	want := false // a table comes next
	start := 0
	switch o.out.Main {
	case VerbInsert, VerbReplace:
		// what stands before an INSERT is never a query: WITH comes behind its table
		start = o.insertTarget(o.main + 1)
	case VerbUpdate:
		if o.out.Verb == VerbUpdate {
			start = o.main + 1
			levels[0].from, want = true, true
		}
	}
	for i := start; i < len(o.tokens); i++ {
		now := &levels[len(levels)-1]
		switch t := o.tokens[i]; {
		case t.kind == lexOpen:
			query := o.queryAt(i + 1)
			want = want && !query
			levels = append(levels, level{query: query, from: want})
			if query {
				o.inner++
			}
		case t.kind == lexClose:
			if len(levels) > 1 {
				levels = levels[:len(levels)-1]
				if now.query {
					o.inner--
				}
			}
			want = false
		case t.kind == lexComma:
			want = now.from
		case want:
			i, want = o.table(i)
		case o.word(i, "FROM") && !o.word(i-1, "SYSTEM_TIME"):
			now.from = now.query
			want = now.query
		case o.word(i, "UPDATE") && i == o.main:
			now.from, want = true, true
		case o.word(i, "JOIN", "STRAIGHT_JOIN"):
			want = now.from
		case o.word(i, "USING") && o.out.Main == VerbDelete && o.at(i+1).kind != lexOpen && len(levels) == 1:
			o.out.Tables = nil // DELETE FROM a USING t AS a: the names before are aliases of those behind
			want = true
		case o.word(i, "WHERE", "GROUP", "HAVING", "WINDOW", "ORDER", "LIMIT", "SET", "SELECT", "UNION", "EXCEPT", "INTERSECT", "RETURNING", "PROCEDURE", "DUPLICATE", "INTO"):
			if !o.word(i-1, "FOR") {
				now.from = false
			}
		case isLock(o.tokens, i):
			now.from = false
		}
	}
}

// queryAt tells whether a query starts at t[i].
func (o *outliner) queryAt(i int) bool { return o.word(i, "SELECT", "WITH", "VALUES", "TABLE") }

// table reads the table at t[i], where one is wanted. It gives the index of its last token and whether the wish stands.
func (o *outliner) table(i int) (int, bool) {
	t := o.tokens[i]
	if o.word(i, "LATERAL", "LOW_PRIORITY", "IGNORE", "ONLY") {
		return i, true
	}
	if t.kind != lexWord && t.kind != lexQuoted || o.word(i, "DUAL") {
		return i, false
	}
	if t.kind == lexWord && o.at(i+1).kind == lexOpen {
		return i, false // JSON_TABLE(…) and its like
	}
	table, last := o.tableName(i)
	if o.word(last+1, "PARTITION") && o.at(last+2).kind == lexOpen {
		last = o.tokens[last+2].mate
	}
	alias := last + 1
	if o.word(alias, "AS") {
		alias++
	}
	if a := o.at(alias); a.kind == lexQuoted || a.kind == lexString && alias > last+1 ||
		a.kind == lexWord && (alias > last+1 || !isTableFollower(a.text)) {
		table.Alias, last = a.name(), alias
	}
	o.addTable(table)
	return last, false
}

// tableName reads name or schema.name at t[i] and gives the index of its last token.
func (o *outliner) tableName(i int) (Table, int) {
	table := Table{Name: o.tokens[i].name(), At: o.tokens[i].from}
	if next := o.at(i + 2); o.at(i+1).kind == lexDot && (next.kind == lexWord || next.kind == lexQuoted) {
		table.Schema, table.Name = table.Name, next.name()
		return table, i + 2
	}
	return table, i
}

// addTable takes in a table; those of an UPDATE's or DELETE's own list may be written.
func (o *outliner) addTable(table Table) {
	if table.Schema == "" {
		for _, cte := range o.ctes {
			if strings.EqualFold(cte, table.Name) {
				return
			}
		}
	}
	table.Written = o.inner == 0 && (o.out.Main == VerbUpdate || o.out.Main == VerbDelete)
	o.out.Tables = append(o.out.Tables, table)
}

// insertTarget reads the table of an INSERT or REPLACE and gives the index behind it.
func (o *outliner) insertTarget(i int) int {
	for o.word(i, "LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY", "IGNORE", "INTO") {
		i++
	}
	if k := o.at(i).kind; k != lexWord && k != lexQuoted {
		return i
	}
	table, last := o.tableName(i)
	table.Written = true
	o.out.Tables = append(o.out.Tables, table)
	return last + 1
}
