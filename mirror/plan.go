package mirror

import (
	"slices"
	"strings"

	"banyan.dev/banyan/mirror/change"
)

// plan is what the events of one table have in common, made once for all of its rows.
type plan struct {
	table   *change.Table
	columns [][]byte // `"name":` with a comma in front, save the first; nil for a column that is left out
	keys    [][]byte // the same for the columns of the primary key
	insert  opPlan
	update  opPlan
	remove  opPlan
	read    opPlan
	cascade opPlan
}

// opPlan is what the events of one operation on a table have in common.
type opPlan struct {
	routing, kind string
	head          []byte // the body's beginning, up to the key
}

// newPlan makes a table's plan. Columns that omit names are left out of events, save those of the primary key.
func newPlan(t *change.Table, omit func(schema, table, column string) bool) *plan {
	p := &plan{table: t, columns: make([][]byte, len(t.Columns)), keys: make([][]byte, len(t.Key))}
	shown := 0
	for i, c := range t.Columns {
		if omit != nil && !slices.Contains(t.Key, i) && omit(t.Schema, t.Name, c.Name) {
			continue
		}
		p.columns[i] = label(shown, c.Name)
		shown++
	}
	for i, k := range t.Key {
		p.keys[i] = label(i, t.Columns[k].Name)
	}
	p.insert = newOpPlan(change.Insert, t.Schema, t.Name)
	p.update = newOpPlan(change.Update, t.Schema, t.Name)
	p.remove = newOpPlan(change.Delete, t.Schema, t.Name)
	p.read = newOpPlan(change.Read, t.Schema, t.Name)
	p.cascade = newOpPlan(Cascade, t.Schema, t.Name)
	return p
}

func label(i int, name string) []byte {
	var dst []byte
	if i > 0 {
		dst = append(dst, ',')
	}
	return append(appendString(dst, name), ':')
}

func newOpPlan(op change.Op, schema, table string) opPlan {
	head := append([]byte(`{"op":"`), op...)
	head = append(head, `","schema":`...)
	head = appendString(head, schema)
	head = append(head, `,"table":`...)
	head = appendString(head, table)
	return opPlan{routing: RoutingKey(table, op), kind: eventType(op), head: head}
}

func (p *plan) of(op change.Op) *opPlan {
	switch op {
	case change.Insert:
		return &p.insert
	case change.Update:
		return &p.update
	default:
		return &p.remove
	}
}

// Cascade is the operation of events about what foreign keys do to other tables.
const Cascade change.Op = "cascade"

// eventType gives the CloudEvents type of an operation.
func eventType(op change.Op) string {
	switch op {
	case change.Insert, change.Update, change.Delete, change.Read, Cascade, change.Opaque:
		return "dev.banyan.row." + string(op) + ".v1"
	default:
		return "dev.banyan.table." + string(op) + ".v1"
	}
}

// RoutingKey gives the key that events of a table and an operation are routed by: row.orders.insert. Characters of a
// table's name that mean something in a key or a pattern are percent-encoded: dots, blanks, *, # and %.
func RoutingKey(table string, op change.Op) string {
	var b strings.Builder
	b.WriteString("row.")
	for i := range len(table) {
		switch c := table[i]; {
		case c <= ' ' || c == 0x7f || strings.IndexByte(".*#%", c) >= 0:
			b.WriteByte('%')
			b.WriteByte("0123456789ABCDEF"[c>>4])
			b.WriteByte("0123456789ABCDEF"[c&15])
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('.')
	b.WriteString(string(op))
	return b.String()
}

// plans keeps the plans of the tables that are being read.
type plans struct {
	omit    func(schema, table, column string) bool
	byTable map[*change.Table]*plan
	last    *plan
}

// mostPlans bounds what is kept when a database changes its tables all the time.
const mostPlans = 10_000

func (ps *plans) of(t *change.Table) *plan {
	if ps.last != nil && ps.last.table == t {
		return ps.last
	}
	p, ok := ps.byTable[t]
	if !ok {
		if ps.byTable == nil || len(ps.byTable) >= mostPlans {
			ps.byTable = map[*change.Table]*plan{}
		}
		p = newPlan(t, ps.omit)
		ps.byTable[t] = p
	}
	ps.last = p
	return p
}
