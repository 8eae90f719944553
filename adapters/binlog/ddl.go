package binlog

import (
	"strings"

	"banyan.dev/banyan/mirror/change"
)

// meaning is what the text of a query event says.
type meaning uint8

const (
	// means nothing to tables' rows or columns.
	meansNothing meaning = iota
	meansBegin
	meansCommit
	meansRollback
	meansSavepoint
	// meansUndo is ROLLBACK TO SAVEPOINT.
	meansUndo
	meansXAStart
	meansXACommit
	meansXARollback
	// meansStatements are changes of whole tables.
	meansStatements
)

// statement is a query's meaning.
type statement struct {
	meaning meaning
	// name is a savepoint's, or tells XA transactions apart as change.XAName does.
	name string
	// events are in the order of the text. Their SQL and Row are not set.
	events []change.Statement
}

// statementOf reads what a query event says, as far as tables are concerned:
//
//   - CREATE TABLE, ALTER TABLE, DROP TABLE, RENAME TABLE and TRUNCATE, and CREATE and DROP INDEX as Alter, one event for
//     each table. CREATE OR REPLACE TABLE is a Drop and a Create; an ALTER that also renames is an Alter and a Rename.
//   - ALTER TABLE that drops, empties or exchanges partitions or tablespaces as Partition, for both tables of an exchange.
//   - DROP DATABASE as a Drop with an empty table.
//   - What is no DDL, nor known to change no rows, as Opaque. Its table is the one that an INSERT, REPLACE, UPDATE or
//     DELETE of one table names, and else empty; its triggers' tables are not told.
func statementOf(q query) statement {
	p := ddlParser{scanner: scanner{text: q.text, ansi: q.ansi, plain: q.plain}, schema: q.schema}
	switch first := p.next(); {
	case first.kind == tokenEnd:
		return statement{}
	case first.is("BEGIN"):
		return statement{meaning: meansBegin}
	case first.is("START") && p.peek().is("TRANSACTION"):
		return statement{meaning: meansBegin}
	case first.is("COMMIT"):
		return statement{meaning: meansCommit}
	case first.is("ROLLBACK"):
		p.accept("WORK")
		if p.accept("TO") {
			p.accept("SAVEPOINT")
			return statement{meaning: meansUndo, name: p.next().text}
		}
		return statement{meaning: meansRollback}
	case first.is("SAVEPOINT"):
		return statement{meaning: meansSavepoint, name: p.next().text}
	case first.is("XA"):
		return p.xa()
	case first.is("CREATE"):
		p.create()
	case first.is("ALTER"):
		p.alter()
	case first.is("DROP"):
		p.drop()
	case first.is("TRUNCATE"):
		p.accept("TABLE")
		p.one(change.Truncate)
	case first.is("RENAME"):
		p.rename()
	case first.is(harmless()...):
	default:
		p.opaque(first)
	}
	if len(p.events) == 0 {
		return statement{}
	}
	return statement{meaning: meansStatements, events: p.events}
}

// harmless statements change no rows.
func harmless() []string {
	return []string{
		"RELEASE", "SET", "USE", "GRANT", "REVOKE", "ANALYZE", "OPTIMIZE", "CHECK", "CHECKSUM", "FLUSH", "LOCK", "UNLOCK",
		"INSTALL", "UNINSTALL", "PURGE", "RESET", "KILL", "START", "STOP", "CHANGE", "CACHE", "SHOW", "EXPLAIN", "DESCRIBE",
	}
}

type ddlParser struct {
	scanner
	schema string
	events []change.Statement
}

// tableName is a table's name; one without a schema is in the session's.
type qualified struct{ schema, table string }

func (p *ddlParser) name() (qualified, bool) {
	t := p.next()
	if t.kind != tokenWord && t.kind != tokenName || t.text == "" {
		return qualified{}, false
	}
	if !p.acceptSymbol(".") {
		return qualified{p.schema, t.text}, true
	}
	second := p.next()
	return qualified{t.text, second.text}, (second.kind == tokenWord || second.kind == tokenName) && second.text != ""
}

