package mirror

import (
	"sync"
	"time"

	"banyan.dev/banyan/mirror/change"
)

// Phase is what a mirror is doing.
type Phase string

// The phases of a mirror.
const (
	// PhaseWaiting waits for leadership: another process has it, or the store doesn't answer yet.
	PhaseWaiting Phase = "waiting"
	// PhaseLeading reads and sends.
	PhaseLeading Phase = "leading"
	// PhaseRetrying begins again after a failure that may pass.
	PhaseRetrying Phase = "retrying"
	// PhaseStopped sends nothing until a person has mended what Status.Stop says.
	PhaseStopped Phase = "stopped"
	// PhaseEnded is over.
	PhaseEnded Phase = "ended"
)

// Status is how a mirror does, for people and metrics.
type Status struct {
	Phase Phase     `json:"phase"`
	Since time.Time `json:"since"`
	// Stop is there while the mirror is stopped; LastError is the last failure that was retried.
	Stop      *Stop  `json:"stop,omitempty"`
	LastError string `json:"last_error,omitempty"`
	// Restarts counts failures that were retried, since the process began.
	Restarts uint64 `json:"restarts"`

	Epoch  uint32 `json:"epoch,omitempty"`
	Term   uint64 `json:"term,omitempty"`
	Server string `json:"server,omitempty"`
	// Read is how far the log was read, Saved the position that a next leader begins at.
	Read  *Place `json:"read,omitempty"`
	Saved *Place `json:"saved,omitempty"`

	// LagSeconds is the time between a commit and its reading, or, in a service's stream, its sending. LagBytes is how much log
	// is unread. Null: not known.
	LagSeconds *float64 `json:"lag_seconds"`
	LagBytes   *uint64  `json:"lag_bytes"`

	// Events counts changes by operation, since the process began.
	Events map[change.Op]uint64 `json:"events"`
	// Entities and Fences count what a service's stream has sent, since the process began. Waiting are the entities that are
	// known to have changed and are not read yet, and fences behind them. Skipped counts row images that have no entity's id.
	Entities uint64 `json:"entities,omitempty"`
	Fences   uint64 `json:"fences,omitempty"`
	Waiting  int    `json:"waiting,omitempty"`
	Skipped  uint64 `json:"skipped,omitempty"`
	// Unreadable is how many entities the service is not told of since they can't be read, and Unread names some of them, by
	// a leader.
	Unreadable int           `json:"unreadable,omitempty"`
	Unread     []UnreadEntry `json:"unread,omitempty"`
	// Sent, Confirmed and Returned count messages, since the process began. InFlight are those that wait for a confirm.
	Sent      uint64 `json:"sent"`
	Confirmed uint64 `json:"confirmed"`
	InFlight  uint64 `json:"in_flight"`
	Returned  uint64 `json:"returned"`
	Bytes     uint64 `json:"bytes"`
	// PerSecond is how many messages were confirmed a second of late.
	PerSecond float64 `json:"per_second"`
	// Blocked is why the broker takes nothing; empty when it does.
	Blocked string `json:"blocked,omitempty"`
}

// Place is a position in the log.
type Place struct {
	File       string `json:"file"`
	FileNumber uint32 `json:"-"`
	Offset     uint64 `json:"offset"`
	GTIDs      string `json:"gtids,omitempty"`
}

// String gives file and offset for people.
func (p Place) String() string { return change.Position{File: p.File, Offset: p.Offset}.String() }

func place(p change.Position) *Place {
	number, _ := p.FileNumber() // a name without a number is shown all the same
	return &Place{File: p.File, FileNumber: number, Offset: p.Offset, GTIDs: p.GTIDs}
}

// Stop is why a mirror has stopped.
type Stop struct {
	What  string `json:"what"`
	Fix   string `json:"fix,omitempty"`
	Cause string `json:"cause,omitempty"`
}

// UnreadEntry is an entity that can't be read.
type UnreadEntry struct {
	Entity string    `json:"entity"`
	ID     string    `json:"id"`
	Since  time.Time `json:"since"`
	Reason string    `json:"reason"`
	Fix    string    `json:"fix,omitempty"`
}

// watch collects what Status says.
type watch struct {
	mu    sync.Mutex
	now   Status
	read  change.Position
	saved change.Position
	past  change.FeedStatus // of feeds that were closed
	feed  change.FeedStatus
	rate  rate
	beats beats
}

func newWatch() *watch {
	return &watch{now: Status{Phase: PhaseWaiting, Since: time.Now(), Events: map[change.Op]uint64{}}}
}

