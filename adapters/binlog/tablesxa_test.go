package binlog_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/mirror"
	"banyan.dev/banyan/mirror/change"
)

// followed is what a stream has told: where each transaction that changed rows begins, and the place that was read to.
type followed struct {
	mu     sync.Mutex
	last   change.Position
	begins []change.Version
}

func (f *followed) at() (change.Position, []change.Version) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last, slices.Clone(f.begins)
}

// follow reads the log until ctx ends, which end waits for.
func (b *bench) follow(ctx context.Context, from change.Position) (f *followed, end func()) {
	f = &followed{last: from}
	s := b.open(from)
	var running sync.WaitGroup
	running.Go(func() {
		var begins change.Version
		changed := false
		for {
			event, err := s.Next(ctx)
			if err != nil {
				if ctx.Err() == nil {
					b.t.Error(err)
				}
				return
			}
			switch e := event.(type) {
			case *change.Begin:
				begins = change.Version{File: e.File, Offset: e.Offset}
			case *change.Rows:
				changed = true
			case *change.End:
				f.mu.Lock()
				if f.last = e.At; changed {
					f.begins = append(f.begins, begins)
				}
				changed = false // what is prepared has an end, and no beginning
				f.mu.Unlock()
			}
		}
	})
	return f, running.Wait
}

// A chunk has all before its place, also XA transactions, which MariaDB's engine commits after the log, and others may see the place.
func TestChunksHaveXATransactions(t *testing.T) {
	server := devstack.OwnMariaDB(t) // whose engine takes its time, since it is durable
	b := newBench(t, server.NewSchema(t))
	for name, held := range map[string]bool{"alone": false, "beside a prepared one": true} {
		t.Run(name, func(t *testing.T) {
			b := b.in(t)
			const commits = 600
			b.exec("CREATE OR REPLACE TABLE x (id INT PRIMARY KEY, n INT)", "INSERT INTO x VALUES (1, 0), (2, 0)")
			ctx, cancel := context.WithCancel(t.Context())
			log, end := b.follow(ctx, b.tail())
			defer end()
			defer cancel()
			seen := func(n int) {
				t.Helper()
				tick := time.NewTicker(time.Millisecond)
				defer tick.Stop()
				for deadline := time.Now().Add(time.Minute); ; <-tick.C {
					_, begins := log.at()
					if len(begins) >= n {
						return
					}
					if time.Now().After(deadline) {
						t.Fatalf("the log was read to %d of %d", len(begins), n)
					}
				}
			}
			begun := 0
			if held {
				b.session("XA START 'held'; UPDATE x SET n = 7 WHERE id = 2; XA END 'held'; XA PREPARE 'held'")
				b.exec("INSERT INTO x VALUES (3, 0)")
				defer b.session("XA ROLLBACK 'held'")
				begun = 1
				seen(begun)
			}
			var writing sync.WaitGroup
			written := make(chan struct{})
			writing.Go(func() {
				defer close(written)
				conn, err := b.db.Conn(ctx)
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				for n := 1; n <= commits && err == nil; n++ {
					_, err = conn.ExecContext(ctx, fmt.Sprintf("XA START 'p'; UPDATE x SET n = %d WHERE id = 1; XA END 'p'; XA PREPARE 'p'; XA COMMIT 'p'", n))
				}
				if err != nil {
					t.Error(err)
				}
			})
			type read struct {
				at change.Version
				n  int
			}
			var all []read
			tables := b.tables()
			for reading := true; reading; {
				select {
				case <-written:
					reading = false // once more
				default:
				}
				var one read
				at, _ := log.at()
				got, err := tables.Read(t.Context(), mirror.Chunk{Schema: b.schema, Table: "x", Limit: 9, Log: at}, func(_ change.Position, _ *change.Table, row []change.Value) error {
					if valueText(row[0]) == "1" {
						one.n = int(row[1].Num) //nolint:gosec // it is small
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
				if one.at.File, err = got.At.FileNumber(); err != nil {
					t.Fatal(err)
				}
				one.at.Offset = got.At.Offset
				all = append(all, one)
			}
			writing.Wait()
			seen(begun + commits)
			_, begins := log.at()
			begins = begins[begun:]
			old := 0
			for _, one := range all {
				want := 0
				for want < len(begins) && begins[want].Compare(one.at) < 0 {
					want++
				}
				if one.n < want {
					old++
				}
			}
			if old > 0 {
				t.Errorf("%d of %d chunks lack what was committed before their place", old, len(all))
			}
			if len(all) < 100 {
				t.Errorf("there were %d chunks only", len(all))
			}
		})
	}
}