func (p *ddlParser) add(op change.Op, of qualified) *change.Statement {
	p.events = append(p.events, change.Statement{Op: op, Schema: of.schema, Table: of.table})
	return &p.events[len(p.events)-1]
}

// unclear is a statement whose table can't be told.
func (p *ddlParser) unclear() { p.add(change.Opaque, qualified{schema: p.schema}) }

// exists passes over IF EXISTS and IF NOT EXISTS.
func (p *ddlParser) exists() {
	if p.accept("IF") {
		p.accept("NOT")
		p.accept("EXISTS")
	}
}

func (p *ddlParser) one(op change.Op) {
	p.exists()
	of, ok := p.name()
	if !ok {
		p.unclear()
		return
	}
	p.add(op, of)
}

func (p *ddlParser) create() {
	replace := false
	if p.accept("OR") {
		replace = p.accept("REPLACE")
	}
	p.skip("ONLINE", "OFFLINE", "UNIQUE", "FULLTEXT", "SPATIAL", "VECTOR")
	switch {
	case p.accept("TABLE"):
		if replace {
			ahead := *p
			ahead.one(change.Drop)
			p.events = ahead.events
		}
		p.one(change.Create)
	case p.accept("INDEX"):
		p.on()
	}
}

// on finds the table behind ON of an index.
func (p *ddlParser) on() {
	for t := p.next(); t.kind != tokenEnd; t = p.next() {
		if t.is("ON") {
			p.one(change.Alter)
			return
		}
	}
	p.unclear()
}

func (p *ddlParser) drop() {
	p.skip("ONLINE", "OFFLINE")
	switch {
	case p.accept("INDEX"):
		p.on()
	case p.accept("DATABASE", "SCHEMA"):
		p.exists()
		if t := p.next(); t.kind == tokenWord || t.kind == tokenName {
			p.add(change.Drop, qualified{schema: t.text})
			return
		}
		p.unclear()
	case p.accept("TABLE", "TABLES"):
		p.exists()
		for {
			of, ok := p.name()
			if !ok {
				p.unclear()
				return
			}
			p.add(change.Drop, of)
			if !p.acceptSymbol(",") {
				return
			}
		}
	}
}

func (p *ddlParser) rename() {
	if !p.accept("TABLE", "TABLES") {
		return
	}
	p.exists()
	for {
		from, ok := p.name()
		if p.accept("WAIT") {
			p.next()
		}
		p.skip("NOWAIT")
		if !ok || !p.accept("TO") {
			p.unclear()
			return
		}
		to, ok := p.name()
		if !ok {
			p.unclear()
			return
		}
		e := p.add(change.Rename, from)
		e.ToSchema, e.ToTable = to.schema, to.table
		if !p.acceptSymbol(",") {
			return
		}
	}
}

// xa reads the branch's name, which servers write as X'…',X'…',format.
func (p *ddlParser) xa() statement {
	verb := p.next()
	var parts [2]string
	for i := range parts {
		hex := p.accept("X")
		t := p.peek()
		if t.kind != tokenString {
			break
		}
		p.next()
		parts[i] = t.text
		if !hex {
			parts[i] = hexText(t.text)
		}
		if !p.acceptSymbol(",") {
			break
		}
	}
	format := "1"
	if t := p.next(); t.kind == tokenWord && t.text[0] >= '0' && t.text[0] <= '9' {
		format = t.text
	}
	s := statement{name: strings.ToLower(parts[0]) + "." + strings.ToLower(parts[1]) + "." + format}
	switch {
	case verb.is("START", "BEGIN"):
		s.meaning = meansXAStart
	case verb.is("COMMIT"):
		s.meaning = meansXACommit
	case verb.is("ROLLBACK"):
		s.meaning = meansXARollback
	}
	return s
}
