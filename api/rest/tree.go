package rest

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"banyan.dev/banyan/contract"
)

// tree finds the route of a request by the segments of its path. A literal segment goes before "*", and that before
// "**"; where the nearer one does not lead to a route of the method, the next is tried.
type tree struct {
	root  node
	verbs map[string]bool // all custom verbs
}

type node struct {
	literal map[string]*node
	any     *node  // "*"
	deep    leaves // "**", which is last
	leaves  leaves
}

// leaves are routes by custom verb ("" for none), then by HTTP method.
type leaves map[string]map[string]*route

func (l *leaves) add(verb, method string, r *route) error {
	if *l == nil {
		*l = leaves{}
	}
	if (*l)[verb] == nil {
		(*l)[verb] = map[string]*route{}
	}
	if first := (*l)[verb][method]; first != nil {
		return fmt.Errorf("%s %s of %s is taken by %s", method, r.rule.Template, r.op.Name, first.op.Name)
	}
	(*l)[verb][method] = r
	return nil
}

// add puts a route where its template says.
func (t *tree) add(tmpl contract.Template, r *route) error {
	if t.verbs == nil {
		t.verbs = map[string]bool{}
	}
	if tmpl.Verb != "" {
		t.verbs[tmpl.Verb] = true
	}
	n := &t.root
	for _, s := range tmpl.Flat() {
		switch s {
		case "**":
			return n.deep.add(tmpl.Verb, r.rule.Method, r)
		case "*":
			if n.any == nil {
				n.any = &node{}
			}
			n = n.any
		default:
			lit, err := url.PathUnescape(s)
			if err != nil {
				return fmt.Errorf("template %s: %w", tmpl.Shape(), err)
			}
			if n.literal == nil {
				n.literal = map[string]*node{}
			}
			if n.literal[lit] == nil {
				n.literal[lit] = &node{}
			}
			n = n.literal[lit]
		}
	}
	return n.leaves.add(tmpl.Verb, r.rule.Method, r)
}

// find gives the route of a path's segments and the methods that the path has routes for. The verb is cut off the last
// of the segments that it gives.
func (t *tree) find(method string, segments []segment) (r *route, out []segment, allowed []string) {
	s := search{method: method}
	last := len(segments) - 1
	if i := strings.LastIndexByte(segments[last].raw, ':'); i > 0 && t.verbs[segments[last].raw[i+1:]] {
		s.verb = segments[last].raw[i+1:]
		cut := slices.Clone(segments)
		if cut[last] = newSegment(segments[last].raw[:i], segments[last].escaped); cut[last].bad {
			return nil, segments, nil
		}
		if r := s.in(&t.root, cut); r != nil {
			return r, cut, nil
		}
		s.verb = ""
	}
	return s.in(&t.root, segments), segments, s.allowed
}

// search is the state of one find.
type search struct {
	method, verb string
	allowed      []string
}

func (s *search) in(n *node, rest []segment) *route {
	if len(rest) == 0 {
		if r := s.at(n.leaves); r != nil {
			return r
		}
		return s.at(n.deep)
	}
	if next := n.literal[rest[0].text]; next != nil {
		if r := s.in(next, rest[1:]); r != nil {
			return r
		}
	}
	if n.any != nil && rest[0].text != "" {
		if r := s.in(n.any, rest[1:]); r != nil {
			return r
		}
	}
	return s.at(n.deep)
}

func (s *search) at(l leaves) *route {
	methods := l[s.verb]
	if r := methods[s.method]; r != nil {
		return r
	}
	if s.method == http.MethodHead && methods[http.MethodGet] != nil {
		return methods[http.MethodGet]
	}
	for m := range methods {
		if !slices.Contains(s.allowed, m) {
			s.allowed = append(s.allowed, m)
		}
		if m == http.MethodGet && !slices.Contains(s.allowed, http.MethodHead) {
			s.allowed = append(s.allowed, http.MethodHead)
		}
	}
	return nil
}

// segment is a part of a path between slashes.
type segment struct {
	raw     string // as it was sent
	text    string // unescaped
	escaped bool   // raw is percent-encoded
	bad     bool   // its escapes are malformed
}

func newSegment(raw string, escaped bool) segment {
	s := segment{raw: raw, text: raw, escaped: escaped}
	if escaped && strings.IndexByte(raw, '%') >= 0 {
		text, err := url.PathUnescape(raw)
		s.text, s.bad = text, err != nil
	}
	return s
}

// splitPath gives the segments of a URL's path; false when it is malformed. net/url keeps the path as it was sent only
// where unescaping loses something, such as an escaped slash.
func splitPath(u *url.URL, into []segment) ([]segment, bool) {
	path, escaped := u.Path, false
	if u.RawPath != "" {
		path, escaped = u.RawPath, true
	}
	path, ok := strings.CutPrefix(path, "/")
	if !ok {
		return into, false
	}
	for {
		raw, rest, more := strings.Cut(path, "/")
		s := newSegment(raw, escaped)
		if s.bad {
			return into, false
		}
		into = append(into, s)
		if !more {
			return into, true
		}
		path = rest
	}
}

// capture gives the value of a path variable over some segments. A single segment is unescaped in full; in several, an
// escaped slash stays as it is, so that it is not taken for a separator (google/api/http.proto).
func capture(segments []segment, single bool) string {
	if single && len(segments) == 1 {
		return segments[0].text
	}
	var b strings.Builder
	size := len(segments)
	for _, s := range segments {
		size += len(s.raw)
	}
	b.Grow(size)
	for i, s := range segments {
		if i > 0 {
			b.WriteByte('/')
		}
		if !s.escaped || !strings.Contains(s.text, "/") {
			b.WriteString(s.text)
			continue
		}
		for j, part := range strings.Split(strings.ReplaceAll(s.raw, "%2f", "%2F"), "%2F") {
			if j > 0 {
				b.WriteString("%2F")
			}
			b.WriteString(newSegment(part, true).text)
		}
	}
	return b.String()
}