func (w *watch) set(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

func (w *watch) phase(p Phase) {
	w.set(func() { w.change(p) })
}

// change notes a new phase. A mirror that leads no more knows nothing of its lag.
func (w *watch) change(p Phase) {
	if w.now.Phase == p {
		return
	}
	if w.now.Phase == PhaseLeading || p == PhaseLeading || p == PhaseStopped || w.now.Phase == PhaseStopped {
		w.now.Since = time.Now() // of an outage, the beginning counts, not the last try
	}
	w.now.Phase = p
	if p != PhaseLeading {
		w.now.LagBytes, w.now.Waiting = nil, 0
		w.now.Unreadable, w.now.Unread = 0, nil
		w.beats = beats{}
		w.past = sum(w.past, w.feed)
		w.feed = change.FeedStatus{}
	}
}

func sum(a, b change.FeedStatus) change.FeedStatus {
	return change.FeedStatus{Sent: a.Sent + b.Sent, Confirmed: a.Confirmed + b.Confirmed, Returned: a.Returned + b.Returned, Bytes: a.Bytes + b.Bytes}
}

func (w *watch) retrying(err error) {
	w.set(func() {
		w.change(PhaseRetrying)
		w.now.Stop, w.now.LastError = nil, err.Error()
		w.now.Restarts++
	})
}

func (w *watch) stopped(stop *change.StopError) {
	w.set(func() {
		w.change(PhaseStopped)
		w.now.Stop = &Stop{What: stop.What, Fix: stop.Fix}
		if stop.Cause != nil {
			w.now.Stop.Cause = stop.Cause.Error()
		}
	})
}

func (w *watch) leading(state State, at change.Position) {
	w.set(func() {
		w.change(PhaseLeading)
		w.now.Stop = nil
		w.now.Epoch, w.now.Term = state.Epoch, state.Term
		w.read, w.saved = at, at
	})
}

func (w *watch) readTo(at change.Position)  { w.set(func() { w.read = at }) }
func (w *watch) savedAt(at change.Position) { w.set(func() { w.saved = at }) }
func (w *watch) behindBy(bytes *uint64)     { w.set(func() { w.now.LagBytes = bytes }) }

func (w *watch) count(op change.Op, n int) { w.set(func() { w.now.Events[op] += uint64(n) }) }

func (w *watch) waiting(n int) { w.set(func() { w.now.Waiting = n }) }

func (w *watch) skipped() { w.set(func() { w.now.Skipped++ }) }

// unread notes which entities can't be read.
func (w *watch) unread(all []Unreadable) {
	var shown []UnreadEntry
	for _, u := range all[:min(len(all), mostShown)] {
		shown = append(shown, UnreadEntry{Entity: u.Entity, ID: u.ID, Since: u.Since, Reason: u.Reason, Fix: u.Fix})
	}
	w.set(func() { w.now.Unreadable, w.now.Unread = len(all), shown })
}

func (w *watch) told(entities, fences int) {
	w.set(func() {
		w.now.Entities += uint64(entities)
		w.now.Fences += uint64(fences)
	})
}

func (w *watch) position() (at change.Position) {
	w.set(func() { at = w.read })
	return at
}

func (w *watch) feedStatus(s change.FeedStatus) {
	w.set(func() {
		w.feed = s
		w.rate.note(time.Now(), w.past.Confirmed+s.Confirmed)
	})
}

func (w *watch) beatSent(beat uint64, at time.Time) { w.set(func() { w.beats.sent(beat, at) }) }
func (w *watch) beatMissed()                        { w.set(func() { w.beats.missed() }) }
func (w *watch) beatSeen(beat uint64)               { w.set(func() { w.beats.seen(beat, time.Now()) }) }

// status gives a copy.
func (w *watch) status(now time.Time) Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.now
	s.Events = make(map[change.Op]uint64, len(w.now.Events))
	for op, n := range w.now.Events {
		s.Events[op] = n
	}
	total := sum(w.past, w.feed)
	s.Sent, s.Confirmed, s.Returned, s.Bytes = total.Sent, total.Confirmed, total.Returned, total.Bytes
	s.InFlight = w.feed.Sent - w.feed.Confirmed
	s.Blocked = w.feed.Blocked
	if !w.read.IsZero() {
		s.Read, s.Saved, s.Server = place(w.read), place(w.saved), w.read.Server
	}
	if s.Phase == PhaseLeading {
		s.PerSecond = w.rate.perSecond()
		if lag, known := w.beats.lag(now); known {
			seconds := lag.Seconds()
			s.LagSeconds = &seconds
		}
	}
	return s
}
