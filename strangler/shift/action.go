package shift

// Action is something to be done once the State is saved: a SendFence, FenceReplica, TakeMarks, Void, Settled, Announce or
// Audit.
// After one that fails the later ones are left: what is still needed is asked for again.
type Action interface{ action() }

// SendFence sends a fence to the capability's service. Void are ids of writes that are given up; Back says that all keys are
// legacy's again.
type SendFence struct {
	ID      string
	Epoch   uint64
	ReplyTo string
	Void    []string
	Back    bool
}

// FenceReplica fences a replica whose lease is over, if it still is.
type FenceReplica struct{ Replica string }

// TakeMarks takes a fenced replica's writer marks away, and then the replica.
type TakeMarks struct{ Replica string }

// Void makes open writes void, and keeps which were by the version of the hold that did it.
type Void struct {
	Writes []string
	Epoch  uint64
	Reason string
}

// Settled says that modern knows all writes that were made void by holds up to Epoch: nobody needs their ids any more.
type Settled struct{ Epoch uint64 }

// Announce has the service told legacy's state of entities, unless a fence of a greater epoch than Epoch was sent: by then
// they may be modern's, and whoever does this was taken over from.
type Announce struct {
	Entities []string
	Epoch    uint64
}

// Audit is a line of the history. It is saved with the State.
type Audit struct {
	Version                     uint64
	Who, What, From, To, Reason string
}

func (SendFence) action()    {}
func (FenceReplica) action() {}
func (TakeMarks) action()    {}
func (Void) action()         {}
func (Settled) action()      {}
func (Announce) action()     {}
func (Audit) action()        {}
