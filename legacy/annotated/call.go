package annotated

import "strings"

// call reads what follows :call: the operation and the fields of its request.
func (p *parser) call(s *Statement, kind field, words []field) {
	s.Call = &Call{Pos: p.pos(kind.off)}
	if len(words) == 0 || strings.Contains(words[0].text, "=") {
		p.fault(kind.off+len(kind.text), "write `:call RPC field=:param …`", "a :call without an RPC")
	} else {
		s.Call.Pos, s.Call.RPC = p.pos(words[0].off), words[0].text
		if _, ok := splitPath(words[0].text); !ok {
			p.fault(words[0].off, "write a method of the same service, or its full name", "%s is no RPC", quoted(words[0].text))
		}
		words = words[1:]
	}
	s.Call.Args = p.assignments(words)
}

// reply reads what follows :reply: the fields of the reply.
func (p *parser) reply(s *Statement, kind field, words []field) {
	if len(words) == 0 {
		p.fault(kind.off+len(kind.text), "write `:reply field=:param …`", "a :reply without fields")
	}
	s.Fields = p.assignments(words)
}

// assignments reads field=:param pairs.
func (p *parser) assignments(words []field) []Arg {
	var out []Arg
	seen := map[string]bool{}
	for _, w := range words {
		name, value, ok := strings.Cut(w.text, "=")
		path, isPath := splitPath(name)
		if !ok || !isPath {
			p.fault(w.off, "write field=:param, without blanks around the =", "%s sets no field", quoted(w.text))
			continue
		}
		if seen[name] {
			p.fault(w.off, "give it once", "a second %s=", name)
			continue
		}
		seen[name] = true
		at := w.off + len(name) + len("=")
		if param, ok := p.callParam(value, at); ok {
			out = append(out, Arg{Pos: p.pos(w.off), Field: path, Param: param})
		}
	}
	return out
}

// callParam reads the value of an argument: a parameter without a function, since the value goes from field to field.
func (p *parser) callParam(value string, at int) (Param, bool) {
	path, ok := splitPath(strings.TrimPrefix(value, ":"))
	param := Param{Pos: p.pos(at), Path: path}
	switch {
	case !ok || !strings.HasPrefix(value, ":"):
		p.fault(at, "write a parameter, as in id=:next.last_insert_id; functions and constants are for SQL", "%s is no parameter", quoted(value))
	case param.IsPage():
		p.fault(at, "use it in the WHERE of a :many", ":page is a condition, no value")
	default:
		return param, true
	}
	return Param{}, false
}
