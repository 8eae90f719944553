package flags

import "strings"

// comparison is ==, !=, ===, !==, <, <=, > or >=. Between three values, the latter four say whether the second lies
// between the others.
type comparison struct {
	op   string
	args []expression
}

func (e comparison) kinds() kind { return boolean | failure(e.args) }

func (e comparison) eval(in input) value {
	var args [3]value
	for i, a := range e.args {
		args[i] = a.eval(in)
		if args[i].kind == failed {
			return args[i]
		}
	}
	a, b, c := args[0], args[1], args[2]
	holds := compare(e.op, a, b)
	if len(e.args) == 3 {
		holds = holds && compare(e.op, b, c)
	}
	return boolValue(holds)
}

func compare(op string, a, b value) bool {
	switch op {
	case "==":
		return equal(a, b)
	case "!=":
		return !equal(a, b)
	case "===":
		return same(a, b)
	case "!==":
		return !same(a, b)
	case "<":
		return less(a, b)
	case "<=":
		return less(a, b) || equal(a, b)
	case ">":
		return less(b, a)
	default:
		return less(b, a) || equal(a, b)
	}
}

// contains is in: text in a text, or a value in a list.
type contains struct {
	what, where expression
	// texts are those of a list that is written in the definition; nil where there is none.
	texts map[string]bool
}

func (e contains) kinds() kind {
	k := boolean | failure([]expression{e.what, e.where})
	if e.where.kinds()&text != 0 && e.what.kinds()&^text != 0 {
		k |= failed
	}
	l, written := e.where.(literal)
	switch {
	case e.where.kinds()&list == 0:
	case !written, e.what.kinds()&^(text|number|null|boolean) != 0:
		k |= failed
	case e.what.kinds()&number != 0:
		for _, item := range l.v.list {
			if valueOf(item).kind&(text|number) == 0 {
				k |= failed
			}
		}
	}
	return k
}

func (e contains) eval(in input) value {
	what := e.what.eval(in)
	if what.kind == text && e.texts != nil {
		return boolValue(e.texts[what.text])
	}
	where := e.where.eval(in)
	switch {
	case what.kind == failed, where.kind == failed:
		return value{kind: failed}
	case where.kind == text && what.kind == text:
		return boolValue(strings.Contains(where.text, what.text))
	case where.kind == text:
		return value{kind: failed}
	case where.kind != list:
		return boolValue(false)
	}
	for _, item := range where.list {
		found, ok := matches(what, valueOf(item))
		if !ok {
			return value{kind: failed}
		}
		if found {
			return boolValue(true)
		}
	}
	return boolValue(false)
}

// matches says whether a list's item is what is looked for. An item that is a list is a range; among numbers, items are
// taken for numbers.
func matches(what, item value) (found, ok bool) {
	switch {
	case item.kind == failed:
		return false, false
	case item.kind == list:
		return between(what, item.list)
	case what.kind == number:
		n, ok := item.loose()
		return n == what.num, ok
	case what.kind != item.kind:
		return false, true
	case what.kind == list || what.kind == object:
		return false, false
	default:
		return equal(what, item), true
	}
}

func between(what value, bounds []any) (found, ok bool) {
	if len(bounds) < 2 {
		return false, false
	}
	n, ok := what.loose()
	low, lowOK := valueOf(bounds[0]).loose()
	if !ok || !lowOK {
		return false, false
	}
	if n < low {
		return false, true
	}
	high, ok := valueOf(bounds[1]).loose()
	return ok && high >= n, ok
}

// affix is starts_with, or ends_with.
type affix struct {
	end         bool
	what, affix expression
}

func (e affix) kinds() kind { return boolean | null | failure([]expression{e.what, e.affix}) }

func (e affix) eval(in input) value {
	what, with := e.what.eval(in), e.affix.eval(in)
	switch {
	case what.kind == failed, with.kind == failed:
		return value{kind: failed}
	case what.kind != text || with.kind != text:
		if e.end {
			return boolValue(false)
		}
		return value{kind: null}
	case e.end:
		return boolValue(strings.HasSuffix(what.text, with.text))
	default:
		return boolValue(strings.HasPrefix(what.text, with.text))
	}
}

// every is and. It follows flagd's library to the letter: false and the empty text end it, null and 0 don't, and with
// numbers among its arguments it gives the greatest.
type every struct{ args []expression }

func (e every) kinds() kind {
	k := boolean | failure(e.args)
	for _, a := range e.args {
		k |= a.kinds() & (number | text | list)
	}
	return k
}

func (e every) eval(in input) value {
	greatest, numbers := 0.0, false
	for _, a := range e.args {
		v := a.eval(in)
		switch {
		case v.kind == failed, v.kind == list:
			return v
		case v.kind == boolean && !v.bool, v.kind == text && v.text == "":
			return v
		case v.kind == number:
			numbers = true
			greatest = max(greatest, v.num)
		}
	}
	if numbers {
		return value{kind: number, num: greatest}
	}
	return boolValue(true)
}

// some is or: the first argument that holds, else false.
type some struct{ args []expression }

func (e some) kinds() kind {
	k := boolean
	for _, a := range e.args {
		k |= a.kinds() &^ null
	}
	return k
}

func (e some) eval(in input) value {
	for _, a := range e.args {
		if v := a.eval(in); v.kind == failed || v.holds() {
			return v
		}
	}
	return boolValue(false)
}

// not is !. bare says that its argument was no list of arguments: then a list from the context is one.
type not struct {
	arg  expression
	bare bool
}

func (e not) kinds() kind { return boolean | failure([]expression{e.arg}) }

func (e not) eval(in input) value {
	v := e.arg.eval(in)
	if e.bare && v.kind == list && len(v.list) > 0 {
		v = valueOf(v.list[0])
	}
	if v.kind == failed {
		return v
	}
	return boolValue(!v.holds())
}

// failure says whether one of the arguments may fail.
func failure(args []expression) kind {
	var k kind
	for _, a := range args {
		k |= a.kinds() & failed
	}
	return k
}
