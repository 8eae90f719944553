package store_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"banyan.dev/banyan/adapters/store"
	"banyan.dev/banyan/strangler/backfill"
)

func backfills(t *testing.T, o store.Options) *store.Backfills {
	t.Helper()
	b, err := store.NewBackfills(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func wantJob(t *testing.T, got, want backfill.Job) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(backfill.Job{}, "Created", "Began", "Changed")); diff != "" {
		t.Errorf("the job differs (- want, + got):\n%s", diff)
	}
}

func TestBackfillsAreKept(t *testing.T) {
	onEach(t, func(t *testing.T, o store.Options) {
		migrated(t, o)
		ctx, b := t.Context(), backfills(t, o)
		if _, found, err := b.Claim(ctx, "rows", 1, 1, 0); found || err != nil {
			t.Fatalf("found one: %v", err)
		}
		orders := backfill.Job{Target: backfill.Target{Mirror: "rows", Schema: "shop", Name: "orders"}, Rate: 7, MaxLag: 1500 * time.Millisecond, Who: strings.Repeat("é", 300)}
		entity := backfill.Job{Target: backfill.Target{Mirror: "service.o", Name: "shop.v2.Order"}, MaxLag: time.Second}
		lines := backfill.Job{Target: backfill.Target{Mirror: "rows", Schema: "shop", Name: "lines"}}
		added, err := b.Add(ctx, []backfill.Job{orders, entity, lines})
		if err != nil || len(added) != 3 {
			t.Fatalf("got %+v, %v", added, err)
		}
		orders.ID, orders.State, orders.Who = added[0].ID, backfill.Waiting, strings.Repeat("é", 254)+"…"
		wantJob(t, added[0], orders)
		if d := time.Since(added[0].Created).Abs(); d > time.Minute || !added[0].Began.IsZero() {
			t.Errorf("got %+v", added[0])
		}
		var busy *backfill.BusyError
		if _, err := b.Add(ctx, []backfill.Job{{Target: backfill.Target{Mirror: "rows", Schema: "shop", Name: "new"}}, orders}); !errors.As(err, &busy) || busy.Job.ID != orders.ID {
			t.Errorf("got %v", err)
		}
		if all, err := b.List(ctx, 2); err != nil || len(all) != 2 || all[0].ID != added[2].ID { // nothing of the second addition is there
			t.Errorf("got %+v, %v", all, err)
		}

		job, found, err := b.Claim(ctx, "rows", 4, 2, 0)
		if err != nil || !found {
			t.Fatal(err)
		}
		orders.State, orders.Term, orders.Epoch = backfill.Running, 4, 2
		wantJob(t, job, orders)
		if job.Began.IsZero() {
			t.Error("it is not known when it was begun")
		}
		job.Reached, job.Done, job.Total, job.Note = `{"at":["7"]}`, 7, 70, strings.Repeat("ü", 2000)
		for range 2 { // the same again is no loss
			if still, err := b.Save(ctx, job); !still || err != nil {
				t.Errorf("not kept: %v", err)
			}
		}
		deposed := job
		if job, found, err = b.Claim(ctx, "rows", 5, 2, 0); err != nil || !found || job.Done != 7 || job.Reached != deposed.Reached || job.Note != "" {
			t.Errorf("got %+v, %v", job, err)
		}
		if still, err := b.Save(ctx, deposed); still || err != nil {
			t.Errorf("a deposed leader has saved: %v", err)
		}
		if _, found, err := b.Claim(ctx, "rows", 4, 2, 0); found || err != nil {
			t.Errorf("a deposed leader has claimed: %v", err)
		}
		// In another epoch it begins anew.
		if job, found, err = b.Claim(ctx, "rows", 6, 3, 0); err != nil || !found || job.Done != 0 || job.Reached != "" {
			t.Errorf("got %+v, %v", job, err)
		}
		job.State = backfill.Done
		if still, err := b.Save(ctx, job); !still || err != nil {
			t.Error(err)
		}
		if still, err := b.Save(ctx, job); still || err != nil {
			t.Errorf("what is done was saved: %v", err)
		}
		if next, found, err := b.Claim(ctx, "rows", 6, 3, 0); err != nil || !found || next.ID != added[2].ID {
			t.Errorf("got %+v, %v", next, err)
		}
		stopped, err := b.Stop(ctx, added[2].ID, "stopped by ada")
		if err != nil || stopped.State != backfill.Stopped || stopped.Note != "stopped by ada" {
			t.Errorf("got %+v, %v", stopped, err)
		}
		if again, err := b.Stop(ctx, job.ID, "late"); err != nil || again.State != backfill.Done || again.Note != "" {
			t.Errorf("got %+v, %v", again, err)
		}
		if _, err := b.Stop(ctx, 4711, ""); !errors.Is(err, backfill.ErrNone) {
			t.Errorf("got %v", err)
		}
		if _, err := b.Get(ctx, 4711); !errors.Is(err, backfill.ErrNone) {
			t.Errorf("got %v", err)
		}
		if _, err := b.Add(ctx, []backfill.Job{orders}); err != nil { // it is over
			t.Error(err)
		}
	})
}

