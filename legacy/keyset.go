package legacy

import (
	"strings"

	"banyan.dev/banyan/internal/fault"
	"banyan.dev/banyan/legacy/annotated"
)

// keysets works out, for each ORDER BY of a statement that pages, which selected columns it orders by.
func (b *binder) keysets(s *statement, pos fault.Pos) {
	reported := map[string]bool{}
	report := func(fix, msg string) {
		if !reported[msg] {
			reported[msg] = true
			b.faults.Add(pos, fix, "%s", msg)
		}
	}
	for _, v := range s.checked() {
		switch o := v.outline; {
		case o.Opaque || o.Union || o.Locks || o.Main != annotated.VerbSelect:
			report("read from one SELECT, without UNION and locks", "a statement with :page is no plain SELECT")
		case len(o.OrderBy) == 0:
			report("add ORDER BY with a unique key at its end", "a statement with :page needs an ORDER BY")
		case o.HasLimit:
			report("remove the LIMIT", "a statement with :page has a LIMIT of its own")
		default:
			if fix, msg := s.keyset(v); msg != "" {
				report(fix, msg)
			}
		}
	}
}

// keyset fills v.keyset from the outline; the texts say what is wrong.
func (s *statement) keyset(v *variant) (fix, msg string) {
	v.keyset = nil
	for _, o := range v.outline.OrderBy {
		item := selected(v.outline, o)
		if item == nil || item.Name() == "" {
			return "select it, under an alias that starts with _ when it is not part of the reply", "the ORDER BY item " + o.Expr + " is no selected column, and pages need its value"
		}
		at := o.Range
		if item.Alias == o.Expr {
			at = item.Range // an alias means nothing in a WHERE
		}
		expr, ok := plainText(v.raw, at)
		if !ok {
			return "order by columns", "the ORDER BY item " + o.Expr + " has a parameter in it, and pages can't continue from it"
		}
		v.keyset = append(v.keyset, keysetItem{expr: expr, desc: o.Desc, slot: s.capture(item.Name())})
	}
	return "", ""
}

// selected finds the item of the select list that an ORDER BY item is: by alias first, as MySQL does.
func selected(o *annotated.Outlined, by annotated.OrderItem) *annotated.Item {
	for i := range o.Items {
		if o.Items[i].Alias != "" && by.Qualifier == "" && strings.EqualFold(o.Items[i].Alias, by.Column) {
			return &o.Items[i]
		}
	}
	for i := range o.Items {
		if o.Items[i].Expr == by.Expr {
			return &o.Items[i]
		}
	}
	return nil
}

// plainText gives the SQL of a range; not ok when there is a parameter in it.
func plainText(pieces []annotated.Piece, r annotated.Range) (sql string, ok bool) {
	var sb strings.Builder
	for _, p := range r.Cut(pieces) {
		if p.Param != nil {
			return "", false
		}
		sb.WriteString(p.Text)
	}
	return sb.String(), true
}
