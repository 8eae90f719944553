package mirror

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"banyan.dev/banyan/mirror/change"
	"banyan.dev/banyan/protocol"
)

// countingEntities give as an entity's state how many transactions have touched it, at the moment of reading.
type countingEntities struct {
	shopEntities
	log     *script
	dice    *rand.Rand
	touched counts
}

func (e *countingEntities) Read(_ context.Context, at change.Position, all []EntityName) ([]EntityState, error) {
	<-time.After(time.Duration(e.dice.IntN(20)) * time.Millisecond)
	if e.dice.IntN(15) == 0 {
		return nil, errCut
	}
	e.log.mu.Lock()
	defer e.log.mu.Unlock()
	if int(at.Offset) > 100*len(e.log.txs) || len(all) > chunk {
		return nil, fmt.Errorf("%d entities are read at %s", len(all), at)
	}
	e.touched.grow(e.log.txs)
	out := make([]EntityState, len(all))
	for i, of := range all {
		out[i] = EntityState{ID: of.ID, Data: []byte(strconv.Itoa(e.touched[len(e.log.txs)][of.ID]))}
	}
	return out, nil
}

// counts are, for each length of a log, how many transactions have touched each entity.
type counts []map[string]int

// grow counts what has come to a log.
func (c *counts) grow(txs [][]change.Event) {
	if *c == nil {
		*c = counts{{}}
	}
	for _, tx := range txs[len(*c)-1:] {
		n := maps.Clone((*c)[len(*c)-1])
		touched := map[string]bool{}
		for _, e := range tx {
			if r, ok := e.(*change.Rows); ok && r.Table.Name == "orders" {
				for _, row := range r.Rows {
					touched[fmt.Sprint(row.After[0].Num)] = true
				}
			}
		}
		for id := range touched {
			n[id]++
		}
		*c = append(*c, n)
	}
}

// Whatever fails in between: when a fence arrives, the state of all that was committed before it has arrived, and in the end
// that of everything has.
func TestAFenceComesBehindAllThatWasBeforeIt(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			dice := rand.New(rand.NewPCG(seed, 1))
			const entities = 30
			serveWith(t, func(l *lab) Entities {
				return &countingEntities{log: l.log, dice: rand.New(rand.NewPCG(seed, 2))}
			}, func(t *testing.T, l *lab) {
				for n := range 150 {
					ids := make([]int64, 1+dice.IntN(5))
					for i := range ids {
						ids[i] = int64(1 + dice.IntN(entities))
					}
					switch dice.IntN(8) {
					case 0:
						l.log.add(marked(), fenced(change.Insert, "orders", fmt.Sprint("f", n), int64(n), "[]"))
					case 1:
						l.log.add()
					case 2:
						l.log.add(marked(), inserted(2, ids...))
					default:
						l.log.add(inserted(1, ids...))
					}
					if dice.IntN(3) == 0 {
						l.after(time.Duration(dice.IntN(50)) * time.Millisecond)
					}
					if dice.IntN(30) == 0 {
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
				var touched counts
				touched.grow(l.log.txs)
				have := replay(t, l, touched)
				for id, want := range touched[len(l.log.txs)] {
					if have[id].state != want {
						t.Errorf("of entity %s, state %d has come, of %d", id, have[id].state, want)
					}
				}
			})
		})
	}
}

type applied struct {
	version string
	state   int
}

// replay does what a service does with what arrived, and looks at it whenever a fence comes.
func replay(t *testing.T, l *lab, touched counts) map[string]applied {
	t.Helper()
	have := map[string]applied{}
	fences := 0
	for _, m := range l.broker.got {
		if m.Type == protocol.TypeEntity {
			var e protocol.EntityEvent
			if err := json.Unmarshal(m.Body, &e); err != nil {
				t.Fatal(err)
			}
			if state, err := strconv.Atoi(string(e.Data)); err != nil {
				t.Fatal(err)
			} else if e.Version > have[e.ID].version {
				have[e.ID] = applied{e.Version, state}
			}
			continue
		}
		fences++
		n, err := strconv.Atoi(strings.Split(strings.TrimPrefix(m.ID, "0-1-"), ":")[0])
		if err != nil {
			t.Fatal(err)
		}
		for id, want := range touched[n] {
			if a := have[id]; a.state < want {
				t.Errorf("at the fence %s, entity %s is at state %d of %d", m.CorrelationID, id, a.state, want)
			}
		}
	}
	if fences == 0 {
		t.Error("no fence came")
	}
	return have
}

// cut ends the feed that is open, unless it has ended.
func (b *inbox) cut() {
	b.mu.Lock()
	sent, ended := b.feed.confirmed, b.feed.err != nil
	b.mu.Unlock()
	if !ended {
		b.confirm(sent, errCut)
	}
}
