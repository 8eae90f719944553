package retirement_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"banyan.dev/banyan/strangler/retirement"
)

// busy is a book that is called by many: adding tells that it has begun.
type busy struct {
	*book
	adding  func()
	callers []retirement.Caller
	since   time.Time
}

func (b *busy) Add(ctx context.Context, uses []retirement.Use) error {
	b.adding()
	return b.book.Add(ctx, uses)
}

func (b *busy) Callers(_ context.Context, _ []string, since time.Time, limit int) ([]retirement.Caller, error) {
	b.since = since
	return b.callers[:min(limit, len(b.callers))], nil
}

// What is counted while a save is under way is saved by the next.
func TestCallsDuringASaveAreCounted(t *testing.T) {
	b := &busy{book: newBook(), adding: func() {}}
	counter := retirement.NewCounter(b, slog.New(slog.DiscardHandler))
	b.adding = func() { counter.Count(by(get, "till", "")) }
	counter.Count(by(get, "till", ""))
	for n := range uint64(3) {
		if err := counter.Save(t.Context()); err != nil {
			t.Fatal(err)
		}
		for key, calls := range b.got() {
			if calls != n+1 {
				t.Errorf("%s: %d, want %d", key, calls, n+1)
			}
		}
	}
}

// A report has as many callers as are asked for, and says whether there are more; today is the first of its days.
func TestReportsHaveALimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(13 * time.Hour)
		b := &busy{book: newBook(), adding: func() {}}
		for i := range 3 {
			b.callers = append(b.callers, retirement.Caller{Operation: string(get.Name), Client: fmt.Sprint(i)})
		}
		r := &retirement.Reporter{
			Versions: []*retirement.Version{leaving(time.Now().Add(time.Hour), false)}, Counter: retirement.NewCounter(b, slog.New(slog.DiscardHandler)), Book: b,
		}
		for limit, want := range map[int]bool{2: true, 3: false} {
			all, more, err := r.Report(t.Context(), 1, limit)
			if err != nil || more != want || len(all[0].Callers) != limit {
				t.Errorf("of 3, %d: %d and more: %v, %v", limit, len(all[0].Callers), more, err)
			}
		}
		if today := time.Now().UTC().Truncate(24 * time.Hour); !b.since.Equal(today) {
			t.Errorf("the days begin at %s", b.since)
		}
	})
}
