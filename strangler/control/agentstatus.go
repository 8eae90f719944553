package control

import (
	"context"
	"errors"
	"maps"
	"time"
)

// AgentStatus tells people how a replica's agent is.
type AgentStatus struct {
	Replica string `json:"replica"`
	// Leased says whether the replica may decide now; Lease is how long yet.
	Leased bool          `json:"leased"`
	Lease  time.Duration `json:"lease_ns"`
	// Silent is how long ago the store has answered last; -1 when it never has.
	Silent time.Duration `json:"silent_ns"`
	// Change counts the changes of flags that the replica knows of.
	Change uint64 `json:"change"`
	// Refused are versions of flags that could not be taken over, by capability.
	Refused map[string]uint64 `json:"refused,omitempty"`
	// Trouble is what is wrong now; empty when nothing is.
	Trouble string `json:"trouble,omitempty"`
}

// Status tells how the agent is now.
func (a *Agent) Status() AgentStatus {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.status
	s.Replica = a.options.Replica
	s.Lease = max(time.Until(a.until), 0)
	s.Leased = s.Lease > 0
	s.Silent = -1
	if !a.asked.IsZero() {
		s.Silent = time.Since(a.asked)
	}
	s.Refused = maps.Clone(s.Refused)
	return s
}

// note keeps what the store has answered.
func (a *Agent) note() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked, a.status.Change, a.status.Refused = time.Now(), a.since, maps.Clone(a.refused)
}

// lease tells until when decisions may be made.
func (a *Agent) lease(until time.Time) {
	a.options.Flags.SetLease(until)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.until = until
}

// told says what is wrong in the log, once for each outage, and once more when the lease is over; and that it is over.
func (a *Agent) told(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	a.mu.Lock()
	before := a.status.Trouble
	a.status.Trouble = ""
	if err != nil {
		a.status.Trouble = err.Error()
	}
	leased := time.Now().Before(a.until)
	a.mu.Unlock()
	log := a.options.Logger.With("replica", a.options.Replica)
	switch {
	case err == nil:
		if a.failed > 0 || before != "" {
			log.Info("this replica has a lease again")
		}
		a.failed, a.warned = 0, false
	case errors.Is(err, ErrFenced):
		log.Warn("this replica was fenced: it joins again", "error", err)
	case !leased && !a.warned && a.joined:
		a.warned = true
		log.Error("this replica has no lease any more: it reads from legacy and takes no writes until it has one again", "error", err)
	case a.failed == 0:
		log.Warn("this replica could not renew its lease; it tries again", "error", err)
	}
	if err != nil {
		a.failed++
	}
}
