package legacy

import (
	"cmp"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/internal/fault"
	"banyan.dev/banyan/legacy/annotated"
)

// Event says which rows are part of an entity that new services are told of.
type Event struct {
	Pos    fault.Pos
	Entity protoreflect.MessageDescriptor
	// Get reads one. GetID is the only field of its request, ID the field of the same name of Entity.
	Get       *contract.Operation
	ID, GetID protoreflect.FieldDescriptor
	// Tables are those that rows of the entity are in. The first has one row for each, which Column identifies.
	Tables []EventTable

	// spelling leads from an id to the first table's row that has it, in whatever letters: ids that are texts are equal as their
	// collation says. Nil for numbers, and until it is verified.
	spelling *EventBy
}

// EventTable is a table with the column that has the entity's id, or that leads to it.
type EventTable struct {
	// Schema is empty for the DSN's.
	Schema, Table, Column string
	// By is nil where Column has the id.
	By *EventBy

	loose bool // Column has an id as a text, which may be spelled in another way than the first table's; known once it is verified
	pos   fault.Pos
}

// EventBy says that a row is part of the entity that a row of another table is part of: of the one whose Column has the same
// value. Column is a unique key there.
type EventBy struct {
	// Table is its index in the event's Tables, less than that of the table itself: there are no circles.
	Table  int
	Column string

	kind byKind // known once it is verified
	pos  fault.Pos
}

// Events gives the entities that new services are told of, in the order of the files.
func (p *Program) Events() []*Event { return p.events }

// Event gives the event of an entity; nil when it has none.
func (p *Program) Event(entity protoreflect.FullName) *Event {
	for _, e := range p.events {
		if e.Entity.FullName() == entity {
			return e
		}
	}
	return nil
}

// CanWriteBack says why an entity can't be brought back to legacy; none when it can. The program has to be verified.
func (p *Program) CanWriteBack(entity protoreflect.FullName) (reasons []string) {
	put := p.puts[entity]
	switch {
	case put == nil:
		reasons = append(reasons, "no `-- put: "+string(entity)+"` in SQL makes legacy's rows equal the message")
	case put.sticky:
		reasons = append(reasons, "the put of "+string(entity)+" changes tables without transactions, which don't commit with it: convert them to InnoDB")
	}
	if p.Event(entity) == nil {
		reasons = append(reasons, "no `-- event: "+string(entity)+"` in SQL says which rows are part of it")
	}
	return reasons
}

// event binds an event directive. All RPCs are bound.
func (b *binder) event(ast *annotated.Event) {
	e := &Event{Pos: ast.Pos, Entity: b.contract.Message(protoreflect.FullName(ast.Entity)), Get: b.contract.Operation(protoreflect.FullName(ast.Via))}
	op := b.program.ops[protoreflect.FullName(ast.Via)]
	switch {
	case e.Entity == nil:
		b.faults.Add(ast.Pos, "name a message as package.Message", "the contract has no message %s", ast.Entity)
		return
	case e.Get == nil:
		b.faults.Add(ast.Pos, "name an RPC as package.Service.Method", "the contract has no operation %s%s", ast.Via, b.resembling(ast.Via))
		return
	case op == nil:
		b.faults.Add(ast.Pos, "write its `-- rpc:` block", "%s reads %s, and no SQL answers it", ast.Via, ast.Entity)
		return
	case !e.Get.Read || e.Get.ServerStreaming || e.Get.Output.FullName() != e.Entity.FullName():
		b.faults.Add(ast.Pos, "name a read that gives one "+ast.Entity, "%s does not read one %s", ast.Via, ast.Entity)
		return
	case e.Get.Input.Fields().Len() != 1:
		b.faults.Add(ast.Pos, "name an RPC whose request has the id and nothing else", "the request of %s has %d fields", ast.Via, e.Get.Input.Fields().Len())
		return
	}
	e.GetID = e.Get.Input.Fields().Get(0)
	e.ID = e.Entity.Fields().ByName(e.GetID.Name())
	switch {
	case e.ID == nil || e.ID.Kind() != e.GetID.Kind() || e.ID.IsList() || e.GetID.IsList() || e.ID.Message() != nil:
		b.faults.Add(ast.Pos, "give the message a field of the same name and type", "%s asks by %s, and %s has no single field of that name and type", ast.Via, e.GetID.Name(), ast.Entity)
		return
	case !identifies(e.ID):
		b.faults.Add(ast.Pos, "ask by a text or an integer", "%s asks by %s, and a %s is no id", ast.Via, e.GetID.Name(), e.ID.Kind())
		return
	case len(ast.On) == 0 || ast.On[0].Column != ast.ID || ast.On[0].By != nil:
		b.faults.Add(ast.Pos, "begin on= with the table that has one row for each "+ast.Entity+", and its id column", "id=%s is not the column of the first table of on=", ast.ID)
		return
	}
	for _, other := range b.program.events {
		if other.Entity == e.Entity {
			if other.Pos.File != ast.Pos.File {
				b.faults.Add(ast.Pos, "keep one of the two", "%s has an event already, at %s", ast.Entity, other.Pos)
			}
			return
		}
	}
	for _, t := range ast.On {
		table := EventTable{Schema: t.Schema, Table: t.Table, Column: t.Column, pos: t.Pos}
		if t.By != nil {
			table.By = &EventBy{Table: t.By.Table, Column: t.By.Column, pos: t.By.Pos}
		}
		e.Tables = append(e.Tables, table)
	}
	b.program.events = append(b.program.events, e)
}

