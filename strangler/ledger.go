package strangler

import (
	"context"
	"errors"
	"time"

	"banyan.dev/banyan/contract"
)

// WriteState is how far a live write has come.
type WriteState string

// The states of live writes. Only Open and Doubt are unfinished.
const (
	// WriteOpen: begun; modern may have committed it, legacy doesn't have it.
	WriteOpen WriteState = "open"
	// WriteClosed: both sides have it.
	WriteClosed WriteState = "closed"
	// WriteFailed: modern has refused it, and nothing of it has happened.
	WriteFailed WriteState = "failed"
	// WriteVoid: a rollback has given it up: legacy doesn't have it and won't, and modern is told legacy's state again.
	WriteVoid WriteState = "void"
	// WriteDoubt: modern has committed it, and legacy can't take it as it is: a person decides.
	WriteDoubt WriteState = "doubt"
)

// Write is a live write as the ledger has it.
type Write struct {
	// ID is a UUID.
	ID string `json:"id"`
	// Capability is its name, Operation the full name of the RPC.
	Capability string `json:"capability"`
	Operation  string `json:"operation"`
	// Key is what the write was routed by; Keyed is false when it has none.
	Key   string `json:"key,omitempty"`
	Keyed bool   `json:"keyed"`
	// Entity is the entity's id; empty while it isn't known.
	Entity string `json:"entity,omitempty"`
	// Epoch is the version of the flag that it was decided under.
	Epoch uint64 `json:"epoch"`
	// Replica is the process that began it.
	Replica string `json:"replica"`
	// Request is the operation's Input on the wire.
	Request []byte     `json:"-"`
	State   WriteState `json:"state"`
	// Reason says why it is failed, void or in doubt.
	Reason string `json:"reason,omitempty"`
	// Carried says of a void write that a write-back for another write of its entity has committed since it was opened:
	// what modern had done for the void one may have come to legacy with that, so that it must not be done again. While the
	// entity is not known, any write-back of the same key counts. Only Find tells.
	Carried bool `json:"carried,omitempty"`
	// Settled says of a void write that modern has told what it had done for it: Carried won't change any more.
	Settled bool `json:"settled,omitempty"`
	// Idempotency is the caller's key, which is kept with the write; nil: it has none. Only Open looks at it.
	Idempotency *Idempotency `json:"-"`
	// Created and Changed are by the legacy's clock.
	Created time.Time `json:"created"`
	Changed time.Time `json:"changed"`
}

// ErrNotOpen says that a write is not open any more: voided by a rollback, or finished by the sweeper. Nothing was done.
var ErrNotOpen = errors.New("the write is not open any more")

// DifferError says that what legacy has after a put is not what modern has. The put was undone.
type DifferError struct {
	// What says which field differs, and how, in words for an operator.
	What string
}

func (e *DifferError) Error() string { return "legacy can't hold what modern has: " + e.What }

// Ledger keeps live writes in legacy, where they commit with legacy's own rows. Errors are *Error where legacy could not
// be asked. It is safe for concurrent use.
type Ledger interface {
	// Open commits a row of state open, with what w says. Where w has an idempotency key that was used before, and KeyUse.Judge
	// doesn't free it, nothing is committed: Open gives an *AlreadyDone with the reply, or Judge's error.
	Open(ctx context.Context, w *Write) error
	// WriteBack brings an entity from modern to legacy, in one transaction: it locks the entity (by capability and
	// w.Entity, which must be set), calls read under that lock, which gives modern's state, puts it, reads it back and
	// compares, and closes the write with its reply. read gives nil where modern doesn't have the entity.
	// Failures are ErrNotOpen, a *DifferError, read's own error as it is, or an *Error. After any error nothing has
	// changed; the commit alone can leave that unknown (reason COMMIT_OUTCOME_UNKNOWN): then Find tells.
	WriteBack(ctx context.Context, w *Write, reply []byte, read func(ctx context.Context) (*contract.Payload, error)) error
	// Finish ends an open write without a write-back: failed, void (by modern's word that nothing of it has happened, nor
	// will) or doubt. A write in doubt can be finished, too, and one that is failed can be put in doubt. Else it gives
	// ErrNotOpen.
	Finish(ctx context.Context, id string, state WriteState, reason string) error
	// Find gives a write, with its reply where it is closed; nil when there is none. entity is the one that the write is
	// about, where the caller has learned it since; else "".
	Find(ctx context.Context, id, entity string) (w *Write, reply []byte, err error)
}
