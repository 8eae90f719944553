package legacy

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/legacy/annotated"
)

// AccessKind is what a privilege is on.
type AccessKind string

// The kinds, as GRANT writes them.
const (
	OnTable     AccessKind = "TABLE" // views and sequences, too
	OnFunction  AccessKind = "FUNCTION"
	OnProcedure AccessKind = "PROCEDURE"
)

// Access is what an account needs on one thing of the legacy.
type Access struct {
	Kind         AccessKind
	Schema, Name string
	// Privileges are SELECT, INSERT, UPDATE, DELETE, in this order, or EXECUTE.
	Privileges []string
}

// AccessOptions say what is asked about.
type AccessOptions struct {
	// Schema is that of names without one: the DSN's.
	Schema string
	// MySQL says that the server is one, and no MariaDB.
	MySQL bool
	// Catalog is the live server's; nil where it could not be asked. With it, functions, views that run with their caller's
	// rights, and columns that could be several tables' are known.
	Catalog *Catalog
	// Entities, unless nil, restrict the answer to what reading these for services needs.
	Entities []protoreflect.FullName
}

// Access gives what an account needs to run the program's statements, and to verify them, by name; and notes on what can't
// be told. The program need not be verified.
func (p *Program) Access(o AccessOptions) (needs []Access, notes []string) {
	a := &accesses{options: o, needs: map[accessKey]*annotated.Use{}, executes: map[accessKey]bool{}}
	ops, events := p.operations(), p.events
	if o.Entities != nil {
		events = p.eventsOf(o.Entities)
		ops = p.reading(events)
	}
	for _, op := range ops {
		for _, s := range op.statements {
			for _, va := range s.checked() {
				a.statement(va.raw, s.ast.Pos.String()+": statement "+s.ast.Name)
			}
		}
	}
	for _, e := range events {
		for _, t := range e.Tables {
			a.table(annotated.Use{Schema: t.Schema, Name: t.Table, Select: true}, 0)
		}
	}
	return a.list(), a.notes
}

type accessKey struct {
	kind         AccessKind
	schema, name string
}

// accesses collects needs.
type accesses struct {
	options  AccessOptions
	needs    map[accessKey]*annotated.Use
	executes map[accessKey]bool
	notes    []string
}

func (a *accesses) note(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(a.notes, text) {
		a.notes = append(a.notes, text)
	}
}

func (a *accesses) statement(pieces []annotated.Piece, what string) {
	all, calls, err := annotated.Uses(pieces)
	if err != nil {
		a.note("%s can't be read (%v): grant what it needs yourself", what, err)
		return
	}
	for _, u := range all {
		a.table(u, 0)
	}
	for _, c := range calls {
		a.call(c, a.options.Schema)
	}
}

// deepestView bounds how many views in views are looked into.
const deepestView = 16

// table adds what a statement does with a table.
func (a *accesses) table(u annotated.Use, depth int) {
	u.Schema = cmp.Or(u.Schema, a.options.Schema)
	if strings.EqualFold(u.Schema, "information_schema") {
		return // everybody may read it
	}
	if catalog := a.options.Catalog; catalog != nil {
		if t := catalog.tables[catalog.key(u.Schema, u.Name)]; t != nil {
			u.Schema, u.Name = t.schema, t.name
			u.Select, u.Update = u.Select || t.hasOne(u.SelectIf), u.Update || t.hasOne(u.UpdateIf)
			u.SelectIf, u.UpdateIf = nil, nil
			if t.invoker {
				a.view(t, u, depth)
			}
		} else {
			a.note("there is no table %s.%s, as far as the account that asked can see", u.Schema, u.Name)
		}
	}
	u.Select, u.Update = u.Select || len(u.SelectIf) > 0, u.Update || len(u.UpdateIf) > 0
	key := accessKey{OnTable, u.Schema, u.Name}
	if have := a.needs[key]; have != nil {
		u.Select, u.Insert, u.Update, u.Delete = u.Select || have.Select, u.Insert || have.Insert, u.Update || have.Update, u.Delete || have.Delete
		u.Lock = u.Lock || have.Lock
	}
	a.needs[key] = &u
}

// view adds what a view that runs with its caller's rights does itself. What is written through it is written to its
// tables.
func (a *accesses) view(t *catalogTable, through annotated.Use, depth int) {
	all, calls, err := annotated.Uses([]annotated.Piece{{Text: t.query}})
	if t.query == "" || err != nil || depth == deepestView {
		a.note("the view %s.%s runs with its caller's rights (SQL SECURITY INVOKER), and what it reads can't be seen: grant that, too", t.schema, t.name)
		return
	}
	for _, u := range all {
		u.Schema = cmp.Or(u.Schema, t.schema)
		u.Select = u.Select && (through.Select || len(all) > 1)
		u.Insert, u.Update, u.Delete, u.Lock = through.Insert, through.Update, through.Delete, through.Lock
		a.table(u, depth+1)
	}
	for _, c := range calls {
		a.call(c, t.schema)
	}
}

// call adds a routine, in a schema where it names none. What looks like a function is one of the server's own unless the server has a stored one.
func (a *accesses) call(c annotated.Called, in string) {
	kind := OnFunction
	if c.Procedure {
		kind = OnProcedure
	}
	named := c.Schema != "" || c.Procedure
	c.Schema = cmp.Or(c.Schema, in)
	catalog := a.options.Catalog
	if catalog == nil {
		if named {
			a.executes[accessKey{kind, c.Schema, c.Name}] = true
		}
		return
	}
	r := catalog.routines[catalog.routineKey(c.Schema, c.Name, c.Procedure)]
	switch {
	case r != nil:
		a.executes[accessKey{kind, r.schema, r.name}] = true
		if r.invoker {
			a.note("the %s %s.%s runs with its caller's rights (SQL SECURITY INVOKER): grant what it does, too", strings.ToLower(string(kind)), r.schema, r.name)
		}
	case named:
		a.executes[accessKey{kind, c.Schema, c.Name}] = true
		a.note("there is no %s %s.%s, as far as the account that asked can see", strings.ToLower(string(kind)), c.Schema, c.Name)
	}
}

// list gives the needs in their order.
func (a *accesses) list() (out []Access) {
	for key, u := range a.needs {
		need := Access{Kind: key.kind, Schema: key.schema, Name: key.name}
		// MySQL locks rows only for those who may change them.
		locks := u.Lock && a.options.MySQL && !u.Delete
		for _, p := range []struct {
			name string
			set  bool
		}{{"SELECT", u.Select}, {"INSERT", u.Insert}, {"UPDATE", u.Update || locks}, {"DELETE", u.Delete}} {
			if p.set {
				need.Privileges = append(need.Privileges, p.name)
			}
		}
		if len(need.Privileges) > 0 {
			out = append(out, need)
		}
	}
	for key := range maps.Keys(a.executes) {
		out = append(out, Access{Kind: key.kind, Schema: key.schema, Name: key.name, Privileges: []string{"EXECUTE"}})
	}
	slices.SortFunc(out, func(x, y Access) int {
		return cmp.Or(strings.Compare(string(y.Kind), string(x.Kind)), strings.Compare(x.Schema, y.Schema), strings.Compare(x.Name, y.Name))
	})
	return out
}
