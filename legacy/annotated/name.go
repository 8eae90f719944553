package annotated

import (
	"strings"

	"banyan.dev/banyan/internal/fault"
)

// kindNamed finds a kind as it is written, with its colon.
func kindNamed(s string) (Kind, bool) {
	for k := One; k <= Reply; k++ {
		if k.String() == s {
			return k, true
		}
	}
	return 0, false
}

const kindsFix = "write :one, :opt, :many, :exec, :call or :reply"

// reserved are words that parameters and CEL know already.
func reserved(name string) bool { return name == "auth" || name == "page" || name == "request" }

// name begins a statement: NAME :KIND options.
func (p *parser) name(d directive) {
	if p.block == nil {
		p.fault(d.off, "write `-- rpc:` or `-- put:` above it", "a statement outside of a block")
		p.block, p.orphan = &Block{}, true
	}
	s := &Statement{Pos: p.pos(d.off)}
	p.block.Statements = append(p.block.Statements, s)
	p.stmt, p.state, p.bad = s, wantSQL, true

	words := fields(d.value, d.at)
	if len(words) == 0 || strings.HasPrefix(words[0].text, ":") {
		p.fault(d.at, "write `-- name: NAME :KIND`", "a statement without a name")
	} else {
		p.nameOf(s, words[0])
		words = words[1:]
	}
	if len(words) == 0 {
		p.fault(d.at+len(d.value), kindsFix, "a statement without a kind")
		return
	}
	kind, ok := kindNamed(words[0].text)
	if !ok {
		p.fault(words[0].off, kindsFix, "%s is no kind", quoted(words[0].text))
		p.state = wantSQL
		return
	}
	s.Kind, p.bad = kind, false
	switch kind {
	case CallRPC:
		p.call(s, words[0], words[1:])
		p.state = done
		return
	case Reply:
		p.reply(s, words[0], words[1:])
		p.state = done
		return
	}
	p.options(s, words[1:])
}

func (p *parser) nameOf(s *Statement, f field) {
	s.Name = f.text
	switch {
	case !isIdent(f.text):
		p.fault(f.off, "use letters, digits and _, a letter or _ first", "%s is no name", quoted(f.text))
	case reserved(f.text):
		p.fault(f.off, "take another name", "the name %q has a meaning of its own", f.text)
	default:
		for _, other := range p.block.Statements {
			if other != s && other.Name == f.text {
				p.fault(f.off, "take another name", "a second statement %q; the first is on line %d", f.text, other.Pos.Line)
				break
			}
		}
	}
}

// options reads into=, each= and as=.
func (p *parser) options(s *Statement, words []field) {
	seen := map[string]field{}
	for _, w := range words {
		key, value, ok := strings.Cut(w.text, "=")
		if !ok || key != "into" && key != "each" && key != "as" {
			p.fault(w.off, "known are into=PATH, each=PATH and as=NAME, without blanks in them", "unknown option %s", quoted(w.text))
			continue
		}
		if _, twice := seen[key]; twice {
			p.fault(w.off, "give it once", "a second %s=", key)
			continue
		}
		seen[key] = w
		at := w.off + len(key) + len("=")
		switch key {
		case "into":
			s.Into = p.into(value, at)
		case "each":
			path, ok := splitPath(value)
			if !ok {
				p.fault(at, "write a path of the request, as in each=order.lines", "%s is no path", quoted(value))
			}
			s.ensureEach(p.pos(w.off)).Path = path
		case "as":
			if !isIdent(value) || reserved(value) {
				p.fault(at, "use letters, digits and _, a letter or _ first; auth, page and request are taken", "%s is no name for an element", quoted(value))
			}
			s.ensureEach(p.pos(w.off)).As = value
		}
	}
	each, hasEach := seen["each"]
	as, hasAs := seen["as"]
	switch {
	case hasEach && !hasAs:
		p.fault(each.off, "add as=NAME, the name of one element in the SQL", "each= without as=")
	case hasAs && !hasEach:
		p.fault(as.off, "add each=PATH, the list that the statement runs over", "as= without each=")
	}
	p.checkOptions(s, seen)
}

func (s *Statement) ensureEach(at fault.Pos) *Each {
	if s.Each == nil {
		s.Each = &Each{Pos: at}
	}
	return s.Each
}

// checkOptions holds the options against the statement's kind and block.
func (p *parser) checkOptions(s *Statement, seen map[string]field) {
	discards := s.Into != nil && s.Into.Discard
	switch {
	case s.Kind == Exec && s.Into != nil:
		p.fault(seen["into"].off, "remove it; rows that are changed fill nothing", "into= on an :exec")
	case s.Kind != Exec && p.block.Kind == Put && !p.orphan && !discards:
		p.faults.Add(s.Pos, "add into=- (its columns are still parameters of later statements)", "a query in a put fills nothing")
	case s.Kind != Exec && s.Each != nil && !discards:
		p.faults.Add(s.Pos, "read all elements in one query with IN (:list), or add into=-", "each= on a query that fills the reply")
	}
}

// checkBlock looks at what only shows when a block is complete.
func (p *parser) checkBlock(b *Block) {
	names := map[string]*Statement{}
	for _, s := range b.Statements {
		names[s.Name] = s
	}
	for i, s := range b.Statements {
		if s.Each != nil && s.Each.As != "" && names[s.Each.As] != nil {
			p.faults.Add(s.Each.Pos, "take another name", "as=%s hides the statement %q on line %d", s.Each.As, s.Each.As, names[s.Each.As].Pos.Line)
		}
		answers := !s.Kind.hasSQL()
		if answers && i+1 < len(b.Statements) {
			p.faults.Add(s.Pos, "make it the block's last statement", "statements follow a %s, which answers the operation", s.Kind)
		}
		if answers && b.Kind == Put && b.Target != "" {
			p.faults.Add(s.Pos, "use :exec, or a query with into=-", "a %s in a put", s.Kind)
		}
	}
}