// eventSchemas lists the databases that events name.
func eventSchemas(events []*Event) (out []string) {
	for _, e := range events {
		for _, t := range e.Tables {
			if t.Schema != "" {
				out = append(out, t.Schema)
			}
		}
	}
	return out
}

// eventsOf gives the events of entities, in the order of the files.
func (p *Program) eventsOf(entities []protoreflect.FullName) (out []*Event) {
	for _, e := range p.events {
		if slices.Contains(entities, e.Entity.FullName()) {
			out = append(out, e)
		}
	}
	return out
}

// reading gives the operations by which the entities of events are read, those that they call among them.
func (p *Program) reading(events []*Event) (ops []*operation) {
	seen := map[*operation]bool{}
	for _, e := range events {
		p.ops[e.Get.Name].eachCalled(seen, func(op *operation) { ops = append(ops, op) })
	}
	return ops
}

// Writers gives the operations that write rows of an entity, by their names, in the order of the files. The program has to
// be verified.
func (p *Program) Writers(entity protoreflect.FullName) (names []protoreflect.FullName) {
	event := p.Event(entity)
	if event == nil {
		return nil
	}
	for _, op := range p.operations() {
		if op.rpc != nil && op.writesAny(event.Tables, p.current) {
			names = append(names, op.target)
		}
	}
	return names
}

// Putters gives the entities, besides one itself, whose puts write rows of it, in the order of the files. The program has to be
// verified.
func (p *Program) Putters(entity protoreflect.FullName) (names []protoreflect.FullName) {
	event := p.Event(entity)
	if event == nil {
		return nil
	}
	for _, op := range p.operations() {
		if op.rpc == nil && op.target != entity && op.writesAny(event.Tables, p.current) {
			names = append(names, op.target)
		}
	}
	return names
}

// Sticky says whether an operation changes tables without transactions, which keep what is undone. The program has to be
// verified.
func (p *Program) Sticky(name protoreflect.FullName) bool {
	return p.ops[name] != nil && p.ops[name].sticky
}

// writesAny says whether the operation, or one that it calls, writes one of some tables.
func (op *operation) writesAny(tables []EventTable, current string) bool {
	same := func(a, b string) bool { return strings.EqualFold(cmp.Or(a, current), cmp.Or(b, current)) }
	for _, s := range op.statements {
		if s.call != nil && s.call.op != nil && s.call.op.writesAny(tables, current) {
			return true
		}
		for _, va := range s.checked() {
			for _, t := range va.outline.Tables {
				if t.Written && slices.ContainsFunc(tables, func(of EventTable) bool {
					return strings.EqualFold(of.Table, t.Name) && same(of.Schema, t.Schema)
				}) {
					return true
				}
			}
		}
	}
	return false
}
