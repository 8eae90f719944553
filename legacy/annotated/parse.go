package annotated

import (
	"strings"

	"banyan.dev/banyan/internal/fault"
)

// Parse reads one file of annotated SQL. It reports every fault that it finds, each with its place and what to do, and
// goes on at the next directive. With faults, the File holds what could be read and is good for nothing but further
// checks. It never gives a nil File.
func Parse(name string, src []byte) (*File, fault.List) {
	p := &parser{source: newSource(name, src)}
	p.file = &File{Name: name}
	if p.checkEncoding(&p.faults) {
		p.run()
	}
	return p.file, p.faults
}

// state is what may come next in a file.
type state int

const (
	between state = iota // no statement is open
	wantSQL              // a name was read; expect or SQL comes
	done                 // the statement has ended
)

// parser walks over the file once.
type parser struct {
	*source
	file   *File
	faults fault.List

	i     int // where reading goes on
	state state
	block *Block     // nil before the first rpc or put
	stmt  *Statement // the last statement
	// orphan is set once a name without a block was reported.
	orphan bool
	// bad is set when the open statement's name was faulty, so that its kind says nothing.
	bad bool
}

func (p *parser) fault(off int, fix, format string, args ...any) {
	p.faults.Add(p.pos(off), fix, format, args...)
}

// run reads line by line; text[i] is at a line's start on each round, or behind a comment on it.
func (p *parser) run() {
	for p.i < len(p.text) {
		start := p.i
		l := lex(p.text, p.i)
		switch l.kind {
		case lexBlank, lexNewline:
			p.i = l.end
		case lexLineComment:
			p.i = l.end
			if p.text[start] == '-' {
				p.comment(start, l.end)
			}
		case lexComment:
			p.i = l.end
			if l.open {
				p.unterminated(start, l)
			}
		default:
			p.sql()
		}
	}
	p.endBlock()
}

// comment acts on a comment outside of SQL text.
func (p *parser) comment(off, end int) {
	d, ok := readDirective(p.text, off, end)
	if !ok {
		p.checkProse(off, end)
		return
	}
	if !p.checkWord(d) {
		return
	}
	if d.word != "if" && !p.ownLine(off) {
		p.fault(off, "put it on a line of its own", "`-- %s:` behind other text", d.word)
		return
	}
	switch d.word {
	case "rpc":
		p.startBlock(d, RPC)
	case "put":
		p.startBlock(d, Put)
	case "enum":
		p.endBlock()
		p.enum(d)
	case "event":
		p.endBlock()
		p.event(d)
	case "name":
		p.endStatement()
		p.name(d)
	case "expect":
		p.expect(d)
	case "if":
		p.fault(off, "write it at the end of the line that it is about", "`-- if:` on a line without SQL")
	}
}

// checkProse reports comments on their own line that are a directive but for a missing colon, or an option of a line.
func (p *parser) checkProse(off, end int) {
	body := strings.TrimSpace(p.text[off+len("--") : end])
	switch {
	case strings.HasPrefix(body, "?"):
		p.fault(off, "write it at the end of the line that it is about", "`-- ?` on a line without SQL")
	case p.state == wantSQL && looksLikeExpect(body):
		p.fault(off, "write `-- expect: …`; begin prose with another word", "an expect without its colon")
	}
}

// looksLikeExpect tells whether a comment is an expectation whose colon is missing.
func looksLikeExpect(body string) bool {
	rest, ok := strings.CutPrefix(body, "expect")
	if !ok {
		return false
	}
	arg := strings.TrimLeft(rest, " \t")
	return arg != "" && len(arg) < len(rest) && strings.IndexByte("=!<>0123456789", arg[0]) >= 0
}

// ownLine tells whether only blanks stand before off on its line.
func (p *parser) ownLine(off int) bool {
	start := strings.LastIndexByte(p.text[:off], '\n') + 1
	return skipBlanks(p.text, start) == off
}

