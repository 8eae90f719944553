package annotated

import "strings"

// readInsert reads INSERT and REPLACE: columns and values, SET, ON DUPLICATE KEY UPDATE, RETURNING.
func (o *outliner) readInsert() {
	if len(o.out.Tables) == 0 || !o.out.Tables[0].Written {
		return
	}
	target := o.out.Tables[0]
	i := o.insertEnd()
	if o.word(i, "PARTITION") && o.at(i+1).kind == lexOpen {
		i = o.tokens[i+1].mate + 1
	}
	var columns []string
	if o.at(i).kind == lexOpen && !o.queryAt(i+1) && o.at(i+1).kind != lexOpen {
		columns = o.columnList(i)
		i = o.tokens[i].mate + 1
	}
	switch {
	case o.word(i, "VALUES", "VALUE"):
		i = o.readTuples(i+1, target, columns)
	case o.word(i, "SET"):
		end := o.insertTail(i + 1)
		o.readAssignments(i+1, end, []Table{target})
		i = end
	}
	i = o.insertTail(i)
	if o.words(i, "ON", "DUPLICATE", "KEY", "UPDATE") {
		end := i + 4
		for end < len(o.tokens) && !o.returning(end) {
			end++
		}
		o.readAssignments(i+4, end, []Table{target})
		i = end
	}
	if o.at(i).kind == lexWord && o.returning(i) && i+1 < len(o.tokens) {
		o.out.Clauses = append(o.out.Clauses, Clause{
			Kind: ClauseReturning, Range: o.span(i, len(o.tokens)), Body: o.span(i+1, len(o.tokens)),
		})
		o.readItems(i+1, len(o.tokens))
	}
}

// insertEnd gives the index behind the name of the table that is inserted into.
func (o *outliner) insertEnd() int {
	i := o.main + 1
	for o.word(i, "LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY", "IGNORE", "INTO") {
		i++
	}
	_, last := o.tableName(i)
	return last + 1
}

func (o *outliner) returning(i int) bool { return o.tokens[i].depth == 0 && o.word(i, "RETURNING") }

// insertTail gives the index from i on where ON DUPLICATE KEY UPDATE, RETURNING or a row alias starts.
func (o *outliner) insertTail(i int) int {
	for ; i < len(o.tokens); i++ {
		if o.tokens[i].depth == 0 && o.words(i, "ON", "DUPLICATE", "KEY", "UPDATE") || o.returning(i) {
			break
		}
	}
	return i
}

// columnList reads the names between the parenthesis at t[i] and its mate; nil where something else is in them.
func (o *outliner) columnList(i int) []string {
	var out []string
	for _, part := range o.split(i+1, o.tokens[i].mate) {
		q, ok := o.qualified(part[0], part[1])
		if !ok {
			return nil
		}
		if part[1]-part[0] > 1 { // t.column
			q = o.tokens[part[1]-1].name()
		}
		out = append(out, q)
	}
	return out
}

// readTuples reads the tuples behind VALUES and gives the index behind them.
func (o *outliner) readTuples(i int, target Table, columns []string) int {
	count := 0
	var first Range
	for o.at(i).kind == lexOpen {
		mate := o.tokens[i].mate
		if count++; count == 1 {
			first = o.span(i, mate+1)
		}
		values := o.split(i+1, mate)
		for n, v := range values {
			if t := o.tokens[v[0]]; len(values) == len(columns) && v[1]-v[0] == 1 && t.param != nil {
				o.out.Writes = append(o.out.Writes, Write{Param: t.param, Schema: target.Schema, Table: target.Name, Column: columns[n]})
			}
		}
		i = mate + 1
		if o.at(i).kind != lexComma {
			break
		}
		i++
	}
	if count == 1 && o.at(i-1).kind == lexClose {
		o.out.Tuple = &first
	}
	return i
}

// readSet reads the SET of an UPDATE.
func (o *outliner) readSet() {
	var tables []Table
	for _, t := range o.out.Tables {
		if t.Written {
			tables = append(tables, t)
		}
	}
	for i := o.main + 1; i < len(o.tokens); i++ {
		if kind, _ := o.clauseAt(i); kind == ClauseSet {
			var end Offset
			o.readAssignments(i+1, o.nextClause(i+1, &end), tables)
			return
		}
	}
}

// readAssignments reads column = :param, …; tables are those whose columns may be meant.
func (o *outliner) readAssignments(i, end int, tables []Table) {
	for _, part := range o.split(i, end) {
		at := part[1] - 2 // of the =
		if at <= part[0] || o.tokens[at].kind != lexOperator || o.tokens[at].text != "=" && o.tokens[at].text != ":=" {
			continue
		}
		param := o.tokens[at+1].param
		qualifier, column := o.target(part[0], at)
		if param == nil || column == "" {
			continue
		}
		w := Write{Param: param, Column: column}
		if t, ok := owner(tables, qualifier); ok {
			w.Schema, w.Table = t.Schema, t.Name
		}
		o.out.Writes = append(o.out.Writes, w)
	}
}

// target reads the column that is assigned to. Unlike in an expression, any word is one.
func (o *outliner) target(i, end int) (qualifier, column string) {
	if end-i == 1 {
		if t := o.tokens[i]; t.kind == lexWord || t.kind == lexQuoted {
			return "", t.name()
		}
		return "", ""
	}
	return o.column(i, end)
}

// owner finds the table that a qualifier means; it gives false where that is not clear.
func owner(tables []Table, qualifier string) (Table, bool) {
	var found []Table
	for _, t := range tables {
		name := t.Name
		if t.Alias != "" {
			name = t.Alias
		}
		if qualifier == "" || strings.EqualFold(qualifier, name) ||
			t.Alias == "" && t.Schema != "" && strings.EqualFold(qualifier, t.Schema+"."+t.Name) {
			found = append(found, t)
		}
	}
	if len(found) != 1 {
		return Table{}, false
	}
	return found[0], true
}
