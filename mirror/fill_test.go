package mirror

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"banyan.dev/banyan/mirror/change"
	"banyan.dev/banyan/strangler/backfill"
)

func (l *fillLab) ask(t *testing.T, j backfill.Job) uint64 {
	t.Helper()
	j.Target = backfill.Target{Mirror: "main", Schema: "shop", Name: "orders"}
	added, err := l.book.Add(t.Context(), []backfill.Job{j})
	if err != nil {
		t.Fatal(err)
	}
	return added[0].ID
}

func (l *fillLab) job(id uint64) backfill.Job {
	j, _ := l.book.Get(context.Background(), id) // it is in memory
	return j
}

// read gives the events of rows that were read.
func (l *fillLab) read() (all []change.Message) {
	l.broker.mu.Lock()
	defer l.broker.mu.Unlock()
	for _, m := range l.broker.got {
		if m.Type == "dev.banyan.row.read.v1" {
			all = append(all, m)
		}
	}
	return all
}

func TestABackfillSendsRows(t *testing.T) {
	fills(t, 1201, func(t *testing.T, l *fillLab) {
		l.log.add(inserted(1, 1))
		l.after(time.Second)
		id := l.ask(t, backfill.Job{})
		l.after(3 * time.Second)
		j := l.job(id)
		if j.State != backfill.Done || j.Done != 1201 || j.Total != 1201 || j.Note != "" || j.Reached != "1201" {
			t.Errorf("got %+v", j)
		}
		all := l.read()
		if len(all) != 1201 {
			t.Fatalf("got %d", len(all))
		}
		got := all[1200]
		want := change.Message{
			Key: "row.orders.read", ID: "read-1:0001-00000001-000000000064-00000000:1201", Source: "/mirrors/main", Type: "dev.banyan.row.read.v1", Time: got.Time,
			Version: "0001-00000001-000000000064-00000000", Term: "1",
			Body: []byte(`{"op":"read","schema":"shop","table":"orders","key":{"id":"1201"},"after":{"id":"1201","note":"x"},` +
				`"version":"0001-00000001-000000000064-00000000","read":"` + got.Time.UTC().Format(time.RFC3339Nano) + `","backfill":{"id":1,"row":1201}}`),
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("- want, + got:\n%s", diff)
		}
		if s := l.mirror.Status(); s.Events[change.Read] != 1201 {
			t.Errorf("got %+v", s)
		}
		if want := []string{"+500", "500+1000"}; !slices.Equal(l.ordersTable.reads, want) {
			t.Errorf("read %q", l.ordersTable.reads)
		}
	})
}

// What is not confirmed is not saved, and is sent again by the next leader.
func TestABackfillGoesOnBehindWhatIsConfirmed(t *testing.T) {
	fills(t, 3000, func(t *testing.T, l *fillLab) {
		l.broker.mu.Lock()
		l.broker.automatic = false
		l.broker.mu.Unlock()
		id := l.ask(t, backfill.Job{})
		l.after(3 * time.Second)
		if j := l.job(id); j.Done != 0 || j.Reached != "" {
			t.Errorf("nothing is confirmed, and %+v", j)
		}
		if n := len(l.read()); n < mostUnconfirmed || n >= mostUnconfirmed+turn {
			t.Errorf("%d were sent without a confirm", n)
		}
		l.broker.confirm(600, nil)
		l.after(3 * time.Second)
		if j := l.job(id); j.Reached != "500" || j.Done != 500 {
			t.Errorf("a chunk is confirmed, and %+v", j)
		}
		l.broker.confirm(601, errCut)
		l.broker.mu.Lock()
		l.broker.automatic = true
		before := len(l.broker.got)
		l.broker.mu.Unlock()
		l.after(10 * time.Second)
		if j := l.job(id); j.State != backfill.Done || j.Done != 3000 || j.Term != 2 {
			t.Errorf("got %+v", j)
		}
		if first := l.read()[before]; !strings.Contains(string(first.Body), `"key":{"id":"501"}`) || !strings.Contains(string(first.Body), `"row":501}`) {
			t.Errorf("it goes on with %s", first.Body)
		}
	})
}

// A chunk that was read before a change of many rows is not sent behind it, but read again.
func TestChunksAreNotSentBehindChangesOfManyRows(t *testing.T) {
	customers := &change.Table{Schema: "shop", Name: "customers", Columns: []change.Column{{Name: "id"}}, Key: []int{0}}
	for name, event := range map[string]change.Event{
		"truncate":  &change.Statement{Op: change.Truncate, Schema: "shop", Table: "orders", Row: 1},
		"rename":    &change.Statement{Op: change.Rename, Schema: "shop", Table: "orders_new", ToSchema: "shop", ToTable: "Orders", Row: 1},
		"schema":    &change.Statement{Op: change.Opaque, Row: 1},
		"cascade":   &change.Rows{Table: customers, Op: change.Delete, First: 1, Rows: []change.Row{{Before: []change.Value{big(1)}}}},
		"elsewhere": &change.Statement{Op: change.Truncate, Schema: "shop", Table: "lines", Row: 1},
	} {
		t.Run(name, func(t *testing.T) {
			fills(t, 700, func(t *testing.T, l *fillLab) {
				times := 0
				l.ordersTable.set(func() {
					l.ordersTable.beside = func(c Chunk) {
						if times++; times <= 2 {
							l.log.add(event)
							wait(context.Background(), time.Second) // it is sent meanwhile
						}
					}
				})
				id := l.ask(t, backfill.Job{})
				l.after(30 * time.Second)
				if j := l.job(id); j.State != backfill.Done || j.Done != 700 {
					t.Fatalf("got %+v", j)
				}
				l.broker.mu.Lock()
				defer l.broker.mu.Unlock()
				newest := ""
				for _, m := range l.broker.got {
					switch {
					case m.Type != "dev.banyan.row.read.v1":
						newest = m.Version
					case m.Version < newest && name != "elsewhere":
						t.Fatalf("%s comes behind %s", m.ID, newest)
					}
				}
			})
		})
	}
}

