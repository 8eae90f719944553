package legacy

import "banyan.dev/banyan/legacy/annotated"

// AccessOf is Program.Access for one statement.
func AccessOf(o AccessOptions, statement string) (needs []Access, notes []string) {
	a := &accesses{options: o, needs: map[accessKey]*annotated.Use{}, executes: map[accessKey]bool{}}
	a.statement([]annotated.Piece{{Text: statement}}, "it")
	return a.list(), a.notes
}
