package mirror

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"banyan.dev/banyan/mirror/change"
	"banyan.dev/banyan/strangler/backfill"
)

// ordersTable is the table orders in memory, with ids from 1 on, read at the log's end.
type ordersTable struct {
	log  *script
	rows int

	mu    sync.Mutex
	reads []string
	fail  error
	// beside is called in the middle of each reading.
	beside func(c Chunk)
}

func (s *ordersTable) Count(context.Context, string, string) (uint64, error) { return uint64(s.rows), nil }

func (s *ordersTable) Read(ctx context.Context, c Chunk, use func(at change.Position, t *change.Table, row []change.Value) error) (ChunkRead, error) {
	at, err := s.log.Tail(ctx)
	if err != nil {
		return ChunkRead{}, err
	}
	s.mu.Lock()
	fail, beside := s.fail, s.beside
	s.reads = append(s.reads, fmt.Sprintf("%s+%d", c.After, c.Limit))
	s.mu.Unlock()
	if beside != nil {
		beside(c)
	}
	if fail != nil {
		return ChunkRead{}, fail
	}
	first := 0
	if c.After != "" {
		if first, err = strconv.Atoi(c.After); err != nil {
			return ChunkRead{}, err
		}
	}
	read := ChunkRead{At: at}
	for n := first + 1; n <= s.rows && read.Rows < c.Limit; n++ {
		err := use(at, orders(), []change.Value{big(int64(n)), str("x")})
		if err != nil && !errors.Is(err, ErrEnough) {
			return read, err
		}
		read.Rows, read.Reached = read.Rows+1, strconv.Itoa(n)
		if err != nil {
			return read, nil
		}
	}
	read.Last = read.Rows < c.Limit
	return read, nil
}

func (s *ordersTable) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// notebook is a backfill.Book of one mirror in memory.
type notebook struct {
	mu   sync.Mutex
	jobs []backfill.Job
}

func (n *notebook) Add(_ context.Context, jobs []backfill.Job) ([]backfill.Job, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, j := range jobs {
		j.ID, j.State = uint64(len(n.jobs)+1), backfill.Waiting
		n.jobs = append(n.jobs, j)
	}
	return slices.Clone(n.jobs[len(n.jobs)-len(jobs):]), nil
}

func (n *notebook) List(context.Context, int) ([]backfill.Job, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.jobs), nil
}

func (n *notebook) Get(_ context.Context, id uint64) (backfill.Job, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.jobs[id-1], nil
}

func (n *notebook) Stop(_ context.Context, id uint64, note string) (backfill.Job, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.jobs[id-1].State, n.jobs[id-1].Note = backfill.Stopped, note
	return n.jobs[id-1], nil
}

func (n *notebook) Claim(_ context.Context, mirror string, term uint64, epoch uint32) (backfill.Job, bool, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i := range n.jobs {
		if j := &n.jobs[i]; !j.State.Over() && j.Mirror == mirror {
			j.State, j.Term, j.Epoch = backfill.Running, term, epoch
			return *j, true, nil
		}
	}
	return backfill.Job{}, false, nil
}

func (n *notebook) Save(_ context.Context, j backfill.Job) (bool, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	kept := &n.jobs[j.ID-1]
	if kept.State != backfill.Running || kept.Term != j.Term {
		return false, nil
	}
	*kept = j
	return true, nil
}

type fillLab struct {
	*lab
	shelf *ordersTable
	book  *notebook
	heart *deadHeart
}

// deadHeart beats, and nothing comes back, once it is told to.
type deadHeart struct {
	mu   sync.Mutex
	beat uint64
	dead bool
}

func (h *deadHeart) Beat(context.Context) (uint64, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.dead {
		return 0, nil
	}
	h.beat++
	return h.beat, nil
}

// fills runs a mirror with backfills of a table of so many rows, in a bubble.
func fills(t *testing.T, rows int, test func(t *testing.T, l *fillLab)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := &fillLab{lab: &lab{log: newScript(), broker: &inbox{automatic: true}, store: &keeper{state: State{Epoch: 1}}}, book: &notebook{}, heart: &deadHeart{}}
		l.shelf = &ordersTable{log: l.log, rows: rows}
		l.mirror = New(Options{
			Name: "main", Source: l.log, Sink: l.broker, Store: l.store, Ledger: "banyan", Heart: l.heart, Fills: &Fills{Book: l.book, Tables: l.shelf},
			Omit: func(_, _, column string) bool { return column == "secret" }, Relations: kids{},
		})
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

// kids is a foreign key by which orders are deleted with their customers.
type kids struct{}

func (kids) Refresh(context.Context) error { return nil }
func (kids) Of(_, table string) []Relation {
	if table != "customers" {
		return nil
	}
	return []Relation{{Constraint: "c", Schema: "shop", Table: "orders", Columns: []string{"id"}, Parents: []string{"id"}, OnDelete: "CASCADE"}}
}

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
		if want := []string{"+500", "500+1000"}; !slices.Equal(l.shelf.reads, want) {
			t.Errorf("read %q", l.shelf.reads)
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
				l.shelf.set(func() {
					l.shelf.beside = func(c Chunk) {
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
		l.shelf.set(func() {
			l.shelf.beside = func(c Chunk) {
				l.log.add(&change.Statement{Op: change.Truncate, Schema: "shop", Table: "orders", Row: 1})
				if c.Limit > sweptRows {
					wait(context.Background(), 10*time.Millisecond)
				}
			}
		})
		id := l.ask(t, backfill.Job{})
		l.after(time.Minute)
		if j := l.job(id); j.State != backfill.Done || j.Done != 300 {
			t.Fatalf("got %+v, read %q", j, l.shelf.reads)
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
		l.shelf.set(func() {
			l.shelf.fail = fmt.Errorf("read: %w", &UnreadableError{What: "shop.orders has no key", Fix: "give it one"})
		})
		id := l.ask(t, backfill.Job{})
		l.after(3 * time.Second)
		if j := l.job(id); j.State != backfill.Failed || j.Note != "shop.orders has no key (give it one)" {
			t.Errorf("got %+v", j)
		}
		l.shelf.set(func() { l.shelf.fail = errCut })
		id = l.ask(t, backfill.Job{})
		l.after(3 * time.Second)
		if j := l.job(id); j.State != backfill.Running || j.Note != "tried again: cut" {
			t.Errorf("got %+v", j)
		}
		l.shelf.set(func() { l.shelf.fail = nil })
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
