package mirror

import (
	"context"

	"banyan.dev/banyan/mirror/change"
)

// Entities knows which rows are part of which entities of the contract, and reads entities in legacy. It is safe for
// concurrent use.
type Entities interface {
	// Of gives the entities that a table's rows are part of; nil for most tables. An empty table stands for all of the schema's. It
	// does not block.
	Of(schema, table string) []EntityTable
	// Read gives the states of entities, in their order, as they are in one snapshot that contains all transactions before at, a
	// place in the log that is read now, but those that Committing gives. What legacy does not have is Deleted. Where they are large it gives the first ones
	// only, and at least one: the others are asked for again. An error is about all of them.
	Read(ctx context.Context, at change.Position, all []EntityName) ([]EntityState, error)
	// Committing gives those of some XA transactions, by their names, that legacy's engine may not have committed yet, though the log
	// has that they are committed before at: a snapshot that is begun then may lack them, and has all others. It can't tell them from
	// such as have been prepared since under the same names. Nil where no snapshot lacks any.
	Committing(ctx context.Context, at change.Position, xa []string) ([]string, error)
	// Steps gives the number of steps of the longest path; 0 when all tables have ids.
	Steps() int
	// Follow gives the ids that values lead to by their paths, in their order, as they are in one snapshot that contains all
	// transactions before at, but those that Committing gives; "" where rows on the way are gone, or never were.
	Follow(ctx context.Context, at change.Position, all []Step) ([]string, error)
}

// EntityName names an entity: by the full name of its message, and its id.
type EntityName struct{ Entity, ID string }

// EntityTable says how a table's rows tell the entity that they are part of.
type EntityTable struct {
	// Entity is the full name of the message.
	Entity string
	// Column is the name of the column that has the entity's id, or the value that Path begins with.
	Column string
	// Path is nil where Column has the id. It is the same pointer each time.
	Path *Path
	// Own leads from an id in Column to the id as legacy has it now, perhaps in other letters that the server takes for equal: then
	// nothing has the id of before any more, though Read finds something by it. Nil where ids are the same or not. It is the
	// same pointer each time.
	Own *Path
}

// Path leads from the value of a row's column to the id of the entity that the row is part of, over rows of other tables, whose own
// changes tell of the entity, too.
type Path struct {
	// Entity is the full name of the message.
	Entity string
}

// Step is a value that leads to an entity: digits of a number, a text, or bytes.
type Step struct {
	Path  *Path
	Value string
}

// EntityState is an entity as legacy has it.
type EntityState struct {
	ID string
	// Key is what the entity's requests are routed by; empty when Deleted.
	Key string
	// Data is the message in protobuf's JSON, or Proto is it in protobuf's bytes; the other is nil, and both when Deleted.
	Data, Proto []byte
	Deleted     bool
	// Unreadable says why it can't be read, which does not pass by waiting; nil when it could. Then there is only the ID besides.
	Unreadable *change.StopError
}
