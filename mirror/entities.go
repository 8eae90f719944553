package mirror

import (
	"context"

	"banyan.dev/banyan/mirror/change"
)

// Entities knows which rows are part of which entities of the contract, and reads entities in legacy. It is safe for
// concurrent use.
type Entities interface {
	// Of gives the entities that a table's rows are part of; nil for most tables. It does not block.
	Of(schema, table string) []EntityTable
	// Read gives the states of entities, in the order of ids, as they are in one snapshot that contains all transactions
	// before at, a place in the log that is read now. What legacy does not have is Deleted. Where they are large it gives
	// the first ones only, and at least one: the others are asked for again.
	Read(ctx context.Context, at change.Position, entity string, ids []string) ([]EntityState, error)
}

// EntityTable says how a table's rows tell the entity that they are part of.
type EntityTable struct {
	// Entity is the full name of the message.
	Entity string
	// Column is the name of the column that has the entity's id.
	Column string
}

// EntityState is an entity as legacy has it.
type EntityState struct {
	ID string
	// Key is what the entity's requests are routed by; empty when Deleted.
	Key string
	// Data is the message in protobuf's JSON; nil when Deleted.
	Data    []byte
	Deleted bool
}