// Where such changes come all the time, a small chunk is read while the live stream waits.
func TestABackfillComesToItsEndBesideChangesOfManyRows(t *testing.T) {
	fills(t, 300, func(t *testing.T, l *fillLab) {
		l.ordersTable.set(func() {
			l.ordersTable.beside = func(c Chunk) {
				l.log.add(&change.Statement{Op: change.Truncate, Schema: "shop", Table: "orders", Row: 1})
				if c.Limit > sweptRows {
					wait(context.Background(), 10*time.Millisecond)
				}
			}
		})
		id := l.ask(t, backfill.Job{})
		l.after(time.Minute)
		if j := l.job(id); j.State != backfill.Done || j.Done != 300 {
			t.Fatalf("got %+v, read %q", j, l.ordersTable.reads)
		}
	})
}

func TestABackfillKeepsItsRate(t *testing.T) {
	fills(t, 2400, func(t *testing.T, l *fillLab) {
		id := l.ask(t, backfill.Job{Rate: 100})
		l.after(11 * time.Second)
		if n := len(l.read()); n < 500 || n > 1700 {
			t.Errorf("%d rows in 11 s", n)
		}
		if j := l.job(id); j.State != backfill.Running {
			t.Errorf("got %+v", j)
		}
		l.after(20 * time.Second)
		if j := l.job(id); j.State != backfill.Done {
			t.Errorf("got %+v", j)
		}
	})
}

func TestABackfillWaitsForTheLiveStream(t *testing.T) {
	fills(t, 20_000, func(t *testing.T, l *fillLab) {
		l.heart.mu.Lock()
		l.heart.dead = true
		l.heart.mu.Unlock()
		l.after(10 * time.Second)
		id := l.ask(t, backfill.Job{MaxLag: 5 * time.Second})
		l.after(10 * time.Second)
		if j := l.job(id); len(l.read()) != 0 || !strings.Contains(j.Note, "s behind, and --max-lag is 5s") {
			t.Errorf("%d were sent: %+v", len(l.read()), j)
		}
		if _, err := l.book.Stop(t.Context(), id, "stopped by ada"); err != nil {
			t.Fatal(err)
		}
		again := l.ask(t, backfill.Job{})
		l.after(10 * time.Second)
		if j, second := l.job(id), l.job(again); j.Done != 0 || j.State != backfill.Stopped || second.State != backfill.Done {
			t.Errorf("got %+v, then %+v", j, second)
		}
	})
}

func TestTablesThatCantBeSent(t *testing.T) {
	fills(t, 10, func(t *testing.T, l *fillLab) {
		l.ordersTable.set(func() {
			l.ordersTable.fail = fmt.Errorf("read: %w", &UnreadableError{What: "shop.orders has no key", Fix: "give it one"})
		})
		id := l.ask(t, backfill.Job{})
		l.after(3 * time.Second)
		if j := l.job(id); j.State != backfill.Failed || j.Note != "shop.orders has no key (give it one)" {
			t.Errorf("got %+v", j)
		}
		l.ordersTable.set(func() { l.ordersTable.fail = errCut })
		id = l.ask(t, backfill.Job{})
		l.after(3 * time.Second)
		if j := l.job(id); j.State != backfill.Running || j.Note != "tried again: cut" {
			t.Errorf("got %+v", j)
		}
		l.ordersTable.set(func() { l.ordersTable.fail = nil })
		l.after(3 * time.Second)
		if j := l.job(id); j.State != backfill.Done || j.Done != 10 {
			t.Errorf("got %+v", j)
		}
		entity, err := l.book.Add(t.Context(), []backfill.Job{{Target: backfill.Target{Mirror: "main", Name: "shop.v2.Order"}}})
		if err != nil {
			t.Fatal(err)
		}
		l.after(3 * time.Second)
		if j := l.job(entity[0].ID); j.State != backfill.Failed || !strings.Contains(j.Note, "does not send shop.v2.Order") {
			t.Errorf("got %+v", j)
		}
		if s := l.mirror.Status(); s.Phase != PhaseLeading || s.Restarts != 0 {
			t.Errorf("got %+v", s)
		}
	})
}

func TestHowLargeTheNextChunkIs(t *testing.T) {
	for _, test := range []struct {
		limit, rows, bytes int
		took               time.Duration
		want               int
	}{
		{500, 500, 1000, time.Millisecond, 1000},
		{4000, 4000, 1000, time.Millisecond, mostRows},
		{500, 500, 1000, 60 * time.Millisecond, 500},
		{500, 500, 1000, 200 * time.Millisecond, 250},
		{60, 60, 1000, 200 * time.Millisecond, fewestRows},
		{500, 500, mostBytes - 1, time.Millisecond, 500},
		{500, 20, mostBytes, time.Millisecond, 20},
		{500, 1, 9 * mostBytes, time.Second, 1},
	} {
		c := &readChunk{read: ChunkRead{Rows: test.rows}, took: test.took}
		c.bodies = make([]byte, test.bytes)
		if got := nextLimit(test.limit, c); got != test.want {
			t.Errorf("%+v: got %d", test, got)
		}
	}
}
