package shift

import (
	"encoding/json"
	"time"

	"banyan.dev/banyan/flags"
)

// Rules are what Step goes by besides what it sees.
type Rules struct {
	// Moves says whether any key moves from legacy to modern (forward) and from modern to legacy (backward).
	Moves func(from, to json.RawMessage) (forward, backward bool)
	// Moved says whether a key changes its side; keyed is false for calls without one, which move when any key does.
	Moved func(from, to json.RawMessage, key string, keyed bool) bool
	// Describe says a definition in words.
	Describe func(definition json.RawMessage) string
	// Highest gives the furthest stage that a definition can give.
	Highest func(definition json.RawMessage) flags.Stage

	// Lease is how long a replica may act after its last word; Margin is waited besides, for clocks that differ.
	Lease, Margin time.Duration
	// Quiet is how long a replica may have been silent when a hold begins, so that no hold waits for a lease to end.
	Quiet time.Duration
	// Prepare bounds what comes before the hold; Shift is how long writes are held before the shift goes back.
	Prepare, Shift time.Duration
	// Grace is how long open writes have to end when their keys move back.
	Grace time.Duration
	// Again is when a fence is sent again that is not answered, each further time after twice as long.
	Again time.Duration
	// Chunk is how many entities are announced at once.
	Chunk int
}

// Defaults fills in what is zero, but for the functions and Lease.
func (r Rules) Defaults() Rules {
	set := func(d *time.Duration, to time.Duration) {
		if *d == 0 {
			*d = to
		}
	}
	set(&r.Margin, 250*time.Millisecond)
	set(&r.Quiet, 2*time.Second)
	set(&r.Prepare, 30*time.Second)
	set(&r.Shift, 5*time.Second)
	set(&r.Grace, 300*time.Millisecond)
	set(&r.Again, time.Second)
	if r.Chunk == 0 {
		r.Chunk = 200
	}
	return r
}

// Observation is what was seen of the world. All of it was read after the State was, which makes it safe to act on: what
// replicas say of a version they have said after it was published.
type Observation struct {
	// Now is by the store's clock.
	Now time.Time
	// Replicas are all that there are, fenced ones too.
	Replicas []Replica
	// Queue is where answers go at present; empty when there is none.
	Queue string
	// Answers has those to the fences that State.Awaits names, as far as they have come.
	Answers map[string]Answer
	// Open are the unfinished writes that State.WantsOpen asks for, those of keys that don't move may be left out. Looked is
	// false where they were not looked for, or there may be more. Voided counts those that are void by this hold.
	Open   []Write
	Looked bool
	Voided int
	// Void are the ids that State.WantsVoid asks for; none left: an empty list. Told is false where they were not looked for.
	Void []string
	Told bool
	// Page are the ids of entities that State.WantsPage asks for; none left: an empty one. Paged is false where they were
	// not looked for.
	Page  []string
	Paged bool
	// IDs are fresh ones for fences, FreshIDs of them.
	IDs []string
}

// FreshIDs is how many ids a Step can need.
const FreshIDs = 3

// Replica is what one says.
type Replica struct {
	Name string
	// Silent is how long ago its last word was; Fenced says that it may not act any more, but its marks are still there.
	Silent time.Duration
	Fenced bool
	// Applied and Settled are what it says of this capability, Digest is what it takes the capability for, and Lacks says that
	// it has none of that name; see control.Ack.
	Applied, Settled uint64
	Digest           string
	Lacks            bool
}

// Write is an unfinished one.
type Write struct {
	ID, Key string
	Keyed   bool
}

// Answer is a service's to a fence.
type Answer struct {
	Parked    []string
	More      bool
	Committed map[string][]string
	Error     string
	// Unread says that the service was not told of everything before the fence, since it can't be read in legacy.
	Unread bool
}

// Awaits gives the fences whose answers are awaited.
func (s State) Awaits() []string {
	var ids []string
	for _, e := range []Errand{s.Ask, s.Return.Ask, s.Settling.Ask, s.Backfill.Ask} {
		ids = append(ids, e.Fences...)
	}
	return ids
}

// WantsOpen says whether the unfinished writes of epochs less than before have to be looked for.
func (s State) WantsOpen() (before uint64, ok bool) { return s.Hold, s.Place == Drain }

// WantsVoid says whether void writes have to be listed, in the order of their ids: those behind after that were made void by
// holds from first to last.
func (s State) WantsVoid() (first, last uint64, after string, ok bool) {
	v := s.Settling
	return v.First, v.Epoch, v.After, s.Phase == flags.Steady && v.First > 0 && len(v.Writes) == 0
}

// WantsPage says whether entities behind after have to be listed, the first few chunks of them.
func (s State) WantsPage() (after string, ok bool) {
	b := s.Backfill
	return b.After, b.State == FillRunning && len(b.Ask.Fences) == 0
}

// Busy says whether anything is under way that Step has to be asked for again soon.
func (s State) Busy() bool {
	return s.Place != Idle || s.Return.Epoch > 0 || !s.Settling.Over() || s.Backfill.State == FillRunning
}
