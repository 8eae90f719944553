package mirror

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"banyan.dev/banyan/mirror/change"
	"banyan.dev/banyan/protocol"
)

// shopEntities are orders in memory. Reads wait until the gate is open.
type shopEntities struct {
	mu    sync.Mutex
	gate  chan struct{} // nil: open
	reads []string
	gone  map[string]bool
	err   error
}

func (e *shopEntities) Of(schema, table string) []EntityTable {
	if schema == "shop" && table == "orders" {
		return []EntityTable{{Entity: "shop.v2.Order", Column: "id"}}
	}
	return nil
}

func (e *shopEntities) Read(ctx context.Context, at change.Position, entity string, ids []string) ([]EntityState, error) {
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
	e.reads = append(e.reads, fmt.Sprintf("%d %d", at.Offset, len(ids)))
	var out []EntityState
	for _, id := range ids {
		state := EntityState{ID: id, Key: "k" + id, Data: []byte(`{"id":"` + id + `"}`)}
		if e.gone[id] {
			state = EntityState{ID: id, Deleted: true}
		}
		out = append(out, state)
	}
	return out, err
}

func serve(t *testing.T, test func(t *testing.T, l *lab, e *shopEntities)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := &lab{log: newScript(), broker: &inbox{automatic: true}, store: &keeper{state: State{Epoch: 1}}}
		e := &shopEntities{gone: map[string]bool{}}
		l.mirror = New(Options{Name: "service.orders", Source: l.log, Sink: l.broker, Store: l.store, Ledger: "banyan", Service: &ServiceStream{Name: "orders", Entities: e}})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			l.mirror.Run(ctx)
		}()
		synctest.Wait()
		test(t, l, e)
		cancel()
		<-ended
	})
}

// told gives what the service was sent, in short: "legacy 7 at 100:2" or "fence f".
func (b *inbox) told(t *testing.T) (out []string) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.got {
		var version change.Version
		if _, err := fmt.Sscanf(m.Version, "%x-%x-%x-%x", &version.Epoch, &version.File, &version.Offset, &version.Row); err != nil {
			t.Fatal(err)
		}
		at := fmt.Sprintf("%d:%d", version.Offset, version.Row)
		if m.Type == protocol.TypeFence {
			var f protocol.Fence
			if err := json.Unmarshal(m.Body, &f); err != nil || f.ID != m.CorrelationID {
				t.Errorf("the fence %s: %v", m.Body, err)
			}
			out = append(out, fmt.Sprintf("fence %s epoch %d void %v to %s at %s", f.ID, f.Epoch, f.Void, m.ReplyTo, at))
			continue
		}
		var e protocol.EntityEvent
		if err := json.Unmarshal(m.Body, &e); err != nil || e.Version != m.Version || m.Key != "partition.00" {
			t.Errorf("the event %s (%v): %v", m.Body, m, err)
		}
		if e.Deleted != (e.Data == nil) || e.Deleted == (e.Key == "k"+e.ID) {
			t.Errorf("the event %s", m.Body)
		}
		out = append(out, fmt.Sprintf("%s %s at %s", e.Origin, e.ID, at))
	}
	return out
}

func ledgerRows(table string, op change.Op, first uint32, columns string, values ...change.Value) *change.Rows {
	t := &change.Table{Schema: "banyan", Name: table}
	for name := range strings.SplitSeq(columns, " ") {
		t.Columns = append(t.Columns, change.Column{Name: name})
	}
	r := &change.Rows{Table: t, Op: op, First: first, Rows: []change.Row{{After: values}}}
	if op == change.Delete {
		r.Rows[0] = change.Row{Before: values}
	}
	return r
}

func marked() *change.Rows {
	return ledgerRows("writers", change.Update, 1, "replica n", str("r1"), big(1))
}

func locked() *change.Rows { return ledgerRows("locks", change.Insert, 2, "slot n", big(1), big(1)) }

func fenced(op change.Op, service, id string, epoch int64, void string) *change.Rows {
	return ledgerRows("fences", op, 2, "id service capability epoch reply_to void", str(id), str(service), str("orders"), big(epoch), str("q"), str(void))
}

func announced(service, ids string) *change.Rows {
	return ledgerRows("announcements", change.Insert, 2, "id service entity ids", big(1), str(service), str("shop.v2.Order"), str(ids))
}

func TestAServiceIsToldEntitiesAndFencesInOrder(t *testing.T) {
	serve(t, func(t *testing.T, l *lab, e *shopEntities) {
		e.set(func() { e.gone["3"] = true })
		l.log.add(inserted(1, 1, 2, 1))
		l.log.add(marked(), inserted(2, 2, 3))
		l.log.add(marked(), locked(), inserted(3, 4))
		l.log.add(marked(), fenced(change.Insert, "orders", "f", 7, `["w"]`))
		l.log.add(marked(), fenced(change.Insert, "other", "g", 7, `[]`))
		l.log.add(marked(), fenced(change.Delete, "orders", "f", 7, `[]`))
		l.log.add(marked(), announced("other", `["9"]`))
		l.log.add(marked(), announced("orders", `["5","6"]`))
		l.log.add(locked(), inserted(3, 8)) // a lock without a mark is somebody's own
		l.after(3 * time.Second)
		want := []string{
			"foreign 2 at 0:2", "foreign 1 at 0:3",
			"legacy 2 at 100:2", "legacy 3 at 100:3",
			"writeback 4 at 200:3",
			"fence f epoch 7 void [w] to q at 300:2",
			"announce 5 at 700:2", "announce 6 at 700:2",
			"foreign 8 at 800:3",
		}
		got := l.broker.told(t)
		// What waits together is told once: take the first transaction's 2 out if it was.
		if len(got) == len(want)-1 {
			want = append(want[1:1:1], want[1:]...)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(- want, + got):\n%s", diff)
		}
		if at := l.saved(); at != l.log.at(9) {
			t.Errorf("saved at %s", at)
		}
		if s := l.mirror.Status(); s.Fences != 1 || s.Waiting != 0 {
			t.Errorf("status: %+v", s)
		}
	})
}

