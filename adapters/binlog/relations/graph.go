package relations

import (
	"slices"
	"strings"
	"sync"

	"banyan.dev/banyan/mirror"
)

// graph is what one Refresh has found. It does not change, save that trees are made when they are first asked for.
type graph struct {
	foldsCase bool
	children  map[Table][]*Constraint // by parent
	trees     sync.Map                // Table → []mirror.Relation
}

func newGraph(found []*Constraint, foldsCase bool) *graph {
	g := &graph{foldsCase: foldsCase, children: map[Table][]*Constraint{}}
	for _, c := range found {
		parent := g.fold(c.Parent)
		g.children[parent] = append(g.children[parent], c)
	}
	return g
}

// fold makes names equal that the server holds to be the same table.
func (g *graph) fold(k Table) Table {
	if !g.foldsCase {
		return k
	}
	return Table{strings.ToLower(k.Schema), strings.ToLower(k.Table)}
}

func (g *graph) of(schema, table string) []mirror.Relation {
	k := g.fold(Table{schema, table})
	if g.children[k] == nil {
		return nil
	}
	if tree, ok := g.trees.Load(k); ok {
		return tree.([]mirror.Relation) //nolint:errcheck // Nothing else is ever stored.
	}
	w := walk{graph: g, seen: map[*Constraint]bool{}}
	tree, _ := g.trees.LoadOrStore(k, w.relations(k, effect{deleted: true, all: true}, nil))
	return tree.([]mirror.Relation) //nolint:errcheck // As above.
}

// mostRelations bounds a table's tree. Foreign keys that meet again and again make as many paths as 2 to the power of
// their number; behind the bound each constraint's Next is written out only where it is met first.
const mostRelations = 5000

// walk makes one table's tree.
type walk struct {
	graph *graph
	seen  map[*Constraint]bool
	count int
}

// effect is what happens to a row that others refer to.
type effect struct {
	deleted bool
	// all, or else changed, are columns that an update may change.
	all     bool
	changed []string
}

func (e effect) changes(column string) bool {
	return e.all || slices.ContainsFunc(e.changed, func(c string) bool { return strings.EqualFold(c, column) })
}

func (w *walk) relations(parent Table, e effect, path []*Constraint) []mirror.Relation {
	var all []mirror.Relation
	for _, c := range w.graph.children[parent] {
		r := mirror.Relation{Constraint: c.Name, Schema: c.Child.Schema, Table: c.Child.Table, Columns: c.Columns, Parents: c.Parents}
		if e.deleted {
			r.OnDelete = c.OnDelete
		}
		child := w.graph.fold(c.Child)
		// An update that comes back to its own table is refused, as by RESTRICT (MySQL 8.4 manual, 15.1.20.5).
		if child != parent && slices.ContainsFunc(c.Parents, e.changes) {
			r.OnUpdate = c.OnUpdate
		}
		if r.OnDelete == "" && r.OnUpdate == "" {
			continue
		}
		w.count++
		if !slices.Contains(path, c) && (w.count < mostRelations || !w.seen[c]) {
			w.seen[c] = true
			r.Next = w.relations(child, c.effect(e, r), append(path[:len(path):len(path)], c))
		}
		all = append(all, r)
	}
	return all
}

// effect is what e, a change of the parent, does to the child by the actions of r.
func (c *Constraint) effect(e effect, r mirror.Relation) effect {
	onChild := effect{deleted: r.OnDelete == "CASCADE"}
	sets := r.OnDelete != "" && r.OnDelete != "CASCADE" || r.OnUpdate != "" && r.OnUpdate != "CASCADE"
	for i, column := range c.Columns {
		if sets || r.OnUpdate == "CASCADE" && e.changes(c.Parents[i]) {
			onChild.changed = append(onChild.changed, column)
		}
	}
	return onChild
}
