package control

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"banyan.dev/banyan/flags"
	"banyan.dev/banyan/strangler"
)

// Lease is how long a replica may act on what it knows since it began to ask last. A replica without one writes nothing
// and reads from legacy.
const Lease = 3 * time.Second

// Margin is how much longer than its lease a replica has to have been silent before it is fenced. Both are counted by clocks that
// are never set, which go at about the same rate.
const Margin = 100 * time.Millisecond

// Membership is a replica's way to the control store. It is safe for concurrent use.
type Membership interface {
	// Join puts the replica there, in place of one of the same name, before it has flags: a shift that begins from then on
	// waits for it.
	Join(ctx context.Context, r Joining) error
	// Exchange is one round trip: it renews the lease, says what the replica has applied, and gets the flags that have
	// changed since. ErrFenced: the replica was fenced meanwhile; it joins again, with new writer marks, before it writes.
	Exchange(ctx context.Context, r Report) (News, error)
	// Leave takes the replica away.
	Leave(ctx context.Context, replica string) error
}

// ErrFenced says that a replica has been silent for longer than its lease: its writer marks were taken away.
var ErrFenced = errors.New("this replica was silent for too long and is fenced: it has to join again")

// Joining is a replica that joins.
type Joining struct {
	// Replica is its name, the same as that of its writer marks.
	Replica string
	// Address is where its admin API listens, for people; empty when it has none.
	Address string
}

// Report is what a replica says.
type Report struct {
	Replica string
	// Renew says whether the lease is to be renewed and Acks kept; otherwise only news are asked for, which is cheaper.
	Renew bool
	// Acks has each capability of which the replica has a flag, and those in the store that its config has not.
	Acks map[string]Ack
	// Since is News.Change of the last exchange; 0 for all flags.
	Since uint64
}

// Ack is what a replica has done about a capability's flag.
type Ack struct {
	// Applied is the version that all decisions are made by.
	Applied uint64 `json:"applied"`
	// Settled is the version before which no write is on its way any more: each is finished, or open in the ledger.
	Settled uint64 `json:"settled"`
	// Digest is of what the replica takes the capability for, see Coordinated; empty: its version of Banyan doesn't say.
	Digest string `json:"digest,omitempty"`
	// Lacks says that the replica's config has no such capability: it acknowledges nothing.
	Lacks bool `json:"lacks,omitempty"`
}

// News is what an exchange brings.
type News struct {
	// Change counts all changes of flags in the store.
	Change uint64
	// Flags are those that changed since.
	Flags []flags.Flag
}

// Replica is one as the store has it.
type Replica struct {
	Name    string `json:"name"`
	Address string `json:"address,omitempty"`
	// Silent is how long ago it renewed its lease, as far as the store can tell.
	Silent time.Duration  `json:"silent_ns"`
	Fenced bool           `json:"fenced"`
	Acks   map[string]Ack `json:"acks"`
}

// Record is a capability as the store has it: what package shift keeps, with a revision for compare and swap. Its
// State's flag is what replicas get.
type Record struct {
	Capability string
	Revision   uint64
	// State is a shift.State in JSON.
	State json.RawMessage
	// Flag is the state's flag.
	Flag flags.Flag
	// Changed is when it was saved, Now when it was read, by the store's clock.
	Changed, Now time.Time
}

// ErrConflict says that a record was changed by someone else since it was read.
var ErrConflict = errors.New("the capability was changed by someone else meanwhile")