// Of those who ask for the same at once, one has it.
func TestBackfillsAreAskedForOnce(t *testing.T) {
	onEach(t, func(t *testing.T, o store.Options) {
		migrated(t, o)
		var all sync.WaitGroup
		var mu sync.Mutex
		added := 0
		for range 8 {
			b := backfills(t, o)
			all.Go(func() {
				_, err := b.Add(t.Context(), []backfill.Job{{Target: backfill.Target{Mirror: "rows", Schema: "shop", Name: "orders"}}})
				mu.Lock()
				defer mu.Unlock()
				var busy *backfill.BusyError
				if err == nil {
					added++
				} else if !errors.As(err, &busy) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if added != 1 {
			t.Errorf("%d were added", added)
		}
	})
}

// A schema of very many tables is asked for at once, in the time that a statement has.
func TestVeryManyBackfillsAreAdded(t *testing.T) {
	onEach(t, func(t *testing.T, o store.Options) {
		migrated(t, o)
		b := backfills(t, o)
		var jobs []backfill.Job
		for n := range 20_000 {
			jobs = append(jobs, backfill.Job{Target: backfill.Target{Mirror: "rows", Schema: "shop", Name: fmt.Sprintf("orders_%d", n)}})
		}
		added, err := b.Add(t.Context(), jobs)
		if err != nil || len(added) != len(jobs) || added[0].Name != "orders_0" || added[19_999].Name != "orders_19999" || added[0].ID >= added[19_999].ID {
			t.Fatalf("got %d, %v", len(added), err)
		}
		var busy *backfill.BusyError
		if _, err := b.Add(t.Context(), jobs[19_999:]); !errors.As(err, &busy) || busy.Job.ID != added[19_999].ID {
			t.Errorf("got %v", err)
		}
		twice := backfill.Job{Target: backfill.Target{Mirror: "rows", Schema: "shop", Name: "twice"}}
		if _, err := b.Add(t.Context(), []backfill.Job{twice, twice}); !errors.As(err, &busy) {
			t.Errorf("got %v", err)
		}
		// Of those that are over, the latest are kept.
		for _, j := range []backfill.Job{added[0], added[19_998]} {
			if _, err := b.Stop(t.Context(), j.ID, ""); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := b.Add(t.Context(), []backfill.Job{twice}); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Get(t.Context(), added[0].ID); !errors.Is(err, backfill.ErrNone) {
			t.Errorf("an old one that is over: %v", err)
		}
		for _, j := range []backfill.Job{added[1], added[19_998]} {
			if _, err := b.Get(t.Context(), j.ID); err != nil {
				t.Errorf("%s: %v", j.Name, err)
			}
		}
	})
}
