package versions

import (
	"slices"
	"strings"
)

// segment is a field of a path with its index: lines[0].
type segment struct{ name, index string }

func segments(path string) []segment {
	parts := split(path)
	out := make([]segment, len(parts))
	for i, part := range parts {
		name, index, found := strings.Cut(part, "[")
		if found {
			index = "[" + index
		}
		out[i] = segment{name, index}
	}
	return out
}

// split takes a path apart at its dots, but for those in brackets: keys of maps may have them.
func split(path string) (parts []string) {
	depth, begin := 0, 0
	for i, c := range []byte(path) {
		switch {
		case c == '[':
			depth++
		case c == ']':
			depth--
		case c == '.' && depth <= 0:
			parts, begin = append(parts, path[begin:i]), i+1
		}
	}
	return append(parts, path[begin:])
}

func join(path []segment) string {
	parts := make([]string, len(path))
	for i, s := range path {
		parts[i] = s.name + s.index
	}
	return strings.Join(parts, ".")
}

// backward gives the source's path that a path of the target is made of; ok is false when there is none. Of several it
// gives the first.
func (p *plan) backward(path []segment) (out []segment, ok bool) {
	var above *link
	for i := range p.links {
		l := &p.links[i]
		n := min(len(l.target), len(path))
		if len(l.reads) == 0 || len(l.reads[0]) == 0 || !slices.EqualFunc(l.target[:n], path[:n], func(name string, s segment) bool { return name == s.name }) {
			continue
		}
		if len(path) < len(l.target) {
			if above == nil {
				above = l // the path is a message whose parts come from several fields
			}
			continue
		}
		return p.behind(l, path[len(l.target)-1].index, path[len(l.target):])
	}
	if above != nil {
		return p.behind(above, "", nil)
	}
	return nil, false
}

// behind goes on with the source's path of a link.
func (p *plan) behind(l *link, index string, rest []segment) ([]segment, bool) {
	var out []segment
	for _, name := range l.reads[0] {
		out = append(out, segment{name: name})
	}
	if l.expression {
		return out, true
	}
	out[len(out)-1].index = index
	if l.sub == nil || len(rest) == 0 {
		return append(out, rest...), true
	}
	entry := l.sub.target.IsMapEntry()
	if entry {
		rest = append([]segment{{name: "value"}}, rest...)
	}
	deeper, ok := l.sub.backward(rest)
	if ok && entry {
		deeper = deeper[1:]
	}
	if !ok {
		return out, true // as near as can be told
	}
	return append(out, deeper...), true
}
