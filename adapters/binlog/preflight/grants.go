package preflight

import (
	"strings"
)

// grants are an account's rights, as SHOW GRANTS lists them, with those of its active roles.
type grants struct{ given, revoked []grant }

// grant is one line. schema is a pattern in which _ and % are wildcards, and "*" for all; table is "*" for all of a schema.
type grant struct {
	rights        []string
	schema, table string
}

// read takes a line; those about roles, proxies and routines say nothing here.
func (g *grants) read(line string) {
	words, revoke := strings.CutPrefix(line, "REVOKE ")
	if !revoke {
		var ok bool
		if words, ok = strings.CutPrefix(line, "GRANT "); !ok {
			return
		}
	}
	rights, rest := cut(words, " ON ")
	if rest == "" || rights == "PROXY" {
		return
	}
	separator := " TO "
	if revoke {
		separator = " FROM "
	}
	object, _ := cut(rest, separator)
	if strings.HasPrefix(object, "PROCEDURE ") || strings.HasPrefix(object, "FUNCTION ") || strings.HasPrefix(object, "PACKAGE ") {
		return
	}
	schema, table := cut(object, ".")
	one := grant{schema: unquote(schema), table: unquote(table)}
	for rights != "" {
		var right string
		right, rights = cut(rights, ",")
		if right = strings.TrimSpace(right); !strings.Contains(right, "(") { // Those of single columns count for nothing.
			one.rights = append(one.rights, strings.ToUpper(right))
		}
	}
	if revoke {
		g.revoked = append(g.revoked, one)
	} else {
		g.given = append(g.given, one)
	}
}

// cut splits text at the first separator outside of backticks and parentheses.
func cut(text, separator string) (before, after string) {
	quoted, depth := false, 0
	for i := range len(text) {
		switch {
		case text[i] == '`':
			quoted = !quoted
		case quoted:
		case text[i] == '(':
			depth++
		case text[i] == ')':
			depth--
		}
		if !quoted && depth == 0 && strings.HasPrefix(text[i:], separator) {
			return text[:i], text[i+len(separator):]
		}
	}
	return text, ""
}

func unquote(name string) string {
	if len(name) >= 2 && name[0] == '`' && name[len(name)-1] == '`' {
		return strings.ReplaceAll(name[1:len(name)-1], "``", "`")
	}
	return name
}

func (g grant) has(right string) bool {
	for _, r := range g.rights {
		if r == right || r == "ALL PRIVILEGES" || r == "ALL" {
			return true
		}
	}
	return false
}

// global tells whether the account has a right on everything.
func (g *grants) global(right string) bool {
	for _, one := range g.given {
		if one.schema == "*" && one.has(right) {
			return true
		}
	}
	return false
}

// schema tells whether it has a right on all tables of a schema.
func (g *grants) schema(name, right string) bool {
	for _, one := range g.revoked { // MySQL's partial revokes restrict rights on everything.
		if one.schema == name && one.has(right) {
			return false
		}
	}
	for _, one := range g.given {
		if one.table == "*" && (one.schema == "*" || like(name, one.schema)) && one.has(right) {
			return true
		}
	}
	return false
}

// table tells whether it has a right on a table; same compares names.
func (g *grants) table(schema, name, right string, same func(a, b string) bool) bool {
	if g.schema(schema, right) {
		return true
	}
	for _, one := range g.given {
		if one.table != "*" && same(one.schema, schema) && same(one.table, name) && one.has(right) {
			return true
		}
	}
	return false
}

// like matches as SQL's LIKE does.
func like(name, pattern string) bool {
	for pattern != "" {
		switch {
		case pattern[0] == '%':
			for i := range len(name) + 1 {
				if like(name[i:], pattern[1:]) {
					return true
				}
			}
			return false
		case pattern[0] == '\\' && len(pattern) > 1:
			pattern = pattern[1:]
			if name == "" || name[0] != pattern[0] {
				return false
			}
		case name == "" || pattern[0] != '_' && pattern[0] != name[0]:
			return false
		}
		name, pattern = name[1:], pattern[1:]
	}
	return name == ""
}
