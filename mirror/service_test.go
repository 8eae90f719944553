package mirror

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"banyan.dev/banyan/mirror/change"
)

func serve(t *testing.T, test func(t *testing.T, l *lab, e *shopEntities)) {
	t.Helper()
	e := &shopEntities{gone: map[string]bool{}}
	serveWith(t, func(*lab) Entities { return e }, func(t *testing.T, l *lab) { test(t, l, e) })
}

func serveWith(t *testing.T, entities func(*lab) Entities, test func(t *testing.T, l *lab)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := &lab{log: newScript(), broker: &inbox{automatic: true}, store: &keeper{state: State{Epoch: 1}}}
		l.mirror = New(Options{Name: "service.orders", Source: l.log, Sink: l.broker, Store: l.store, Ledger: "banyan", Service: &ServiceStream{Name: "orders", Entities: entities(l)}})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			l.mirror.Run(ctx)
		}()
		synctest.Wait()
		test(t, l)
		cancel()
		<-ended
	})
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

// locked is the lock of an order that is written back. The number's lowest bit means nothing.
func locked(id int64) *change.Rows {
	n := int64(change.WrittenBack("shop.v2.Order", strconv.FormatInt(id, 10))) | id&1
	return ledgerRows("locks", change.Insert, 2, "slot n", big(1), big(n))
}

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
		l.after(time.Millisecond) // what waits together is told once
		l.log.add(marked(), inserted(2, 2, 3))
		l.log.add(marked(), locked(4), inserted(3, 4, 10)) // the put of 4 changes 10, too
		l.log.add(marked(), fenced(change.Insert, "orders", "f", 7, `["w"]`))
		l.log.add(marked(), fenced(change.Insert, "other", "g", 7, `[]`))
		l.log.add(marked(), fenced(change.Delete, "orders", "f", 7, `[]`))
		l.log.add(marked(), announced("other", `["9"]`))
		l.log.add(marked(), announced("orders", `["5","6"]`))
		l.log.add(locked(8), inserted(3, 8)) // a lock without a mark is somebody's own
		l.after(3 * time.Second)
		want := []string{
			"foreign 2 at 0:2", "foreign 1 at 0:3",
			"legacy 2 at 100:2", "legacy 3 at 100:3",
			"writeback 4 at 200:3", "legacy 10 at 200:4",
			"fence f epoch 7 void [w] to q at 300:2",
			"announce 5 at 700:2", "announce 6 at 700:2",
			"foreign 8 at 800:3",
		}
		got := l.broker.told(t)
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

// What another service has written is a change like legacy's own for one that is only told of it.
func TestWhatAnotherServiceHasWrittenIsToldAsLegacys(t *testing.T) {
	serve(t, func(t *testing.T, l *lab, _ *shopEntities) {
		l.mirror.o.Service.Told = map[string]bool{"shop.v2.Order": true} // before the first transaction
		l.log.add(marked(), locked(4), inserted(3, 4, 10))
		l.after(time.Second)
		if diff := cmp.Diff([]string{"legacy 4 at 0:3", "legacy 10 at 0:4"}, l.broker.told(t)); diff != "" {
			t.Errorf("(- want, + got):\n%s", diff)
		}
	})
}

