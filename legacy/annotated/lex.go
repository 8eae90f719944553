package annotated

import "strings"

// lexKind is the kind of one stretch of SQL, after the MySQL manual's chapter "Language Structure".
type lexKind int

const (
	lexBlank       lexKind = iota // spaces, tabs and the like, no line break
	lexNewline                    // \n or \r\n
	lexWord                       // keyword or unquoted identifier
	lexNumber                     // 1, 1.5, 1e-3, 0x1F
	lexString                     // '…', "…", x'…'
	lexQuoted                     // `…`
	lexVariable                   // @x, @@x
	lexLineComment                // # … or "-- …", up to the line's end
	lexComment                    // /* … */
	lexHint                       // /*+ … */
	lexVersioned                  // /*! … */ and /*M! … */: MySQL runs what is in it
	lexSemicolon
	lexColon    // a colon that is not part of :=
	lexQuestion // ?
	lexOpen     // (
	lexClose    // )
	lexComma
	lexDot
	lexOperator
)

// lexeme is a stretch of SQL that ends before offset end. open says that its closing quote or mark is missing; end is
// then the end of the text.
type lexeme struct {
	kind lexKind
	end  int
	open bool
}

// lex reads the lexeme that starts at s[i]; i must be less than len(s). It always moves on by at least one byte.
func lex(s string, i int) lexeme {
	c := s[i]
	switch {
	case c == '\n':
		return lexeme{kind: lexNewline, end: i + 1}
	case c == '\r' && strings.HasPrefix(s[i:], "\r\n"):
		return lexeme{kind: lexNewline, end: i + 2}
	case isBlank(c):
		for i < len(s) && isBlank(s[i]) && !strings.HasPrefix(s[i:], "\r\n") {
			i++
		}
		return lexeme{kind: lexBlank, end: i}
	case c == '#', isDashComment(s, i):
		return lexeme{kind: lexLineComment, end: lineEnd(s, i)}
	case strings.HasPrefix(s[i:], "/*"):
		return lexComments(s, i)
	case c == '\'' || c == '"':
		return lexQuotes(s, i, lexString)
	case c == '`':
		return lexQuotes(s, i, lexQuoted)
	case strings.IndexByte("xXbBnN", c) >= 0 && i+1 < len(s) && s[i+1] == '\'':
		return lexQuotes(s, i+1, lexString)
	case isDigit(c):
		return lexNumbers(s, i)
	case isWord(c):
		return lexeme{kind: lexWord, end: wordEnd(s, i)}
	case c == '@':
		end := i + 1
		if end < len(s) && s[end] == '@' {
			end++
		}
		return lexeme{kind: lexVariable, end: wordEnd(s, end)}
	}
	return lexPunctuation(s, i)
}

func lexPunctuation(s string, i int) lexeme {
	for _, op := range [...]string{"<=>", "->>", "<=", ">=", "<>", "!=", ":=", "||", "&&", "<<", ">>", "->"} {
		if strings.HasPrefix(s[i:], op) {
			return lexeme{kind: lexOperator, end: i + len(op)}
		}
	}
	kind := lexOperator
	switch s[i] {
	case ';':
		kind = lexSemicolon
	case ':':
		kind = lexColon
	case '?':
		kind = lexQuestion
	case '(':
		kind = lexOpen
	case ')':
		kind = lexClose
	case ',':
		kind = lexComma
	case '.':
		kind = lexDot
	}
	return lexeme{kind: kind, end: i + 1}
}

func lexComments(s string, i int) lexeme {
	kind := lexComment
	switch rest := s[i+2:]; {
	case strings.HasPrefix(rest, "+"):
		kind = lexHint
	case strings.HasPrefix(rest, "!"), strings.HasPrefix(rest, "M!"):
		kind = lexVersioned
	}
	n := strings.Index(s[i+2:], "*/")
	if n < 0 {
		return lexeme{kind: kind, end: len(s), open: true}
	}
	return lexeme{kind: kind, end: i + 2 + n + 2}
}

// lexQuotes reads what is quoted from s[at] on. A doubled quote is the quote itself; a backslash escapes in strings
// only (the session never has NO_BACKSLASH_ESCAPES or ANSI_QUOTES).
func lexQuotes(s string, at int, kind lexKind) lexeme {
	quote := s[at]
	for i := at + 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && kind == lexString:
			i++
		case s[i] == quote && i+1 < len(s) && s[i+1] == quote:
			i++
		case s[i] == quote:
			return lexeme{kind: kind, end: i + 1}
		}
	}
	return lexeme{kind: kind, end: len(s), open: true}
}

// lexNumbers reads a number, or a word that starts with digits (MySQL allows those as identifiers).
func lexNumbers(s string, i int) lexeme {
	start, digits := i, digitsEnd(s, i)
	i = digits
	if i < len(s) && s[i] == '.' && (i+1 >= len(s) || !isWord(s[i+1]) || isDigit(s[i+1])) {
		i = digitsEnd(s, i+1)
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		j := i + 1
		if j < len(s) && (s[j] == '+' || s[j] == '-') {
			j++
		}
		if end := digitsEnd(s, j); end > j && (end == len(s) || !isWord(s[end])) {
			return lexeme{kind: lexNumber, end: end}
		}
	}
	if i > digits || i == len(s) || !isWord(s[i]) {
		return lexeme{kind: lexNumber, end: i}
	}
	end := wordEnd(s, i)
	if s[start] == '0' && digits == start+1 && (s[digits] == 'x' || s[digits] == 'b') {
		return lexeme{kind: lexNumber, end: end}
	}
	return lexeme{kind: lexWord, end: end}
}

// isDashComment tells whether "--" at s[i] starts a comment: MySQL asks for a blank or the text's end behind it.
func isDashComment(s string, i int) bool {
	return strings.HasPrefix(s[i:], "--") && (i+2 == len(s) || s[i+2] <= ' ')
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }
func isAlpha(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' }

// isWord tells whether c is part of an unquoted identifier; MySQL allows all of U+0080 and up.
func isWord(c byte) bool { return isAlpha(c) || isDigit(c) || c == '$' || c >= 0x80 }

func wordEnd(s string, i int) int {
	for i < len(s) && isWord(s[i]) {
		i++
	}
	return i
}

func digitsEnd(s string, i int) int {
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	return i
}

// skipBlanks gives the offset of the first byte at or after i that is no blank.
func skipBlanks(s string, i int) int {
	for i < len(s) && isBlank(s[i]) {
		i++
	}
	return i
}
