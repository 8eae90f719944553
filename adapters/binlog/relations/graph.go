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
	children  map[key][]*constraint // by parent
	trees     sync.Map              // key → []mirror.Relation
}

func newGraph(found []*constraint, foldsCase bool) *graph {
	g := &graph{foldsCase: foldsCase, children: map[key][]*constraint{}}
	for _, c := range found {
		parent := g.fold(c.parent)
		g.children[parent] = append(g.children[parent], c)
	}
	return g
}

// fold makes names equal that the server holds to be the same table.
func (g *graph) fold(k key) key {
	if !g.foldsCase {
		return k
	}
	return key{strings.ToLower(k.schema), strings.ToLower(k.table)}
}

func (g *graph) of(schema, table string) []mirror.Relation {
	k := g.fold(key{schema, table})
	if g.children[k] == nil {
		return nil
	}
	if tree, ok := g.trees.Load(k); ok {
		return tree.([]mirror.Relation) //nolint:errcheck // Nothing else is ever stored.
	}
	w := walk{graph: g, seen: map[*constraint]bool{}}
	tree, _ := g.trees.LoadOrStore(k, w.relations(k, effect{deleted: true, all: true}, nil))
	return tree.([]mirror.Relation) //nolint:errcheck // As above.
}

// mostRelations bounds a table's tree. Foreign keys that meet again and again make as many paths as 2 to the power of
// their number; behind the bound each constraint's Next is written out only where it is met first.
const mostRelations = 5000

// walk makes one table's tree.
type walk struct {
	graph *graph
	seen  map[*constraint]bool
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

func (w *walk) relations(parent key, e effect, path []*constraint) []mirror.Relation {
	var all []mirror.Relation
	for _, c := range w.graph.children[parent] {
		r := mirror.Relation{Constraint: c.name, Schema: c.child.schema, Table: c.child.table, Columns: c.columns, Parents: c.parents}
		if e.deleted {
			r.OnDelete = c.onDelete
		}
		child := w.graph.fold(c.child)
		// An update that comes back to its own table is refused, as by RESTRICT (MySQL 8.4 manual, 15.1.20.5).
		if child != parent && slices.ContainsFunc(c.parents, e.changes) {
			r.OnUpdate = c.onUpdate
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
func (c *constraint) effect(e effect, r mirror.Relation) effect {
	onChild := effect{deleted: r.OnDelete == "CASCADE"}
	sets := r.OnDelete != "" && r.OnDelete != "CASCADE" || r.OnUpdate != "" && r.OnUpdate != "CASCADE"
	for i, column := range c.columns {
		if sets || r.OnUpdate == "CASCADE" && e.changes(c.parents[i]) {
			onChild.changed = append(onChild.changed, column)
		}
	}
	return onChild
}
