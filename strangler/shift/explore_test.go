package shift_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"banyan.dev/banyan/strangler/shift"
)

// explorer walks through all worlds that can come of some, the nearest first.
type explorer struct {
	m     *model
	seen  map[world]int32
	nodes []node
	// back has, for each world, those from which it comes without anybody's choice.
	back  []edge
	first []int32
	// most bounds the worlds; 0: none.
	most int
}

type node struct {
	world  world
	parent int32
	move   move
}

type edge struct{ from, next int32 }

// violation is a world that must not be, and the way to it.
type violation struct {
	what  string
	trace []string
}

func (v *violation) String() string { return v.what + "\n" + strings.Join(v.trace, "\n") }

func explore(m *model, most int, from ...world) (*explorer, *violation) {
	e := &explorer{m: m, seen: map[world]int32{}, most: most}
	for _, w := range from {
		e.add(w, -1, move{})
	}
	for i := 0; i < len(e.nodes); i++ {
		w := e.nodes[i].world
		if what := w.broken(); what != "" {
			return e, e.violation(int32(i), what)
		}
		m.moves(&w, func(v move, n world) {
			j := e.add(n, int32(i), v)
			if !v.chosen && j >= 0 {
				e.back = append(e.back, edge{int32(i), e.first[j]})
				e.first[j] = int32(len(e.back) - 1)
			}
		})
		if e.most > 0 && len(e.nodes) > e.most {
			return e, nil
		}
	}
	return e, e.stuck()
}

func (e *explorer) add(w world, parent int32, v move) int32 {
	if i, ok := e.seen[w]; ok {
		return i
	}
	i := int32(len(e.nodes))
	e.seen[w] = i
	e.nodes = append(e.nodes, node{w, parent, v})
	e.first = append(e.first, -1)
	return i
}

// stuck looks for a world from which there is no way to rest, if nobody does anything any more.
func (e *explorer) stuck() *violation {
	fine := make([]bool, len(e.nodes))
	var queue []int32
	for i := range e.nodes {
		if e.m.rests(&e.nodes[i].world) {
			fine[i] = true
			queue = append(queue, int32(i))
		}
	}
	for len(queue) > 0 {
		i := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		for at := e.first[i]; at >= 0; at = e.back[at].next {
			if from := e.back[at].from; !fine[from] {
				fine[from] = true
				queue = append(queue, from)
			}
		}
	}
	// The first world that is stuck in a last way shows most.
	for i := range fine {
		if !fine[i] {
			last := e.end(int32(i))
			return e.violation(last, "from here on nothing leads to rest, with both sides equal")
		}
	}
	return nil
}

// end follows what has to happen until nothing new does.
func (e *explorer) end(i int32) int32 {
	passed := map[int32]bool{}
	for {
		passed[i] = true
		next := int32(-1)
		w := e.nodes[i].world
		e.m.moves(&w, func(v move, n world) {
			if j := e.seen[n]; next < 0 && !v.chosen && !passed[j] && e.nodes[j].parent == i {
				next = j
			}
		})
		if next < 0 {
			return i
		}
		i = next
	}
}

// rests says whether a world is at rest as it should be.
func (m *model) rests(w *world) bool {
	s := m.states[w.rec]
	if s.Busy() || w.acts != 0 || w.stale != 0 || w.log[0].kind != noEvent || w.legacy != w.modern {
		return false
	}
	for _, x := range w.writes {
		if x.stage != unborn && x.stage != ended || x.call == calling {
			return false
		}
	}
	for _, r := range w.replicas {
		if !r.silent && (r.flag != m.views[w.rec] || !r.leased || r.fenced) {
			return false
		}
	}
	return true
}

func (e *explorer) violation(i int32, what string) *violation {
	v := &violation{what: what}
	for ; i >= 0; i = e.nodes[i].parent {
		n := e.nodes[i]
		s := e.m.states[n.world.rec]
		at := string(s.Place)
		if at == "" {
			at = "idle"
		}
		if !s.Settling.Over() {
			at += ", settling"
		}
		v.trace = append(v.trace, fmt.Sprintf("  %-70s | %s, v%d %s | %s", strings.TrimSpace(n.move.of+" "+n.move.what), at, s.Version, s.Phase, &n.world))
	}
	for a, b := 0, len(v.trace)-1; a < b; a, b = a+1, b-1 {
		v.trace[a], v.trace[b] = v.trace[b], v.trace[a]
	}
	for k := range v.trace {
		v.trace[k] = fmt.Sprintf("%3d%s", k, v.trace[k])
	}
	return v
}

// start is a world at rest, at a stage, with some writes to come.
func (m *model) start(stage string, writes int, left choices) world {
	definition := shadow
	if stage == "live" {
		definition = live
	}
	s := shift.New("orders", definition)
	s.Backfill.State = shift.FillDone
	w := world{rec: m.state(s), queue: 1, left: left}
	for i := range w.replicas {
		w.replicas[i] = replica{flag: m.views[w.rec], applied: 1, settled: 1, there: true, leased: true, marked: true}
	}
	for i := range w.writes {
		if i >= writes {
			w.writes[i].stage = ended
		}
	}
	if stage != "settling" {
		return w
	}
	// The first write was given up, and modern has committed it.
	s.Settling = shift.Settling{First: 1, Epoch: 1, Writes: []string{"w1"}, Entities: []string{"the entity"}}
	w.rec, w.writes[0] = m.state(s), write{stage: ended, row: voidRow, call: committed}
	w.voids[0] = 1
	w.modern, w.epoch, w.sent = one(0), 1, 1
	return w
}

// TestAllWays walks through all that can happen within bounds. BANYAN_EXPLORE=more raises them.
func TestAllWays(t *testing.T) {
	type bound struct {
		stage  string
		writes int
		left   choices
	}
	bounds := []bound{
		{"shadow", 2, choices{forward: 1}},
		{"live", 2, choices{back: 1}},
		{"shadow", 2, choices{forward: 1, back: 1}},
		{"shadow", 2, choices{forward: 1, silence: 1}},
		{"live", 1, choices{back: 1, silence: 1}},
		{"shadow", 2, choices{forward: 1, crash: 1}},
		{"live", 2, choices{back: 1, crash: 1}},
		{"shadow", 1, choices{forward: 1, resend: 1}},
		{"live", 1, choices{forward: 1, back: 1}},
		{"settling", 2, choices{forward: 1, crash: 1}},
	}
	if os.Getenv("BANYAN_EXPLORE") != "" {
		bounds = append(bounds, bound{"live", 2, choices{back: 1, silence: 1}}, bound{"live", 2, choices{forward: 1, back: 1, crash: 1}}, bound{"shadow", 2, choices{forward: 1, back: 1, silence: 1}})
	}
	for _, b := range bounds {
		t.Run(fmt.Sprintf("%s, %d writes, %+v", b.stage, b.writes, b.left), func(t *testing.T) {
			m := newModel(fault{})
			e, v := explore(m, 0, m.start(b.stage, b.writes, b.left))
			if v != nil {
				t.Fatalf("after %d worlds: %s", len(e.nodes), v)
			}
			t.Logf("%d worlds, %d states of the shift", len(e.nodes), len(m.states))
		})
	}
}