func TestTransactionsThatWaitShareASnapshot(t *testing.T) {
	serve(t, func(t *testing.T, l *lab, e *shopEntities) {
		gate := make(chan struct{})
		e.set(func() { e.gate = gate })
		l.log.add(inserted(1, 100)) // is being read while the others come
		l.after(time.Millisecond)
		l.log.add(marked(), locked(1), inserted(3, 1))
		l.log.add(marked(), locked(2), inserted(3, 2, 1))
		l.log.add(inserted(1, 3))
		l.log.add(marked(), inserted(2, 3))
		l.log.add(inserted(1, 4))
		l.log.add(marked(), locked(4), inserted(3, 4))
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
			"writeback 1 at 100:3", "writeback 2 at 200:3", "legacy 1 at 200:4", "legacy 3 at 400:2", "foreign 4 at 500:1", "writeback 4 at 600:3",
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

// Of large entities a read gives the first ones only. What is sent is the same, in the same order.
func TestLargeEntitiesAreReadAFewAtATime(t *testing.T) {
	serve(t, func(t *testing.T, l *lab, e *shopEntities) {
		e.set(func() { e.most = 2 })
		l.log.add(marked(), locked(3), inserted(3, 5, 4, 3, 2, 1))
		l.after(2 * time.Second)
		want := []string{"legacy 5 at 0:3", "legacy 4 at 0:4", "writeback 3 at 0:5", "legacy 2 at 0:6", "legacy 1 at 0:7"}
		if diff := cmp.Diff(want, l.broker.told(t)); diff != "" {
			t.Errorf("(- want, + got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"100 5", "100 3", "100 1"}, e.reads); diff != "" {
			t.Errorf("reads (- want, + got):\n%s", diff)
		}
		if s := l.mirror.Status(); s.Entities != 5 || l.saved() != l.log.at(1) {
			t.Errorf("saved at %s, status %+v", l.saved(), s)
		}
	})
}

func TestALargeTransactionIsReadInParts(t *testing.T) {
	serve(t, func(t *testing.T, l *lab, e *shopEntities) {
		gate := make(chan struct{})
		e.set(func() { e.gate = gate })
		const parts, each = 20, mostWaiting / 4
		var events []change.Event
		for part := range parts {
			ids := make([]int64, each)
			for i := range ids {
				ids[i] = int64(part*each + i + 1)
			}
			events = append(events, inserted(uint32(2+part*each), ids...))
		}
		events = append([]change.Event{marked()}, events...)
		events = append(events, inserted(2+parts*each, 1, 2)) // again, long after they were handed on
		l.log.add(events...)
		l.log.add(inserted(1, 7))
		l.after(3 * time.Second)
		if n := l.mirror.Status().Waiting; n > mostWaiting {
			t.Errorf("%d entities wait", n)
		}
		close(gate)
		l.after(3 * time.Second)
		told := l.broker.told(t)
		if n := len(told); n != parts*each+3 && n != parts*each+2 { // the last 7 may share an event with what waits
			t.Errorf("%d events", n)
		}
		if told[0] != "legacy 1 at 0:2" || told[parts*each] != fmt.Sprintf("legacy 1 at 0:%d", 2+parts*each) {
			t.Errorf("%s, then %s", told[0], told[parts*each])
		}
		for _, read := range e.reads {
			if !strings.HasPrefix(read, "100 ") && !strings.HasPrefix(read, "200 ") {
				t.Errorf("a read at %s", read)
			}
		}
		if at := l.saved(); at != l.log.at(2) {
			t.Errorf("saved at %s", at)
		}
		var last change.Version
		for _, m := range l.broker.got {
			v, err := change.ParseVersion(m.Version)
			if err != nil || v.Compare(last) <= 0 {
				t.Fatalf("%s after %s: %v", v, last, err)
			}
			last = v
		}
	})
}

// Of a transaction that fails in the middle nothing is taken for done.
func TestALargeTransactionBeginsAgainAsAWhole(t *testing.T) {
	serve(t, func(t *testing.T, l *lab, e *shopEntities) {
		const each = mostWaiting
		var events []change.Event
		for part := range 3 {
			ids := make([]int64, each)
			for i := range ids {
				ids[i] = int64(part*each + i + 1)
			}
			events = append(events, inserted(uint32(1+part*each), ids...))
		}
		e.set(func() { e.fail = 40 })
		l.log.add(inserted(1, 5))
		l.log.add(events...)
		l.after(50 * time.Millisecond)
		if s := l.mirror.Status(); s.Restarts != 1 || s.Waiting != 0 || l.saved() != l.log.at(1) {
			t.Fatalf("saved at %s, status %+v", l.saved(), s)
		}
		l.after(5 * time.Second)
		told := map[string]bool{}
		for _, m := range l.broker.told(t) {
			told[m] = true
		}
		if len(told) != 3*each+1 || l.saved() != l.log.at(2) {
			t.Errorf("%d entities were told, saved at %s", len(told), l.saved())
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
		"another case": {[]change.Event{&change.Rows{
			Table: &change.Table{Schema: "shop", Name: "orders", Columns: []change.Column{{Name: "ID"}}}, Op: change.Insert, First: 1,
			Rows: []change.Row{{After: []change.Value{big(1)}}},
		}}, ""},
		"bytes":                 {[]change.Event{ofID(change.Value{Kind: change.Bytes, Text: []byte("x")})}, "can't be the id of a shop.v2.Order"},
		"a broken text":         {[]change.Event{ofID(change.Value{Kind: change.Garbled, Text: []byte("\xff")})}, "can't be the id of a shop.v2.Order"},
		"a long text":           {[]change.Event{ofID(str(strings.Repeat("x", mostID+1)))}, "can't be the id of a shop.v2.Order"},
		"an empty text":         {[]change.Event{ofID(str(""))}, ""},
		"a broken fence":        {[]change.Event{fenced(change.Insert, "orders", "f", 1, `[`)}, "can't be read"},
		"a fence without id":    {[]change.Event{fenced(change.Insert, "orders", "", 1, `[]`)}, "can't be read"},
		"another's broken one":  {[]change.Event{fenced(change.Insert, "other", "f", 1, `[`)}, ""},
		"a broken announcement": {[]change.Event{announced("orders", `{}`)}, "can't be read"},
		"an announced nothing":  {[]change.Event{announced("orders", `[""]`)}, "can't be read"},
		"null":                  {[]change.Event{&change.Rows{Table: orders(), Op: change.Insert, First: 1, Rows: []change.Row{{After: []change.Value{null(), null()}}}}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			serve(t, func(t *testing.T, l *lab, _ *shopEntities) {
				l.log.add(test.events...)
				l.after(2 * time.Second)
				s := l.mirror.Status()
				if strings.HasPrefix(name, "an empty") || name == "null" {
					if s.Skipped != 1 || s.Entities != 0 {
						t.Errorf("status %+v", s)
					}
				}
				if test.want == "" && (s.Stop != nil || l.saved() != l.log.at(1)) || test.want != "" && (s.Stop == nil || !strings.Contains(s.Stop.What, test.want)) {
					t.Errorf("status %+v", s)
				}
			})
		})
	}
}

// Altering a table may change its rows, and most times doesn't: somebody is told who knows.
func TestAlteredTablesAreWarnedOf(t *testing.T) {
	for table, want := range map[string]int{"orders": 1, "products": 0} {
		var log bytes.Buffer
		s := &serviceEvents{session: &session{o: &Options{Logger: slog.New(slog.NewTextHandler(&log, nil)), Ledger: "banyan", Service: &ServiceStream{Entities: &shopEntities{}}}}}
		if err := s.statement(t.Context(), &change.Statement{Op: change.Alter, Schema: "shop", Table: table, SQL: "ALTER TABLE " + table}); err != nil {
			t.Error(err)
		}
		if got := strings.Count(log.String(), "level=WARN"); got != want || want > 0 && !strings.Contains(log.String(), "shop.v2.Order") {
			t.Errorf("%s: %s", table, log.String())
		}
	}
}
