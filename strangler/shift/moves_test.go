package shift_test

import (
	"time"

	"banyan.dev/banyan/flags"
	"banyan.dev/banyan/strangler/shift"
)

// move is what happened from one world to the next.
type move struct {
	what string
	// of is a replica, a write, or nothing.
	of string
	// chosen says that it need not happen: people, clients, crashes. All else happens sooner or later.
	chosen bool
}

// moves gives all that can happen next.
func (m *model) moves(w *world, each func(move, world)) {
	m.coordinatorMoves(w, each)
	m.commands(w, each)
	for r := range w.replicas {
		m.replicaMoves(w, r, each)
	}
	for i := range w.writes {
		m.writeMoves(w, i, each)
	}
	m.mirrorMoves(w, each)
}

var writeNames = [...]string{"w1", "w2", "w3"}

func (m *model) commands(w *world, each func(move, world)) {
	s := m.states[w.rec]
	give := func(what string, c shift.Command, left func(*choices)) {
		after, actions, err := shift.Begin(m.rules, s, c, epoch)
		if err != nil {
			return
		}
		if m.fault.decide != nil {
			after, actions = m.fault.decide(s, after, actions)
		}
		n := *w
		n.rec = m.state(after)
		if n.rec == w.rec || m.list(actions) != 0 {
			return
		}
		left(&n.left)
		m.noteBack(w, &n)
		each(move{what, "", true}, n)
	}
	if w.left.forward > 0 && s.Place == shift.Idle && sideOf(s.To) == flags.Legacy {
		give("somebody commands: forward", shift.Command{To: live}, func(c *choices) { c.forward-- })
	}
	if w.left.back > 0 {
		give("somebody commands: rollback", shift.Command{To: shadow, Rollback: true}, func(c *choices) { c.back-- })
	}
}

// noteBack keeps the version of a way back's hold.
func (m *model) noteBack(before, after *world) {
	s := m.states[after.rec]
	if s.Back && s.Hold > m.states[before.rec].Version {
		after.rolled = uint8(s.Hold)
	}
}

func (m *model) coordinatorMoves(w *world, each func(move, world)) {
	if w.stale != 0 {
		n := *w
		if m.do(&n, &n.stale) {
			each(move{"the coordinator that was taken over from does what it had left", "", false}, n)
		}
	}
	if w.left.crash > 0 && (w.acts != 0 || len(m.states[w.rec].Awaits()) > 0) {
		n := *w
		n.left.crash--
		n.queue = 3 - w.queue
		n.acts = 0
		if w.stale == 0 {
			var late []shift.Action
			for _, a := range m.lists[w.acts] {
				switch a.(type) {
				case shift.Void, shift.SendFence, shift.Announce:
					late = append(late, a)
				}
			}
			n.stale = m.list(late)
		}
		n.answers = [mostFences + 1]answer{}
		each(move{"the coordinator is taken over from", "", true}, n)
	}
	if w.acts != 0 {
		n := *w
		if m.do(&n, &n.acts) {
			each(move{"the coordinator does what it has to", "", false}, n)
		}
		return
	}
	s := m.states[w.rec]
	m.look(w, 0, "the coordinator looks", each)
	if s.Place == shift.Drain {
		m.look(w, graceOver, "the grace is over", each)
	}
	if !s.Deadline.IsZero() {
		m.look(w, deadlineOver, "the deadline is over", each)
	}
	if w.left.resend > 0 && len(s.Awaits()) > 0 {
		m.look(w, resendTime, "no answer for long", func(v move, n world) {
			v.chosen = true
			n.left.resend--
			each(v, n)
		})
	}
}

func (m *model) look(w *world, clock time.Duration, what string, each func(move, world)) {
	next := m.step(w, clock)
	if next.rec == w.rec && next.acts == 0 {
		return
	}
	n := *w
	n.rec, n.acts = next.rec, next.acts
	m.noteBack(w, &n)
	var awaited [mostFences + 1]answer
	for _, id := range m.states[n.rec].Awaits() {
		awaited[fenceNumber(id)] = n.answers[fenceNumber(id)]
	}
	n.answers = awaited
	each(move{what, "", false}, n)
}

// do does the first action of a list; false: it can't be done yet.
func (m *model) do(w *world, list *int32) bool {
	actions := m.lists[*list]
	rest := m.list(actions[1:])
	switch a := actions[0].(type) {
	case shift.SendFence:
		e := event{kind: fenceEvent, fence: fenceNumber(a.ID), epoch: uint8(a.Epoch), queue: queueNumber(a.ReplyTo)}
		for _, id := range a.Void {
			e.void |= one(writeNumber(id))
		}
		if !w.send(e) {
			return false
		}
		w.sent = max(w.sent, e.epoch)
	case shift.Announce:
		if w.sent > uint8(a.Epoch) && !m.fault.lateWords {
			rest = 0 // it is refused, and what is behind it is left
		} else if !w.send(event{kind: entityEvent, state: w.legacy}) {
			return false
		}
	case shift.Void:
		for _, id := range a.Writes {
			if x := &w.writes[writeNumber(id)]; x.row == openRow {
				x.row, w.voids[writeNumber(id)] = voidRow, uint8(a.Epoch)
			}
		}
	case shift.Settled:
		for i := range w.voids {
			if w.voids[i] <= uint8(a.Epoch) {
				w.voids[i] = 0
			}
		}
	case shift.FenceReplica:
		if r := &w.replicas[a.Replica[0]-'A']; r.there && r.silent && (!r.leased || m.fault.noLease) {
			r.fenced = true
		}
	case shift.TakeMarks:
		i := int(a.Replica[0] - 'A')
		r := &w.replicas[i]
		if w.running(i) {
			return false
		}
		r.marked = m.fault.keepsMarks
		if r.fenced {
			r.there, r.fenced, r.applied, r.settled = false, false, 0, 0
		}
	}
	*list = rest
	return true
}

func (m *model) replicaMoves(w *world, i int, each func(move, world)) {
	r := w.replicas[i]
	change := func(what string, chosen bool, f func(n *world, r *replica)) {
		n := *w
		f(&n, &n.replicas[i])
		if n != *w {
			each(move{what, name(i), chosen}, n)
		}
	}
	if r.silent {
		if r.leased {
			change("its lease ends", false, func(_ *world, r *replica) { r.leased = false })
		}
		change("it is heard again", true, func(_ *world, r *replica) { r.silent = false })
		return
	}
	if w.left.silence > 0 {
		change("it falls silent", true, func(n *world, r *replica) { n.left.silence--; r.silent = true })
	}
	if !r.there || r.fenced || !r.marked {
		if !w.running(i) {
			change("it joins, with new marks", false, func(n *world, r *replica) {
				*r = replica{there: true, marked: true}
				for j := range n.writes {
					if x := &n.writes[j]; int(x.replica) == i && !m.fault.newMarks && (x.stage == decidedLegacy || x.stage == decidedLive) {
						*x = write{stage: ended}
					}
				}
			})
		}
		return
	}
	change("it gets the flag", false, func(n *world, r *replica) { r.flag, r.leased = m.views[n.rec], true })
	change("it says what it has applied", false, func(n *world, r *replica) {
		r.applied, r.settled, r.leased = r.flag.version, n.settledOf(i), r.flag.version > 0
	})
}
