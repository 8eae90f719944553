package legacy

import (
	"regexp"
	"slices"
	"strings"

	"banyan.dev/banyan/legacy/annotated"
)

// changes tells whether a statement changes or locks rows in any of its variants, and reports what an operation, a read
// or a kind of statement may not do.
func (b *binder) changes(s *statement) bool {
	var changes, unknown, reads, writes bool
	for _, v := range s.checked() {
		o := v.outline
		unknown = unknown || o.Verb == annotated.VerbSet || o.Verb == annotated.VerbOther || o.Main == annotated.VerbOther
		if _, into := o.Clause(annotated.ClauseInto); into && o.Main == annotated.VerbSelect {
			unknown = true
		}
		reads = reads || o.Main == annotated.VerbSelect
		writes = writes || o.Main != annotated.VerbSelect
		changes = changes || o.Locks || o.Main != annotated.VerbSelect
	}
	switch {
	case unknown:
		b.faults.Add(s.sqlPos(), "write SELECT, WITH, INSERT, REPLACE, UPDATE, DELETE or CALL", "statement %s is none that an operation may run: it could end the transaction, change the session for others, or put its rows elsewhere", s.ast.Name)
	case s.isQuery() && writes:
		b.faults.Add(s.sqlPos(), "make it an :exec; later statements have its .last_insert_id and .rows, and can read the rows again", "statement %s is %s and no SELECT", s.ast.Name, s.ast.Kind)
	case s.ast.Kind == annotated.Exec && reads:
		b.faults.Add(s.ast.Pos, "make it :one, :opt or :many, with into=- if its rows go nowhere", "statement %s is an :exec and a SELECT", s.ast.Name)
	}
	if changes && s.op.rpc != nil && s.op.rpc.Read {
		b.faults.Add(s.ast.Pos, "make the RPC a write: an HTTP method other than GET, and no NO_SIDE_EFFECTS", "%s is a read, and this statement changes or locks rows", s.op.target)
	}
	return changes
}

// isPlainChange tells whether a statement is a single change that the server makes whole or not at all, so that it needs
// no transaction around it. A procedure is several.
func (s *statement) isPlainChange() bool {
	if s.ast.Kind != annotated.Exec {
		return false
	}
	for _, v := range s.checked() {
		switch v.outline.Main {
		case annotated.VerbInsert, annotated.VerbReplace, annotated.VerbUpdate, annotated.VerbDelete:
		default:
			return false
		}
	}
	return true
}

var opensList = regexp.MustCompile(`(?i)\bIN\s*\(\s*$`)

// lists reports list parameters that stand elsewhere than alone in IN (…): only there may a value stand twice, which is
// how lists are padded, and only there is an empty list a set.
func (b *binder) lists(s *statement) {
	var reported []*param
	for _, v := range s.checked() {
		for i, p := range v.pieces {
			if p.param == nil || !p.param.list || slices.Contains(reported, p.param) {
				continue
			}
			var before, after string
			for j := i - 1; j >= 0 && v.pieces[j].param == nil; j-- {
				before = v.pieces[j].text + before
			}
			for j := i + 1; j < len(v.pieces) && v.pieces[j].param == nil; j++ {
				after += v.pieces[j].text
			}
			if opensList.MatchString(before) && strings.HasPrefix(strings.TrimSpace(after), ")") {
				continue
			}
			reported = append(reported, p.param)
			b.faults.Add(p.param.ast.Pos, "write IN ("+p.param.ast.String()+") or NOT IN ("+p.param.ast.String()+"); or store it with :json(), or its elements with each=", "%s is a list, and stands elsewhere than alone in IN (…)", p.param.ast)
		}
	}
}
