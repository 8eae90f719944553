package annotated

import "fmt"

// clauseAt tells which clause starts at t[i] for a main verb, and how many keywords start it.
func (o *outliner) clauseAt(i int) (ClauseKind, int) {
	if o.at(i).kind != lexWord || o.tokens[i].depth != 0 || o.word(i-1, "FOR") {
		return "", 0 // USE INDEX FOR ORDER BY (…) is no clause
	}
	query := o.out.Main == VerbSelect
	switch {
	case o.word(i, "FROM") && !o.word(i-1, "SYSTEM_TIME"):
		return ClauseFrom, 1
	case o.word(i, "WHERE"):
		return ClauseWhere, 1
	case o.words(i, "GROUP", "BY"):
		return ClauseGroupBy, 2
	case o.word(i, "HAVING"):
		return ClauseHaving, 1
	case o.words(i, "ORDER", "BY"):
		return ClauseOrderBy, 2
	case o.word(i, "LIMIT"):
		return ClauseLimit, 1
	case o.word(i, "SET") && o.out.Main == VerbUpdate:
		return ClauseSet, 1
	case o.word(i, "USING") && o.out.Main == VerbDelete && o.at(i+1).kind != lexOpen:
		return ClauseUsing, 1
	case o.word(i, "RETURNING") && !query && o.out.Main != VerbUpdate:
		return ClauseReturning, 1
	case query:
		return o.queryClauseAt(i)
	}
	return "", 0
}

func (o *outliner) queryClauseAt(i int) (ClauseKind, int) {
	switch {
	case o.word(i, "WINDOW") && o.word(i+2, "AS"):
		return ClauseWindow, 1
	case o.word(i, "INTO"):
		return ClauseInto, 1
	case o.word(i, "PROCEDURE"):
		return ClauseProcedure, 1
	case o.words(i, "LOCK", "IN", "SHARE", "MODE"):
		return ClauseLock, 4
	case o.words(i, "FOR", "UPDATE"), o.words(i, "FOR", "SHARE"):
		return ClauseLock, 2
	case o.word(i, "FETCH") && o.word(i+1, "FIRST", "NEXT"):
		return ClauseLimit, 2
	case o.word(i, "OFFSET") && o.word(i+2, "ROW", "ROWS"):
		return ClauseLimit, 1
	}
	return "", 0
}

// listEnd gives the index behind a select list that starts at i: at the next clause or set operation.
func (o *outliner) listEnd(i int) int {
	for ; i < len(o.tokens); i++ {
		if kind, _ := o.clauseAt(i); kind != "" || o.setOperation(i) {
			return i
		}
	}
	return len(o.tokens)
}

func (o *outliner) setOperation(i int) bool {
	return o.tokens[i].depth == 0 && o.word(i, "UNION", "EXCEPT", "INTERSECT")
}

// readClauses reads the clauses from t[i] on.
func (o *outliner) readClauses(i int) error {
	seen := map[ClauseKind]bool{}
	limit := o.tokens[o.main].to // end of what may stand before a LIMIT
	for i = o.nextClause(i, &limit); i < len(o.tokens); {
		kind, words := o.clauseAt(i)
		end := i + words
		inner := limit
		end = o.nextClause(end, &inner)
		again := seen[kind]
		seen[kind] = true
		switch {
		case again && kind == ClauseLimit && o.word(i, "FETCH"): // OFFSET 5 ROWS FETCH …
		case again && kind != ClauseLock && kind != ClauseInto:
			return fmt.Errorf("a second %s", kind)
		}
		c := Clause{Kind: kind, Range: o.span(i, end), Body: Range{o.tokens[end-1].to, o.tokens[end-1].to}}
		if i+words < end {
			c.Body = o.span(i+words, end)
		}
		o.out.Clauses = append(o.out.Clauses, c)
		switch kind {
		case ClauseOrderBy:
			o.readOrder(i+words, end)
		case ClauseReturning:
			o.readItems(i+words, end)
		case ClauseLimit:
			o.out.HasLimit = true
		}
		if kind != ClauseInto && kind != ClauseLock && kind != ClauseProcedure {
			limit = o.tokens[end-1].to
		}
		i = end
	}
	if o.out.Main == VerbSelect && !o.out.HasLimit {
		o.out.LimitAt = limit
	}
	return nil
}

// nextClause gives the index of the next clause from i on; end is set behind the last token before it.
func (o *outliner) nextClause(i int, end *Offset) int {
	for ; i < len(o.tokens); i++ {
		if kind, _ := o.clauseAt(i); kind != "" {
			break
		}
		*end = o.tokens[i].to
	}
	return i
}
