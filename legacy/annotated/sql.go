package annotated

import "strings"

// line collects one line of a statement. It is longer than a line of the file when a string or comment spans lines.
type line struct {
	line   Line
	text   strings.Builder
	start  int  // offset of the first SQL, -1 before it
	blank  int  // offset of the line itself
	spans  bool // goes on over a line break
	depth  int  // open parentheses
	below  bool // closed one that an earlier line opened
	params int  // parameters other than :page
	page   int  // offset of :page, -1 without
}

func newLine(off int) *line { return &line{start: -1, blank: off, page: -1} }

func (l *line) flush() {
	if l.text.Len() > 0 {
		l.line.Pieces = append(l.line.Pieces, Piece{Text: l.text.String()})
		l.text.Reset()
	}
}

// statementSQL reads the open statement's SQL up to and with its semicolon and the rest of that line. What makes
// further reading pointless (an open string, SQL behind the semicolon) is left to the next directive.
func (p *parser) statementSQL() {
	off := strings.LastIndexByte(p.text[:p.i], '\n') + 1
	if off < p.i && skipBlanks(p.text, off) < p.i {
		off = p.i // a comment stands before it
	}
	p.i = off
	end := p.i      // behind the last SQL
	page := -1      // offset of the first :page
	closed := false // the semicolon was read
	l := newLine(off)
	for p.i < len(p.text) {
		if p.i == l.blank && startsAt(p.text, p.i) {
			break
		}
		start := p.i
		x := lex(p.text, start)
		p.i = x.end
		switch x.kind {
		case lexNewline:
			p.endLine(l)
			l = newLine(p.i)
			if closed {
				return
			}
			continue
		case lexLineComment:
			p.lineComment(l, start, x.end)
			continue
		case lexBlank:
			l.text.WriteString(p.text[start:x.end])
			continue
		case lexSemicolon:
			if !closed && page < 0 && l.start < 0 && len(p.stmt.Lines) == 0 {
				p.fault(start, "write the SQL before the `;`", "the statement %s has no SQL", quoted(p.stmt.Name))
			}
			if closed {
				p.fault(start, "remove it", "a second `;`")
			}
			closed = true
			continue
		}
		if closed && x.kind != lexComment {
			p.endLine(l)
			p.i = start
			p.state = done
			p.sql()
			return
		}
		if at, cut := p.startWithin(start, x.end); cut && (x.kind == lexString || x.kind == lexQuoted) {
			p.unterminated(start, x)
			p.i = at
			return
		}
		if x.open {
			p.unterminated(start, x)
			return
		}
		end = p.lexeme(l, start, x)
		if l.page >= 0 && l.page != page {
			if page >= 0 {
				p.fault(l.page, "write it once", "a second :page")
			}
			page = l.page
		}
	}
	p.endLine(l)
	if !closed {
		p.fault(end, "end the SQL with `;`", "the statement %s has no `;`", quoted(p.stmt.Name))
	}
}

// lexeme adds one lexeme to the line and gives the offset behind it.
func (p *parser) lexeme(l *line, start int, x lexeme) int {
	if x.kind == lexComment {
		l.spans = l.spans || strings.Contains(p.text[start:x.end], "\n")
		l.text.WriteByte(' ')
		return start
	}
	if l.start < 0 {
		l.start = start
		l.text.Reset() // blanks before it
		l.line.Pos = p.pos(start)
	}
	l.spans = l.spans || strings.Contains(p.text[start:x.end], "\n")
	switch x.kind {
	case lexOpen:
		l.depth++
	case lexClose:
		l.depth--
		l.below = l.below || l.depth < 0
	case lexVersioned:
		p.fault(start, "write the SQL itself, without /*! */", "a versioned comment: what the server does with it can't be checked")
	case lexQuestion:
		p.fault(start, "write :path for a parameter", "a ? outside of quotes")
	case lexColon:
		return p.addParam(l, start)
	case lexOperator:
		if strings.HasPrefix(p.text[start:], "--") {
			p.fault(start, "write `-- ` for a comment, `- -` for a sum", "-- without a blank behind it: the server takes it for two minus signs")
			p.i++
			return start + len("--")
		}
	}
	l.text.WriteString(p.text[start:x.end])
	return x.end
}

// addParam reads a parameter at off and gives the offset behind it.
func (p *parser) addParam(l *line, off int) int {
	param, end := p.param(off)
	p.i = end
	switch {
	case param == nil:
		l.params++ // was meant as one: one fault is enough
		return end
	case param.IsPage():
		if l.page >= 0 {
			p.fault(off, "write it once", "a second :page")
		}
		l.page = off
		if p.stmt.Kind != Many && !p.bad {
			p.fault(off, "page through a :many", ":page in a statement of kind %s", p.stmt.Kind)
		}
	default:
		l.params++
	}
	l.flush()
	l.line.Pieces = append(l.line.Pieces, Piece{Param: param})
	return end
}

// endLine adds the line to the statement, less the blanks around it. A line without SQL is dropped.
func (p *parser) endLine(l *line) {
	if l.start < 0 {
		return
	}
	trimmed := strings.TrimRight(l.text.String(), " \t\r\v\f")
	l.text.Reset()
	l.text.WriteString(trimmed)
	l.flush()
	p.checkOptional(l)
	p.stmt.Lines = append(p.stmt.Lines, l.line)
}

// checkOptional holds an optional line to what makes it one: whatever is left out, the rest must still be SQL.
func (p *parser) checkOptional(l *line) {
	if l.line.Condition == Always {
		return
	}
	const whole = "an optional line must be whole: "
	switch {
	case l.spans:
		p.fault(l.start, "put it on one line", whole+"a string or comment on it goes over its end")
	case l.below || l.depth != 0:
		p.fault(l.start, "put both on the same line", whole+"a parenthesis on it has its partner on another line")
	}
	if l.line.Condition == Given && l.params == 0 {
		p.fault(l.start, "use a parameter on it, or `-- if:`", "`-- ?` on a line without a parameter")
	}
	if l.page >= 0 {
		p.fault(l.page, "put it on a line that is always there", ":page on an optional line")
	}
}
