package legacy

import (
	"context"
	"database/sql/driver"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/legacy/annotated"
	"banyan.dev/banyan/legacy/value"
)

// operation checks what concerns several statements, or what the schema says of one.
func (v *verifier) operation(op *operation) {
	v.fields(op.reply)
	for _, s := range op.statements {
		v.assigned(s)
		if op.pager != nil && op.pager.statement == s {
			v.order(s)
		}
	}
	v.engines(op)
}

// fields finds fields of the reply that two statements fill.
func (v *verifier) fields(f *fill) {
	if f == nil {
		return
	}
	by := map[string]*statement{}
	for _, c := range f.children {
		by[string(c.field.Name())] = c.anySource()
		if o := c.field.ContainingOneof(); o != nil && !o.IsSynthetic() {
			v.filled(by, c.anySource(), "oneof "+string(o.Name()))
		}
		v.fields(c)
	}
	if f.message == nil {
		return
	}
	for _, s := range f.rows {
		names := map[string]bool{}
		for _, va := range s.checked() {
			for _, c := range va.columns {
				names[firstSegment(c.Name)] = true
			}
		}
		for _, a := range s.fields {
			names[string(a.path[0].Name())] = true
		}
		for _, name := range slices.Sorted(maps.Keys(names)) {
			fd := f.message.Fields().ByName(protoreflect.Name(name))
			if fd == nil || strings.HasPrefix(name, "_") {
				continue
			}
			v.filled(by, s, name)
			if o := fd.ContainingOneof(); o != nil && !o.IsSynthetic() {
				v.filled(by, s, "oneof "+string(o.Name()))
			}
		}
	}
}

// filled reports a field or oneof that another statement fills, too.
func (v *verifier) filled(by map[string]*statement, s *statement, name string) {
	if other := by[name]; other != nil && other != s {
		v.faults.Add(s.at(lastPart(name, " ")), "fill it by one statement", "statement %s fills %s, and so does statement %s", s.ast.Name, name, other.ast.Name)
	}
	by[name] = s
}

// anySource gives a statement that fills f or something below it.
func (f *fill) anySource() *statement {
	if len(f.rows) > 0 {
		return f.rows[0]
	}
	for _, c := range f.children {
		if s := c.anySource(); s != nil {
			return s
		}
	}
	return nil
}

// assigned checks the conversions of :reply and :call.
func (v *verifier) assigned(s *statement) {
	fields := s.fields
	if s.call != nil {
		fields = s.call.args
	}
	for _, a := range fields {
		if a.param.leaf != nil {
			continue
		}
		if _, err := v.program.codec.Encoder(a.param.column(), a.path[len(a.path)-1]); err != nil {
			v.faults.Add(a.param.ast.Pos, "", "%s: %s", a.param.ast, err)
		}
	}
}

// order checks that pages end at rows that can be told apart, and whose place can be compared: the ORDER BY holds a
// unique key of one of the tables, and its columns compare as they are ordered.
func (v *verifier) order(s *statement) {
	seen := map[int]bool{}
	for _, va := range s.checked() {
		for _, item := range va.keyset {
			column := s.captureColumn(item.slot)
			if err := value.KeysetColumn(column); err != nil && column.Type != "" && !seen[item.slot] {
				seen[item.slot] = true
				v.faults.Add(s.at(item.expr), "", "statement %s: %s", s.ast.Name, err)
			}
		}
	}
	s.proven = !slices.ContainsFunc(s.checked(), func(va *variant) bool { return !v.proves(s, va) })
	for _, va := range s.checked() {
		if len(va.outline.OrderBy) == 0 || v.unique(s, va) {
			continue
		}
		pos := s.ast.Pos
		for _, l := range va.lines {
			if l.ast.IsOrderBy() {
				pos = l.ast.Pos
			}
		}
		v.faults.Add(pos, "end it with the columns of a primary or unique key", "the ORDER BY of statement %s holds no unique key, so rows that are equal in it would be lost between pages", s.ast.Name)
		return
	}
}

