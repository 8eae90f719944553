package mirror

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"

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
	// failOf gives the failure of a table; nil: none.
	failOf func(table string) error
	// beside is called in the middle of each reading.
	beside func(c Chunk)
	// at gives the place of the next snapshot; nil: the log's end.
	at func() (change.Position, error)
}

func (s *ordersTable) Count(context.Context, string, string) (uint64, error) {
	return uint64(s.rows), nil
}

func (s *ordersTable) Read(ctx context.Context, c Chunk, use func(at change.Position, t *change.Table, row []change.Value) error) (ChunkRead, error) {
	at, err := s.log.Tail(ctx)
	s.mu.Lock()
	fail, beside := s.fail, s.beside
	if s.at != nil {
		at, err = s.at()
	}
	if s.failOf != nil && fail == nil {
		fail = s.failOf(c.Table)
	}
	s.reads = append(s.reads, fmt.Sprintf("%s+%d", c.After, c.Limit))
	s.mu.Unlock()
	if err != nil {
		return ChunkRead{}, err
	}
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
		if errors.Is(err, ErrEnough) {
			return read, nil //nolint:nilerr // as asked for
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

func (n *notebook) Claim(_ context.Context, mirror string, term uint64, epoch uint32, after uint64) (backfill.Job, bool, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i := range n.jobs {
		if j := &n.jobs[i]; !j.State.Over() && j.Mirror == mirror && j.ID > after {
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
	ordersTable *ordersTable
	book        *notebook
	heart       *deadHeart
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
		l.ordersTable = &ordersTable{log: l.log, rows: rows}
		l.mirror = New(Options{
			Name: "main", Source: l.log, Sink: l.broker, Store: l.store, Ledger: "banyan", Heart: l.heart, Fills: &Fills{Book: l.book, Tables: l.ordersTable, Has: func(_, table string) bool { return table != "secrets" }},
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
