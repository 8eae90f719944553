package flags

import (
	"bytes"
	"strconv"
)

// input is what an evaluation is about. It is handed on as a value, so that it stays on the stack.
type input struct {
	flag, key string
	attrs     map[string]any
}

// expression is a piece of targeting, compiled. What flagd would fail at gives a failed value.
type expression interface {
	eval(in input) value
	// kinds are those that eval may give, failed among them.
	kinds() kind
}

// literal is a value that is written in the definition.
type literal struct{ v value }

func (e literal) eval(input) value { return e.v }
func (e literal) kinds() kind      { return e.v.kind }

// keyVar is the targeting key, flagVar the flag's.
type keyVar struct{}

func (keyVar) eval(in input) value { return textValue(in.key) }
func (keyVar) kinds() kind         { return text }

type flagVar struct{}

func (flagVar) eval(in input) value { return textValue(in.flag) }
func (flagVar) kinds() kind         { return text }

// attribute is a part of the context.
type attribute struct {
	path     []string
	fallback expression
}

func (e attribute) kinds() kind { return anyKind | failed }

func (e attribute) eval(in input) value {
	var v any = in.attrs
	for _, part := range e.path {
		switch c := v.(type) {
		case map[string]any:
			v = c[part]
		case []any:
			// Text that is no number is the first element's place.
			place, _ := strconv.ParseFloat(part, 64)
			if !(place > -1 && place < float64(len(c))) {
				return value{kind: failed}
			}
			v = c[int(place)]
		default:
			return e.orElse(in)
		}
		if v == nil {
			return e.orElse(in)
		}
		v = structured(v)
	}
	return valueOf(v)
}

// orElse evaluates the fallback only where nothing was found; flagd evaluates it always, so that it has to be harmless.
func (e attribute) orElse(in input) value { return e.fallback.eval(in) }

// structured makes typed maps, lists and structs ones that have JSON's types; it leaves all else.
func structured(v any) any {
	switch v.(type) {
	case string, bool, float64, int, int64, map[string]any, []any:
		return v
	}
	if p, ok := plain(v); ok {
		return p
	}
	return v
}

// cat puts texts together.
type cat struct {
	parts []expression
	// bare says that its argument was no list of arguments: then it is given as it is, or is a list of parts itself.
	bare bool
}

func (e cat) kinds() kind {
	k := text
	for _, p := range e.parts {
		if p.kinds()&^(text|number|null) != 0 || e.bare && p.kinds() != text {
			k |= failed
		}
	}
	return k
}

func (e cat) eval(in input) value {
	if e.bare {
		v := e.parts[0].eval(in)
		if v.kind == text {
			return v
		}
	}
	var room [128]byte
	b, ok := e.append(room[:0], in)
	if !ok {
		return value{kind: failed}
	}
	return textValue(string(b))
}

// append appends the text. More parts than one are trimmed of space together, as flagd does.
func (e cat) append(b []byte, in input) ([]byte, bool) {
	start, count := len(b), len(e.parts)
	var ok bool
	if e.bare {
		v := e.parts[0].eval(in)
		switch v.kind {
		case text:
			return append(b, v.text...), true
		case list:
		default:
			return b, false
		}
		count = len(v.list)
		for _, item := range v.list {
			if b, ok = valueOf(item).appendText(b); !ok {
				return b, false
			}
		}
	} else {
		for _, p := range e.parts {
			if b, ok = p.eval(in).appendText(b); !ok {
				return b, false
			}
		}
	}
	if count > 1 {
		return trim(b, start), true
	}
	return b, true
}

// trim takes the space around b[start:] away.
func trim(b []byte, start int) []byte {
	return append(b[:start], bytes.TrimSpace(b[start:])...)
}

// conditional is an if: conditions, each followed by what it gives, and at the end what is given else, if anything.
type conditional struct{ clauses []expression }

func (e conditional) kinds() kind {
	k := null
	if len(e.clauses)%2 == 1 {
		k = 0
	}
	for i, c := range e.clauses {
		if i%2 == 1 || i == len(e.clauses)-1 {
			k |= c.kinds()
		} else {
			k |= c.kinds() & failed
		}
	}
	return k
}

func (e conditional) eval(in input) value {
	for i := 0; i+1 < len(e.clauses); i += 2 {
		condition := e.clauses[i].eval(in)
		if condition.kind == failed {
			return condition
		}
		if condition.holds() {
			return e.given(i+1, in)
		}
	}
	if len(e.clauses)%2 == 1 {
		return e.given(len(e.clauses)-1, in)
	}
	return value{kind: null}
}

// given evaluates a clause. An object of the context with one member, which flagd would take for an operator, fails.
func (e conditional) given(i int, in input) value {
	v := e.clauses[i].eval(in)
	if v.kind == object && v.size == 1 {
		return value{kind: failed}
	}
	return v
}