// proves tells whether the ORDER BY tells all rows apart: they are those of one table, whose key it has.
func (v *verifier) proves(s *statement, va *variant) bool {
	o := va.outline
	if len(o.Tables) != 1 {
		return false
	}
	tab := v.schema.table(o.Tables[0].Schema, o.Tables[0].Name)
	_, grouped := o.Clause(annotated.ClauseGroupBy)
	return tab != nil && tab.engine != "" && !grouped && v.unique(s, va)
}

// unique tells whether the ORDER BY has all columns of a unique key without NULLs. Grouped rows are told apart by what
// they are grouped by, which can't be judged here, so they pass.
func (v *verifier) unique(s *statement, va *variant) bool {
	if _, grouped := va.outline.Clause(annotated.ClauseGroupBy); grouped {
		return true
	}
	known := false
	for _, t := range va.outline.Tables {
		tab := v.schema.table(t.Schema, t.Name)
		if tab == nil {
			return true // a derived table: what it has of keys is not known
		}
		if tab.engine == "" { // a view: rows can be told apart where something is ordered by that has no collation
			return hasExact(s, va)
		}
		known = true
		var cols []string
		for _, o := range va.outline.OrderBy {
			item := selected(va.outline, o)
			if item == nil || item.Column == "" {
				continue
			}
			if q := item.Qualifier; q == "" || strings.EqualFold(q, t.Alias) || t.Alias == "" && strings.EqualFold(q, t.Name) || strings.EqualFold(q, t.Schema+"."+t.Name) {
				cols = append(cols, strings.ToLower(item.Column))
			}
		}
		for _, key := range tab.uniques {
			if !slices.ContainsFunc(key, func(c string) bool { return !slices.Contains(cols, c) }) {
				return true
			}
		}
	}
	return !known
}

// hasExact tells whether the ORDER BY has an item whose values are equal only when they are the same, so that rows which
// would be lost between pages are noticed when they are read.
func hasExact(s *statement, va *variant) bool {
	return slices.ContainsFunc(va.keyset, func(item keysetItem) bool {
		switch s.captureColumn(item.slot).Type {
		case "CHAR", "VARCHAR", "TEXT":
			return false
		}
		return true
	})
}

// sticks tells whether the operation, or one that it calls, changes tables that keep what is undone.
func (op *operation) sticks() bool {
	if op.sticky {
		return true
	}
	for _, s := range op.statements {
		if s.call != nil && s.call.op != nil && s.call.op.sticks() {
			return true
		}
	}
	return false
}

// secondPage lets the server prepare the text that continues a list: the first page's has no condition yet.
func (v *verifier) secondPage(ctx context.Context, s *statement, va *variant) error {
	if s.op.pager == nil || s.op.pager.statement != s || len(va.keyset) == 0 {
		return nil
	}
	args := make([]driver.Value, len(va.keyset))
	for i := range args {
		args[i] = int64(1)
	}
	var sb strings.Builder
	for _, p := range va.pieces {
		switch {
		case p.param == nil:
			sb.WriteString(p.text)
		case p.param.origin == fromPage:
			s.op.pager.writeKeyset(&sb, &run{}, va.keyset, args)
		default:
			sb.WriteByte('?')
		}
	}
	sb.WriteString("\nLIMIT ?")
	return v.conn.Prepare(ctx, sb.String())
}

// engines warns where a transaction would not hold: tables whose engine has none, changed beside others.
func (v *verifier) engines(op *operation) {
	seen := map[string]bool{}
	for _, s := range op.statements {
		for _, va := range s.checked() {
			for _, t := range va.outline.Tables {
				tab := v.schema.table(t.Schema, t.Name)
				if tab == nil || !t.Written || tab.transactional || seen[t.Name] {
					continue
				}
				seen[t.Name], op.sticky = true, true
				if op.isolation != write {
					continue // one statement alone has nothing to be undone with
				}
				v.faults.Warn(s.at(t.Name), fmt.Sprintf("ALTER TABLE %s ENGINE=InnoDB", t.Name), "%s changes %s, whose engine %s has no transactions: what it changes stays when the rest is undone", op.target, t.Name, tab.engine)
			}
		}
	}
}
