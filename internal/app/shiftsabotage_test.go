package app_test

import (
	"context"
	"database/sql/driver"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/open-feature/go-sdk/openfeature"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/internal/app"
	"banyan.dev/banyan/internal/chaos/boxes"
	"banyan.dev/banyan/legacy/pool"
	"banyan.dev/banyan/strangler"
	"banyan.dev/banyan/strangler/control"
)

// Each of these takes one safety step out, on real servers, and makes what the step is there for happen. The run has to
// notice it, and has to notice nothing where the step is left in.

// wrongs are what a run notices.
type wrongs struct {
	mu   sync.Mutex
	list []string
}

func (w *wrongs) add(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = append(w.list, fmt.Sprintf(format, args...))
}

func (w *wrongs) first() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.list) == 0 {
		return ""
	}
	return w.list[0]
}

// load has clients write and read through both replicas while the boxes go to and fro, until something is wrong or enough
// rounds have passed. In the end legacy has to have what was acknowledged, and modern the same.
func (b *shiftLab) load(t *testing.T, rounds int) (wrong string) {
	t.Helper()
	w := &wrongs{}
	ctx, stop := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	var acked [mostBoxes + 1]atomic.Int64
	for client := range 6 {
		clients.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				id := int64((client*3+i)%4 + 1) // few, so that they meet
				before := acked[id].Load()
				if seen, err := b.get(context.WithoutCancel(ctx), i%2, id); err == nil && seen < before {
					w.add("a read of box %d gives %d of %d things", id, seen, before)
				}
				if b.add(context.WithoutCancel(ctx), (i+client)%2, id) == nil {
					acked[id].Add(1)
				}
				<-time.After(150 * time.Millisecond) // the service, which lags, is to come along on any machine
			}
		})
	}
	for begun, n := time.Now(), 0; n < rounds && (n < 2 || time.Since(begun) < 3*time.Minute); n++ { // a slow machine has fewer
		for _, command := range []struct {
			what string
			body map[string]any
		}{{"advance", map[string]any{"stage": "live"}}, {"rollback", map[string]any{}}} {
			if w.first() == "" {
				_, _ = b.admin(t, 0, http.MethodPost, "capabilities/boxes:"+command.what, command.body) // it may go back: that is no harm
				<-time.After(100 * time.Millisecond)
			}
		}
	}
	stop()
	clients.Wait()
	b.service.Hurry()
	if wrong := w.first(); wrong != "" {
		return wrong
	}
	return b.differ(t, &acked)
}

// differ says in what the sides differ once all has come to rest, or what of legacy is not as it was acknowledged.
func (b *shiftLab) differ(t *testing.T, acked *[mostBoxes + 1]atomic.Int64) string {
	t.Helper()
	var legacy, modern map[int64][]string
	for changed := time.Now(); time.Since(changed) < 5*time.Second; <-time.After(50 * time.Millisecond) {
		before := [2]map[int64][]string{legacy, modern}
		var err error
		if legacy, err = boxes.Contents(t.Context(), b.db); err != nil {
			t.Fatal(err)
		}
		if modern, err = b.service.Contents(t.Context()); err != nil {
			t.Fatal(err)
		}
		if reflect.DeepEqual(legacy, modern) {
			break
		}
		if !reflect.DeepEqual(before, [2]map[int64][]string{legacy, modern}) {
			changed = time.Now()
		}
	}
	for id := int64(1); id <= mostBoxes; id++ {
		switch things := slices.Sorted(slices.Values(legacy[id])); {
		case int64(len(things)) < acked[id].Load():
			return fmt.Sprintf("box %d has %d things in legacy, and %d were acknowledged", id, len(things), acked[id].Load())
		case len(slices.Compact(slices.Clone(things))) != len(things):
			return fmt.Sprintf("a thing is twice in box %d", id)
		case !slices.Equal(legacy[id], modern[id]):
			return fmt.Sprintf("box %d has %d things in legacy, and %d in the new service", id, len(legacy[id]), len(modern[id]))
		}
	}
	return ""
}

// noHold decides at a hold as before it: writes go on, to legacy, while reads go where the shift says.
type noHold struct{ strangler.Flags }

func (n noHold) StringValueDetails(ctx context.Context, flag, otherwise string, about openfeature.EvaluationContext, options ...openfeature.Option) (openfeature.StringEvaluationDetails, error) {
	details, err := n.Flags.StringValueDetails(ctx, flag, otherwise, about, options...)
	if details.Value == "hold" {
		details.Value = "shadow"
	}
	return details, err
}

// noFence takes every fence for answered.
type noFence struct{ control.Answers }

func (noFence) Take(string) (control.FenceAnswer, bool) { return control.FenceAnswer{}, true }

// hastyLedger says that a write is in legacy before it is.
type hastyLedger struct {
	strangler.Ledger
	late *sync.WaitGroup
}

func (h hastyLedger) WriteBack(ctx context.Context, w *strangler.Write, reply []byte, read func(context.Context) (*contract.Payload, error)) error {
	kept := *w
	h.late.Go(func() {
		<-time.After(150 * time.Millisecond)
		_ = h.Ledger.WriteBack(context.WithoutCancel(ctx), &kept, reply, read) // the judge sees what came of it
	})
	return nil
}

