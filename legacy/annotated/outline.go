package annotated

// Verb is what a statement does, by its first keyword.
type Verb string

// The verbs that Outline tells apart.
const (
	VerbSelect  Verb = "SELECT"
	VerbWith    Verb = "WITH"
	VerbInsert  Verb = "INSERT"
	VerbReplace Verb = "REPLACE"
	VerbUpdate  Verb = "UPDATE"
	VerbDelete  Verb = "DELETE"
	VerbCall    Verb = "CALL"
	VerbSet     Verb = "SET"
	VerbOther   Verb = "" // anything else
)

// Outlined is what a statement's text shows without knowing the schema. Where the text is not clear, things are left
// out rather than guessed. All ranges are of the pieces that Outline was given.
type Outlined struct {
	// Verb is the statement's first keyword, behind any parentheses.
	Verb Verb
	// Main is Verb, or for WITH the verb behind the common table expressions.
	Main Verb
	// Opaque says that only Verb, Main, Union, Locks and Tables are known (and, for a UNION, Items of its first
	// SELECT): a UNION, a SELECT in parentheses, or a verb without an outline (CALL, SET, other).
	Opaque bool
	// Union says that the statement is several SELECTs joined by UNION, EXCEPT or INTERSECT.
	Union bool
	// Locks says that some SELECT in it locks what it reads: FOR UPDATE, FOR SHARE, LOCK IN SHARE MODE.
	Locks bool
	// Items are the top-level select list, or that of RETURNING. Nil: not known, or none.
	Items []Item
	// Clauses are the top-level clauses in the order of the text. INSERT and REPLACE have only RETURNING.
	Clauses []Clause
	// OrderBy is the top-level ORDER BY.
	OrderBy []OrderItem
	// HasLimit says that there is a top-level LIMIT (or FETCH FIRST).
	HasLimit bool
	// LimitAt is where a SELECT that is not Opaque and has no limit can be given one: a text like " LIMIT 10".
	LimitAt Offset
	// Tables are those mentioned anywhere, subqueries too, without common table expressions; repeats are kept.
	Tables []Table
	// Writes are the parameters that INSERT, REPLACE or UPDATE stores as they are.
	Writes []Write
	// Tuple is the one (…) behind VALUES of an INSERT or REPLACE, with its parentheses; nil when there is none or
	// more than one. Repeating it, with commas between, makes the statement insert more rows.
	Tuple *Range
}

// ClauseKind names a top-level clause.
type ClauseKind string

// The clauses that Outline finds.
const (
	ClauseFrom      ClauseKind = "FROM"
	ClauseUsing     ClauseKind = "USING" // of a DELETE
	ClauseSet       ClauseKind = "SET"   // of an UPDATE
	ClauseWhere     ClauseKind = "WHERE"
	ClauseGroupBy   ClauseKind = "GROUP BY"
	ClauseHaving    ClauseKind = "HAVING"
	ClauseWindow    ClauseKind = "WINDOW"
	ClauseOrderBy   ClauseKind = "ORDER BY"
	ClauseLimit     ClauseKind = "LIMIT" // FETCH FIRST and its OFFSET too
	ClauseInto      ClauseKind = "INTO"  // of a SELECT: variables or files
	ClauseProcedure ClauseKind = "PROCEDURE"
	ClauseLock      ClauseKind = "FOR UPDATE" // FOR SHARE and LOCK IN SHARE MODE too
	ClauseReturning ClauseKind = "RETURNING"
)

// Clause is one top-level clause. Range goes from its keyword to its last token, Body starts behind the keyword and is
// empty at its end when nothing follows.
type Clause struct {
	Kind  ClauseKind
	Range Range
	Body  Range
}

// Clause finds a clause by its kind. A kind occurs once, but for ClauseLock and ClauseInto, where it is the first.
func (o *Outlined) Clause(kind ClauseKind) (Clause, bool) {
	for _, c := range o.Clauses {
		if c.Kind == kind {
			return c, true
		}
	}
	return Clause{}, false
}

// Item is one item of a select list.
type Item struct {
	// Expr is the expression without its alias, normalized: two spellings that differ in blanks and needless
	// backquotes only give the same text. Letter case and parameters stay as written. It is for comparing; what goes
	// to the server is Range.
	Expr string
	// Range is the expression in the pieces, without its alias.
	Range Range
	// Alias is the name given with or without AS, unquoted; "" without one.
	Alias string
	// Star is set for * and t.*; Qualifier is then "" or t.
	Star bool
	// Column is the column's name when the expression is nothing but a column; Qualifier is then what stands before
	// it: "", a table or alias, or schema.table.
	Qualifier, Column string
}

// Name is the alias, else the column's name; "" when it is up to the server.
func (i Item) Name() string {
	if i.Alias != "" {
		return i.Alias
	}
	return i.Column
}

// OrderItem is one item of an ORDER BY. Expr, Range, Qualifier and Column are as in Item.
type OrderItem struct {
	Expr              string
	Range             Range
	Qualifier, Column string
	Desc              bool
}

