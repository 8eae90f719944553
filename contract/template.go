package contract

import (
	"errors"
	"fmt"
	"strings"
)

// Template is a parsed path template (google/api/http.proto, "Path template syntax"):
//
//	Template = "/" Segments [ Verb ] ;  Segments = Segment { "/" Segment } ;  Segment = "*" | "**" | LITERAL | Variable ;
//	Variable = "{" FieldPath [ "=" Segments ] "}" ;  FieldPath = IDENT { "." IDENT } ;  Verb = ":" LITERAL ;
type Template struct {
	Segments []Segment
	// Verb is the custom verb at the end, without its colon; "" when there is none.
	Verb string
}

// Segment is a segment of a template: a literal, "*", "**", or a variable.
type Segment struct {
	// Literal is the text, "*" or "**"; "" for a variable.
	Literal string
	// Field is the field path that a variable binds; "" for others.
	Field string
	// Pattern are a variable's own segments: "*" when none are written.
	Pattern []string
}

// Fields gives the field paths that the template binds, in order.
func (t Template) Fields() []string {
	var out []string
	for _, s := range t.Segments {
		if s.Field != "" {
			out = append(out, s.Field)
		}
	}
	return out
}

// Shape gives the template without the names of its variables. Two templates of one method and shape match the same
// paths.
func (t Template) Shape() string {
	var b strings.Builder
	for _, s := range t.Flat() {
		b.WriteString("/" + s)
	}
	if t.Verb != "" {
		b.WriteString(":" + t.Verb)
	}
	return b.String()
}

// Flat gives the segments with each variable's pattern in its place.
func (t Template) Flat() []string {
	var out []string
	for _, s := range t.Segments {
		if s.Field != "" {
			out = append(out, s.Pattern...)
		} else {
			out = append(out, s.Literal)
		}
	}
	return out
}

// ParseTemplate parses a path template.
func ParseTemplate(text string) (Template, error) {
	rest, ok := strings.CutPrefix(text, "/")
	if !ok {
		return Template{}, errors.New("it must start with /")
	}
	var t Template
	p := templateParser{rest: rest}
	var err error
	if t.Segments, err = p.segments(); err != nil {
		return Template{}, err
	}
	if verb, ok := strings.CutPrefix(p.rest, ":"); ok {
		if t.Verb, p.rest = verb, ""; !isPathText(verb) {
			return Template{}, fmt.Errorf("bad verb %q", verb)
		}
	}
	if p.rest != "" {
		return Template{}, fmt.Errorf("unexpected %q", p.rest)
	}
	return t, checkDeep(t)
}

// checkDeep refuses what follows a "**": it takes all that is left.
func checkDeep(t Template) error {
	flat := t.Flat()
	for i, s := range flat {
		if s == "**" && i != len(flat)-1 {
			return errors.New("** must be the last segment, because it takes all that is left")
		}
	}
	return nil
}

type templateParser struct{ rest string }

func (p *templateParser) segments() ([]Segment, error) {
	var out []Segment
	for {
		s, err := p.segment()
		if err != nil {
			return nil, err
		}
		out = append(out, s)
		if !strings.HasPrefix(p.rest, "/") {
			return out, nil
		}
		p.rest = p.rest[1:]
	}
}

func (p *templateParser) segment() (Segment, error) {
	if strings.HasPrefix(p.rest, "{") {
		return p.variable()
	}
	lit, err := p.literal("/:{}")
	return Segment{Literal: lit}, err
}

// literal takes a plain segment: text, "*" or "**".
func (p *templateParser) literal(stops string) (string, error) {
	end := strings.IndexAny(p.rest, stops)
	if end < 0 {
		end = len(p.rest)
	}
	lit := p.rest[:end]
	p.rest = p.rest[end:]
	switch {
	case lit == "*" || lit == "**":
		return lit, nil
	case lit == "":
		return "", errors.New("a segment is empty")
	case strings.Contains(lit, "*") || !isPathText(lit):
		return "", fmt.Errorf("bad segment %q", lit)
	}
	return lit, nil
}

func (p *templateParser) variable() (Segment, error) {
	end := strings.IndexByte(p.rest, '}')
	if end < 0 {
		return Segment{}, errors.New("a { is not closed")
	}
	inside := p.rest[1:end]
	p.rest = p.rest[end+1:]
	field, pattern, given := strings.Cut(inside, "=")
	for _, name := range strings.Split(field, ".") {
		if !isIdent(name) {
			return Segment{}, fmt.Errorf("bad field path %q", field)
		}
	}
	s := Segment{Field: field, Pattern: []string{"*"}}
	if !given {
		return s, nil
	}
	s.Pattern = nil
	inner := templateParser{rest: pattern}
	for {
		lit, err := inner.literal("/")
		if err != nil {
			return Segment{}, fmt.Errorf("in {%s}: %w", inside, err)
		}
		s.Pattern = append(s.Pattern, lit)
		if inner.rest == "" {
			return s, nil
		}
		inner.rest = inner.rest[1:]
	}
}

func isIdent(s string) bool {
	for i, c := range []byte(s) {
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// isPathText tells whether s is made of what RFC 3986 allows in a path segment (pchar), with whole percent-escapes.
func isPathText(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-._~!$&'()*+,;=:@", c) >= 0:
		case c == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			i += 2
		default:
			return false
		}
	}
	return s != ""
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}
