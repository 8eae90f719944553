package retirement_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/strangler"
	"banyan.dev/banyan/strangler/retirement"
)

// book is a Book in memory that can fail.
type book struct {
	mu      sync.Mutex
	fails   error
	watched map[string]time.Time
	calls   map[string]uint64
	swept   []time.Time
	most    int
}

func newBook() *book { return &book{watched: map[string]time.Time{}, calls: map[string]uint64{}} }

func (b *book) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fails = err
}

func (b *book) Watch(_ context.Context, operations []string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, op := range operations {
		if b.fails == nil && b.watched[op].IsZero() {
			b.watched[op] = time.Now()
		}
	}
	return b.fails
}

func (b *book) Add(ctx context.Context, uses []retirement.Use) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := errors.Join(b.fails, ctx.Err()); err != nil {
		return err
	}
	b.most = max(b.most, len(uses))
	for _, u := range uses {
		b.calls[fmt.Sprintf("%s %s|%s|%s", u.Day.Format(time.DateOnly), u.Operation, u.Client, u.Agent)] += u.Calls
	}
	return nil
}

func (b *book) Sweep(_ context.Context, before time.Time) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.swept = append(b.swept, before)
	return 0, b.fails
}

func (b *book) Callers(context.Context, []string, time.Time, int) ([]retirement.Caller, error) {
	return nil, nil
}

func (b *book) Watched(context.Context, []string) (map[string]time.Time, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.watched), b.fails
}

func (b *book) got() map[string]uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.calls)
}

func (b *book) seen() (watched int, swept []time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.watched), b.swept
}

var (
	get  = &contract.Operation{Name: "shop.v1.OrderService.GetOrder"}
	list = &contract.Operation{Name: "shop.v1.OrderService.ListOrders"}
)

func leaving(sunset time.Time, refuse bool) *retirement.Version {
	return &retirement.Version{
		Package: "shop.v1", Of: "shop.v2", Sunset: sunset, Refuse: refuse, Link: "https://shop.example/v2", Operations: []*contract.Operation{get, list},
	}
}

func by(op *contract.Operation, client, agent string) *strangler.Call {
	return &strangler.Call{Operation: op, Client: client, Header: func(name string) []string {
		if name == "user-agent" && agent != "" {
			return []string{agent, "another"}
		}
		return nil
	}}
}

func serve(context.Context, *strangler.Call, func(*strangler.Reply) error) error { return nil }

func call(t *testing.T, b strangler.Backend, c *strangler.Call) {
	t.Helper()
	if err := b.Call(t.Context(), c, nil); err != nil {
		t.Error(err)
	}
}

func TestAVersionIsRefusedOnceItsSunsetHasCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sunset := time.Now().Add(time.Hour)
		going, staying := leaving(sunset, true), leaving(sunset, false)
		other := &contract.Operation{Name: "shop.v2.OrderService.GetOrder"}
		gate := retirement.NewGate([]*retirement.Version{going}, nil, strangler.BackendFunc(serve))
		patient := retirement.NewGate([]*retirement.Version{staying}, nil, strangler.BackendFunc(serve))
		call(t, gate, by(get, "", ""))
		if going.State(time.Now()) != retirement.Deprecated {
			t.Errorf("it is %s", going.State(time.Now()))
		}
		time.Sleep(time.Hour - time.Nanosecond)
		call(t, gate, by(get, "", ""))
		time.Sleep(time.Nanosecond)
		err := strangler.AsError(gate.Call(t.Context(), by(get, "", ""), nil))
		if err == nil || err.Code != codes.Unimplemented || err.Reason != retirement.ReasonGone || !err.Unsent || err.Metadata["successor"] != "shop.v2" ||
			!strings.Contains(err.Message, "shop.v1 is not served any more since ") || !strings.Contains(err.Message, "use shop.v2, as https://shop.example/v2 says") {
			t.Errorf("after its sunset: %+v", err)
		}
		call(t, gate, by(other, "", ""))
		call(t, patient, by(get, "", ""))
		if going.State(time.Now()) != retirement.Gone || staying.State(time.Now()) != retirement.Sunset {
			t.Errorf("they are %s and %s", going.State(time.Now()), staying.State(time.Now()))
		}
	})
}

func TestCallersAreCountedByDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // which begins at midnight of a first of January
		b := newBook()
		counter := retirement.NewCounter(b, slog.New(slog.DiscardHandler))
		v := leaving(time.Now(), true) // those that are refused are counted, too
		gate := retirement.NewGate([]*retirement.Version{v}, counter, strangler.BackendFunc(serve))
		today := time.Now().UTC().Format(time.DateOnly)
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { counter.Run(ctx, []*retirement.Version{v}) })
		for range 3 {
			_ = gate.Call(ctx, by(get, "till", "curl/8"), nil)
		}
		_ = gate.Call(ctx, by(get, "", "curl/8\x00 "+strings.Repeat("x", 300)), nil)
		_ = gate.Call(ctx, by(list, "", ""), nil)
		time.Sleep(11 * time.Second)
		long := "curl/8? " + strings.Repeat("x", 120)
		want := map[string]uint64{
			today + " shop.v1.OrderService.GetOrder|till|": 3, today + " shop.v1.OrderService.GetOrder||" + long: 1,
			today + " shop.v1.OrderService.ListOrders||": 1,
		}
		if got := b.got(); !maps.Equal(got, want) {
			t.Errorf("got %v\nwant %v", got, want)
		}
		if watched, swept := b.seen(); watched != 2 || len(swept) != 1 {
			t.Errorf("watched %d, swept %v", watched, swept)
		}
		time.Sleep(24 * time.Hour)
		_ = gate.Call(ctx, by(get, "till", ""), nil)
		cancel() // what is left is saved
		running.Wait()
		want[time.Now().UTC().Format(time.DateOnly)+" shop.v1.OrderService.GetOrder|till|"] = 1
		if got := b.got(); !maps.Equal(got, want) {
			t.Errorf("the day after: got %v\nwant %v", got, want)
		}
		if len(b.swept) != 2 || !b.swept[1].Before(time.Now().Add(-399*24*time.Hour)) {
			t.Errorf("swept %v", b.swept)
		}
	})
}

func TestNothingIsForgottenWhileTheBookFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook()
		var log bytes.Buffer
		counter := retirement.NewCounter(b, slog.New(slog.NewTextHandler(&log, nil)))
		v := leaving(time.Now().Add(1000*time.Hour), false)
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		b.fail(errors.New("down"))
		running.Go(func() { counter.Run(ctx, []*retirement.Version{v}) })
		counter.Count(by(get, "till", ""))
		time.Sleep(25 * time.Hour)
		counter.Count(by(get, "till", ""))
		synctest.Wait()
		if n := strings.Count(log.String(), "can't be saved at present"); n != 1 {
			t.Errorf("said %d times:\n%s", n, log.String())
		}
		b.fail(nil)
		time.Sleep(11 * time.Second)
		if watched, _ := b.seen(); len(b.got()) != 2 || watched != 2 {
			t.Errorf("got %v, watched %d", b.got(), watched)
		}
		b.fail(errors.New("down"))
		counter.Count(by(list, "till", ""))
		cancel()
		running.Wait()
		if !strings.Contains(log.String(), "could not be saved, and is lost") || !strings.Contains(log.String(), "calls=1") {
			t.Errorf("what is lost is not said:\n%s", log.String())
		}
	})
}

// However many call, memory and what is saved are bounded, and no call is left out.
func TestMoreCallersThanCanBeToldApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook()
		counter := retirement.NewCounter(b, slog.New(slog.DiscardHandler))
		for i := range 12_000 {
			counter.Count(by(get, fmt.Sprintf("client %d", i), ""))
		}
		for range 3 {
			counter.Count(by(get, "client 7", ""))
		}
		if err := counter.Save(t.Context()); err != nil {
			t.Fatal(err)
		}
		today := time.Now().UTC().Format(time.DateOnly) + " " + string(get.Name)
		got := b.got()
		if len(got) != 10_001 || got[today+"||"+retirement.Others] != 2_000 || got[today+"|client 7|"] != 4 || b.most > 500 {
			t.Errorf("%d callers, %d calls of others, %d of client 7; %d at once", len(got), got[today+"||"+retirement.Others], got[today+"|client 7|"], b.most)
		}
		time.Sleep(24 * time.Hour)
		if err := counter.Save(t.Context()); err != nil { // forgets the day before
			t.Fatal(err)
		}
		counter.Count(by(get, "newcomer", ""))
		if err := counter.Save(t.Context()); err != nil {
			t.Fatal(err)
		}
		if b.got()[time.Now().UTC().Format(time.DateOnly)+" "+string(get.Name)+"|newcomer|"] != 1 {
			t.Error("callers of the next day are not told apart")
		}
	})
}

func TestReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook()
		counter := retirement.NewCounter(b, slog.New(slog.DiscardHandler))
		stays := &retirement.Version{Package: "shop.v2"}
		r := &retirement.Reporter{Versions: []*retirement.Version{leaving(time.Now().Add(time.Hour), true), stays}, Counter: counter, Book: b}
		b.watched[string(get.Name)] = time.Now()
		counter.Count(by(get, "till", ""))
		all, _, err := r.Report(t.Context(), 30, 10)
		if err != nil || len(all) != 2 || !all[0].Since.IsZero() || all[0].Watched != 2 || all[1].State != retirement.Current || len(b.got()) != 1 {
			t.Errorf("only one operation is counted yet: %+v %v", all, err)
		}
		time.Sleep(time.Minute)
		b.watched[string(list.Name)] = time.Now()
		if all, _, err := r.Report(t.Context(), 30, 10); err != nil || !all[0].Since.Equal(time.Now()) {
			t.Errorf("it is counted since the last began to be: %+v %v", all[0], err)
		}
		b.fail(errors.New("down"))
		counter.Count(by(get, "till", ""))
		if _, _, err := r.Report(t.Context(), 30, 10); err == nil {
			t.Error("nothing is wrong with a book that fails")
		}
		alone := &retirement.Reporter{Versions: r.Versions}
		if all, _, err := alone.Report(t.Context(), 30, 10); err != nil || len(all) != 2 {
			t.Errorf("without a book: %v %v", all, err)
		}
	})
}