func (e *shopEntities) set(f func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f()
}

func TestTransactionsThatWaitShareASnapshot(t *testing.T) {
	serve(t, func(t *testing.T, l *lab, e *shopEntities) {
		gate := make(chan struct{})
		e.set(func() { e.gate = gate })
		l.log.add(inserted(1, 100)) // is being read while the others come
		l.after(time.Millisecond)
		l.log.add(marked(), locked(), inserted(3, 1))
		l.log.add(marked(), locked(), inserted(3, 1, 2))
		l.log.add(inserted(1, 3))
		l.log.add(marked(), inserted(2, 3))
		l.log.add(inserted(1, 4))
		l.log.add(marked(), locked(), inserted(3, 4))
		l.log.add(fenced(change.Insert, "orders", "f", 1, `[]`))
		l.log.add(inserted(1, 1))
		l.after(3 * time.Second)
		if at := l.saved(); at != l.log.at(0) {
			t.Errorf("nothing is sent, and %s is saved", at)
		}
		if s := l.mirror.Status(); s.Waiting == 0 {
			t.Error("nothing waits, it seems")
		}
		close(gate)
		l.after(3 * time.Second)
		want := []string{
			"foreign 100 at 0:1",
			"writeback 1 at 200:3", "writeback 2 at 200:4", "legacy 3 at 400:2", "foreign 4 at 600:3",
			"fence f epoch 1 void [] to q at 700:2",
			"foreign 1 at 800:1",
		}
		if diff := cmp.Diff(want, l.broker.told(t)); diff != "" {
			t.Errorf("(- want, + got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"100 1", "800 4", "900 1"}, e.reads); diff != "" {
			t.Errorf("reads (- want, + got):\n%s", diff)
		}
	})
}

func TestALargeTransactionIsReadInParts(t *testing.T) {
	serve(t, func(t *testing.T, l *lab, e *shopEntities) {
		ids := make([]int64, 3*mostWaiting)
		for i := range ids {
			ids[i] = int64(i + 1)
		}
		l.log.add(inserted(1, ids...))
		l.log.add(inserted(1, 7))
		l.after(3 * time.Second)
		if n := len(l.broker.told(t)); n != len(ids)+1 {
			t.Errorf("%d events", n)
		}
		if n := len(e.reads); n != len(ids)/chunk+1 {
			t.Errorf("%d reads", n)
		}
		if at := l.saved(); at != l.log.at(2) {
			t.Errorf("saved at %s", at)
		}
	})
}

func TestAFailedReadBeginsAgainAtTheSavedPosition(t *testing.T) {
	serve(t, func(t *testing.T, l *lab, e *shopEntities) {
		l.log.add(inserted(1, 1))
		l.after(2 * time.Second)
		e.set(func() { e.err = fmt.Errorf("the legacy is down") })
		l.log.add(inserted(1, 2))
		l.after(10 * time.Second)
		if s := l.mirror.Status(); !strings.Contains(s.LastError, "the legacy is down") || l.saved() != l.log.at(1) {
			t.Errorf("saved at %s, status %+v", l.saved(), s)
		}
		e.set(func() { e.err = nil })
		l.after(10 * time.Second)
		got := l.broker.told(t)
		if last := got[len(got)-1]; last != "foreign 2 at 100:1" || l.saved() != l.log.at(2) {
			t.Errorf("told %v, saved at %s", got, l.saved())
		}
	})
}

func TestWhatNobodyCanTellStopsTheStream(t *testing.T) {
	for name, test := range map[string]struct {
		events []change.Event
		want   string
	}{
		"truncate":      {[]change.Event{&change.Statement{Op: change.Truncate, Schema: "shop", Table: "orders", SQL: "TRUNCATE orders"}}, "nobody can tell which entities"},
		"swap":          {[]change.Event{&change.Statement{Op: change.Rename, Schema: "shop", Table: "new", ToSchema: "shop", ToTable: "orders"}}, "nobody can tell which entities"},
		"opaque":        {[]change.Event{&change.Statement{Op: change.Opaque, Schema: "shop", SQL: "UPDATE x"}}, "nobody can tell which entities"},
		"another table": {[]change.Event{&change.Statement{Op: change.Truncate, Schema: "shop", Table: "products"}}, ""},
		"alter":         {[]change.Event{&change.Statement{Op: change.Alter, Schema: "shop", Table: "orders"}}, ""},
		"no column": {[]change.Event{&change.Rows{
			Table: &change.Table{Schema: "shop", Name: "orders", Columns: []change.Column{{Name: "no"}}}, Op: change.Insert, First: 1,
			Rows: []change.Row{{After: []change.Value{big(1)}}},
		}}, "has no column id"},
		"null": {[]change.Event{&change.Rows{Table: orders(), Op: change.Insert, First: 1, Rows: []change.Row{{After: []change.Value{null(), null()}}}}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			serve(t, func(t *testing.T, l *lab, _ *shopEntities) {
				l.log.add(test.events...)
				l.after(2 * time.Second)
				s := l.mirror.Status()
				if test.want == "" && (s.Stop != nil || l.saved() != l.log.at(1)) || test.want != "" && (s.Stop == nil || !strings.Contains(s.Stop.What, test.want)) {
					t.Errorf("status %+v", s)
				}
			})
		})
	}
}
