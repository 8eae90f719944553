package annotated

import (
	"slices"
	"strings"
)

// Use is what a statement does with a table or a sequence, as the servers' privileges see it (MySQL Reference Manual, the
// statements' own pages; MariaDB Knowledge Base, "GRANT"). Where the text leaves it open, columns tell.
type Use struct {
	// Schema is "" where none is written.
	Schema, Name                   string
	Select, Insert, Update, Delete bool
	// Lock says that a SELECT … FOR UPDATE locks its rows.
	Lock bool
	// SelectIf are columns that are read, and UpdateIf those that are set, without saying whose they are: the table is read,
	// or changed, if it has one of them.
	SelectIf, UpdateIf []string
}

// Called is what looks like a call of a routine. Functions of the server itself look the same.
type Called struct {
	// Schema is "" where none is written.
	Schema, Name string
	Procedure    bool
}

// Uses tells what the statement that the pieces are does with which tables, and what it may call: a table that is
// mentioned twice has both uses in one. It fails where Outline does.
func Uses(pieces []Piece) ([]Use, []Called, error) {
	t, err := tokenize(pieces)
	if err != nil {
		return nil, nil, err
	}
	o := &outliner{tokens: t, out: &Outlined{}}
	o.readVerb()
	o.readCTEs()
	o.readTables()
	u := &uses{outliner: o}
	u.read()
	return u.all, u.calls(), nil
}

// uses collects what a statement does.
type uses struct {
	*outliner
	all []Use
}

func (u *uses) read() {
	switch u.out.Main {
	case VerbInsert, VerbReplace:
		u.insert()
	case VerbUpdate:
		u.update()
	case VerbDelete:
		u.remove()
	}
	// All others are read: those of a SELECT, and of subqueries.
	lock := u.has("FOR", "UPDATE")
	for _, t := range u.out.Tables {
		if !t.Written {
			u.add(Use{Schema: t.Schema, Name: t.Name, Select: true, Lock: lock})
		}
	}
	u.sequences()
}

// add takes a use in.
func (u *uses) add(use Use) {
	i := slices.IndexFunc(u.all, func(have Use) bool { return have.Schema == use.Schema && have.Name == use.Name })
	if i < 0 {
		u.all = append(u.all, use)
		return
	}
	have := &u.all[i]
	have.Select, have.Insert = have.Select || use.Select, have.Insert || use.Insert
	have.Update, have.Delete = have.Update || use.Update, have.Delete || use.Delete
	have.Lock = have.Lock || use.Lock
	have.SelectIf, have.UpdateIf = append(have.SelectIf, use.SelectIf...), append(have.UpdateIf, use.UpdateIf...)
}

// find gives the index of words in a row outside of parentheses, behind the main verb; the end where there are none.
func (u *uses) find(words ...string) int {
	for i := u.main + 1; i < len(u.tokens); i++ {
		if u.tokens[i].depth == u.tokens[u.main].depth && u.words(i, words...) {
			return i
		}
	}
	return len(u.tokens)
}

// has tells whether the words stand in a row anywhere, with parentheses around or not.
func (u *uses) has(words ...string) bool {
	for i := range u.tokens {
		if u.words(i, words...) {
			return true
		}
	}
	return false
}

func (u *uses) ends(words ...string) bool { return u.find(words...) == len(u.tokens) }

// written gives the tables of the statement's own list.
func (u *uses) written() (own []Table) {
	for _, t := range u.out.Tables {
		if t.Written {
			own = append(own, t)
		}
	}
	return own
}

func (u *uses) insert() {
	duplicate, returning := !u.ends("ON", "DUPLICATE", "KEY", "UPDATE"), !u.ends("RETURNING")
	for _, t := range u.written() {
		// ON DUPLICATE KEY reads columns, even where it only sets them.
		u.add(Use{Schema: t.Schema, Name: t.Name, Insert: true, Update: duplicate, Delete: u.out.Main == VerbReplace, Select: duplicate || returning})
	}
}

// update reads an UPDATE. Of several tables all are read, and those are changed that have a column that is set.
func (u *uses) update() {
	set := u.find("SET")
	end := min(u.find("WHERE"), u.find("ORDER", "BY"), u.find("LIMIT"))
	own := u.written()
	several := len(own) > 1
	for i := u.main + 1; i < set; i++ {
		several = several || u.tokens[i].kind == lexComma || u.tokens[i].kind == lexOpen || u.word(i, "JOIN", "STRAIGHT_JOIN")
	}
	if !several {
		for _, t := range own {
			use := Use{Schema: t.Schema, Name: t.Name, Update: true, Select: min(u.find("WHERE"), u.find("ORDER", "BY")) < len(u.tokens)}
			if !use.Select {
				use.Select, use.SelectIf = u.reads(t, set+1, end)
			}
			u.add(use)
		}
		return
	}
	for _, t := range own {
		u.add(Use{Schema: t.Schema, Name: t.Name, Select: true})
	}
	for _, part := range u.split(set+1, end) {
		u.assigned(own, part[0], part[1])
	}
}

