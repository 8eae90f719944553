package mirror

import (
	"context"
	"errors"

	"banyan.dev/banyan/mirror/change"
)

// Tables reads rows as they are, for backfills. It is safe for concurrent use, and reads one chunk at a time.
type Tables interface {
	// Read gives rows behind a key to use, in the order of a key of the table, all from one snapshot. use gets them with the
	// snapshot's place in the log: the snapshot has all changes before it, and maybe later ones. What use gets is valid until it
	// returns. Its ErrEnough ends the chunk behind that row; any other error ends the reading. What makes reading the table
	// impossible is a *UnreadableError; all else may pass.
	Read(ctx context.Context, c Chunk, use func(at change.Position, t *change.Table, row []change.Value) error) (ChunkRead, error)
	// Count gives about how many rows a table has; 0 when that is not known.
	Count(ctx context.Context, schema, table string) (uint64, error)
}

// Chunk says which rows are read.
type Chunk struct {
	Schema, Table string
	// After is where the chunk before ended, ChunkRead.Reached; empty begins. One that fits the table's key no more, since that was
	// changed, begins, too: ChunkRead.Anew.
	After string
	// Limit is how many rows are read at most.
	Limit int
	// Log is a place in the log that is read: the snapshot is one of the same server, and has all changes before it, or is newer.
	Log change.Position
}

// ChunkRead says what was read.
type ChunkRead struct {
	// At is the snapshot's place in the log.
	At   change.Position
	Rows int
	// Reached is behind the last row. Last says that there are no more.
	Reached string
	Last    bool
	// Anew says that Chunk.After was of another key than the table has now.
	Anew bool
}

// ErrEnough ends a chunk before its limit.
var ErrEnough = errors.New("the chunk has enough rows")

// UnreadableError says why a table can't be read in chunks, and what to do.
type UnreadableError struct {
	What, Fix string
	Cause     error
}

// Error says it as a StopError does, which it is not: it ends a backfill, and the mirror goes on.
func (e *UnreadableError) Error() string { return (*change.StopError)(e).Error() }

func (e *UnreadableError) Unwrap() error { return e.Cause }
