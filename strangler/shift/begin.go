package shift

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"banyan.dev/banyan/flags"
)

// Refusal says why a command can't be taken now, and what to do.
type Refusal struct {
	// Reason is in UPPER_SNAKE_CASE.
	Reason string
	What   string
}

func (r *Refusal) Error() string { return r.What }

// Begin takes a command. A way back publishes its hold at once, in the State that it gives; a way forward only begins. The
// State's Command tells whose outcome has to be waited for: where the same rollback is under way already, it is that one's.
// Errors are *Refusal.
func Begin(r Rules, s State, c Command, now time.Time) (State, []Action, error) {
	t := &turn{Rules: r, State: s.clone(), seen: Observation{Now: now}}
	c.Was = r.Describe(s.From)
	var err error
	if c.Rollback {
		err = t.rollback(c)
	} else {
		err = t.advance(c)
	}
	if err != nil {
		return s, nil, err
	}
	return t.State, t.actions, nil
}

// reached is the definition that some replica may have gone by: what a way back begins from.
func (s State) reached() json.RawMessage {
	if s.Phase == flags.HoldLegacy && s.Place != Retreat {
		return s.From
	}
	return s.To
}

func (t *turn) advance(c Command) error {
	if t.Place != Idle {
		return &Refusal{"SHIFT_UNDER_WAY", fmt.Sprintf("a shift to %s by %s is under way: wait for its outcome, or roll back", t.Describe(t.Command.To), t.Command.Who)}
	}
	if Same(t.To, c.To) {
		t.take(c, "")
		t.finish()
		return nil
	}
	if t.Highest(c.To).Rank() > flags.Mirrored.Rank() && t.Backfill.State != FillDone {
		if t.Backfill.State == FillNone {
			return &Refusal{"NOT_FILLED", "the new service has not been filled: go to mirrored first"}
		}
		return &Refusal{"NOT_FILLED", fmt.Sprintf("the new service is being filled, %d entities so far: wait until that is done", t.Backfill.Done)}
	}
	forward, backward := t.Moves(t.To, c.To)
	switch {
	case forward:
		t.take(c, "shift begun")
		t.Place, t.Deadline = Prepare, t.seen.Now.Add(t.Rules.Prepare)
	case backward:
		t.take(c, "shift back begun")
		t.hold(t.To, c.To, true)
	default:
		t.take(c, "shift begun")
		t.publish(flags.Steady, c.To, c.To)
		t.Place = Finish
	}
	return nil
}

func (t *turn) rollback(c Command) error {
	if t.Back && t.Place != Idle && t.Command.Rollback && Same(t.Command.To, c.To) {
		return nil // it is under way
	}
	from, to := t.reached(), c.To
	if t.Highest(from).Rank() <= flags.Shadow.Rank() {
		to = from // nothing has to go back further than that
	}
	forward, backward := t.Moves(from, to)
	if forward {
		return &Refusal{"NOT_BACK", fmt.Sprintf("%s would move keys to the new service, which is no way back", t.Describe(to))}
	}
	phase, place := t.Phase, t.Place
	what := "rollback begun"
	if phase == flags.Steady && place == Idle && !backward {
		what = ""
	}
	t.take(c, what)
	switch {
	case backward:
		t.hold(from, to, true)
	case phase != flags.Steady:
		t.publish(flags.Steady, to, to)
		t.Place = Finish
	case place == Finish:
		t.Place = Finish
	default:
		t.finish()
	}
	return nil
}

// take makes c the command that is served.
func (t *turn) take(c Command, what string) {
	s := &t.State
	if s.Place != Idle {
		t.audit("shift broken off", s.Command.Was, t.Describe(s.Command.To), "another command came: by "+c.Who)
	}
	s.Command, s.Began, s.Place = c, t.seen.Now, Idle
	s.Back, s.Hold, s.Held, s.Deadline, s.Why, s.Ask, s.Fenced, s.Voided = false, 0, time.Time{}, time.Time{}, "", Errand{}, nil, 0
	if what != "" {
		t.audit(what, c.Was, t.Describe(c.To), c.Reason)
	}
}

// Same says whether two definitions are the same JSON.
func Same(a, b json.RawMessage) bool {
	if bytes.Equal(a, b) {
		return true
	}
	var left, right any
	return json.Unmarshal(a, &left) == nil && json.Unmarshal(b, &right) == nil && reflect.DeepEqual(left, right)
}
