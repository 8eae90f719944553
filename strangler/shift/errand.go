package shift

import (
	"fmt"
	"slices"
	"time"
)

// ask sends a fence, and what has to go before it, until one is answered: again when none is for a while, or when answers
// go elsewhere now. before is done for each try, so that an answer to any says that it was done, too.
func (t *turn) ask(e *Errand, f SendFence, again time.Duration, before ...Action) (Answer, bool) {
	for _, id := range e.Fences {
		if a, ok := t.seen.Answers[id]; ok {
			return a, true
		}
	}
	t.waits = "the new service to answer a fence"
	if t.seen.Queue == "" {
		t.waits = "a connection to the broker, by which the new service answers fences"
		return Answer{}, false
	}
	tries := len(e.Fences)
	if tries > 0 && e.Queue == t.seen.Queue && t.seen.Now.Before(e.Sent.Add(again<<(tries-1))) {
		return Answer{}, false
	}
	if t.ids >= len(t.seen.IDs) {
		return Answer{}, false
	}
	f.ID, f.ReplyTo = t.seen.IDs[t.ids], t.seen.Queue
	t.ids++
	if e.Queue != f.ReplyTo {
		e.Fences = nil // what they are answered goes where nobody listens
	}
	e.Fences = append(e.Fences, f.ID)
	if len(e.Fences) > mostTries {
		e.Fences = slices.Delete(e.Fences, 0, 1)
	}
	e.Queue, e.Sent = f.ReplyTo, t.seen.Now
	for _, a := range before {
		t.do(a)
	}
	t.do(f)
	return Answer{}, false
}

// slowly is how much longer answers are waited for that no writes wait for.
const slowly = 5

// giveBack tells modern that its keys are legacy's again.
func (t *turn) giveBack() {
	b := &t.State.Return
	waits := t.waits
	defer func() { t.waits = waits }()
	if answer, ok := t.ask(&b.Ask, SendFence{Epoch: b.Epoch, Back: true}, slowly*t.Again); ok && t.heard(answer, &b.Ask) {
		*b = Return{}
	}
}

// settle tells modern which writes are void: first that it may not commit them any more, then, of those that it has, what
// legacy has. An announcement before the first answer could come before the commit that it has to overrule.
func (t *turn) settle() {
	s := &t.State.Settling
	if s.Over() {
		return
	}
	waits := t.waits
	defer func() { t.waits = waits }()
	if len(s.Writes) == 0 {
		switch {
		case !t.seen.Told:
			return
		case len(t.seen.Void) == 0:
			t.settledAll()
			return
		}
		s.Writes = slices.Clone(t.seen.Void)
	}
	if len(s.Entities) > 0 {
		answer, ok := t.ask(&s.Ask, SendFence{Epoch: s.Epoch}, slowly*t.Again, t.announce(s.Entities)...)
		if ok && t.heard(answer, &s.Ask) {
			t.told()
		}
		return
	}
	answer, ok := t.ask(&s.Ask, SendFence{Epoch: s.Epoch, Void: slices.Clone(s.Writes)}, slowly*t.Again)
	if !ok || !t.heard(answer, &s.Ask) {
		return
	}
	for _, entities := range answer.Committed {
		s.Entities = append(s.Entities, entities...)
	}
	slices.Sort(s.Entities)
	s.Entities = slices.Compact(s.Entities)
	if len(s.Entities) == 0 {
		t.told()
	}
}

// told ends the telling of some.
func (t *turn) told() {
	s := &t.State.Settling
	next := Settling{First: s.First, Epoch: s.Epoch, After: s.After, Done: s.Done + len(s.Writes)}
	if !s.Kept {
		next.After = s.Writes[len(s.Writes)-1]
	}
	if *s = next; s.First == 0 { // they were all
		t.settledAll()
	}
}

// settledAll ends the settling.
func (t *turn) settledAll() {
	s := &t.State.Settling
	t.audit("settled", "", "", fmt.Sprintf("the new service knows that %d writes are void, and has legacy's state of their entities", s.Done))
	t.do(Settled{Epoch: s.Epoch})
	*s = Settling{}
}

// heard takes an answer. One that says why nothing could be done stays asked for.
func (t *turn) heard(a Answer, e *Errand) bool {
	if a.Error != "" && t.seen.Now.Before(e.Sent.Add(slowly*t.Again)) {
		return false
	}
	*e = Errand{}
	return a.Error == ""
}

// announce gives the actions that tell a service of entities, in chunks.
func (t *turn) announce(entities []string) []Action {
	var actions []Action
	for chunk := range slices.Chunk(slices.Clone(entities), t.Chunk) {
		actions = append(actions, Announce{Entities: chunk, Epoch: t.Version})
	}
	return actions
}

// fill goes on with the first filling of modern. A chunk counts when a fence behind it is answered; until then it is sent
// again, whoever coordinates.
func (t *turn) fill() {
	b := &t.State.Backfill
	if b.State != FillRunning {
		return
	}
	waits := t.waits
	defer func() { t.waits = waits }()
	const patience = 30
	if len(b.Ask.Fences) > 0 {
		for _, id := range b.Ask.Fences {
			if a, ok := t.seen.Answers[id]; ok && a.Error == "" {
				b.After, b.Done = b.Upto, b.Done+b.Count
				b.Upto, b.Count, b.Ask = "", 0, Errand{}
				return
			}
		}
		moved := t.seen.Queue != "" && t.seen.Queue != b.Ask.Queue
		if moved || !t.seen.Now.Before(b.Ask.Sent.Add(patience*t.Again)) {
			b.Upto, b.Count, b.Ask = "", 0, Errand{}
		}
		return
	}
	switch {
	case !t.seen.Paged:
	case len(t.seen.Page) == 0:
		b.State = FillDone
		t.audit("filled", "", "", fmt.Sprintf("the new service has applied %d entities", b.Done))
	default:
		page := t.seen.Page
		if t.ask(&b.Ask, SendFence{}, patience*t.Again, t.announce(page)...); len(b.Ask.Fences) > 0 {
			b.Upto, b.Count = page[len(page)-1], uint64(len(page))
		}
	}
}
