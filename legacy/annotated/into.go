package annotated

import "strings"

const intoFix = "write into=-, into=a.b or into=parents[id=parent_id].children, without blanks"

// into reads the value of into=: "-" or a path whose one match stands at a parent.
func (p *parser) into(value string, at int) *Into {
	in := &Into{Pos: p.pos(at)}
	if value == "-" {
		in.Discard = true
		return in
	}
	matches := 0
	for i := 0; ; {
		end := i
		for end < len(value) && value[end] != '.' && value[end] != '[' {
			end++
		}
		step := IntoStep{Field: value[i:end]}
		if !isIdent(step.Field) {
			p.fault(at+i, intoFix, "%s is no field of an into", quoted(step.Field))
			return in
		}
		i = end
		if i < len(value) && value[i] == '[' {
			n := strings.IndexByte(value[i:], ']')
			if n < 0 {
				p.fault(at+i, intoFix, "a [ without its ]")
				return in
			}
			if matches++; matches > 1 {
				p.fault(at+i, "keep the one at the last parent; its rows know their own parents", "a second [match] in an into")
			}
			step.Match = p.matches(value[i+1:i+n], at+i+1)
			i += n + 1
			if i == len(value) {
				p.fault(at+end, "name the field of the parent that the rows fill: parents[id=parent_id].children", "a [match] at the end of an into")
			}
		}
		in.Steps = append(in.Steps, step)
		if i == len(value) {
			return in
		}
		if value[i] != '.' {
			p.fault(at+i, intoFix, "%s after a ]", quoted(value[i:]))
			return in
		}
		i++
	}
}

// matches reads the pairs parent=own between brackets.
func (p *parser) matches(list string, at int) []Match {
	var out []Match
	for pair := range strings.SplitSeq(list, ",") {
		parent, own, _ := strings.Cut(pair, "=")
		_, okParent := splitPath(parent)
		_, okOwn := splitPath(own)
		if !okParent || !okOwn {
			p.fault(at, "write [column of the parents' statement=column of this one], more with commas", "%s is no match", quoted(pair))
		} else {
			out = append(out, Match{Parent: parent, Own: own})
		}
		at += len(pair) + 1
	}
	return out
}
