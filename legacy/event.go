package legacy

import (
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
}

// EventTable is a table with the column that has the entity's id.
type EventTable struct {
	// Schema is empty for the DSN's.
	Schema, Table, Column string

	pos fault.Pos
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
		b.faults.Add(ast.Pos, "give the message a field of the same name and type", "%s asks by %s, which is no field of %s", ast.Via, e.GetID.Name(), ast.Entity)
		return
	case len(ast.On) == 0 || ast.On[0].Column != ast.ID:
		b.faults.Add(ast.Pos, "begin on= with the table that has one row for each "+ast.Entity+", and its id column", "id=%s is not the column of the first table of on=", ast.ID)
		return
	}
	op.eachParam(func(p *param) {
		if p.origin == fromClaim {
			b.faults.Add(p.ast.Pos, "leave it out: events are read for services, where there is no caller", "%s in %s, by which %s is read for an event", p.ast, ast.Via, ast.Entity)
		}
	})
	for _, other := range b.program.events {
		if other.Entity == e.Entity {
			if other.Pos.File != ast.Pos.File {
				b.faults.Add(ast.Pos, "keep one of the two", "%s has an event already, at %s", ast.Entity, other.Pos)
			}
			return
		}
	}
	for _, t := range ast.On {
		e.Tables = append(e.Tables, EventTable{Schema: t.Schema, Table: t.Table, Column: t.Column, pos: t.Pos})
	}
	b.program.events = append(b.program.events, e)
}

// eventSchemas lists the databases that events name.
func (p *Program) eventSchemas() (out []string) {
	for _, e := range p.events {
		for _, t := range e.Tables {
			if t.Schema != "" {
				out = append(out, t.Schema)
			}
		}
	}
	return out
}

// check holds an event against the live schema.
func (e *Event) check(s *schema, faults *fault.List) {
	for i, named := range e.Tables {
		t := s.table(named.Schema, named.Table)
		if t == nil {
			faults.Add(named.pos, "name a table that is there", "there is no table %s", named.Table)
			continue
		}
		if !t.transactional || t.engine == "" {
			faults.Add(named.pos, "convert it: ALTER TABLE "+named.Table+" ENGINE = InnoDB", "%s has no transactions, so that its changes can't be told apart from others': an entity's tables need them", named.Table)
		}
		column, ok := t.columns[strings.ToLower(named.Column)]
		if !ok {
			faults.Add(named.pos, "name the column that has the id of a "+string(e.Entity.Name()), "the table %s has no column %s", named.Table, named.Column)
			continue
		}
		switch column.Type {
		case "BINARY", "VARBINARY", "BLOB", "BIT", "FLOAT", "DOUBLE", "JSON", "SET", "ENUM", "GEOMETRY":
			faults.Add(named.pos, "name a column with a number or a text", "%s.%s is %s, which can't be an id here", named.Table, named.Column, column.Type)
		}
		if i == 0 && !t.unique(strings.ToLower(named.Column)) {
			faults.Add(named.pos, "name the table that has one row for each "+string(e.Entity.Name())+", by its key", "%s.%s is no unique key: several rows could be one %s", named.Table, named.Column, e.Entity.Name())
		}
	}
}

// unique says whether a column alone is a unique key without NULLs.
func (t *table) unique(column string) bool {
	for _, key := range t.uniques {
		if len(key) == 1 && key[0] == column {
			return true
		}
	}
	return false
}
