package annotated

import (
	"strconv"
	"strings"

	"google.golang.org/grpc/codes"
)

const expectFix = "write `-- expect: [=|!=|<|<=|>|>=] N else CODE REASON \"message\"`"

// expect reads an expectation: [op] N else CODE REASON "message {path}".
func (p *parser) expect(d directive) {
	switch {
	case p.state != wantSQL && p.stmt != nil && p.state == done && !p.stmt.Kind.hasSQL():
		p.fault(d.off, "put it on a statement with SQL", "an expect on a %s", p.stmt.Kind)
		return
	case p.state != wantSQL:
		p.fault(d.off, "write it between `-- name:` and its SQL", "an expect outside of a statement")
		return
	case p.stmt.Expect != nil:
		p.fault(d.off, "keep one", "a second expect for %s", quoted(p.stmt.Name))
		return
	}
	e := &Expect{Pos: p.pos(d.off), Op: "="}
	p.stmt.Expect = e
	v, i := d.value, 0
	for i < len(v) && strings.IndexByte("=!<>", v[i]) >= 0 {
		i++
	}
	if i > 0 {
		e.Op = v[:i]
		switch e.Op {
		case "=", "!=", "<", "<=", ">", ">=":
		default:
			p.fault(d.at, expectFix, "%s is no comparison", quoted(e.Op))
			return
		}
	}
	i = skipBlanks(v, i)
	words := fields(v[i:], d.at+i)
	for len(words) < 4 {
		words = append(words, field{"", d.at + len(v)})
	}
	n, err := strconv.ParseInt(words[0].text, 10, 64)
	if err != nil || n < 0 {
		p.fault(words[0].off, expectFix, "%s is no number of rows", quoted(words[0].text))
		return
	}
	e.N = n
	if words[1].text != "else" {
		p.fault(words[1].off, expectFix, "%s instead of else", quoted(words[1].text))
		return
	}
	code, ok := codeNamed(words[2].text)
	if !ok {
		p.fault(words[2].off, "write a gRPC code by its name, as in NOT_FOUND, FAILED_PRECONDITION, ABORTED; not OK", "%s is no code", quoted(words[2].text))
	}
	e.Code = code
	if !isReason(words[3].text) {
		p.fault(words[3].off, "write it as in OUT_OF_STOCK: capitals, digits and _, at most 63", "%s is no reason", quoted(words[3].text))
		if strings.HasPrefix(words[3].text, `"`) {
			return // the reason is missing, not the message
		}
	}
	e.Reason = words[3].text
	at := words[3].off + len(words[3].text)
	at += len(d.value) - (at - d.at) - len(strings.TrimLeft(d.value[at-d.at:], " \t\r\v\f"))
	e.Message = p.message(d.value[at-d.at:], at)
}

// codeNamed finds a canonical code by its name in google.rpc.Code.
func codeNamed(name string) (codes.Code, bool) {
	var c codes.Code
	if name == "" || name != strings.ToUpper(name) || c.UnmarshalJSON([]byte(strconv.Quote(name))) != nil {
		return codes.Unknown, false
	}
	return c, c != codes.OK
}

// isReason follows AIP-193: capitals, digits and _, a capital first, two to 63 of them.
func isReason(s string) bool {
	const most = 63
	for i := range len(s) {
		if c := s[i]; (c < 'A' || c > 'Z') && (i == 0 || !isDigit(c) && c != '_') {
			return false
		}
	}
	return len(s) > 1 && len(s) <= most
}

// message reads the quoted message of an expectation into text and parameters.
func (p *parser) message(s string, at int) []Piece {
	const fix = `write "text {path}"; {{ and }} are braces, \" and \\ a quote and a backslash`
	if !strings.HasPrefix(s, `"`) {
		p.fault(at, fix, "an expect without its message")
		return nil
	}
	var out []Piece
	var text strings.Builder
	flush := func() {
		if text.Len() > 0 {
			out = append(out, Piece{Text: text.String()})
			text.Reset()
		}
	}
	for i := 1; i < len(s); {
		c := s[i]
		switch {
		case c == '"':
			flush()
			if rest := strings.TrimSpace(s[i+1:]); rest != "" {
				p.fault(at+i+1, "end the line after the message", "%s behind the message", quoted(rest))
			}
			if out == nil {
				p.fault(at, "say what the caller should do next", "an empty message")
			}
			return out
		case c == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\'),
			c == '{' && strings.HasPrefix(s[i:], "{{"), c == '}' && strings.HasPrefix(s[i:], "}}"):
			text.WriteByte(s[i+1])
			i += 2
		case c == '\\' || c == '}':
			p.fault(at+i, fix, "a lone %c in a message", c)
			i++
		case c == '{':
			n := strings.IndexByte(s[i:], '}')
			if n < 0 {
				p.fault(at+i, fix, "a { without its }")
				return nil
			}
			name := s[i+1 : i+n]
			param := &Param{Pos: p.pos(at + i + 1)}
			var ok bool
			if param.Path, ok = splitPath(name); !ok || param.IsPage() {
				p.fault(at+i, "write {path}, as in {line.sku}", "%s is no path", quoted(name))
			} else {
				flush()
				out = append(out, Piece{Param: param})
			}
			i += n + 1
		default:
			text.WriteByte(c)
			i++
		}
	}
	p.fault(at, `end it with "`, "a message that never ends")
	return nil
}
