package annotated

import "strings"

// split gives the bounds of the parts of t[i:end] between commas on the main level. An empty part makes it give nil.
func (o *outliner) split(i, end int) [][2]int {
	if i >= end {
		return nil
	}
	var out [][2]int
	start, depth := i, o.tokens[i].depth
	for n := i; n <= end; n++ {
		if n < end && (o.tokens[n].kind != lexComma || o.tokens[n].depth != depth) {
			continue
		}
		if n == start {
			return nil
		}
		out = append(out, [2]int{start, n})
		start = n + 1
	}
	return out
}

// readItems reads a select list.
func (o *outliner) readItems(i, end int) {
	for i < end && o.word(i, "ALL", "DISTINCT", "DISTINCTROW", "HIGH_PRIORITY", "STRAIGHT_JOIN", "SQL_SMALL_RESULT",
		"SQL_BIG_RESULT", "SQL_BUFFER_RESULT", "SQL_NO_CACHE", "SQL_CACHE", "SQL_CALC_FOUND_ROWS") {
		i++
	}
	for _, part := range o.split(i, end) {
		o.out.Items = append(o.out.Items, o.item(part[0], part[1]))
	}
}

func (o *outliner) item(i, end int) Item {
	last := o.tokens[end-1]
	if last.kind == lexOperator && last.text == "*" && (end-1 == i || o.at(end-2).kind == lexDot) {
		it := Item{Expr: o.normal(i, end), Range: o.span(i, end), Star: true}
		if end-2 > i {
			it.Qualifier, _ = o.qualified(i, end-2)
		}
		return it
	}
	it := Item{}
	exprEnd := o.aliasStart(i, end)
	if exprEnd < end {
		it.Alias = last.name()
		if exprEnd == end-2 && !o.word(end-2, "AS") {
			exprEnd = end - 1
		}
	}
	it.Expr, it.Range = o.normal(i, exprEnd), o.span(i, exprEnd)
	it.Qualifier, it.Column = o.column(i, exprEnd)
	return it
}

// aliasStart gives the index where the alias of an item starts (at its AS, if any), or end without one. An alias
// without AS is only taken where nothing else could be meant.
func (o *outliner) aliasStart(i, end int) int {
	last, prev := o.tokens[end-1], o.at(end-2)
	isName := last.kind == lexQuoted || last.kind == lexString || last.kind == lexWord
	if end-i < 2 || !isName || last.depth != o.tokens[i].depth {
		return end
	}
	if o.word(end-2, "AS") {
		if end-i > 2 {
			return end - 2
		}
		return end
	}
	if o.word(end-1, "NULL", "TRUE", "FALSE", "UNKNOWN", "END") || o.inInterval(i, end) {
		return end
	}
	switch prev.kind {
	case lexClose, lexNumber, lexQuoted, lexParam, lexVariable:
		return end - 1
	case lexString:
		if last.kind != lexString {
			return end - 1
		}
	case lexWord:
		column := o.at(end-3).kind == lexDot
		if column || !isOperatorWord(prev.text) && (last.kind != lexString || !isIntroducer(prev.text)) {
			return end - 1
		}
	}
	return end
}

// inInterval tells whether the last word may be the unit of an INTERVAL on the item's level.
func (o *outliner) inInterval(i, end int) bool {
	for n := i; n < end; n++ {
		if o.tokens[n].depth == o.tokens[i].depth && o.word(n, "INTERVAL") {
			return true
		}
	}
	return false
}

// column reads t[i:end] as a plain column.
func (o *outliner) column(i, end int) (qualifier, name string) {
	switch end - i {
	case 1:
		if t := o.tokens[i]; t.kind == lexQuoted || t.kind == lexWord && !isReservedWord(t.text) {
			return "", t.name()
		}
	case 3, 5:
		if q, ok := o.qualified(i, end-2); ok && o.tokens[end-2].kind == lexDot {
			if t := o.tokens[end-1]; t.kind == lexQuoted || t.kind == lexWord {
				return q, t.name()
			}
		}
	}
	return "", ""
}

// qualified reads t[i:end] as names with dots between.
func (o *outliner) qualified(i, end int) (string, bool) {
	var names []string
	for n := i; n < end; n++ {
		t := o.tokens[n]
		if (n-i)%2 == 1 {
			if t.kind != lexDot {
				return "", false
			}
			continue
		}
		if t.kind != lexWord && t.kind != lexQuoted {
			return "", false
		}
		names = append(names, t.name())
	}
	return strings.Join(names, "."), (end-i)%2 == 1
}

// readOrder reads the items of an ORDER BY.
func (o *outliner) readOrder(i, end int) {
	for _, part := range o.split(i, end) {
		it := OrderItem{}
		i, end := part[0], part[1]
		if end-i > 1 && o.word(end-1, "ASC", "DESC") {
			it.Desc = o.word(end-1, "DESC")
			end--
		}
		it.Expr, it.Range = o.normal(i, end), o.span(i, end)
		it.Qualifier, it.Column = o.column(i, end)
		o.out.OrderBy = append(o.out.OrderBy, it)
	}
}