// Table is a table that a statement mentions.
type Table struct {
	Schema string // "" where none is written
	Name   string
	Alias  string // "" without one
	// Written says that the statement may change it. Of an UPDATE or DELETE over several tables all are.
	Written bool
	// At is where its name, or its schema's, stands.
	At Offset
}

// Write is a parameter that is stored in a column as it is.
type Write struct {
	Param *Param
	// Schema and Table are the column's table; Table is "" where the text does not tell which of several it is.
	Schema, Table string
	Column        string
}

// Outline reads the clauses of one statement: the pieces of the lines chosen, with "\n" between lines, no semicolon.
// It fails on what no server would run: open quotes, unmatched parentheses, a clause given twice, and on `--` between operands. What it does not
// know it leaves out. It takes any input.
func Outline(pieces []Piece) (*Outlined, error) {
	t, err := tokenize(pieces)
	if err != nil {
		return nil, err
	}
	o := &outliner{tokens: t, out: &Outlined{}}
	o.readVerb()
	o.readUnion()
	o.readCTEs()
	o.readTables()
	if err := o.readBody(); err != nil {
		return nil, err
	}
	return o.out, nil
}

// IsOrderBy tells whether the line starts with ORDER BY: such lines with `-- if:` are alternatives to each other.
func (l *Line) IsOrderBy() bool {
	if len(l.Pieces) == 0 {
		return false
	}
	words := tokens{}
	for text, i := l.Pieces[0].Text, 0; i < len(text) && len(words) < 2; {
		x := lex(text, i)
		switch x.kind {
		case lexBlank, lexNewline, lexHint:
		default:
			words = append(words, token{kind: x.kind, text: text[i:x.end]})
		}
		i = x.end
	}
	return words.words(0, "ORDER", "BY")
}

// outliner walks over the tokens of one statement. main is the index of the main verb.
type outliner struct {
	tokens
	out   *Outlined
	main  int
	ctes  []string // names of common table expressions
	inner int      // subqueries around what readTables is at
}

func verbAt(t tokens, i int) Verb {
	for _, v := range [...]Verb{VerbSelect, VerbWith, VerbInsert, VerbReplace, VerbUpdate, VerbDelete, VerbCall, VerbSet} {
		if t.word(i, string(v)) {
			return v
		}
	}
	return VerbOther
}

// readVerb finds the first and the main verb.
func (o *outliner) readVerb() {
	for o.at(o.main).kind == lexOpen {
		o.main++
	}
	o.out.Opaque = o.main > 0
	o.out.Verb = verbAt(o.tokens, o.main)
	o.out.Main = o.out.Verb
	if o.out.Verb != VerbWith {
		return
	}
	depth := o.tokens[o.main].depth
	for i := o.main + 1; i < len(o.tokens); i++ {
		if v := verbAt(o.tokens, i); o.tokens[i].depth == depth && v != VerbOther && v != VerbWith {
			o.out.Main, o.main = v, i
			return
		}
	}
	o.out.Main, o.out.Opaque = VerbOther, true
}

// readCTEs finds the names of common table expressions: nothing else is written name [(columns)] AS (query).
func (o *outliner) readCTEs() {
	for i := range o.tokens {
		if !o.word(i, "AS") || o.at(i+1).kind != lexOpen || !o.queryAt(i+2) {
			continue
		}
		name := i - 1
		if o.at(name).kind == lexClose {
			name = o.tokens[name].mate - 1
		}
		if k := o.at(name).kind; k == lexWord || k == lexQuoted {
			o.ctes = append(o.ctes, o.tokens[name].name())
		}
	}
}

// readUnion looks for set operations on the main level, and for locks on any.
func (o *outliner) readUnion() {
	for i := range o.tokens {
		if o.tokens[i].depth == 0 && o.word(i, "UNION", "EXCEPT", "INTERSECT") {
			o.out.Union = true
		}
		if isLock(o.tokens, i) {
			o.out.Locks = true
		}
	}
}

func isLock(t tokens, i int) bool {
	return t.words(i, "FOR", "UPDATE") || t.words(i, "FOR", "SHARE") || t.words(i, "LOCK", "IN", "SHARE", "MODE")
}

// readBody reads what belongs to the main verb.
func (o *outliner) readBody() error {
	if o.out.Opaque {
		return nil
	}
	switch o.out.Main {
	case VerbSelect:
		if o.out.Union {
			o.out.Opaque = true
			o.readItems(o.main+1, o.listEnd(o.main+1))
			return nil
		}
		o.readItems(o.main+1, o.listEnd(o.main+1))
		return o.readClauses(o.main + 1)
	case VerbUpdate:
		if err := o.readClauses(o.main + 1); err != nil {
			return err
		}
		o.readSet()
	case VerbDelete:
		if err := o.readClauses(o.main + 1); err != nil {
			return err
		}
	case VerbInsert, VerbReplace:
		o.readInsert()
	default:
		o.out.Opaque = true
	}
	return nil
}
