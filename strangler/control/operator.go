package control

import (
	"context"
	"encoding/json"
	"time"

	"banyan.dev/banyan/flags"
	"banyan.dev/banyan/strangler"
)

// Operator is what people command, through the admin API of any replica. Errors are *strangler.Error.
type Operator interface {
	// Status tells of one capability, or of all for "".
	Status(ctx context.Context, capability string) ([]CapabilityStatus, error)
	// Advance shifts keys to a stage and waits for the outcome. Going back to an earlier stage is a rollback.
	Advance(ctx context.Context, c Change) (Outcome, error)
	// Rollback puts all keys that are past shadow back to shadow, and waits until all replicas say so.
	Rollback(ctx context.Context, c Change) (Outcome, error)
	History(ctx context.Context, capability string, limit int) ([]Audit, error)
	Writes(ctx context.Context, capability string, state strangler.WriteState, limit int) ([]strangler.Write, error)
}

// Change is a command.
type Change struct {
	Capability string
	// Stage is where to, and Percent the share of keys that go there, 1 to 100; 0 stands for 100. The other keys go to (or
	// stay at) the stage before. Both are for Advance only.
	Stage   flags.Stage
	Percent int
	Who     string
	Reason  string
	// DryRun says what would happen, and changes nothing.
	DryRun bool
}

// Outcome is what became of a command.
type Outcome struct {
	// Version is the flag's.
	Version uint64 `json:"version"`
	// From and To say the stages in words: "shadow", "live 25%, shadow 75%".
	From string `json:"from"`
	To   string `json:"to"`
	// Done is false when the shift has gone back by itself, or is still under way; Why says why.
	Done bool   `json:"done"`
	Why  string `json:"why,omitempty"`
	// Replicas have applied it, of Of. Fenced are those that were silent and may not write any more.
	Replicas int      `json:"replicas"`
	Of       int      `json:"of"`
	Fenced   []string `json:"fenced,omitempty"`
	// Took is from the command to the last replica's word; Paused is how long writes of moved keys waited at most.
	Took   time.Duration `json:"took_ns"`
	Paused time.Duration `json:"paused_ns"`
	// Voided counts open writes that a rollback gave up.
	Voided int `json:"voided"`
	// Steps are what a dry run says would be done.
	Steps []string `json:"steps,omitempty"`
}

// CapabilityStatus is the runbook's eye.
type CapabilityStatus struct {
	Capability string `json:"capability"`
	Service    string `json:"service"`
	// Stage says the stages in words; Phase is the shift's.
	Stage   string          `json:"stage"`
	Version uint64          `json:"version"`
	Phase   flags.Phase     `json:"phase"`
	Flag    json.RawMessage `json:"flag"`
	// Shift says what a shift that is under way waits for; empty when there is none.
	Shift    string    `json:"shift,omitempty"`
	Replicas []Replica `json:"replicas"`
	// Backfill is how far the first filling of the new service is: "", "running", "done".
	Backfill   string `json:"backfill"`
	Backfilled uint64 `json:"backfilled"`
	// Open and Doubt count unfinished writes.
	Open  int `json:"open"`
	Doubt int `json:"doubt"`
	// Shadow counts comparisons of this process.
	Shadow strangler.Comparisons `json:"shadow"`
	// Blockers say why the next stage can't be had; none when it can.
	Blockers []string `json:"blockers"`
	// RollbackSafe says whether a rollback keeps every write now, and RollbackWhy why not.
	RollbackSafe bool   `json:"rollback_safe"`
	RollbackWhy  string `json:"rollback_why,omitempty"`
	// Last is the outcome of the last shift, in words.
	Last string `json:"last,omitempty"`
	// Next is the next command to type.
	Next string `json:"next"`
}
