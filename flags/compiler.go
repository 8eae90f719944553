package flags

import (
	"strings"

	"banyan.dev/banyan/internal/fault"
)

// compiler makes expressions of targeting. It collects what is wrong; what it gives then is good for going on only.
type compiler struct {
	faults []error
	// attributes are those that the targeting looks at.
	attributes []string
}

func (c *compiler) fail(path, format string, args ...any) expression {
	c.faults = append(c.faults, at(path, format, args...))
	return literal{value{kind: null}}
}

// operators are those that are supported.
func operators() []string {
	return []string{"if", "fractional", "var", "cat", "==", "!=", "===", "!==", "in", "starts_with", "ends_with", "and", "or", "!", "<", "<=", ">", ">="}
}

// expression compiles what stands at a place where a value is wanted.
func (c *compiler) expression(t tree, path string) expression {
	switch t.kind {
	case list:
		return c.fail(path, "a list can't stand here: only the second argument of in is one")
	case object:
	default:
		return literal{scalar(t)}
	}
	if len(t.names) != 1 {
		return c.fail(path, "an expression is an object with one member, its operator; this has %d", len(t.names))
	}
	op, argument := t.names[0], t.items[0]
	path = join(path, op)
	switch op {
	case "var":
		return c.variable(argument, path)
	case "cat":
		return c.cat(argument, path)
	case "!":
		return c.not(argument, path)
	case "if":
		return conditional{c.arguments(argument, path, 2, mostArguments)}
	case "and":
		return every{c.arguments(argument, path, 1, mostArguments)}
	case "or":
		return some{c.arguments(argument, path, 1, mostArguments)}
	case "==", "!=", "===", "!==":
		return comparison{op, c.arguments(argument, path, 2, 2)}
	case "<", "<=", ">", ">=":
		return comparison{op, c.arguments(argument, path, 2, 3)}
	case "in":
		return c.contains(argument, path)
	case "starts_with", "ends_with":
		return c.affix(op, argument, path)
	case "fractional":
		return c.fractional(argument, path)
	}
	if near := fault.Nearest(op, operators()); near != "" && len(op) > 2 {
		return c.fail(path, "there is no operator %s: do you mean %s?", op, near)
	}
	return c.fail(path, "the operator %s is not supported; there are %s", op, strings.Join(operators(), ", "))
}

// mostArguments bounds the arguments of if, and, or and cat.
const mostArguments = 10000

func scalar(t tree) value { return value{kind: t.kind, bool: t.bool, text: t.text, num: t.num} }

// list checks that an operator's argument is a list of so many.
func (c *compiler) list(t tree, path string, least, most int) ([]tree, bool) {
	wanted := "%d"
	if least < most {
		wanted = "%d or more"
	}
	switch {
	case t.kind != list:
		c.fail(path, "takes a list of "+wanted+" arguments, not %s", least, t.kind)
		return nil, false
	case len(t.items) < least, len(t.items) > most:
		c.fail(path, "takes "+wanted+" arguments, not %d", least, len(t.items))
		return nil, false
	}
	return t.items, true
}

func (c *compiler) arguments(t tree, path string, least, most int) []expression {
	items, ok := c.list(t, path, least, most)
	if !ok {
		return []expression{literal{value{kind: null}}, literal{value{kind: null}}}
	}
	args := make([]expression, len(items))
	for i, item := range items {
		args[i] = c.expression(item, index(path, i))
	}
	return args
}

func (c *compiler) variable(t tree, path string) expression {
	name, fallback := t, expression(literal{value{kind: null}})
	if t.kind == list {
		if len(t.items) != 1 && len(t.items) != 2 {
			return c.fail(path, "takes a name, or a name and what stands in for it, not %d arguments", len(t.items))
		}
		name = t.items[0]
		if len(t.items) == 2 {
			fallback = c.expression(t.items[1], index(path, 1))
			if fallback.kinds()&failed != 0 {
				return c.fail(index(path, 1), "may fail, and stands in for nothing then: use a literal")
			}
		}
	}
	if name.kind != text {
		return c.fail(path, "takes a name as a string, not %s", name.kind)
	}
	var parts []string
	for part := range strings.SplitSeq(name.text, ".") {
		if part != "" {
			parts = append(parts, part)
		}
	}
	switch {
	case len(parts) == 0:
		return c.fail(path, "takes the name of one value: the whole context is none")
	case parts[0] == "targetingKey" && len(parts) == 1:
		return keyVar{}
	case parts[0] == "$flagd" && len(parts) == 2 && parts[1] == "flagKey":
		return flagVar{}
	case parts[0] == "$flagd" && len(parts) == 2 && parts[1] == "timestamp":
		return c.fail(path, "$flagd.timestamp would move keys by the clock, without a shift: command a shift when it is time")
	case parts[0] == "$flagd", parts[0] == "targetingKey":
		return c.fail(path, "there is no %s: there are targetingKey, $flagd.flagKey and attributes", name.text)
	}
	c.attributes = append(c.attributes, strings.Join(parts, "."))
	return attribute{path: parts, fallback: fallback}
}

func (c *compiler) cat(t tree, path string) expression {
	if t.kind != list {
		e := c.expression(t, path)
		if e.kinds()&(text|list) == 0 {
			return c.fail(path, "takes a string or a list of arguments, not %s", t.kind)
		}
		return cat{parts: []expression{e}, bare: true}
	}
	args := c.arguments(t, path, 1, mostArguments)
	for i, a := range args {
		if a.kinds()&(text|number|null) == 0 {
			return c.fail(index(path, i), "gives no text: cat takes strings and numbers")
		}
	}
	return cat{parts: args}
}

func (c *compiler) not(t tree, path string) expression {
	if t.kind != list {
		return not{arg: c.expression(t, path), bare: true}
	}
	return not{arg: c.arguments(t, path, 1, 1)[0]}
}

func (c *compiler) affix(op string, t tree, path string) expression {
	args := c.arguments(t, path, 2, 2)
	for i, a := range args {
		if a.kinds()&(text|failed) == 0 {
			return c.fail(index(path, i), "gives no string: %s compares strings", op)
		}
	}
	return affix{end: op == "ends_with", what: args[0], affix: args[1]}
}

func (c *compiler) contains(t tree, path string) expression {
	items, ok := c.list(t, path, 2, 2)
	if !ok {
		return literal{boolValue(false)}
	}
	what := c.expression(items[0], index(path, 0))
	if items[1].kind != list {
		where := c.expression(items[1], index(path, 1))
		if where.kinds()&(text|list) == 0 {
			return c.fail(index(path, 1), "in looks into a string or a list, not into %s", items[1].kind)
		}
		if where.kinds() == text && what.kinds()&(text|failed) == 0 {
			return c.fail(index(path, 0), "gives no string: in looks for a string in a string")
		}
		return contains{what: what, where: where}
	}
	found, texts := make([]any, len(items[1].items)), map[string]bool{}
	for i, item := range items[1].items {
		place := index(index(path, 1), i)
		switch item.kind {
		case text:
			found[i], texts[item.text] = item.text, true
		case number:
			found[i] = item.num
		case boolean:
			found[i] = item.bool
		case null:
		default:
			c.fail(place, "a list to look into has strings, numbers, booleans and null, not %s", item.kind)
		}
	}
	return contains{what: what, where: literal{value{kind: list, list: found}}, texts: texts}
}
