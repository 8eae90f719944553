package config

import (
	"fmt"

	"github.com/goccy/go-yaml/token"
)

// maxNesting bounds the levels of brackets, and of lists that begin in one line, far above what the config's keys have.
// The parser's time grows with the square of them. Levels by indentation need a line each, so that the file's size
// bounds them.
const maxNesting = 32

// nestingError says where the nesting is more than maxNesting.
type nestingError struct{ at *token.Token }

func (e *nestingError) Error() string { return fmt.Sprintf("more than %d levels", maxNesting) }

// tooDeep gives the token with which the nesting is more than maxNesting; nil when it never is.
func tooDeep(tokens token.Tokens) *token.Token {
	brackets, entries, line := 0, 0, 0
	for _, t := range tokens {
		if t.Position.Line != line {
			entries, line = 0, t.Position.Line
		}
		switch t.Type { //nolint:exhaustive // the others do not nest
		case token.SequenceStartType, token.MappingStartType:
			brackets++
		case token.SequenceEndType, token.MappingEndType:
			brackets = max(brackets-1, 0)
		case token.SequenceEntryType:
			entries++
		}
		if brackets > maxNesting || entries > maxNesting {
			return t
		}
	}
	return nil
}
