package app

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"banyan.dev/banyan/adapters/binlog/preflight"
	"banyan.dev/banyan/legacy"
)

// object is what a GRANT is on; the zero value is the whole server.
type object struct {
	kind         legacy.AccessKind // empty for a table, or more than one
	schema, name string            // an empty name is all of the schema
}

// level sorts objects by how much they are.
func (o object) level() int {
	switch {
	case o.schema == "":
		return 0
	case o.name == "":
		return 1
	case o.kind == "":
		return 2
	}
	return 3
}

// on writes it for a GRANT. In the name of a schema that is granted whole, _ and % are wildcards.
func (o object) on() string {
	switch o.level() {
	case 0:
		return "*.*"
	case 1:
		return quoteName(strings.NewReplacer(`_`, `\_`, `%`, `\%`).Replace(o.schema)) + ".*"
	case 2:
		return quoteName(o.schema) + "." + quoteName(o.name)
	}
	return string(o.kind) + " " + quoteName(o.schema) + "." + quoteName(o.name)
}

// needs are privileges by what they are on, and what needs them. The zero value has none.
type needs struct {
	of map[object]*need
}

type need struct{ privileges, why []string }

func (n *needs) add(right preflight.Right, why string) {
	n.put(object{schema: right.Schema, name: right.Table}, right.Privileges, why)
}

func (n *needs) addAccess(a legacy.Access, why string) {
	o := object{kind: a.Kind, schema: a.Schema, name: a.Name}
	if a.Kind == legacy.OnTable {
		o.kind = ""
	}
	n.put(o, a.Privileges, why)
}

func (n *needs) put(o object, privileges []string, why string) {
	if n.of == nil {
		n.of = map[object]*need{}
	}
	have := n.of[o]
	if have == nil {
		have = &need{}
		n.of[o] = have
	}
	have.privileges = append(have.privileges, privileges...)
	if !slices.Contains(have.why, why) {
		have.why = append(have.why, why)
	}
}

// within tells whether there is anything on a schema, or in it.
func (n *needs) within(schema string) bool {
	for o := range n.of {
		if o.schema == schema {
			return true
		}
	}
	return false
}

// list gives the grants, the largest first. What is granted on a schema is not granted again on its tables.
func (n *needs) list(account string) []Grant {
	out := []Grant{}
	objects := slices.SortedFunc(maps.Keys(n.of), func(a, b object) int {
		return cmp.Or(a.level()-b.level(), strings.Compare(a.schema, b.schema), strings.Compare(a.name, b.name), strings.Compare(string(a.kind), string(b.kind)))
	})
	for _, o := range objects {
		have := n.of[o]
		privileges := inOrder(have.privileges)
		if all := n.of[object{schema: o.schema}]; o.level() == 2 && all != nil {
			privileges = slices.DeleteFunc(privileges, func(p string) bool { return slices.Contains(all.privileges, p) })
		}
		if len(privileges) == 0 {
			continue
		}
		out = append(out, Grant{
			Privileges: privileges, On: o.on(), For: have.why,
			Statement: "GRANT " + strings.Join(privileges, ", ") + " ON " + o.on() + " TO " + account + ";",
		})
	}
	return out
}
