package breaking

import (
	"slices"
	"strings"

	"banyan.dev/banyan/contract"
)

// binding is a rule of an operation, with its path taken apart.
type binding struct {
	op   *contract.Operation
	rule contract.Rule
	path contract.Template
}

// bindings gives the rules of a contract. Load has refused templates that don't parse.
func bindings(c *contract.Contract) []binding {
	var out []binding
	for _, op := range c.Operations() {
		for _, rule := range op.Rules {
			if path, err := contract.ParseTemplate(rule.Template); err == nil {
				out = append(out, binding{op, rule, path})
			}
		}
	}
	return out
}

// routes compares what HTTP requests reach. A path may be written another way, or take more, as long as each request that
// was answered reaches the same operation with the same parts.
func (c *comparison) routes() {
	after := bindings(c.newer)
	for _, was := range bindings(c.older) {
		is, kept := find(after, was)
		if !kept {
			at := c.older.Pos(was.op.Descriptor, methodOptions, httpOption)
			if now := c.newer.Operation(was.op.Name); now != nil {
				at = c.newer.Pos(now.Descriptor, methodOptions, httpOption)
			}
			c.found = append(c.found, Change{
				at, "HTTP_RULE_NO_DELETE",
				was.rule.Method + " " + was.rule.Template + ", which was " + string(was.op.Name) + ", is gone",
			})
			continue
		}
		changed := func(rule, format string, args ...any) {
			args = append([]any{is.rule.Method, is.rule.Template}, args...)
			c.changed(is.op.Descriptor, []int32{methodOptions, httpOption}, rule, "%s %s "+format, args...)
		}
		if was.op.Name != is.op.Name {
			changed("HTTP_RULE_SAME_RPC", "was %s and is %s", was.op.Name, is.op.Name)
			continue
		}
		if !slices.Equal(fields(was.path), fields(is.path)) {
			changed("HTTP_RULE_SAME_FIELDS", "took %v from the path and takes %v", fields(was.path), fields(is.path))
		} else if moved := moved(was.path, is.path); len(moved) > 0 {
			changed("HTTP_RULE_SAME_FIELDS", "takes other parts of the path for %s than %s", strings.Join(moved, ", "), was.rule.Template)
		}
		if was.rule.Body != is.rule.Body {
			changed("HTTP_RULE_SAME_BODY", "had the body %q and has %q", was.rule.Body, is.rule.Body)
		}
		if was.rule.ResponseBody != is.rule.ResponseBody {
			changed("HTTP_RULE_SAME_RESPONSE_BODY", "had the response_body %q and has %q", was.rule.ResponseBody, is.rule.ResponseBody)
		}
	}
}

// find gives the rule that answers what an older one did: one of the same path, else one of its operation that takes all
// that it took.
func find(rules []binding, was binding) (is binding, ok bool) {
	for _, r := range rules {
		if r.rule.Method == was.rule.Method && r.path.Shape() == was.path.Shape() {
			return r, true
		}
	}
	for _, r := range rules {
		if r.op.Name == was.op.Name && r.rule.Method == was.rule.Method && covers(r.path, was.path) {
			return r, true
		}
	}
	return binding{}, false
}

// covers tells whether a path takes all that another does.
func covers(wide, narrow contract.Template) bool {
	if wide.Verb != narrow.Verb {
		return false
	}
	w, n := wide.Flat(), narrow.Flat()
	for i, s := range w {
		switch {
		case s == "**":
			return true
		case i >= len(n) || n[i] == "**":
			return false
		case s != "*" && s != n[i]:
			return false
		}
	}
	return len(w) == len(n)
}

// span is which segments of a path a field has: from the first to the one behind the last, or to the end of the path.
type span struct{ first, behind int }

const toTheEnd = -1

// spans gives them by field.
func spans(t contract.Template) map[string]span {
	out := map[string]span{}
	at := 0
	for i, s := range t.Segments {
		size := max(1, len(s.Pattern))
		if s.Field != "" {
			out[s.Field] = span{at, at + size}
			if i == len(t.Segments)-1 {
				out[s.Field] = span{at, toTheEnd}
			}
		}
		at += size
	}
	return out
}

// moved gives the fields that two paths, of which one takes what the other did, find in different places.
func moved(was, is contract.Template) (out []string) {
	before, after := spans(was), spans(is)
	for _, field := range fields(was) {
		if before[field] != after[field] {
			out = append(out, field)
		}
	}
	return out
}

// fields gives the fields that a path binds, in order of their names.
func fields(t contract.Template) []string {
	out := t.Fields()
	slices.Sort(out)
	return out
}
