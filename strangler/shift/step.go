package shift

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"banyan.dev/banyan/flags"
)

// Step gives what comes next, going by what was seen. Where nothing does, the State is the same and there is nothing, or
// again the same, to be done.
func Step(r Rules, s State, seen Observation) (State, []Action) {
	t := run(r, s, seen)
	return t.State, t.actions
}

// Waits says in words what a shift waits for; empty when there is none.
func Waits(r Rules, s State, seen Observation) string { return run(r, s, seen).waits }

func run(r Rules, s State, seen Observation) *turn {
	t := &turn{Rules: r, State: s.clone(), seen: seen}
	t.move()
	if t.Phase == flags.Steady {
		if t.Return.Epoch > 0 {
			t.giveBack()
		} else {
			t.settle()
		}
		t.fill()
	}
	return t
}

// turn is one Step.
type turn struct {
	Rules
	State
	seen    Observation
	ids     int
	actions []Action
	waits   string
}

// move takes the shift one place on, or back when its time is over.
func (t *turn) move() {
	before := t.Place
	switch t.Place {
	case Prepare:
		t.prepare()
	case Settle:
		if t.all("no write from before the hold", t.settled) {
			t.Place = Fence
			if _, backward := t.Moves(t.From, t.To); backward {
				t.Place = Drain
			}
		}
	case Drain:
		t.drain()
	case Fence:
		if answer, ok := t.ask(&t.State.Ask, SendFence{Epoch: t.Hold}, t.Again); ok && t.good(answer) {
			t.State.Ask = Errand{}
			t.publish(flags.HoldTarget, t.From, t.To)
			t.Place = Target
		}
	case Target:
		if t.all("the flag of version "+fmt.Sprint(t.Version), t.applied) {
			t.publish(flags.Steady, t.To, t.To)
			t.Place, t.Deadline = Finish, time.Time{}
		}
	case Retreat:
		if t.all("the flag of version "+fmt.Sprint(t.Version), t.applied) {
			t.publish(flags.Steady, t.From, t.From)
			t.Place = Finish
		}
	case Finish:
		if t.all("the flag of version "+fmt.Sprint(t.Version), t.applied) {
			t.finish()
		}
	}
	if t.Place == before && !t.Deadline.IsZero() && !t.seen.Now.Before(t.Deadline) {
		t.back("it took too long: it waited for " + t.waits)
	}
}

// prepare is what can be waited for without holding writes.
func (t *turn) prepare() {
	switch {
	case !t.Settling.Over():
		t.waits = "the new service to be told of writes that were given up"
	case t.Return.Epoch > 0:
		t.waits = "the new service to be told that keys have come back to legacy"
	case !t.all("a word of life", func(r Replica) bool { return !r.Fenced && r.Silent <= t.Quiet }):
	default:
		if answer, ok := t.ask(&t.State.Ask, SendFence{}, t.Again); ok && t.good(answer) {
			t.hold(t.To, t.Command.To, false)
		}
	}
}

// good says whether an answer lets the keys move; where it doesn't, the shift goes back.
func (t *turn) good(a Answer) bool {
	from, to := t.From, t.Command.To
	// Events whose key nobody knows may be of any.
	i := slices.IndexFunc(a.Parked, func(key string) bool { return t.Moved(from, to, key, key != "") })
	switch {
	case a.Error != "":
		t.back("the new service can't do what a fence asks: " + a.Error)
	case a.Unread:
		t.back("the new service is not told of everything, since legacy has entities that can't be read: banyan status names them")
	case i >= 0 && a.Parked[i] == "":
		t.back("the new service has parked events whose key it does not know, which may be of any: banyan parked list shows them and why, as does its log")
	case i >= 0:
		t.back(fmt.Sprintf("the new service has parked events of the key %q: banyan parked list shows them and why, as does its log", a.Parked[i]))
	case a.More:
		t.back("the new service has parked events of more keys than it can name: banyan parked list shows them and why, as does its log")
	default:
		return true
	}
	return false
}

// drain waits for open writes to end. On a way back they are void after the grace, also those of which not all were seen.
func (t *turn) drain() {
	var open []string
	for _, w := range t.seen.Open {
		if t.Moved(t.From, t.To, w.Key, w.Keyed) {
			open = append(open, w.ID)
		}
	}
	ended := len(open) == 0 && t.seen.Looked
	switch {
	case ended && t.Back:
		if t.State.Settling.Epoch == t.Hold {
			t.Voided = t.seen.Voided
		}
		t.publish(flags.Steady, t.To, t.To)
		t.Place = Finish
		if highest := t.Highest(t.To).Rank(); highest >= flags.Mirrored.Rank() && highest <= flags.Shadow.Rank() {
			t.Return = Return{Epoch: t.Hold}
		}
	case ended:
		t.Place = Fence
	case len(open) == 0:
		t.waits = "legacy to say which writes are open"
	case t.Back && !t.seen.Now.Before(t.Held.Add(t.Grace)):
		t.void(open)
		t.waits = t.count(open) + " to be void"
	default:
		t.waits = t.count(open) + " to end"
	}
}

func (t *turn) count(open []string) string {
	if t.seen.Looked {
		return fmt.Sprintf("%d open writes", len(open))
	}
	return fmt.Sprintf("at least %d open writes", len(open))
}

