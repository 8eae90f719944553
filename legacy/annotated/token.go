package annotated

import (
	"errors"
	"strings"
)

// What Outline can't read. Each is also what the server would refuse.
var (
	errEmpty     = errors.New("the statement is empty")
	errOpen      = errors.New("a string, identifier or comment never ends")
	errParens    = errors.New("the parentheses don't match")
	errSemicolon = errors.New("a `;` inside of the statement")
	errDashes    = errors.New("two minus signs in a row, which a blank would make a comment")
	errVersioned = errors.New("a versioned comment /*! … */")
)

// Offset is a place between the bytes of a list of pieces: before byte Byte of the text of piece Piece, or, with Byte
// 0, before a parameter. The end is {len(pieces), 0}.
type Offset struct {
	Piece, Byte int
}

// Range is a stretch of a list of pieces, up to but without To.
type Range struct {
	From, To Offset
}

// Cut gives the pieces of the range. Pieces on its edges are shortened; the others are shared.
func (r Range) Cut(pieces []Piece) []Piece {
	var out []Piece
	for n := max(r.From.Piece, 0); n < len(pieces) && n <= r.To.Piece; n++ {
		piece := pieces[n]
		if piece.Param != nil {
			if n < r.To.Piece {
				out = append(out, piece)
			}
			continue
		}
		from, to := 0, len(piece.Text)
		if n == r.From.Piece {
			from = min(max(r.From.Byte, 0), to)
		}
		if n == r.To.Piece {
			to = min(r.To.Byte, to)
		}
		if from < to {
			out = append(out, Piece{Text: piece.Text[from:to]})
		}
	}
	return out
}

// token is a lexeme of a statement, without blanks and comments. Its text is exact.
type token struct {
	kind   lexKind
	text   string
	param  *Param // kind is then lexParam
	from   Offset
	to     Offset
	spaced bool // blanks or comments stand before it
	depth  int  // open parentheses around it; a parenthesis counts as outside of itself
	mate   int  // index of the other parenthesis
}

// lexParam is the kind of a token that is a parameter; lex never gives it.
const lexParam lexKind = -1

// tokens is a statement. Its methods take any index: outside of the statement there are empty tokens.
type tokens []token

func (t tokens) at(i int) token {
	if i < 0 || i >= len(t) {
		return token{kind: lexBlank}
	}
	return t[i]
}

// word tells whether t[i] is one of the keywords, and no column behind a dot.
func (t tokens) word(i int, words ...string) bool {
	if t.at(i).kind != lexWord || t.at(i-1).kind == lexDot {
		return false
	}
	for _, w := range words {
		if strings.EqualFold(t[i].text, w) {
			return true
		}
	}
	return false
}

// words tells whether the keywords stand in a row from t[i] on.
func (t tokens) words(i int, words ...string) bool {
	for n, w := range words {
		if !t.word(i+n, w) {
			return false
		}
	}
	return true
}

// span gives the range from t[i] to before t[end]; i must be less than end.
func (t tokens) span(i, end int) Range { return Range{t[i].from, t[end-1].to} }

// tokenize lexes the pieces. A token never goes over the edge of a piece: those of Parse don't.
func tokenize(pieces []Piece) (tokens, error) {
	var out tokens
	var open []int
	spaced := false
	for n, piece := range pieces {
		if piece.Param != nil {
			out = append(out, token{
				kind: lexParam, text: piece.Param.String(), param: piece.Param, spaced: spaced,
				from: Offset{n, 0}, to: Offset{n + 1, 0}, depth: len(open),
			})
			spaced = false
			continue
		}
		for i := 0; i < len(piece.Text); {
			x := lex(piece.Text, i)
			t := token{
				kind: x.kind, text: piece.Text[i:x.end], spaced: spaced,
				from: Offset{n, i}, to: Offset{n, x.end}, depth: len(open),
			}
			dashes := x.kind == lexOperator && strings.HasPrefix(piece.Text[i:], "--")
			i = x.end
			switch {
			case dashes:
				return nil, errDashes
			case x.open:
				return nil, errOpen
			case x.kind == lexSemicolon:
				return nil, errSemicolon
			case x.kind == lexVersioned:
				return nil, errVersioned
			case x.kind == lexBlank, x.kind == lexNewline, x.kind == lexLineComment, x.kind == lexComment, x.kind == lexHint:
				spaced = true
				continue
			case x.kind == lexOpen:
				open = append(open, len(out))
			case x.kind == lexClose:
				if len(open) == 0 {
					return nil, errParens
				}
				t.mate = open[len(open)-1]
				open = open[:len(open)-1]
				t.depth--
				out[t.mate].mate = len(out)
			}
			out = append(out, t)
			spaced = false
		}
	}
	switch {
	case len(open) > 0:
		return nil, errParens
	case len(out) == 0:
		return nil, errEmpty
	}
	return out, nil
}

// normal writes an expression so that spacing and needless backquotes make no difference: tokens with one space
// between, none around dots, inside of parentheses and before commas. A parenthesis keeps to what it directly
// follows, since MySQL tells COUNT(x) from COUNT (x).
func (t tokens) normal(i, end int) string {
	var b strings.Builder
	for n := i; n < end; n++ {
		if n > i && t.gap(n) {
			b.WriteByte(' ')
		}
		b.WriteString(t[n].plain())
	}
	return b.String()
}

// gap tells whether normal writes a space before t[n].
func (t tokens) gap(n int) bool {
	prev, this := t.at(n-1).kind, t[n].kind
	switch {
	case prev == lexDot, this == lexDot, prev == lexOpen, this == lexClose, this == lexComma:
		return false
	case this == lexOpen, prev == lexVariable && t[n-1].text == "@":
		return t[n].spaced
	}
	return true
}

// plain gives the token's text, without backquotes around a name that needs none.
func (t token) plain() string {
	if t.kind != lexQuoted {
		return t.text
	}
	if name := unquote(t.text); isIdent(name) && !isReservedWord(name) {
		return name
	}
	return t.text
}

// name gives the identifier that a word, a `…` or, as an alias, a string is.
func (t token) name() string {
	if t.kind == lexQuoted || t.kind == lexString {
		return unquote(t.text)
	}
	return t.text
}

// unquote takes off the quotes of '…', "…" or `…` with their doubling and, in strings, backslashes.
func unquote(s string) string {
	if len(s) < 2 {
		return s
	}
	quote, body := s[0], s[1:len(s)-1]
	if strings.IndexByte(body, quote) < 0 && (quote == '`' || strings.IndexByte(body, '\\') < 0) {
		return body
	}
	var b strings.Builder
	for i := 0; i < len(body); i++ {
		switch {
		case body[i] == quote:
			i++
		case body[i] == '\\' && quote != '`' && i+1 < len(body):
			i++
		}
		if i < len(body) {
			b.WriteByte(body[i])
		}
	}
	return b.String()
}
