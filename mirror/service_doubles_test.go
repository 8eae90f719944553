package mirror

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"banyan.dev/banyan/mirror/change"
)

// shopEntities are orders in memory. Reads wait until the gate is open.
type shopEntities struct {
	mu    sync.Mutex
	gate  chan struct{} // nil: open
	reads []string
	gone  map[string]bool
	err   error
	fail  int // the read that fails, counted down; 0 for none
	most  int // how many a read gives; 0 for all
	// prepared are XA transactions that legacy's engine has not committed; asked are those that it was asked for.
	prepared map[string]bool
	asked    []string
}

func (e *shopEntities) Committing(_ context.Context, at change.Position, xa []string) (still []string, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked = append(e.asked, fmt.Sprintf("%d %s", at.Offset, strings.Join(xa, ",")))
	for _, name := range xa {
		if e.prepared[name] {
			still = append(still, name)
		}
	}
	return still, nil
}

func (e *shopEntities) Of(schema, table string) []EntityTable {
	if schema == "shop" && table == "orders" {
		return []EntityTable{{Entity: "shop.v2.Order", Column: "id"}}
	}
	return nil
}

func (e *shopEntities) Steps() int { return 0 }

func (e *shopEntities) Follow(context.Context, change.Position, []Step) ([]string, error) {
	return nil, errCut
}

func (e *shopEntities) Read(ctx context.Context, at change.Position, all []EntityName) ([]EntityState, error) {
	e.mu.Lock()
	gate, err := e.gate, e.err
	e.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.reads = append(e.reads, fmt.Sprintf("%d %d", at.Offset, len(all)))
	if e.fail > 0 {
		if e.fail--; e.fail == 0 {
			return nil, errCut
		}
	}
	var out []EntityState
	if e.most > 0 {
		all = all[:min(e.most, len(all))]
	}
	for _, of := range all {
		id := of.ID
		state := EntityState{ID: id, Key: "k" + id, Data: []byte(`{"id":"` + id + `"}`)}
		if e.gone[id] {
			state = EntityState{ID: id, Deleted: true}
		}
		out = append(out, state)
	}
	return out, err
}

func (e *shopEntities) set(f func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f()
}
