package legacy

import (
	"regexp"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// aliases checks the names of a query's columns against what its rows fill, as far as the text tells them.
func (b *binder) aliases(s *statement) {
	if !s.isQuery() || s.into == nil || s.into.message == nil {
		return
	}
	seen := map[string]bool{}
	for _, v := range s.checked() {
		for _, item := range v.outline.Items {
			name := item.Name()
			if item.Star || name == "" || seen[name] || strings.HasPrefix(name, "_") || slices.Contains(s.captures, name) {
				continue
			}
			seen[name] = true
			if _, wrong := fieldPath(s.into.message, strings.Split(name, ".")); wrong != "" {
				b.faults.Add(s.at(name), "name a field by the alias, or start the alias with _ for a column that is not part of the reply", "statement %s, column %q: %s", s.ast.Name, name, wrong)
			}
		}
	}
}

var quotedParam = regexp.MustCompile(`['"]:([a-z_][a-z0-9_]*)(?:\.[a-z0-9_.]+)?['"]`)

// quotedParams warns of text that looks like a parameter in quotes, where it is none.
func (b *binder) quotedParams(s *statement) {
	for _, l := range s.ast.Lines {
		for _, p := range l.Pieces {
			for _, m := range quotedParam.FindAllStringSubmatch(p.Text, -1) {
				if s.op.input.Fields().ByName(protoreflect.Name(m[1])) != nil || s.earlier(m[1]) != nil {
					b.faults.Warn(s.at(m[0]), "take the quotes away; values need none", "%s is text and no parameter", m[0])
				}
			}
		}
	}
}
