package mirror

import (
	"context"
	"errors"
	"time"

	"banyan.dev/banyan/mirror/change"
)

// Store keeps one mirror's position, and says who leads. Its methods may be called concurrently.
type Store interface {
	// Lead waits until this process is the mirror's one leader, and begins a term. It returns early with ctx's error, and
	// with others that may pass, or with a *change.StopError.
	Lead(ctx context.Context) (Term, error)
	// State gives what is saved, whoever leads.
	State(ctx context.Context) (State, error)
	// Reset gives the mirror another position, or none for the log's end, and raises the epoch. A running term is deposed.
	Reset(ctx context.Context, to change.Position) (State, error)
}

// Term is the time that one process leads. It ends with Close, or when leadership is lost: then Save fails, too.
type Term interface {
	// State is what was saved when the term began, with the term's own number.
	State() State
	// Save keeps a position. After ErrDeposed nothing was kept, and the term is over.
	Save(ctx context.Context, p change.Position) error
	// NewEpoch raises the epoch and keeps a position in it, at once, for a log that is another than before.
	NewEpoch(ctx context.Context, p change.Position) (epoch uint32, err error)
	// Lost is closed when leadership is lost.
	Lost() <-chan struct{}
	// Close ends the term, so that another process can lead at once. It may be called twice.
	Close() error
}

// ErrDeposed says that another process leads, or that the position was reset.
var ErrDeposed = errors.New("another process leads the mirror now, or its position was reset")

// State is what is saved of a mirror.
type State struct {
	// Epoch is that of versions, from 1. Term counts leaders.
	Epoch uint32
	Term  uint64
	// Position is zero before the first one was saved.
	Position change.Position
	// Leader names the process that led last. Saved is when the position was, by the store's clock.
	Leader string
	Saved  time.Time
}

// Relations knows what a change of a parent row does to other tables without a trace in the log: foreign keys with
// ON DELETE or ON UPDATE CASCADE, SET NULL or SET DEFAULT. It may be called concurrently with Refresh.
type Relations interface {
	// Of gives the relations in which a table is the parent; nil for most tables. It does not block.
	Of(schema, table string) []Relation
	// Refresh reads them anew, after DDL.
	Refresh(ctx context.Context) error
}

// Relation is one foreign key, seen from its parent.
type Relation struct {
	// Constraint is the foreign key's name. Schema and Table are the child's.
	Constraint, Schema, Table string
	// Columns are the child's, Parents the parent's columns that they refer to, in the same order.
	Columns, Parents []string
	// OnDelete and OnUpdate are CASCADE, SET NULL or SET DEFAULT; empty where a change of that kind has no effect.
	OnDelete, OnUpdate string
	// Next are the child's own relations, as far as the child's change sets them off: those of a deleted child, or, behind
	// SET NULL and updates, those that refer to Columns. A circle ends where a constraint comes again.
	Next []Relation
}