func TestStepsOfAShiftAreMissed(t *testing.T) {
	var late sync.WaitGroup
	defer late.Wait()
	const lag = 10 * time.Millisecond
	for _, test := range []struct {
		name    string
		replace func(*app.Parts)
		rounds  int // most that it takes
		lag     time.Duration
	}{
		{"as it is", nil, 2, lag},
		{"as it is, no lag", nil, 5, 0},
		{"no hold", func(p *app.Parts) { p.Flags = noHold{p.Flags} }, 30, lag},
		{"no fence", func(p *app.Parts) { p.Answers = noFence{p.Answers} }, 30, lag},
		{"no write-back before the reply", func(p *app.Parts) { p.Ledger = hastyLedger{p.Ledger, &late} }, 30, lag},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newShiftLab(t, boxes.Options{Lag: test.lag}, "20s", test.replace, test.replace)
			b.to(t, "shadow")
			b.noticed(t, b.load(t, test.rounds), test.replace != nil)
		})
	}
}

// noticed holds what a run has noticed to what there was.
func (b *shiftLab) noticed(t *testing.T, wrong string, missed bool) {
	t.Helper()
	switch {
	case missed && wrong == "":
		t.Error("nobody has missed it")
	case missed:
		t.Logf("noticed: %s", wrong)
	case wrong != "":
		t.Errorf("%s\n%s\n%s", wrong, warnings(b.replicas[0]), warnings(b.replicas[1]))
	}
}

// frozen makes a replica stop where it is: in front of a transaction's mark, and in front of the control store.
type frozen struct {
	mu    sync.Mutex
	wall  chan struct{} // nil: it runs
	stuck chan struct{}
}

func (f *frozen) freeze() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wall = make(chan struct{})
}

func (f *frozen) thaw() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.wall != nil {
		close(f.wall)
		f.wall = nil
	}
}

func (f *frozen) pass(writes bool) {
	f.mu.Lock()
	wall := f.wall
	f.mu.Unlock()
	if wall == nil {
		return
	}
	if writes {
		select {
		case f.stuck <- struct{}{}:
		default:
		}
	}
	<-wall
}

// frozenMarker marks once the replica thaws; anyToken marks without looking whether the replica may.
type frozenMarker struct {
	pool.Marker
	*frozen
	anyToken bool
}

func (m frozenMarker) Mark(slot int) (string, []driver.Value) {
	statement, args := m.Marker.Mark(slot)
	m.pass(true)
	if m.anyToken {
		return strings.Replace(statement, " AND token = ?", "", 1), args[:2]
	}
	return statement, args
}

type frozenMembership struct {
	control.Membership
	*frozen
}

func (m frozenMembership) Exchange(ctx context.Context, r control.Report) (control.News, error) {
	m.pass(false)
	return m.Membership.Exchange(ctx, r)
}

// A replica freezes in front of a write, and the shift goes on without it. When it thaws, its write must not come any more:
// it would be in legacy, acknowledged, while modern answers.
func TestWriterMarksAreMissed(t *testing.T) {
	for _, missed := range []bool{false, true} {
		t.Run(fmt.Sprintf("taken out %t", missed), func(t *testing.T) {
			f := &frozen{stuck: make(chan struct{}, 1)}
			b := newShiftLab(t, boxes.Options{Lag: 300 * time.Millisecond}, "300ms", func(p *app.Parts) {
				if p.Marker != nil {
					p.Marker = frozenMarker{p.Marker, f, missed}
				}
				if p.Membership != nil {
					p.Membership = frozenMembership{p.Membership, f}
				}
			})
			defer f.thaw()
			b.to(t, "shadow")
			f.freeze()
			written := make(chan error, 1)
			go func() { written <- b.add(context.WithoutCancel(t.Context()), 0, 7) }()
			<-f.stuck
			b.shift(t, 1, "advance", map[string]any{"stage": "live"})
			f.thaw()
			err := <-written
			wrong := ""
			if seen, reading := b.get(t.Context(), 1, 7); err == nil && (reading != nil || seen != 1) {
				wrong = fmt.Sprintf("a write was acknowledged, and a read behind it gives %d things, %v", seen, reading)
			}
			b.noticed(t, wrong, missed)
		})
	}
}

// A service does a write long after a rollback has given it up. It has to refuse it, or it has what legacy has not.
func TestEpochsAreMissed(t *testing.T) {
	for _, missed := range []bool{false, true} {
		t.Run(fmt.Sprintf("taken out %t", missed), func(t *testing.T) {
			begun, goOn := make(chan struct{}, 1), make(chan struct{})
			var once, late sync.Once
			ended := make(chan struct{})
			b := newShiftLab(t, boxes.Options{
				Stubborn: true, AnyEpoch: missed,
				Begun: func(context.Context) {
					first := false
					once.Do(func() { first = true })
					if first {
						begun <- struct{}{}
						<-goOn
					}
				},
				Held: func(context.Context) { late.Do(func() { close(ended) }) },
			}, "300ms")
			b.to(t, "live")
			written := make(chan error, 1)
			go func() { written <- b.add(context.WithoutCancel(t.Context()), 0, 7) }()
			<-begun
			b.shift(t, 1, "rollback", map[string]any{})
			if err := <-written; err != nil {
				t.Fatalf("the write that was given up is done anew in legacy: %v", err)
			}
			b.settled(t)
			close(goOn)
			select {
			case <-ended:
			case <-time.After(time.Minute):
				t.Fatal("the late write does not end")
			}
			var acked [mostBoxes + 1]atomic.Int64
			acked[7].Store(1)
			b.noticed(t, b.differ(t, &acked), missed)
		})
	}
}

// settled waits until the service knows what a rollback has given up.
func (b *shiftLab) settled(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		history, err := b.admin(t, 0, http.MethodGet, "history?capability=boxes", nil)
		if err == nil && strings.Contains(fmt.Sprint(history), "settled") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the service is not told what is void: %v, %v", history, err)
		}
		<-time.After(20 * time.Millisecond)
	}
}
