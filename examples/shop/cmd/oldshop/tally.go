package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"banyan.dev/banyan/examples/shop/oldshop"
)

// tellEvery is how long a tally gathers before it tells.
const tellEvery = 5 * time.Second

// tally counts what the old shop does, by kind.
type tally struct {
	out   io.Writer
	now   func() time.Time
	since time.Time
	done  map[oldshop.Action]int
	// idle counts the actions that found nothing to do, failed those that the server or its tables refused.
	idle, failed int
}

func newTally(out io.Writer, now func() time.Time) *tally {
	return &tally{out: out, now: now, since: now(), done: map[oldshop.Action]int{}}
}

// add counts an attempt at an action, and tells when it is time.
func (t *tally) add(action oldshop.Action, err error) {
	switch {
	case err == nil:
		t.done[action]++
	case errors.Is(err, oldshop.ErrNothing):
		t.idle++
	default:
		t.failed++
	}
	if t.now().Sub(t.since) >= tellEvery {
		t.tell()
	}
}

// tell writes one line of what was counted, the most frequent first, and begins anew. Of nothing it says nothing.
func (t *tally) tell() {
	var parts []string
	for _, action := range t.mostFrequent() {
		parts = append(parts, fmt.Sprintf("%s %d", action, t.done[action]))
	}
	if t.idle > 0 {
		parts = append(parts, fmt.Sprintf("nothing to do %d", t.idle))
	}
	if t.failed > 0 {
		parts = append(parts, fmt.Sprintf("failed %d", t.failed))
	}
	if len(parts) > 0 {
		fmt.Fprintf(t.out, "in %v: %s\n", t.now().Sub(t.since).Round(time.Second), strings.Join(parts, ", "))
	}
	clear(t.done)
	t.idle, t.failed, t.since = 0, 0, t.now()
}

func (t *tally) mostFrequent() []oldshop.Action {
	var actions []oldshop.Action
	for action := range t.done {
		actions = append(actions, action)
	}
	slices.SortFunc(actions, func(a, b oldshop.Action) int {
		if t.done[a] != t.done[b] {
			return t.done[b] - t.done[a]
		}
		return strings.Compare(string(a), string(b))
	})
	return actions
}
