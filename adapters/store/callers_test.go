package store_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"banyan.dev/banyan/adapters/store"
	"banyan.dev/banyan/strangler/retirement"
)

func callers(t *testing.T, o store.Options) *store.Callers {
	t.Helper()
	c, err := store.NewCallers(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestCallersAreCountedForAllReplicas(t *testing.T) {
	onEach(t, func(t *testing.T, o store.Options) {
		migrated(t, o)
		one, two := callers(t, o), callers(t, o)
		day := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
		at := day.Add(13 * time.Hour)
		use := func(op, client, agent string, day time.Time, calls uint64, last time.Time) retirement.Use {
			return retirement.Use{Operation: op, Client: client, Agent: agent, Day: day, Calls: calls, Last: last}
		}
		var both sync.WaitGroup
		for _, c := range []*store.Callers{one, two} { // in the same rows, crosswise
			both.Go(func() {
				for i := range 20 {
					uses := []retirement.Use{use("a", "till", "", day, 1, at), use("a", "Till", "", day, 2, at.Add(time.Duration(i)*time.Second)), use("b", "", "curl", day, 1, at)}
					if c == two {
						uses[0], uses[2] = uses[2], uses[0]
					}
					if err := c.Add(t.Context(), uses); err != nil {
						t.Error(err)
					}
				}
			})
		}
		both.Wait()
		long := strings.Repeat("é", 300)
		for _, u := range []retirement.Use{
			use("a", "till", "", day.AddDate(0, 0, -30), 7, at.AddDate(0, 0, -30)), use("b", long, long, day.AddDate(0, 0, -29), 5, at.AddDate(0, 0, -29)),
			use("c", "till", "", day, 1, at),
		} {
			if err := one.Add(t.Context(), []retirement.Use{u}); err != nil {
				t.Fatal(err)
			}
		}
		if err := one.Add(t.Context(), nil); err != nil {
			t.Error(err)
		}
		got, err := two.Callers(t.Context(), []string{"a", "b"}, day.AddDate(0, 0, -29), 10)
		if err != nil {
			t.Fatal(err)
		}
		cut := strings.Repeat("é", 127) + "…"
		want := []retirement.Caller{
			{Operation: "a", Client: "Till", Calls: 80, Last: at.Add(19 * time.Second)},
			{Operation: "a", Client: "till", Calls: 40, Last: at},
			{Operation: "b", Agent: "curl", Calls: 40, Last: at},
			{Operation: "b", Client: cut, Agent: cut, Calls: 5, Last: at.AddDate(0, 0, -29)},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("callers (- want, + got):\n%s", diff)
		}
		if got, err := two.Callers(t.Context(), []string{"a", "b"}, day, 1); err != nil || len(got) != 1 || got[0].Client != "Till" {
			t.Errorf("the latest: %v %v", got, err)
		}
		if n, err := one.Sweep(t.Context(), day); err != nil || n != 2 {
			t.Errorf("swept %d: %v", n, err)
		}
		if got, err := one.Callers(t.Context(), []string{"a"}, day.AddDate(-1, 0, 0), 10); err != nil || len(got) != 2 || got[1].Calls != 40 {
			t.Errorf("after the sweep: %v %v", got, err)
		}
	})
}

func TestSweepingCallersGoesInBatches(t *testing.T) {
	onEach(t, func(t *testing.T, o store.Options) {
		c := callers(t, migrated(t, o))
		day := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
		for batch := range 5 {
			var uses []retirement.Use
			for i := range 500 {
				uses = append(uses, retirement.Use{Operation: "a", Client: fmt.Sprint(batch*500 + i), Day: day, Calls: 1, Last: day})
			}
			if err := c.Add(t.Context(), uses); err != nil {
				t.Fatal(err)
			}
		}
		if n, err := c.Sweep(t.Context(), day.AddDate(0, 0, 1)); err != nil || n != 2500 {
			t.Errorf("swept %d: %v", n, err)
		}
	})
}

func TestSinceWhenCallersAreCounted(t *testing.T) {
	onEach(t, func(t *testing.T, o store.Options) {
		c := callers(t, migrated(t, o))
		db := admin(t, o.DSN)
		if err := c.Watch(t.Context(), []string{"a", "b"}); err != nil {
			t.Fatal(err)
		}
		exec(t, db, "UPDATE `"+o.Schema+"`.watched SET since = '2026-01-02 03:04:05' WHERE operation = 'a'")
		if err := c.Watch(t.Context(), []string{"a", "b", "c"}); err != nil {
			t.Fatal(err)
		}
		if err := c.Watch(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		since, err := c.Watched(t.Context(), []string{"a", "c", "d"})
		if err != nil || len(since) != 2 || since["a"].Year() != 2026 || since["a"].Month() != 1 || since["c"].IsZero() {
			t.Errorf("since %v %v", since, err)
		}
	})
}