// startBlock begins an rpc or put block.
func (p *parser) startBlock(d directive, kind BlockKind) {
	p.endBlock()
	b := &Block{Pos: p.pos(d.off), Kind: kind, Target: d.value}
	path, ok := splitPath(d.value)
	switch {
	case kind == RPC && (!ok || len(path) < 2):
		p.fault(d.at, "write the RPC's full name and nothing else: `-- rpc: shop.v2.OrderService.GetOrder`", "%s is no full name of an RPC", quoted(d.value))
	case kind == Put && !ok:
		p.fault(d.at, "write the message's full name and nothing else: `-- put: shop.v2.Order`", "%s is no full name of a message", quoted(d.value))
	default:
		for _, other := range p.file.Blocks {
			if other.Kind == kind && other.Target == d.value {
				p.fault(d.off, "make one block of the two", "a second `-- %s: %s`; the first is on line %d", d.word, d.value, other.Pos.Line)
				break
			}
		}
	}
	p.file.Blocks = append(p.file.Blocks, b)
	p.block, p.orphan = b, false
}

// endBlock ends the block before a new one or at the file's end.
func (p *parser) endBlock() {
	p.endStatement()
	if p.block != nil && len(p.block.Statements) == 0 && !p.orphan {
		p.faults.Add(p.block.Pos, "add `-- name: NAME :KIND` and its SQL below", "a block without a statement")
	}
	if p.block != nil {
		p.checkBlock(p.block)
	}
	p.block, p.stmt, p.orphan, p.state = nil, nil, false, between
}

// endStatement reports a statement that still waits for its SQL.
func (p *parser) endStatement() {
	if p.state == wantSQL {
		p.faults.Add(p.stmt.Pos, "write the SQL below it, ended by `;`", "the statement %s has no SQL", quoted(p.stmt.Name))
	}
	p.state = between
}

// sql acts on SQL text: the open statement's, or a fault.
func (p *parser) sql() {
	start := p.i
	if d, ok := p.tightDirective(start); ok {
		p.fault(start, "write `-- "+d+":`", "no blank between -- and %s:", d)
		p.i = p.nextLine(start)
		return
	}
	switch p.state {
	case wantSQL:
		p.statementSQL()
		p.state = done
		return
	case done:
		if !p.stmt.Kind.hasSQL() && !p.bad {
			p.fault(start, "remove it", "SQL under a %s, which has none", p.stmt.Kind)
		} else {
			p.fault(start, "give it its own `-- name:`", "a second statement under the name %s", quoted(p.stmt.Name))
		}
	case between:
		if p.block == nil {
			p.fault(start, "write `-- rpc:` or `-- put:`, then `-- name: NAME :KIND`, above it", "SQL outside of a block")
		} else {
			p.fault(start, "write `-- name: NAME :KIND` above it", "SQL without a name")
		}
	}
	p.i = p.nextStart(start)
}

// tightDirective finds a directive whose blank after -- is missing, so that MySQL takes it for two minus signs.
func (p *parser) tightDirective(off int) (string, bool) {
	if !strings.HasPrefix(p.text[off:], "--") || !p.ownLine(off) {
		return "", false
	}
	d, ok := readDirective(p.text, off, p.lineEnd(off))
	return d.word, ok && isKey(d.word)
}

// unterminated reports what never ends and goes on at the next directive.
func (p *parser) unterminated(off int, l lexeme) {
	what, fix := "a string", "end it with its quote"
	switch l.kind {
	case lexQuoted:
		what, fix = "a `…` identifier", "end it with a backquote"
	case lexComment, lexHint, lexVersioned:
		what, fix = "a /* comment", "end it with */"
	}
	p.fault(off, fix, "%s that never ends", what)
	p.i = p.nextStart(off)
}

// quoted shows text of the file in a message.
func quoted(s string) string {
	const most = 60
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	if s == "" {
		return "(nothing)"
	}
	return `"` + strings.ToValidUTF8(s, "\ufffd") + `"`
}
