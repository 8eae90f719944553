package shift_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"banyan.dev/banyan/flags"
	"banyan.dev/banyan/strangler/shift"
)

// The definitions of the model's one key.
var (
	shadow = json.RawMessage(`"shadow"`)
	live   = json.RawMessage(`"live"`)
)

func sideOf(definition json.RawMessage) flags.Side { return stageOf(definition).Authority() }

func stageOf(definition json.RawMessage) flags.Stage {
	var s flags.Stage
	if json.Unmarshal(definition, &s) != nil {
		panic("no stage: " + string(definition))
	}
	return s
}

// The model's clock stands still at epoch; looking at it may show that something is over.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

const (
	graceOver    = time.Second
	resendTime   = time.Minute
	deadlineOver = time.Hour
)

// simpleRules are for definitions that are a stage for all keys.
func simpleRules() shift.Rules {
	return shift.Rules{
		Moves: func(from, to json.RawMessage) (forward, backward bool) {
			return sideOf(from) < sideOf(to), sideOf(from) > sideOf(to)
		},
		Moved:    func(from, to json.RawMessage, _ string, _ bool) bool { return sideOf(from) != sideOf(to) },
		Describe: func(d json.RawMessage) string { return string(stageOf(d)) },
		Highest:  stageOf,
		Lease:    3 * time.Second,
		Prepare:  deadlineOver, Shift: deadlineOver, Grace: graceOver, Again: resendTime / 5,
	}.Defaults()
}

// fault is planted in the model: what it changes, and so what has to be found.
type fault struct {
	// observe changes what the coordinator sees, decide what Step has decided.
	observe func(m *model, s shift.State, o *shift.Observation)
	decide  func(before, after shift.State, actions []shift.Action) (shift.State, []shift.Action)
	// noEpochs: modern takes writes of any epoch. keepsMarks: a silent replica's marks are not taken. newMarks: what a fenced
	// replica had begun goes on once it has joined again. noLease: a silent replica is fenced although it has a lease.
	// lateWords: a coordinator that was taken over from announces what it had left to, however late.
	noEpochs, keepsMarks, newMarks, noLease, lateWords bool
}

// model knows how the world moves on. It keeps States and actions in tables, so that a world is small.
type model struct {
	rules   shift.Rules
	fault   fault
	states  []shift.State
	views   []view
	numbers map[string]int32
	lists   [][]shift.Action
	listed  map[string]int32
	steps   map[stepKey]stepped
}

type stepKey struct {
	rec      int32
	clock    time.Duration
	queue    uint8
	replicas [mostReplicas]replica
	answers  [mostFences + 1]answer
	open     set
	voids    [mostWrites]uint8
	used     uint8
}

type stepped struct{ rec, acts int32 }

func newModel(f fault) *model {
	return &model{
		rules: simpleRules(), fault: f, numbers: map[string]int32{}, listed: map[string]int32{}, steps: map[stepKey]stepped{},
		lists: [][]shift.Action{nil},
	}
}

// state gives a State's number. What doesn't matter for what comes next is taken out of it.
func (m *model) state(s shift.State) int32 {
	still := func(t *time.Time) {
		if !t.IsZero() {
			*t = epoch
		}
	}
	s.Began, s.Last, s.Fenced, s.Voided, s.Settling.Done = time.Time{}, shift.Outcome{}, nil, 0, 0
	s.Command = shift.Command{Rollback: s.Command.Rollback, To: s.Command.To}
	if s.Why != "" {
		s.Why = "a reason"
	}
	if s.Place == shift.Idle {
		s.Command, s.Hold, s.Held, s.Why, s.Back = shift.Command{}, 0, time.Time{}, "", false
	}
	still(&s.Held)
	if !s.Deadline.IsZero() {
		s.Deadline = epoch.Add(deadlineOver)
	}
	still(&s.Ask.Sent)
	still(&s.Return.Ask.Sent)
	still(&s.Settling.Ask.Sent)
	text, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	n, ok := m.numbers[string(text)]
	if !ok {
		n = int32(len(m.states))
		m.numbers[string(text)] = n
		// What is kept has been through JSON, as what a store keeps has.
		var kept shift.State
		if err := json.Unmarshal(text, &kept); err != nil {
			panic(err)
		}
		m.states = append(m.states, kept)
		m.views = append(m.views, view{uint8(s.Version), phaseOf(s.Phase), sideOf(s.From), sideOf(s.To)})
	}
	return n
}

