package annotated

import (
	"strconv"
	"strings"
)

const enumFix = "write `-- enum: shop.v2.Status OPEN=1 CLOSED='C'`"

// enum reads an enum directive: NAME VALUE=code …
func (p *parser) enum(d directive) {
	end := strings.IndexAny(d.value+" ", " \t")
	e := &Enum{Pos: p.pos(d.off), Name: d.value[:end]}
	if _, ok := splitPath(e.Name); !ok {
		p.fault(d.at, enumFix, "%s is no full name of an enum", quoted(e.Name))
	}
	for _, other := range p.file.Enums {
		if other.Name == e.Name {
			p.fault(d.off, "make one directive of the two", "a second enum %q; the first is on line %d", e.Name, other.Pos.Line)
			break
		}
	}
	p.file.Enums = append(p.file.Enums, e)
	for i := skipBlanks(d.value, end); i < len(d.value); i = skipBlanks(d.value, i) {
		code, next, ok := p.enumCode(d, i)
		if !ok {
			return
		}
		p.addCode(e, code, d.at+i)
		i = next
	}
	if len(e.Codes) == 0 {
		p.fault(d.at+len(d.value), enumFix, "an enum without codes")
	}
}

// enumCode reads one NAME=code at value[i:].
func (p *parser) enumCode(d directive, i int) (EnumCode, int, bool) {
	v := d.value
	eq := i
	for eq < len(v) && v[eq] != '=' && !isBlank(v[eq]) {
		eq++
	}
	code := EnumCode{Pos: p.pos(d.at + i), Name: v[i:eq]}
	if !isIdent(code.Name) || eq == len(v) || v[eq] != '=' || eq+1 == len(v) || isBlank(v[eq+1]) {
		p.fault(d.at+i, enumFix+"; no blanks around the =", "%s is no NAME=code", quoted(v[i:eq]))
		return code, 0, false
	}
	at := eq + 1
	if v[at] == '\'' {
		l := lexQuotes(v, at, lexQuoted) // no backslashes: the code is taken as it stands
		if l.open {
			p.fault(d.at+at, "end it with a quote", "a code whose quote never ends")
			return code, 0, false
		}
		code.Text, code.Code = true, strings.ReplaceAll(v[at+1:l.end-1], "''", "'")
		if l.end < len(v) && !isBlank(v[l.end]) {
			p.fault(d.at+l.end, "put a blank between codes", "%s behind a code", quoted(v[l.end:]))
			return code, 0, false
		}
		return code, l.end, true
	}
	end := at
	for end < len(v) && !isBlank(v[end]) {
		end++
	}
	code.Code = v[at:end]
	n, err := strconv.ParseInt(code.Code, 10, 64)
	if err != nil {
		p.fault(d.at+at, "write a whole number, or text in single quotes", "%s is no code", quoted(code.Code))
	} else {
		code.Code = strconv.FormatInt(n, 10)
	}
	return code, end, true
}

// addCode adds a code. Reading must be clear, so no code repeats; a name may have several, of which the first is
// written.
func (p *parser) addCode(e *Enum, code EnumCode, off int) {
	for _, other := range e.Codes {
		if other.Code == code.Code && other.Text == code.Text {
			p.fault(off, "give each code one name: it is read as that name", "%s and %s have the same code %s", other.Name, code.Name, quoted(code.Code))
			return
		}
	}
	e.Codes = append(e.Codes, code)
}