// assigned adds whose column a part of SET sets.
func (u *uses) assigned(own []Table, i, end int) {
	at := i
	for at < end && u.tokens[at].kind != lexOperator {
		at++
	}
	qualifier, column := u.target(i, at)
	if t, ok := owner(own, qualifier); ok && (qualifier != "" || len(own) == 1) {
		u.add(Use{Schema: t.Schema, Name: t.Name, Update: true})
		return
	}
	for _, t := range own {
		u.add(Use{Schema: t.Schema, Name: t.Name, Update: column == "" || qualifier != "", UpdateIf: []string{column}})
	}
}

// reads tells whether the right sides of a SET read columns of its one table, and by which names they may.
func (u *uses) reads(of Table, i, end int) (certain bool, perhaps []string) {
	for _, part := range u.split(i, end) {
		at := part[0]
		for at < part[1] && u.tokens[at].kind != lexOperator {
			at++
		}
		for n := at + 1; n < part[1]; n++ {
			t := u.tokens[n]
			switch {
			case t.kind != lexWord && t.kind != lexQuoted, u.at(n+1).kind == lexDot, u.at(n+1).kind == lexOpen:
			case u.at(n-1).kind == lexDot:
				_, mine := owner([]Table{of}, u.at(n-2).name())
				certain = certain || mine
			case u.tableAt(t.from), u.word(n, "FROM"):
			case t.kind == lexQuoted || !isReservedWord(t.text):
				perhaps = append(perhaps, t.name())
			}
		}
	}
	return certain, perhaps
}

// remove reads a DELETE. DELETE FROM t without more is of one table; in all other forms those named are deleted from, and all
// are read.
func (u *uses) remove() {
	i := u.main + 1
	for u.word(i, "LOW_PRIORITY", "QUICK", "IGNORE") {
		i++
	}
	own := u.written()
	from, using := u.find("FROM"), u.usingAt()
	if i == from && using == len(u.tokens) {
		rest := min(u.find("WHERE"), u.find("ORDER", "BY"), u.find("RETURNING")) < len(u.tokens)
		for _, t := range own {
			u.add(Use{Schema: t.Schema, Name: t.Name, Delete: true, Select: rest})
		}
		return
	}
	end := from
	if i == from {
		i, end = from+1, using
	}
	for _, t := range own {
		u.add(Use{Schema: t.Schema, Name: t.Name, Select: true})
	}
	for _, part := range u.split(i, end) {
		last := part[1]
		if u.at(last-1).text == "*" && u.at(last-2).kind == lexDot {
			last -= 2
		}
		name, _ := u.qualified(part[0], last)
		t, ok := owner(own, name)
		for _, other := range own {
			if !ok || t == other {
				u.add(Use{Schema: other.Schema, Name: other.Name, Delete: true})
			}
		}
	}
}

// tableAt tells whether a table stands there.
func (u *uses) tableAt(at Offset) bool {
	return slices.ContainsFunc(u.out.Tables, func(t Table) bool { return t.At == at })
}

// usingAt finds the USING that a DELETE's tables stand behind.
func (u *uses) usingAt() int {
	for i := u.main + 1; i < len(u.tokens); i++ {
		if u.tokens[i].depth == u.tokens[u.main].depth && u.word(i, "USING") && u.at(i+1).kind != lexOpen {
			return i
		}
	}
	return len(u.tokens)
}

// sequences finds what is asked of MariaDB's sequences: taking a number changes them.
func (u *uses) sequences() {
	for i := range u.tokens {
		next, last := u.words(i, "NEXT", "VALUE", "FOR"), u.words(i, "PREVIOUS", "VALUE", "FOR")
		at := i + 3
		if u.word(i, "NEXTVAL", "SETVAL", "LASTVAL") && u.at(i+1).kind == lexOpen {
			next, last, at = !u.word(i, "LASTVAL"), u.word(i, "LASTVAL"), i+2
		}
		if k := u.at(at).kind; (next || last) && (k == lexWord || k == lexQuoted) {
			t, _ := u.tableName(at)
			u.add(Use{Schema: t.Schema, Name: t.Name, Select: true, Insert: next})
		}
	}
}

// calls finds what may be a routine: CALL's, and each name before a parenthesis that is no table.
func (u *uses) calls() (all []Called) {
	add := func(c Called) {
		if !slices.ContainsFunc(all, func(have Called) bool {
			return have.Procedure == c.Procedure && strings.EqualFold(have.Schema, c.Schema) && strings.EqualFold(have.Name, c.Name)
		}) {
			all = append(all, c)
		}
	}
	first := 0
	if k := u.at(u.main + 1); u.out.Main == VerbCall && (k.kind == lexWord || k.kind == lexQuoted) && k.name() != "" {
		t, last := u.tableName(u.main + 1)
		add(Called{Schema: t.Schema, Name: t.Name, Procedure: true})
		first = last + 1
	}
	for i := first; i < len(u.tokens); i++ {
		if k := u.tokens[i].kind; k != lexWord && k != lexQuoted || u.at(i+1).kind != lexOpen {
			continue
		}
		c, at := Called{Name: u.tokens[i].name()}, u.tokens[i].from
		if q := u.at(i - 2); u.at(i-1).kind == lexDot && (q.kind == lexWord || q.kind == lexQuoted) {
			c.Schema, at = q.name(), q.from
		}
		if keyword := u.tokens[i].kind == lexWord && c.Schema == "" && isReservedWord(c.Name); !keyword && c.Name != "" && !u.tableAt(at) {
			add(c)
		}
	}
	return all
}
