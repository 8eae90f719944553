package config

import (
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"banyan.dev/banyan/internal/fault"
)

// valuePos is where the text of a scalar begins.
type valuePos struct {
	at fault.Pos
	// exact says that the text stands there on one line, without escapes.
	exact bool
}

// ValuePos says where the text of a key's value begins, and whether what follows stands on one line in the file as it is
// in the value, so that places in it can be counted.
func (c *Config) ValuePos(key string) (at fault.Pos, exact bool) {
	if v, ok := c.values[key]; ok {
		return v.at, v.exact
	}
	return c.Pos(key), false
}

// at gives a token's place. go-yaml counts columns in runes, faults in bytes.
func (d *decoder) at(tk *token.Token) fault.Pos {
	pos := fault.Pos{File: d.file, Line: 1, Col: 1}
	if tk == nil || tk.Position == nil {
		return pos
	}
	pos.Line, pos.Col = max(1, tk.Position.Line), max(1, tk.Position.Column)
	lines := strings.SplitN(string(d.source), "\n", pos.Line+1)
	if pos.Line > len(lines) {
		return pos
	}
	line, bytes := lines[pos.Line-1], 0
	for range pos.Col - 1 {
		_, size := utf8.DecodeRuneInString(line[bytes:])
		bytes += size
	}
	pos.Col = bytes + 1
	return pos
}

// textAt gives where the text of a scalar begins, whose token is at pos.
func (d *decoder) textAt(n ast.Node, pos fault.Pos, text string) valuePos {
	if _, block := n.(*ast.LiteralNode); block {
		return valuePos{at: pos}
	}
	lines := strings.SplitN(string(d.source), "\n", pos.Line+1)
	if pos.Line > len(lines) || pos.Col > len(lines[pos.Line-1]) {
		return valuePos{at: pos}
	}
	rest := lines[pos.Line-1][pos.Col-1:]
	for _, quote := range []string{"", `"`, "'"} {
		if strings.HasPrefix(rest, quote+text) {
			pos.Col += len(quote)
			return valuePos{at: pos, exact: true}
		}
	}
	return valuePos{at: pos}
}
