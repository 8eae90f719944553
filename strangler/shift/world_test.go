package shift_test

import (
	"fmt"
	"slices"
	"strings"

	"banyan.dev/banyan/flags"
)

// most* bound the world.
const (
	mostReplicas = 2
	mostWrites   = 3
	mostEvents   = 6
	mostFences   = 6
)

// set is a set of writes. The state of the world's one entity is the set of the writes that it has.
type set uint8

func one(i int) set { return 1 << i }

// world is a state of all that there is: one key with one entity, some replicas, clients that write through them, legacy,
// the mirror's path, modern, and a coordinator. It is comparable, so that a map finds the states that were seen.
type world struct {
	// rec is the State that is saved, acts are what the coordinator has still to do for it, stale what one that was taken
	// over from will still do, late: all are numbers of the model's tables. queue is where the coordinator gets answers.
	rec, acts, stale int32
	queue            uint8
	replicas         [mostReplicas]replica
	writes           [mostWrites]write
	// voids are the versions of the holds that made writes void, for as long as the ledger lists them.
	voids [mostWrites]uint8
	// legacy and modern are the entity's state there. acked are the writes that callers know of.
	legacy, modern, acked set
	// epoch is what modern goes on taking, sent the greatest of a fence that was sent.
	epoch, sent uint8
	// log are the events on their way to modern, the oldest first.
	log     [mostEvents]event
	answers [mostFences + 1]answer
	// rolled is the version of the last way back's hold: from there on a write that isn't acknowledged may vanish.
	rolled uint8
	left   choices
}

// choices are what may still happen to the world.
type choices struct {
	forward, back, silence, crash, resend uint8
}

// phase stands for a flags.Phase, in fewer bytes.
type phase uint8

const (
	steady phase = iota
	holdLegacy
	holdTarget
)

func phaseOf(p flags.Phase) phase {
	return phase(slices.Index([]flags.Phase{flags.Steady, flags.HoldLegacy, flags.HoldTarget}, p))
}

func (p phase) String() string { return [...]string{"steady", "hold-legacy", "hold-target"}[p] }

// view is a flag as a replica has it.
type view struct {
	version  uint8
	phase    phase
	from, to flags.Side
}

// reads and writes are where a key's calls go by the flag; held is for writes.
func (v view) reads() flags.Side {
	if v.from != v.to && v.phase == holdLegacy {
		return flags.Legacy
	}
	return v.to
}
func (v view) held() bool { return v.from != v.to }

type replica struct {
	flag view
	// applied and settled are what the store has of it; there says whether it is in the store.
	applied, settled uint8
	there, fenced    bool
	// leased and marked say whether it may act, and whether legacy takes its transactions. A silent one doesn't reach the
	// store.
	leased, marked, silent bool
}

// reads gives the side that a read begun now is answered by.
func (r replica) reads() flags.Side {
	if !r.leased {
		return flags.Legacy
	}
	return r.flag.reads()
}

// stage is how far a client's write has come.
type stage uint8

const (
	unborn        stage = iota
	decidedLegacy       // on its way to legacy
	decidedLive         // on its way to the ledger
	opened              // in the ledger
	putting             // its write-back has read modern
	ended
)

type row uint8

const (
	noRow row = iota
	openRow
	closedRow
	voidRow
)

type call uint8

const (
	noCall call = iota
	calling
	committed
	refused
)

type write struct {
	stage   stage
	replica uint8
	epoch   uint8
	row     row
	call    call
	// read is what the write-back has read in modern.
	read set
}

type kind uint8

const (
	noEvent kind = iota
	entityEvent
	fenceEvent
)

// event is a change of the entity (an announcement too), or a fence.
type event struct {
	kind kind
	// state is legacy's when the event's transaction committed.
	state set
	// fence, epoch, void and queue are of a fence.
	fence, epoch, queue uint8
	void                set
}

type answer struct {
	given     bool
	committed set
}

func (w *world) send(e event) bool {
	for i := range w.log {
		if w.log[i].kind == noEvent {
			w.log[i] = e
			return true
		}
	}
	return false
}

// settledOf gives the version before which no write of a replica is on its way, unless it is in the ledger.
func (w *world) settledOf(r int) uint8 {
	v := w.replicas[r].flag.version
	for _, x := range w.writes {
		if int(x.replica) == r && (x.stage == decidedLegacy || x.stage == decidedLive) {
			v = min(v, x.epoch)
		}
	}
	return v
}

// running says whether a replica has a transaction under way that has marked.
func (w *world) running(r int) bool {
	for _, x := range w.writes {
		if int(x.replica) == r && x.stage == putting {
			return true
		}
	}
	return false
}

func (w *world) side(s flags.Side) set {
	if s == flags.Modern {
		return w.modern
	}
	return w.legacy
}

// broken says which invariant doesn't hold; empty when all do.
func (w *world) broken() string {
	if missing := w.acked &^ w.legacy; missing != 0 {
		return fmt.Sprintf("legacy does not have %s, which is acknowledged", missing)
	}
	for i, r := range w.replicas {
		if missing := w.acked &^ w.side(r.reads()); missing != 0 {
			return fmt.Sprintf("a read at replica %s, answered by %s, does not see %s, which is acknowledged", name(i), r.reads(), missing)
		}
	}
	a, b := w.replicas[0], w.replicas[1]
	if a.leased && b.leased && a.reads() != b.reads() && w.legacy != w.modern {
		low, high := min(a.flag.version, b.flag.version), max(a.flag.version, b.flag.version)
		if low >= w.rolled || w.rolled > high {
			return fmt.Sprintf("reads at %s and %s disagree, and no way back lies between their flags", name(0), name(1))
		}
	}
	return ""
}

func name(replica int) string { return string(rune('A' + replica)) }

func (s set) String() string {
	if s == 0 {
		return "-"
	}
	var names []string
	for i := range mostWrites {
		if s&one(i) != 0 {
			names = append(names, fmt.Sprintf("w%d", i+1))
		}
	}
	return strings.Join(names, "+")
}

// String gives what a trace shows of a world.
func (w *world) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "legacy %s, modern %s (epoch %d), acked %s", w.legacy, w.modern, w.epoch, w.acked)
	for i, r := range w.replicas {
		fmt.Fprintf(&b, "; %s v%d %s", name(i), r.flag.version, r.flag.phase)
		if !r.leased {
			b.WriteString(" no lease")
		}
		if !r.marked {
			b.WriteString(" no marks")
		}
	}
	return b.String()
}
