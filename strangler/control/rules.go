package control

import (
	"encoding/json"
	"slices"
	"sync"
	"time"

	"banyan.dev/banyan/flags"
	"banyan.dev/banyan/strangler/shift"
)

// Timing is what a team can set of a shift. Zero stands for the default.
type Timing struct {
	// Hold is the longest that writes of moved keys wait on a way forward; Prepare the longest that a service may lag behind
	// when it begins; Grace how long open writes have to end on a way back.
	Hold, Prepare, Grace time.Duration
}

// MayBeModern says whether keys of a capability are modern's, or may soon be: the flag or a shift that is under way leads there.
// What can't be read may be anything.
func MayBeModern(r Record) bool {
	var s shift.State
	if err := json.Unmarshal(r.State, &s); err != nil {
		return true
	}
	highest := Rules(r.Capability, Timing{}).Highest
	definitions := []json.RawMessage{r.Flag.From, r.Flag.To}
	if s.Place != shift.Idle {
		definitions = append(definitions, s.Command.To)
	}
	return slices.ContainsFunc(definitions, func(d json.RawMessage) bool { return highest(d).Rank() > flags.Shadow.Rank() })
}

// Rules gives what shifts of a capability go by: its definitions are read as package flags reads them.
func Rules(capability string, t Timing) shift.Rules {
	read := (&reader{}).read
	return shift.Rules{
		Lease: Lease, Margin: Margin, Shift: t.Hold, Prepare: t.Prepare, Grace: t.Grace,
		Moves: func(from, to json.RawMessage) (forward, backward bool) {
			a, errA := read(from)
			b, errB := read(to)
			if errA != nil || errB != nil {
				return true, true // nobody can tell, so that nothing is left out
			}
			return flags.Moves(a, b)
		},
		Moved: func(from, to json.RawMessage, key string, keyed bool) bool {
			a, errA := read(from)
			b, errB := read(to)
			if errA != nil || errB != nil {
				return true
			}
			if !keyed {
				forward, backward := flags.Moves(a, b)
				return forward || backward
			}
			return a.Evaluate(capability, key, nil).Stage.Authority() != b.Evaluate(capability, key, nil).Stage.Authority()
		},
		Describe: flags.Describe,
		Highest: func(def json.RawMessage) flags.Stage {
			d, err := read(def)
			if err != nil {
				return flags.Complete // what can't be read may be anything
			}
			stages := d.Stages()
			return stages[len(stages)-1]
		},
	}.Defaults()
}

// reader reads definitions, and keeps those that it has read last: each open write asks for the same two.
type reader struct {
	mu   sync.Mutex
	kept [4]definition
	next int
}

type definition struct {
	text string
	read *flags.Definition
	err  error
}

func (r *reader) read(def json.RawMessage) (*flags.Definition, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.kept {
		if k := &r.kept[i]; k.text == string(def) && (k.read != nil || k.err != nil) {
			return k.read, k.err
		}
	}
	d, err := flags.Parse(def)
	r.kept[r.next] = definition{string(def), d, err}
	r.next = (r.next + 1) % len(r.kept)
	return d, err
}
