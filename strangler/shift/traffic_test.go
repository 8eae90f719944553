package shift_test

import "banyan.dev/banyan/flags"

// writeMoves are the steps of a client's write.
func (m *model) writeMoves(w *world, i int, each func(move, world)) {
	x := w.writes[i]
	change := func(what string, chosen bool, f func(n *world, x *write) bool) {
		n := *w
		if f(&n, &n.writes[i]) {
			each(move{what, writeNames[i], chosen}, n)
		}
	}
	if x.call == calling {
		change("modern gets its call", false, func(n *world, x *write) bool {
			if x.epoch < n.epoch && !m.fault.noEpochs {
				x.call = refused
			} else {
				x.call, n.modern = committed, n.modern|one(i)
			}
			if x.stage == ended && (x.row != voidRow || x.call == refused) {
				x.call = noCall // nobody asks for it any more
			}
			return true
		})
	}
	marked := w.replicas[x.replica].marked
	switch x.stage {
	case unborn:
		// Writes are alike: they begin in order.
		if i > 0 && w.writes[i-1].stage == unborn {
			return
		}
		for r := range w.replicas {
			m.begin(w, i, r, each)
		}
	case decidedLegacy:
		change("its transaction in legacy", false, func(n *world, x *write) bool {
			*x = write{stage: ended}
			if !marked {
				return true // it is refused
			}
			n.legacy |= one(i)
			n.acked |= one(i)
			return n.send(event{kind: entityEvent, state: n.legacy})
		})
	case decidedLive:
		change("its row in the ledger", false, func(_ *world, x *write) bool {
			if !marked {
				*x = write{stage: ended}
				return true
			}
			x.stage, x.row, x.call = opened, openRow, calling
			return true
		})
	case opened:
		m.openMoves(w, i, marked, change)
	case putting:
		change("its write-back commits", false, func(n *world, x *write) bool {
			if x.row == openRow {
				n.legacy = x.read
				n.acked |= one(i)
			}
			end(x)
			return true
		})
	case ended:
	}
}

// end leaves of a write what can still be told apart: what of it may be on its way.
func end(x *write) {
	late := write{stage: ended, epoch: x.epoch, call: x.call}
	if late.call != calling {
		// Whether modern has committed it matters as long as a fence may ask for it.
		late.epoch = 0
	}
	if x.row == voidRow && late.call != refused {
		late.row = voidRow
	}
	*x = late
}

func (m *model) openMoves(w *world, i int, marked bool, change func(string, bool, func(*world, *write) bool)) {
	x := w.writes[i]
	if x.row == voidRow {
		change("its replica learns that it is void", false, func(_ *world, x *write) bool { end(x); return true })
		return
	}
	locked := false
	for _, other := range w.writes {
		locked = locked || other.stage == putting
	}
	gone := !marked || w.replicas[x.replica].silent
	switch {
	case x.call == refused:
		change("it was refused for its epoch", false, func(_ *world, x *write) bool { *x = write{stage: ended}; return true })
	case x.call == committed && !locked && marked:
		change("its write-back reads modern", false, func(n *world, x *write) bool {
			x.stage, x.read = putting, n.modern
			return true
		})
	}
	if x.call == committed && !locked && gone {
		change("the sweeper writes it back", false, func(n *world, x *write) bool {
			n.legacy = n.modern
			n.acked |= one(i)
			x.row = closedRow
			end(x)
			return true
		})
	}
}

// begin decides a write at a replica.
func (m *model) begin(w *world, i, r int, each func(move, world)) {
	at := w.replicas[r]
	if !at.leased || at.flag.held() {
		return
	}
	n := *w
	n.writes[i] = write{stage: decidedLegacy, replica: uint8(r), epoch: at.flag.version}
	if at.flag.to == flags.Modern {
		n.writes[i].stage = decidedLive
	}
	each(move{"a client writes at " + name(r) + ", which decides for " + at.flag.to.String(), writeNames[i], true}, n)
}

// mirrorMoves bring the oldest event to modern.
func (m *model) mirrorMoves(w *world, each func(move, world)) {
	e := w.log[0]
	rest := func() world {
		n := *w
		copy(n.log[:], w.log[1:])
		n.log[len(n.log)-1] = event{}
		return n
	}
	switch e.kind {
	case entityEvent:
		// The mirror reads the entity after its transaction, sooner or later.
		for _, state := range []set{e.state, w.legacy} {
			n := rest()
			n.modern = state
			each(move{"modern applies an event that says " + state.String(), "", false}, n)
			if e.state == w.legacy {
				break
			}
		}
	case fenceEvent:
		n := rest()
		n.epoch = max(n.epoch, e.epoch)
		if e.queue == n.queue {
			given := answer{given: true}
			for i, x := range n.writes {
				if x.call == committed {
					given.committed |= e.void & one(i)
				}
			}
			for _, id := range m.states[n.rec].Awaits() {
				if fenceNumber(id) == e.fence {
					n.answers[e.fence] = given
				}
			}
		}
		each(move{"modern answers a fence", "", false}, n)
	case noEvent:
	}
}
