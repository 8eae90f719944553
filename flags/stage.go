package flags

// Stage is how far a capability has moved, for one key. The variants of a capability's flag are stages.
type Stage string

// The stages, in their order. Hold is none that a definition may have: it is what a shift makes of the keys that it moves.
const (
	// Off: legacy answers, and nothing is expected of modern.
	Off Stage = "off"
	// Mirrored: legacy answers, and its changes are sent to modern as entity events.
	Mirrored Stage = "mirrored"
	// Shadow: legacy answers, and modern is asked beside it, to compare.
	Shadow Stage = "shadow"
	// Hold: writes wait.
	Hold Stage = "hold"
	// Live: modern answers; its writes are in legacy, too, before they are acknowledged.
	Live Stage = "live"
	// Complete: modern answers, alone.
	Complete Stage = "complete"
)

// Side is one of the two implementations of a capability.
type Side uint8

// The sides.
const (
	Legacy Side = iota
	Modern
)

// String gives legacy or modern.
func (s Side) String() string {
	if s == Modern {
		return "modern"
	}
	return "legacy"
}

// Authority is the side that answers reads and takes writes at a stage. Hold has none of its own: it gives Legacy.
func (s Stage) Authority() Side {
	if s == Live || s == Complete {
		return Modern
	}
	return Legacy
}

// Rank orders the stages: it is greater the further a capability has moved. What is no stage has -1.
func (s Stage) Rank() int {
	switch s {
	case Off:
		return 0
	case Mirrored:
		return 1
	case Shadow:
		return 2
	case Hold:
		return 3
	case Live:
		return 4
	case Complete:
		return 5
	default:
		return -1
	}
}

// Before is the stage that a capability has before it comes to s; Off has itself.
func (s Stage) Before() Stage {
	switch s {
	case Complete:
		return Live
	case Live, Hold:
		return Shadow
	case Shadow:
		return Mirrored
	default:
		return Off
	}
}

// Valid says whether a definition may have the stage.
func (s Stage) Valid() bool {
	switch s {
	case Off, Mirrored, Shadow, Live, Complete:
		return true
	default:
		return false
	}
}

// Decision is what a flag says of one key.
type Decision struct {
	Stage Stage
	// Reads is the side that answers reads: the stage's authority, or, at Hold, what the shift says.
	Reads Side
	// Mixed says that the decision is for calls without a key while keys are on both sides: reads are answered by legacy,
	// writes can't be decided.
	Mixed bool
	// Version is the flag's.
	Version uint64
}