// Audit is one line of a capability's history.
type Audit struct {
	At         time.Time `json:"at"`
	Capability string    `json:"capability"`
	Version    uint64    `json:"version"`
	Who        string    `json:"who"`
	// What is the event: shift begun, shift done, shift gone back, rollback, ...
	What string `json:"what"`
	// From and To say the stages, such as "shadow" or "live 25%, shadow 75%".
	From   string `json:"from,omitempty"`
	To     string `json:"to,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// Store is the coordinator's way to the control store. It is safe for concurrent use.
type Store interface {
	// Ensure makes a capability's record where there is none, in one step.
	Ensure(ctx context.Context, r Record) error
	// Records gives all records.
	Records(ctx context.Context) ([]Record, error)
	// Save replaces the record whose revision is r's by r with the next one, and keeps audits with it, in one
	// transaction. ErrConflict: it has another revision.
	Save(ctx context.Context, r Record, audits ...Audit) error
	// Replicas gives those that are there, fenced ones too.
	Replicas(ctx context.Context) ([]Replica, error)
	// Fence marks a replica as fenced when its lease is over at that moment; fenced is false when it has renewed it, or this
	// process has not looked at Replicas for long enough to know.
	Fence(ctx context.Context, replica string) (fenced bool, err error)
	// Forget takes a fenced replica away, once its marks are.
	Forget(ctx context.Context, replica string) error
	// History gives the latest audits, newest first; of all capabilities for "".
	History(ctx context.Context, capability string, limit int) ([]Audit, error)
	// Passed says whether a fence has passed entities of a message that the mirror could not read in legacy: the service has not
	// been told of all that was before it. It is known once the fence is answered.
	Passed(ctx context.Context, fence, message string) (bool, error)
	// Unread counts entities of a message that a service is not told of, since the mirror can't read them.
	Unread(ctx context.Context, service, message string) (int, error)
	// Lead waits until this process is the one coordinator. Lost of the leadership is closed when it ends.
	Lead(ctx context.Context) (Leadership, error)
}

// Leadership is the time that one process coordinates.
type Leadership interface {
	Lost() <-chan struct{}
	Close() error
}

// Ledger is the coordinator's way to legacy.
type Ledger interface {
	// FenceWriter takes a replica's writer marks away: it waits for transactions that have marked, and stops later ones.
	FenceWriter(ctx context.Context, replica string) error
	// Open gives the unfinished writes of a capability (open and in doubt) whose epoch is less than before (0: any),
	// oldest first, those behind after (its zero: all), at most limit, without their requests.
	Open(ctx context.Context, capability string, before uint64, after strangler.Write, limit int) ([]strangler.Write, error)
	// Void makes unfinished writes of a capability void, those that still are, and waits for write-backs of them that are about
	// to commit. It gives those that are void now, whoever made them so, and keeps them for Voids, by the epoch of the hold
	// that gives them up. After an error some may be; it can be called again.
	Void(ctx context.Context, capability string, epoch uint64, ids []string, reason string) (voided []string, err error)
	// Voids gives ids of writes that Void has made void, in their order: those behind after whose epochs are from first to
	// last, at most limit. all counts them, before after too.
	Voids(ctx context.Context, capability string, first, last uint64, after string, limit int) (ids []string, all int, err error)
	// Greatest gives the greatest version of a capability's flag that a fence was sent or a write decided under, as far as it
	// is still known; 0 when none is.
	Greatest(ctx context.Context, capability string) (uint64, error)
	// Settled forgets what Voids gives, up to an epoch.
	Settled(ctx context.Context, capability string, epoch uint64) error
	// Settle keeps for void writes what the new service has answered of them: committed has the entities of those that it had
	// done, and it can't do the others any more. It can be called again.
	Settle(ctx context.Context, capability string, void []string, committed map[string][]string) error
	// SendFence sends a fence down the mirror's path to a service: a row in the ledger, which the mirror finds in the log.
	SendFence(ctx context.Context, f FenceRow) error
	// Announce has the mirror tell a service legacy's state of entities, once it reaches this place in the log. The answer
	// to a fence sent later says that the service has applied it. ErrPassed: it came too late.
	Announce(ctx context.Context, a Announcement) error
	// List gives writes for people, newest first, by state ("" for all) and capability ("" for all).
	List(ctx context.Context, capability string, state strangler.WriteState, limit int) ([]strangler.Write, error)
	// Stale gives open writes of a capability that were begun longer ago than age, oldest first and behind after, with their
	// requests: the sweeper's work.
	Stale(ctx context.Context, capability string, age time.Duration, after strangler.Write, limit int) ([]strangler.Write, error)
}

// FenceRow is a fence on its way to the mirror.
type FenceRow struct {
	ID         string
	Service    string
	Capability string
	Epoch      uint64
	// ReplyTo is the AMQP queue that the answer goes to.
	ReplyTo string
	Void    []string
	// Back says that all keys of the capability are legacy's again.
	Back bool
}

// ErrPassed says that a coordinator that was taken over from has come too late with an announcement: a fence of a greater
// epoch has been sent meanwhile, so that keys may be modern's. Nothing was announced.
var ErrPassed = errors.New("this coordinator was taken over from: its announcement comes too late")

// Announcement names entities whose state in legacy a service is told, whatever it has itself.
type Announcement struct {
	Service string
	// Capability and Epoch say when it is too late: once a fence of a greater epoch was sent. Capability is empty for an entity
	// that no capability of the service has: it can't be modern's, so that it is never too late, and fences are not waited for.
	Capability string
	Epoch      uint64
	// Entity is the message's full name.
	Entity string
	IDs    []string
}

// Answers receives what services answer to fences.
type Answers interface {
	// Queue gives the name of the queue that answers go to at present; empty when there is no connection.
	Queue() string
	// Take gives the answer to a fence, once it has come; ok is false before. Answers are kept for a while.
	Take(fence string) (a FenceAnswer, ok bool)
	// Arrived is signalled when answers have come.
	Arrived() <-chan struct{}
}

// FenceAnswer is an answer as the coordinator needs it.
type FenceAnswer struct {
	Parked    []string
	More      bool
	Committed map[string][]string
	Error     string
}

// Backfill lists the ids of a capability's entities in legacy.
type Backfill interface {
	// Next gives the ids behind after, at most limit, in the order of the key; "" begins. none left: an empty list.
	Next(ctx context.Context, capability, after string, limit int) (ids []string, err error)
}
