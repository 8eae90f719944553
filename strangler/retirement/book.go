package retirement

import (
	"context"
	"time"
)

// Use is how often a caller has called an operation on one day.
type Use struct {
	// Operation is the full name of its method.
	Operation string
	// Client is a strangler.Call's; empty when nobody knows who calls.
	Client string
	// Agent is what a client that is not known says it is, which anybody can say: at most 128 bytes of printable ASCII.
	Agent string
	// Day is its midnight in UTC.
	Day time.Time
	// Calls counts, Last is the latest.
	Calls uint64
	Last  time.Time
}

// Caller is who has called an operation.
type Caller struct {
	Operation, Client, Agent string
	// Calls are those since the time that was asked for.
	Calls uint64
	// Last is the latest of all.
	Last time.Time
}

// Book keeps who calls, for all replicas together. It is safe for concurrent use.
type Book interface {
	// Watch keeps that callers of operations are counted from now on, for those of which that is not known yet.
	Watch(ctx context.Context, operations []string) error
	// Add counts uses. After an error some may be counted: counting them again may count them twice.
	Add(ctx context.Context, uses []Use) error
	// Sweep forgets uses of days before one, and says how many. It may be called again.
	Sweep(ctx context.Context, before time.Time) (n int, err error)
	// Callers gives who has called operations, by the last call of each, the latest first: at most limit. It counts calls from
	// the day since on.
	Callers(ctx context.Context, operations []string, since time.Time, limit int) ([]Caller, error)
	// Watched gives since when callers of operations are counted, for those that are.
	Watched(ctx context.Context, operations []string) (map[string]time.Time, error)
}