// list gives the number of a list of actions, without those that are saved with the State.
func (m *model) list(actions []shift.Action) int32 {
	var kept []shift.Action
	text := ""
	for _, a := range actions {
		if _, audit := a.(shift.Audit); !audit {
			kept = append(kept, a)
			text += fmt.Sprintf("%T%+v;", a, a)
		}
	}
	if text == "" {
		return 0
	}
	n, ok := m.listed[text]
	if !ok {
		n = int32(len(m.lists))
		m.listed[text] = n
		m.lists = append(m.lists, kept)
	}
	return n
}

func fenceNumber(id string) uint8 {
	n, err := strconv.Atoi(id[1:])
	if err != nil {
		panic(err)
	}
	return uint8(n)
}

func writeNumber(id string) int { return int(fenceNumber(id)) - 1 }

func queueNumber(name string) uint8 { return fenceNumber(name) }

// used gives the fences that are named anywhere, as bits.
func (m *model) used(w *world) uint8 {
	var used uint8
	for _, id := range m.states[w.rec].Awaits() {
		used |= 1 << fenceNumber(id)
	}
	for _, list := range []int32{w.acts, w.stale} {
		for _, a := range m.lists[list] {
			if f, ok := a.(shift.SendFence); ok {
				used |= 1 << fenceNumber(f.ID)
			}
		}
	}
	for _, e := range w.log {
		used |= 1 << e.fence
	}
	return used
}

// step runs the production Step on what the coordinator sees.
func (m *model) step(w *world, clock time.Duration) stepped {
	key := stepKey{rec: w.rec, clock: clock, queue: w.queue, replicas: w.replicas, answers: w.answers, used: m.used(w)}
	for i := range key.replicas {
		r := &key.replicas[i]
		*r = replica{applied: r.applied, settled: r.settled, there: r.there, fenced: r.fenced, silent: r.silent && (!r.leased || m.fault.noLease)}
	}
	for i, x := range w.writes {
		if before, ok := m.states[w.rec].WantsOpen(); ok && x.row == openRow && uint64(x.epoch) < before {
			key.open |= one(i)
		}
	}
	if _, _, _, ok := m.states[w.rec].WantsVoid(); ok {
		key.voids = w.voids
	}
	if known, ok := m.steps[key]; ok {
		return known
	}
	before := m.states[w.rec]
	seen := m.observe(key, before)
	if m.fault.observe != nil {
		m.fault.observe(m, before, &seen)
	}
	after, actions := shift.Step(m.rules, before, seen)
	if m.fault.decide != nil {
		after, actions = m.fault.decide(before, after, actions)
	}
	result := stepped{m.state(after), m.list(actions)}
	m.steps[key] = result
	return result
}

func (m *model) observe(key stepKey, s shift.State) shift.Observation {
	seen := shift.Observation{Now: epoch.Add(key.clock), Queue: fmt.Sprintf("q%d", key.queue), Answers: map[string]shift.Answer{}}
	for i, r := range key.replicas {
		if !r.there {
			continue
		}
		seen.Replicas = append(seen.Replicas, shift.Replica{Name: name(i), Digest: "d", Fenced: r.fenced, Applied: uint64(r.applied), Settled: uint64(r.settled)})
		if r.silent {
			seen.Replicas[len(seen.Replicas)-1].Silent = time.Minute
		}
	}
	for _, id := range s.Awaits() {
		if a := key.answers[fenceNumber(id)]; a.given {
			given := shift.Answer{Committed: map[string][]string{}}
			for i := range mostWrites {
				if a.committed&one(i) != 0 {
					given.Committed[fmt.Sprintf("w%d", i+1)] = []string{"the entity"}
				}
			}
			seen.Answers[id] = given
		}
	}
	if _, ok := s.WantsOpen(); ok {
		seen.Looked = true
		for i := range mostWrites {
			if key.open&one(i) != 0 {
				seen.Open = append(seen.Open, shift.Write{ID: fmt.Sprintf("w%d", i+1), Key: "k", Keyed: true})
			}
		}
	}
	if first, last, after, ok := s.WantsVoid(); ok {
		seen.Told = true
		for i, epoch := range key.voids {
			if id := fmt.Sprintf("w%d", i+1); epoch > 0 && uint64(epoch) >= first && uint64(epoch) <= last && id > after {
				seen.Void = append(seen.Void, id)
			}
		}
	}
	for n := 1; n <= mostFences; n++ {
		if key.used&(1<<n) == 0 {
			seen.IDs = append(seen.IDs, fmt.Sprintf("f%d", n))
		}
	}
	return seen
}
