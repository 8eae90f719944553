package annotated

const funcsFix = "known are :prefix(p), :suffix(p), :contains(p), :name(p) and :json(p)"

func isFunc(name string) bool {
	switch name {
	case "prefix", "suffix", "contains", "name", "json":
		return true
	}
	return false
}

// param reads the parameter whose colon is at text[off]. It gives the offset behind it; the parameter is nil when it
// is faulty, and reported.
func (p *parser) param(off int) (*Param, int) {
	path, end := p.path(off + 1)
	if path == nil {
		p.fault(off, "write :path for a parameter; SQL has no other use for a colon", "a colon without a parameter")
		return nil, off + 1
	}
	param := &Param{Pos: p.pos(off), Path: path}
	if end < len(p.text) && p.text[end] == '.' {
		p.fault(end, "name the field after the dot", "the parameter %s ends in a dot", param)
		return nil, end + 1
	}
	if end == len(p.text) || p.text[end] != '(' {
		return param, end
	}
	name := p.text[off+1 : end]
	if !isFunc(name) {
		p.fault(off, funcsFix, "unknown function :%s(…)", name)
		return nil, end
	}
	at := skipBlanks(p.text, end+1)
	if at < len(p.text) && p.text[at] == ':' {
		p.fault(at, "write :"+name+"(path)", "a colon inside of :%s(…)", name)
		at++
	}
	path, last := p.path(at)
	last = skipBlanks(p.text, last)
	if path == nil || last == len(p.text) || p.text[last] != ')' {
		p.fault(off, "write :"+name+"(path): one path, on the same line", "a faulty :%s(…)", name)
		return nil, at
	}
	param.Func, param.Path = name, path
	return param, last + 1
}

// path reads a dotted path of names at text[i:]; a dot that no name follows is left. It gives nil when there is none.
func (p *parser) path(i int) ([]string, int) {
	var path []string
	for {
		end := i
		for end < len(p.text) && (isAlpha(p.text[end]) || end > i && isDigit(p.text[end])) {
			end++
		}
		if end == i {
			if len(path) > 0 {
				i-- // the dot
			}
			return path, i
		}
		path = append(path, p.text[i:end])
		if end == len(p.text) || p.text[end] != '.' {
			return path, end
		}
		i = end + 1
	}
}
