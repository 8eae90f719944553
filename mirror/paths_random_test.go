package mirror

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"banyan.dev/banyan/mirror/change"
	"banyan.dev/banyan/protocol"
)

// shelf is a legacy with orders, their positions, the options of those, and their notes: row → {what it hangs on, its text}.
// Orders hang on nothing. Rows may hang on what is not there.
type shelf [4]map[int][2]int

// The tables, and how their rows tell of orders.
var (
	shelfTables = [4]string{"orders", "positions", "options", "notes"}
	shelfPaths  = [4]*Path{2: {Entity: "shop.v2.Order"}, 3: {Entity: "shop.v2.Order"}}
)

func (s shelf) clone() (c shelf) {
	for i := range s {
		c[i] = maps.Clone(s[i])
	}
	return c
}

// order gives the order that a row hangs on in the end; not ok where it hangs on none.
func (s shelf) order(table, row int) (order int, ok bool) {
	for ; table > 1; table-- {
		above, there := s[table][row]
		if !there {
			return 0, false
		}
		row = above[0]
	}
	at, there := s[1][row]
	return at[0], there
}

// render gives all that is part of an order; "" where it is not there.
func (s shelf) render(order int) string {
	text, there := s[0][order]
	if !there {
		return ""
	}
	lines := []string{fmt.Sprint(text[1])}
	for table := 1; table < len(s); table++ {
		for row, has := range s[table] {
			if of, ok := s.order(table, row); ok && of == order {
				lines = append(lines, fmt.Sprint(shelfTables[table], row, has))
			}
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, " ")
}

// change makes some change, and gives its rows.
func (s shelf) change(dice *rand.Rand, first uint32) *change.Rows {
	const ids = 6
	table, row := dice.IntN(len(s)), 1+dice.IntN(ids)
	before, there := s[table][row]
	after, op := before, change.Update
	switch {
	case !there:
		op, after = change.Insert, [2]int{1 + dice.IntN(ids), dice.IntN(1000)}
	case dice.IntN(4) == 0:
		op = change.Delete
	case dice.IntN(3) == 0:
		after[0] = 1 + dice.IntN(ids)
	default:
		after[1] = dice.IntN(1000)
	}
	image := func(has [2]int) []change.Value {
		return []change.Value{big(int64(row)), big(int64(has[0])), big(int64(has[1]))}
	}
	r := &change.Rows{Op: op, First: first, Rows: []change.Row{{}}, Table: &change.Table{
		Schema: "shop", Name: shelfTables[table], Key: []int{0}, Columns: []change.Column{{Name: "id"}, {Name: "above"}, {Name: "text"}},
	}}
	if op != change.Insert {
		r.Rows[0].Before = image(before)
	}
	if op == change.Delete {
		delete(s[table], row)
	} else {
		r.Rows[0].After = image(after)
		s[table][row] = after
	}
	return r
}

// shelfEntities read orders as they are at any moment between the place asked for and the log's end.
type shelfEntities struct {
	log     *script
	dice    *rand.Rand
	states  []shelf // by the number of transactions; guarded by the log's
	follows int
}

func (e *shelfEntities) Of(_, table string) []EntityTable {
	switch i := slices.Index(shelfTables[:], table); i {
	case -1:
		return nil
	case 0:
		return []EntityTable{{Entity: "shop.v2.Order", Column: "id"}}
	default:
		return []EntityTable{{Entity: "shop.v2.Order", Column: "above", Path: shelfPaths[i]}}
	}
}

func (e *shelfEntities) Committing(context.Context, change.Position, []string) ([]string, error) {
	return nil, nil // there is no XA
}

func (e *shelfEntities) Steps() int { return 2 }

// snapshot gives the state after so many transactions. Reading takes time, and may fail.
func (e *shelfEntities) snapshot(at change.Position) (s shelf, n int, err error) {
	<-time.After(time.Duration(e.dice.IntN(20)) * time.Millisecond)
	if e.dice.IntN(30) == 0 {
		return s, 0, errCut
	}
	e.log.mu.Lock()
	defer e.log.mu.Unlock()
	least := int(at.Offset / 100)
	if least >= len(e.states) {
		return s, 0, errors.New("a place that is not in the log yet")
	}
	n = least + e.dice.IntN(len(e.states)-least)
	return e.states[n], n, nil
}

func (e *shelfEntities) Follow(_ context.Context, at change.Position, steps []Step) (ids []string, err error) {
	s, _, err := e.snapshot(at)
	if err != nil {
		return nil, err
	}
	e.follows++
	for _, step := range steps {
		value, err := strconv.Atoi(step.Value)
		if err != nil {
			return nil, err
		}
		id := ""
		if order, ok := s.order(slices.Index(shelfPaths[:], step.Path)-1, value); ok {
			id = strconv.Itoa(order)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func (e *shelfEntities) Read(_ context.Context, at change.Position, all []EntityName) (out []EntityState, err error) {
	s, n, err := e.snapshot(at)
	for _, of := range all {
		id, err := strconv.Atoi(of.ID)
		if err != nil {
			return nil, err
		}
		data, err := json.Marshal(shelfState{n, s.render(id)})
		if err != nil {
			return nil, err
		}
		out = append(out, EntityState{ID: of.ID, Data: data})
	}
	return out, err
}

// shelfState is an order after so many transactions.
type shelfState struct {
	After int
	State string
}

// Rows that lead to their orders over others are moved about and deleted, in one transaction and in several, while the log is
// read behind: when a fence arrives, the state of every order is one that contains all that was changed of it before.
func TestAFenceComesBehindWhatPathsLeadTo(t *testing.T) {
	follows := 0
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			dice := rand.New(rand.NewPCG(seed, 1))
			var e *shelfEntities
			now := shelf{{}, {}, {}, {}}
			serveWith(t, func(l *lab) Entities {
				e = &shelfEntities{log: l.log, dice: rand.New(rand.NewPCG(seed, 2)), states: []shelf{now.clone()}}
				return e
			}, func(t *testing.T, l *lab) {
				add := func(events ...change.Event) {
					l.log.set(func() { e.states = append(e.states, now.clone()) })
					l.log.add(events...)
				}
				for n := range 200 {
					if dice.IntN(6) == 0 {
						add(marked(), fenced(change.Insert, "orders", fmt.Sprint("f", n), int64(dice.IntN(2)*n), "[]"))
					}
					var events []change.Event
					for i := range 1 + dice.IntN(4) {
						events = append(events, now.change(dice, uint32(1+i)))
					}
					add(events...)
					if dice.IntN(3) == 0 {
						l.after(time.Duration(dice.IntN(50)) * time.Millisecond)
					}
					if dice.IntN(40) == 0 {
						l.broker.cut()
					}
				}
				for range 100 {
					if l.saved() == l.log.at(len(l.log.txs)) {
						break
					}
					l.after(5 * time.Second)
				}
				if l.saved() != l.log.at(len(l.log.txs)) {
					t.Fatalf("saved at %s of %d: %+v", l.saved(), len(l.log.txs), l.mirror.Status())
				}
				e.judge(t, l)
				follows += e.follows
			})
		})
	}
	if follows == 0 {
		t.Error("no path was followed")
	}
}

// judge does what a service does with what arrived, and looks at it whenever a fence comes.
func (e *shelfEntities) judge(t *testing.T, l *lab) {
	t.Helper()
	type has struct {
		version string
		shelfState
	}
	have := map[string]has{}
	var lasts [7][]int // the last transaction that has changed each order, by how many there were
	for order := range lasts {
		last, before := 0, ""
		for i := range e.states {
			if now := e.states[i].render(order); now != before {
				last, before = i, now
			}
			lasts[order] = append(lasts[order], last)
		}
	}
	look := func(what string, n int) {
		for order := range lasts {
			if got := have[strconv.Itoa(order)]; got.After < lasts[order][n] {
				t.Errorf("%s (%d), order %d is as it was after %d, and %d has changed it", what, n, order, got.After, lasts[order][n])
			}
		}
	}
	fences := 0
	for _, m := range l.broker.got {
		if m.Type == protocol.TypeFence {
			fences++
			n, err := strconv.Atoi(strings.Split(strings.TrimPrefix(m.ID, "0-1-"), ":")[0])
			if err != nil {
				t.Fatal(err)
			}
			look("at the fence "+m.CorrelationID, n)
			continue
		}
		var event protocol.EntityEvent
		if err := json.Unmarshal(m.Body, &event); err != nil {
			t.Fatal(err)
		}
		if event.Version > have[event.ID].version {
			h := has{version: event.Version}
			if err := json.Unmarshal(event.Data, &h.shelfState); err != nil {
				t.Fatal(err)
			}
			have[event.ID] = h
		}
	}
	if fences == 0 {
		t.Error("no fence came")
	}
	look("in the end", len(l.log.txs))
}
