package flags

import "encoding/json"

// Phase is how far a shift has come, as replicas see it.
type Phase string

// The phases. All keys that From and To put on the same side are at To's stage in every phase.
const (
	// Steady: no shift is under way. From and To are the same.
	Steady Phase = "steady"
	// HoldLegacy: moved keys are held, and read from legacy.
	HoldLegacy Phase = "hold-legacy"
	// HoldTarget: moved keys are held, and read from the side that they move to.
	HoldTarget Phase = "hold-target"
)

// Flag is a capability's flag as it is in the control store. Each change of it raises Version by one.
type Flag struct {
	// Capability is the flag's key.
	Capability string `json:"capability"`
	// Version counts from 1. It is also the epoch of the writes that are decided under it.
	Version uint64 `json:"version"`
	Phase   Phase  `json:"phase"`
	// From and To are definitions in flagd's format: what stands under a flag's key in flagd's JSON.
	From json.RawMessage `json:"from"`
	To   json.RawMessage `json:"to"`
}
