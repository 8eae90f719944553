package backfill

import (
	"context"
	"errors"
	"time"
)

// State is how far a job is.
type State string

// The states of a job. The last three are its end.
const (
	Waiting State = "waiting"
	Running State = "running"
	Done    State = "done"
	Stopped State = "stopped"
	Failed  State = "failed"
)

// Over says that nothing more is done.
func (s State) Over() bool { return s == Done || s == Stopped || s == Failed }

// Target is what is sent: a table, or an entity for a service.
type Target struct {
	// Mirror is the name of the mirror that sends it.
	Mirror string
	// Schema and Name are those of the table. An entity has no schema, and the full name of its message.
	Schema, Name string
}

// IsTable says whether the target is a table.
func (t Target) IsTable() bool { return t.Schema != "" }

// String gives the target for people.
func (t Target) String() string {
	if t.IsTable() {
		return t.Schema + "." + t.Name
	}
	return t.Name
}

// Job is one backfill.
type Job struct {
	ID uint64
	Target
	State State
	// Rate is how many rows or entities a second are sent at most; 0: as many as there is room for.
	Rate uint32
	// MaxLag is how far the mirror may be behind before the job waits.
	MaxLag time.Duration
	// Reached is how far it is; empty at the beginning. Who does the job knows what it says.
	Reached string
	// Done counts rows or entities that were sent and confirmed. Total is about how many there are; 0: not known.
	Done, Total uint64
	// Term and Epoch are those of the mirror's leader who does it, or did last.
	Term  uint64
	Epoch uint32
	// Note says why it has failed or was stopped, or what it waits for.
	Note string
	// Who asked for it.
	Who string
	// Created is when it was asked for, Began when it was begun, Changed when its state was last kept, by the book's clock. Began
	// is zero before.
	Created, Began, Changed time.Time
}

// ErrNone says that there is no such job.
var ErrNone = errors.New("there is no such backfill")

// BusyError says that there is a job for the same target that is not over.
type BusyError struct{ Job Job }

func (e *BusyError) Error() string { return e.Job.String() + " is being sent already" }

// Book keeps jobs. It is safe for concurrent use.
type Book interface {
	// Add keeps new jobs, all of them or none, as waiting, and gives them with their ids. Where one for the same target is not
	// over, it is a *BusyError.
	Add(ctx context.Context, jobs []Job) ([]Job, error)
	// List gives the latest jobs, newest first, at most limit.
	List(ctx context.Context, limit int) ([]Job, error)
	// Get gives one, or ErrNone.
	Get(ctx context.Context, id uint64) (Job, error)
	// Stop stops one unless it is over, and gives it as it is then; or ErrNone. note says who did, for people.
	Stop(ctx context.Context, id uint64, note string) (Job, error)
	// Claim gives the oldest job of a mirror that is not over, of those behind an id, to the leader of a term, who alone can save it from then on. In
	// another epoch than before it begins anew: what was skipped between the two may have been sent from before.
	Claim(ctx context.Context, mirror string, term uint64, epoch uint32, after uint64) (job Job, found bool, err error)
	// Save keeps what its leader says of a job: State, Reached, Done, Total, Note. going is false, and nothing was kept, when it was
	// stopped, or is another leader's.
	Save(ctx context.Context, job Job) (going bool, err error)
}
