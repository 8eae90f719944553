package annotated

import (
	"strings"
)

const (
	blockKeys     = "rpc, put, enum, event"
	statementKeys = "name, expect"
	proseHint     = "prose: don't begin it with a lower-case word and a colon, or write it as # … or /* … */"
)

// directive is what a comment says when it begins with a word and a colon.
type directive struct {
	off   int    // of the "--"
	word  string // as written
	value string // the rest of the line, without blanks around it
	at    int    // offset of value
	loose bool   // blanks stand between word and colon
}

// readDirective reads the comment at text[off:end] as a directive. It gives false for prose, and for web addresses.
func readDirective(text string, off, end int) (directive, bool) {
	i := skipBlanks(text[:end], off+len("--"))
	w := i
	for w < end && (isAlpha(text[w]) || w > i && (isDigit(text[w]) || text[w] == '-')) {
		w++
	}
	colon := skipBlanks(text[:end], w)
	if w == i || colon == end || text[colon] != ':' || strings.HasPrefix(text[colon:end], "://") {
		return directive{}, false
	}
	at := skipBlanks(text[:end], colon+1)
	return directive{
		off: off, word: text[i:w], loose: colon > w,
		value: strings.TrimRight(text[at:end], " \t\r\v\f"), at: at,
	}, true
}

// isBlockKey tells whether word starts something at the level of blocks.
func isBlockKey(word string) bool {
	return word == "rpc" || word == "put" || word == "enum" || word == "event"
}

// isKey tells whether word is a directive of its own line.
func isKey(word string) bool { return isBlockKey(word) || word == "name" || word == "expect" }

// startsAt tells whether the line that starts at off is one of the directives rpc, put, enum, event, name: where reading goes
// on after a fault.
func startsAt(text string, off int) bool {
	i := skipBlanks(text, off)
	if !strings.HasPrefix(text[i:], "--") || !isDashComment(text, i) {
		return false
	}
	d, ok := readDirective(text, i, lineEnd(text, i))
	return ok && !d.loose && (isBlockKey(d.word) || d.word == "name")
}

// nextStart gives the offset of the first line after the one of off that is such a directive, or the text's end.
func (s *source) nextStart(off int) int {
	for off = s.nextLine(off); off < len(s.text); off = s.nextLine(off) {
		if startsAt(s.text, off) {
			return off
		}
	}
	return len(s.text)
}

// startWithin gives the first such directive among the lines that begin in text[off:end].
func (s *source) startWithin(off, end int) (int, bool) {
	for off = s.nextLine(off); off < end; off = s.nextLine(off) {
		if startsAt(s.text, off) {
			return off, true
		}
	}
	return 0, false
}

// checkWord reports a comment that looks like a directive and is none. It tells whether the word may be acted on.
func (p *parser) checkWord(d directive) bool {
	lower := strings.ToLower(d.word)
	known := isKey(lower) || lower == "if"
	switch {
	case known && lower != d.word:
		p.fault(d.off, "write `-- "+lower+":`", "directives are lower case: %q", d.word)
	case known && d.loose:
		p.fault(d.off, "write `-- "+lower+":`", "a blank before the colon of %q", d.word)
	case known:
		return true
	case lower == d.word && !d.loose:
		p.fault(d.off, "known are "+blockKeys+", "+statementKeys+" on a line of their own, if at the end of a line; "+proseHint,
			"unknown directive %q", d.word)
	}
	return false
}

// field is a word of a directive's value with its offset in the file.
type field struct {
	text string
	off  int
}

// fields splits a value at its blanks.
func fields(value string, off int) []field {
	var out []field
	for i := 0; i < len(value); {
		start := skipBlanks(value, i)
		for i = start; i < len(value) && !isBlank(value[i]); i++ {
			continue
		}
		if i > start {
			out = append(out, field{value[start:i], off + start})
		}
	}
	return out
}

// isIdent tells whether s is a name: a letter or _, then letters, digits and _.
func isIdent(s string) bool {
	for i := range len(s) {
		if !isAlpha(s[i]) && (i == 0 || !isDigit(s[i])) {
			return false
		}
	}
	return s != ""
}

// splitPath splits a dotted path of names; it gives false when s is none.
func splitPath(s string) ([]string, bool) {
	path := strings.Split(s, ".")
	for _, name := range path {
		if !isIdent(name) {
			return nil, false
		}
	}
	return path, true
}
