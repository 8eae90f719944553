package annotated

import "strings"

// lineComment acts on a comment at the end of a line, or alone on a line between SQL.
func (p *parser) lineComment(l *line, off, end int) {
	dashes := p.text[off] == '-'
	if l.start < 0 {
		if dashes {
			p.innerComment(off, end)
		}
		return
	}
	mark := len("#")
	if dashes {
		mark = len("--")
	}
	at := skipBlanks(p.text[:end], off+mark)
	body := strings.TrimRight(p.text[at:end], " \t\r\v\f")
	if !dashes {
		p.checkBuried(body, off)
		return
	}
	if strings.HasPrefix(body, "?") {
		p.given(l, body, off)
		return
	}
	d, ok := readDirective(p.text, off, end)
	switch {
	case !ok && (body == "if" || strings.HasPrefix(body, "if ") || strings.HasPrefix(body, "if\t")):
		p.fault(off, "write `-- if: CEL`; begin prose with another word", "an if without its colon")
	case !ok:
		p.checkBuried(body, off)
	case !p.checkWord(d):
	case d.word != "if":
		p.fault(off, "put it on a line of its own", "`-- %s:` behind SQL", d.word)
	case d.value == "":
		p.fault(off, `write an expression, as in -- if: order_by == ""`, "`-- if:` without an expression")
	case buriesCondition(d.value):
		p.fault(off, "choose one: has(request.field) in CEL says that a field was given", "`-- if:` and `-- ?` on one line")
	default:
		l.line.Condition, l.line.If, l.line.IfPos = If, d.value, p.pos(d.at)
	}
}

func (p *parser) given(l *line, body string, off int) {
	switch {
	case body == "?":
		l.line.Condition = Given
	case buriesCondition(body[1:]):
		p.fault(off, "choose one: has(request.field) in CEL says that a field was given", "`-- if:` and `-- ?` on one line")
	default:
		p.fault(off, "put the prose on a line of its own", "%s behind `-- ?`", quoted(strings.TrimSpace(body[1:])))
	}
}

// innerComment acts on a comment that is alone on a line of a statement's SQL.
func (p *parser) innerComment(off, end int) {
	d, ok := readDirective(p.text, off, end)
	switch {
	case !ok:
		p.checkProse(off, end)
	case !p.checkWord(d):
	case d.word == "expect" && len(p.stmt.Lines) == 0:
		p.fault(off, "put both on lines of their own", "`-- expect:` behind other text")
	case d.word == "expect":
		p.fault(off, "write it between `-- name:` and its SQL", "an expect inside of SQL")
	case d.word == "if":
		p.fault(off, "write it at the end of the line that it is about", "`-- if:` on a line without SQL")
	default:
		p.fault(off, "put it on a line of its own", "`-- %s:` behind other text", d.word)
	}
}

// checkBuried reports prose that hides a condition, which would be dropped with it.
func (p *parser) checkBuried(body string, off int) {
	if buriesCondition(body) {
		p.fault(off, "make the condition the line's only comment", "a condition behind other prose")
	}
}

// buriesCondition finds `-- ?` at the end or `-- if:` anywhere, outside of quotes.
func buriesCondition(s string) bool {
	var quote byte
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quote != 0 && c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'' && (i == 0 || !isWord(s[i-1])): // no apostrophe, as in "it's"
			quote = c
		case strings.HasPrefix(s[i:], "--"):
			rest := strings.TrimSpace(s[i+len("--"):])
			if rest == "?" || strings.HasPrefix(rest, "if:") {
				return true
			}
		}
	}
	return false
}
