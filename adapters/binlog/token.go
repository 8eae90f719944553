package binlog

import "strings"

// token is a piece of a statement.
type token struct {
	kind tokenKind
	// text is a word as written, a name without its quotes, a string without quotes and escapes, or a symbol.
	text string
}

type tokenKind uint8

const (
	tokenEnd tokenKind = iota
	tokenWord
	tokenName
	tokenString
	tokenSymbol
)

// is says that a token is a keyword.
func (t token) is(words ...string) bool {
	if t.kind != tokenWord {
		return false
	}
	for _, word := range words {
		if strings.EqualFold(t.text, word) {
			return true
		}
	}
	return false
}

func (t token) symbol(text string) bool { return t.kind == tokenSymbol && t.text == text }

// scanner cuts a statement into tokens (MySQL Reference Manual, "Language Structure"). Comments are left out, but what
// stands in executable ones is not: the server that wrote the log has run it.
type scanner struct {
	text    string
	at      int
	ansi    bool // double quotes are around names
	plain   bool // a backslash in a string is nothing special
	held    token
	holding bool
}

func (s *scanner) peek() token {
	if !s.holding {
		s.held, s.holding = s.scan(), true
	}
	return s.held
}

func (s *scanner) next() token {
	t := s.peek()
	s.holding = false
	return t
}

// accept takes the next token if it is one of the keywords.
func (s *scanner) accept(words ...string) bool {
	if s.peek().is(words...) {
		s.next()
		return true
	}
	return false
}

func (s *scanner) acceptSymbol(text string) bool {
	if s.peek().symbol(text) {
		s.next()
		return true
	}
	return false
}

// skip takes all that follow of some keywords.
func (s *scanner) skip(words ...string) {
	for s.accept(words...) {
	}
}

func (s *scanner) scan() token {
	s.blank()
	if s.at >= len(s.text) {
		return token{}
	}
	start := s.at
	switch c := s.text[s.at]; {
	case c == '`':
		return token{tokenName, s.quoted(c, false)}
	case c == '"' && s.ansi:
		return token{tokenName, s.quoted(c, false)}
	case c == '"' || c == '\'':
		return token{tokenString, s.quoted(c, !s.plain)}
	case wordByte(c):
		for s.at < len(s.text) && wordByte(s.text[s.at]) {
			s.at++
		}
		return token{tokenWord, s.text[start:s.at]}
	default:
		s.at++
		return token{tokenSymbol, s.text[start:s.at]}
	}
}

func wordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '$' || c >= 0x80
}

// quoted reads up to the closing quote, which stands for itself when it is doubled.
func (s *scanner) quoted(quote byte, escapes bool) string {
	var b strings.Builder
	for s.at++; s.at < len(s.text); s.at++ {
		c := s.text[s.at]
		switch {
		case c == '\\' && escapes && s.at+1 < len(s.text):
			s.at++
			c = s.text[s.at]
		case c == quote && s.at+1 < len(s.text) && s.text[s.at+1] == quote:
			s.at++
		case c == quote:
			s.at++
			return b.String()
		}
		b.WriteByte(c)
	}
	return b.String()
}

// blank passes over white space and comments.
func (s *scanner) blank() {
	for s.at < len(s.text) {
		rest := s.text[s.at:]
		switch {
		case strings.ContainsRune(" \t\r\n\v\f\x00", rune(rest[0])):
			s.at++
		case rest[0] == '#', strings.HasPrefix(rest, "--") && (len(rest) == 2 || rest[2] <= ' '):
			s.past(rest, "\n")
		case strings.HasPrefix(rest, "/*!"):
			s.at += 3
			s.digits()
		case strings.HasPrefix(rest, "/*M!"):
			s.at += 4
			s.digits()
		case strings.HasPrefix(rest, "/*"):
			s.past(rest[2:], "*/")
			s.at = min(s.at+2, len(s.text))
		case strings.HasPrefix(rest, "*/"): // Of an executable one.
			s.at += 2
		default:
			return
		}
	}
}

func (s *scanner) past(rest, end string) {
	if i := strings.Index(rest, end); i >= 0 {
		s.at += i + len(end)
		return
	}
	s.at = len(s.text)
}

// digits passes over the version of an executable comment.
func (s *scanner) digits() {
	for s.at < len(s.text) && s.text[s.at] >= '0' && s.text[s.at] <= '9' {
		s.at++
	}
}
