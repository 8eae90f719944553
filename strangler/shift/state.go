package shift

import (
	"encoding/json"
	"slices"
	"time"

	"banyan.dev/banyan/flags"
)

// Place is where a shift is.
type Place string

// The places, in the order of a way forward.
const (
	Idle    Place = ""
	Prepare Place = "prepare"
	Settle  Place = "settle"
	Drain   Place = "drain"
	Fence   Place = "fence"
	Target  Place = "target"
	Retreat Place = "retreat"
	Finish  Place = "finish"
)

// State is all that is kept of a capability: its flag, and how far a shift has come. Times are the store's.
type State struct {
	flags.Flag
	Place Place `json:"place,omitempty"`
	// Command is what the shift serves; after it, what it served.
	Command Command `json:"command,omitzero"`
	// Began is when the command was given.
	Began time.Time `json:"began,omitzero"`
	// Back says that the shift moves keys to legacy only: it voids what is open, and has no deadline.
	Back bool `json:"back,omitempty"`
	// Hold is the version that published the hold, and Held is when; both stay until the next command. Writes of moved keys
	// that are decided before Hold have to end.
	Hold uint64    `json:"hold,omitempty"`
	Held time.Time `json:"held,omitzero"`
	// Deadline is when the shift goes back by itself; zero when it doesn't.
	Deadline time.Time `json:"deadline,omitzero"`
	// Why says why the shift has gone back.
	Why string `json:"why,omitempty"`
	// Ask is the fence that the shift waits for.
	Ask Errand `json:"ask,omitzero"`
	// Fenced are replicas that were silent in this shift; Voided counts writes that it gave up.
	Fenced []string `json:"fenced,omitempty"`
	Voided int      `json:"voided,omitempty"`

	Return   Return   `json:"return,omitzero"`
	Settling Settling `json:"settling,omitzero"`
	Backfill Backfill `json:"backfill,omitzero"`
	// Last is what became of the last command.
	Last Outcome `json:"last,omitzero"`
}

// New gives the state of a capability that has never been shifted.
func New(capability string, definition json.RawMessage) State {
	return State{Flag: flags.Flag{Capability: capability, Version: 1, Phase: flags.Steady, From: definition, To: definition}}
}

// Command is what a person asks for.
type Command struct {
	// ID finds its outcome.
	ID string `json:"id"`
	// Rollback says that it is allowed in the midst of a shift, which then goes back.
	Rollback bool `json:"rollback,omitempty"`
	// To is the definition to be had.
	To     json.RawMessage `json:"to"`
	Who    string          `json:"who"`
	Reason string          `json:"reason,omitempty"`
	// Was says what there was before, in words. Begin fills it in.
	Was string `json:"was,omitempty"`
}

// Outcome is what became of a command.
type Outcome struct {
	// Command is its ID.
	Command string `json:"command"`
	Who     string `json:"who"`
	// Done is false when the shift went back; Why says why.
	Done bool   `json:"done"`
	Why  string `json:"why,omitempty"`
	// Version is the flag's since; From and To are in words.
	Version uint64 `json:"version"`
	From    string `json:"from"`
	To      string `json:"to"`
	// Wanted is where the command was to lead, in words.
	Wanted string `json:"wanted,omitempty"`
	// Began, Held and Ended are when the command was given, the hold was published (zero without one), and all replicas had
	// the last version.
	Began  time.Time `json:"began"`
	Held   time.Time `json:"held,omitzero"`
	Ended  time.Time `json:"ended"`
	Fenced []string  `json:"fenced,omitempty"`
	Voided int       `json:"voided,omitempty"`
}

// Errand is a fence that an answer is awaited for. Any of its tries may be answered.
type Errand struct {
	// Fences are the ids of the tries, Sent is when the last was, Queue where its answer goes.
	Fences []string  `json:"fences,omitempty"`
	Queue  string    `json:"queue,omitempty"`
	Sent   time.Time `json:"sent,omitzero"`
}

// mostTries bounds Errand.Fences.
const mostTries = 8

// Return is that modern has to be told, after a way back of all keys, that they are legacy's again: else it would go on taking
// what it has written itself for newer than what the old application changes. Until it is told, keys can't move forward again.
type Return struct {
	// Epoch is the version of the hold: of what was written under versions before it, all that counts is in legacy. 0: there is
	// nothing to tell.
	Epoch uint64 `json:"epoch,omitempty"`
	Ask   Errand `json:"ask,omitzero"`
}

// Settling is what modern has to be told after a way back: which writes are void. The ledger keeps them, since there may be
// many; modern is told of some at a time. Until it is over, keys can't move forward again.
type Settling struct {
	// First and Epoch are the versions of the first and the last hold whose void writes are told. Modern refuses what was
	// decided before Epoch.
	First uint64 `json:"first,omitempty"`
	Epoch uint64 `json:"epoch,omitempty"`
	// After is the last id that modern has been told of, Done counts them.
	After string `json:"after,omitempty"`
	Done  int    `json:"done,omitempty"`
	// Writes are the ids that modern is being told of. Kept says that the ledger doesn't list them: a version of Banyan that
	// kept all of them here has begun.
	Writes []string `json:"writes,omitempty"`
	Kept   bool     `json:"kept,omitempty"`
	// Entities are those that modern has committed void writes for: it is told legacy's state of them. They are known once
	// the first fence is answered, when no other can be committed any more; the second tells that they are applied.
	Entities []string `json:"entities,omitempty"`
	Ask      Errand   `json:"ask,omitzero"`
}

// Over says whether nothing has to be told. One that has Writes and no First was saved by that version.
func (s Settling) Over() bool { return s.First == 0 && len(s.Writes) == 0 }

// Filling is how far the first filling of modern has come.
type Filling string

// The states of a filling.
const (
	FillNone    Filling = ""
	FillRunning Filling = "running"
	FillDone    Filling = "done"
)

// Backfill is the first filling of modern with what legacy has.
type Backfill struct {
	State Filling `json:"state,omitempty"`
	// After is the last id that is applied in modern, Done the number of those so far.
	After string `json:"after,omitempty"`
	Done  uint64 `json:"done,omitempty"`
	// Upto and Count are of the chunk that is under way.
	Upto  string `json:"upto,omitempty"`
	Count uint64 `json:"count,omitempty"`
	Ask   Errand `json:"ask,omitzero"`
}

// clone gives a copy that shares nothing that is changed.
func (s State) clone() State {
	s.Ask = s.Ask.clone()
	s.Fenced = slices.Clone(s.Fenced)
	s.Return.Ask = s.Return.Ask.clone()
	s.Settling.Writes = slices.Clone(s.Settling.Writes)
	s.Settling.Entities = slices.Clone(s.Settling.Entities)
	s.Settling.Ask = s.Settling.Ask.clone()
	s.Backfill.Ask = s.Backfill.Ask.clone()
	return s
}

func (e Errand) clone() Errand {
	e.Fences = slices.Clone(e.Fences)
	return e
}