// void gives writes up. That there are some is in the State before any is void in the ledger: modern has to be told of each.
func (t *turn) void(open []string) {
	s := &t.State.Settling
	if s.Epoch != t.Hold {
		next := Settling{First: cmp.Or(s.First, t.Hold), Epoch: t.Hold}
		if s.First == 0 || s.Kept {
			next.Writes, next.Kept = s.Writes, len(s.Writes) > 0
		}
		*s = next
		t.audit("writes given up", "", "", fmt.Sprintf("%s: %s", t.count(open), few(open)))
	}
	t.do(Void{Writes: open, Epoch: t.Hold, Reason: "given up by a way back, by " + t.Command.Who})
}

// hold publishes HoldLegacy.
func (t *turn) hold(from, to json.RawMessage, back bool) {
	t.publish(flags.HoldLegacy, from, to)
	t.Place, t.Back, t.Hold, t.Held, t.State.Ask = Settle, back, t.Version, t.seen.Now, Errand{}
	if !back {
		t.Deadline = t.seen.Now.Add(t.Shift)
	}
}

// back turns a way forward around.
func (t *turn) back(why string) {
	t.Why, t.Deadline, t.State.Ask = why, time.Time{}, Errand{}
	switch t.Place {
	case Prepare:
		t.finish()
	case Target:
		t.publish(flags.HoldLegacy, t.From, t.To)
		t.Place = Retreat
	default:
		t.publish(flags.Steady, t.From, t.From)
		t.Place = Finish
	}
}

// publish changes the flag.
func (t *turn) publish(phase flags.Phase, from, to json.RawMessage) {
	t.Version++
	t.Phase, t.From, t.To = phase, from, to
	if phase != flags.Steady {
		return
	}
	b := &t.State.Backfill
	mirrored := t.Highest(to).Rank() >= flags.Mirrored.Rank()
	switch {
	case !mirrored: // modern is filled anew when it is needed again
		*b, t.Return = Backfill{}, Return{}
	case b.State == FillNone:
		*b = Backfill{State: FillRunning}
	}
}

// finish ends the shift.
func (t *turn) finish() {
	s := &t.State
	s.Place, s.Deadline, s.Ask = Idle, time.Time{}, Errand{}
	s.Last = Outcome{
		Command: s.Command.ID, Who: s.Command.Who, Done: s.Why == "", Why: s.Why, Version: s.Version, From: s.Command.Was, To: t.Describe(s.To), Wanted: t.Describe(s.Command.To),
		Began: s.Began, Held: s.Held, Ended: t.seen.Now, Fenced: s.Fenced, Voided: s.Voided,
	}
	switch {
	case s.Why != "":
		t.audit("shift gone back", s.Command.Was, t.Describe(s.Command.To), s.Why)
	case s.Command.Rollback:
		t.audit("rollback done", s.Command.Was, s.Last.To, s.Command.Reason)
	default:
		t.audit("shift done", s.Command.Was, s.Last.To, s.Command.Reason)
	}
}

// applied wants the very version: one that is greater was published before the store went back, or comes from a command that
// has come between.
func (t *turn) applied(r Replica) bool { return r.Fenced || r.Applied == t.Version || t.harmless(r) }

// settled needs more than a fence: a fenced replica's transactions may be under way until its marks are taken, which takes
// the replica away.
func (t *turn) settled(r Replica) bool {
	return !r.Fenced && (r.Applied == t.Version && r.Settled >= t.Hold || t.harmless(r))
}

// harmless says whether a replica without the capability can be left alone: all that it does is done in legacy, where a way
// back leads.
func (t *turn) harmless(r Replica) bool { return r.Lacks && (t.Back || t.Why != "") }

// all says whether all replicas have what, and, on a way forward, agree on what the capability is. Those that are silent for
// longer than their lease are fenced. That is when their reads have gone back to legacy, too.
func (t *turn) all(what string, has func(Replica) bool) bool {
	var missing []string
	for _, r := range t.seen.Replicas {
		if r.Fenced {
			t.do(TakeMarks{Replica: r.Name})
			if !slices.Contains(t.Fenced, r.Name) {
				t.Fenced = append(t.Fenced, r.Name)
				t.audit("replica fenced", "", "", r.Name+" was silent for longer than its lease")
			}
		}
		if has(r) {
			continue
		}
		missing = append(missing, r.Name)
		if !r.Fenced && r.Silent > t.Lease+t.Margin {
			t.do(FenceReplica{Replica: r.Name})
		}
	}
	odd := ""
	if !t.Deadline.IsZero() { // a way forward
		odd = Disagreement(t.seen.Replicas)
	}
	switch {
	case odd != "":
		t.waits = odd
	case len(missing) > 0:
		t.waits = fmt.Sprintf("%s from %s", what, few(missing))
	default:
		return true
	}
	return false
}

func (t *turn) do(a Action) { t.actions = append(t.actions, a) }

func (t *turn) audit(what, from, to, reason string) {
	t.do(Audit{Version: t.Version, Who: t.Command.Who, What: what, From: from, To: to, Reason: reason})
}

// few names the first few.
func few(names []string) string {
	const most = 5
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
