package mirror

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"banyan.dev/banyan/mirror/change"
)

// shelved entities that can't be read, in memory, and what was asked of it.
type corner struct {
	mu     sync.Mutex
	kept   map[EntityName]Unreadable
	passed []string
	calls  []string // with how many messages had been sent and confirmed
	fail   string   // the call that fails
	broker *inbox
}

func (c *corner) called(what string) error {
	c.calls = append(c.calls, what)
	if what == c.fail {
		return errCut
	}
	return nil
}

func (c *corner) Load(context.Context) (all []Unreadable, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Collect(maps.Values(c.kept)), c.called("load")
}

func (c *corner) Keep(_ context.Context, some []Unreadable) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, u := range some {
		c.kept[u.EntityName] = u
	}
	return c.called("keep")
}

func (c *corner) Forget(_ context.Context, some []Unreadable) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.broker.mu.Lock()
	if c.broker.feed.confirmed < c.broker.feed.sent {
		c.calls = append(c.calls, "too early")
	}
	c.broker.mu.Unlock()
	for _, u := range some {
		if c.kept[u.EntityName].Version <= u.Version {
			delete(c.kept, u.EntityName)
		}
	}
	return c.called("forget")
}

func (c *corner) Passed(_ context.Context, fence string, messages []string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.passed = append(c.passed, fence+" "+strings.Join(messages, ","))
	return c.called("passed")
}

// broken are orders of which some can't be read.
type broken struct {
	shopEntities
	bad map[string]string // why, by the id
}

func (e *broken) Read(ctx context.Context, at change.Position, all []EntityName) ([]EntityState, error) {
	states, err := e.shopEntities.Read(ctx, at, all)
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range states {
		if why := e.bad[states[i].ID]; why != "" {
			states[i] = EntityState{ID: states[i].ID, Unreadable: &change.StopError{What: "it can't be read", Cause: errors.New(why), Fix: "mend it"}}
		}
	}
	return states, err
}

func serveBroken(t *testing.T, test func(t *testing.T, l *lab, e *broken, c *corner), as ...func(*broken) Entities) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		e := &broken{shopEntities: shopEntities{gone: map[string]bool{}}, bad: map[string]string{}}
		l := &lab{log: newScript(), broker: &inbox{automatic: true}, store: &keeper{state: State{Epoch: 1}}}
		c := &corner{kept: map[EntityName]Unreadable{}, broker: l.broker}
		service := &ServiceStream{Name: "orders", Entities: e, Unread: c}
		for _, as := range as {
			service.Entities = as(e)
		}
		l.mirror = New(Options{Name: "service.orders", Source: l.log, Sink: l.broker, Store: l.store, Ledger: "banyan", Service: service})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			l.mirror.Run(ctx)
		}()
		synctest.Wait()
		test(t, l, e, c)
		cancel()
		<-ended
	})
}

// What can't be read holds nothing else up; it is told once it can, as of its last change, as a foreign one: keys may have moved.
func TestWhatCantBeReadIsToldLater(t *testing.T) {
	serveBroken(t, func(t *testing.T, l *lab, e *broken, c *corner) {
		e.set(func() { e.bad["2"], e.bad["4"] = "a value", "another" })
		l.log.add(marked(), inserted(2, 1, 2, 3))
		l.log.add(marked(), locked(4), inserted(3, 4))
		l.after(5 * time.Second)
		l.log.add(marked(), fenced(change.Insert, "orders", "f", 0, `[]`))
		l.log.add(inserted(1, 5))
		l.after(8 * time.Second)
		want := []string{"legacy 1 at 0:2", "legacy 3 at 0:4", "fence f epoch 0 void [] to q at 200:2", "foreign 5 at 300:1"}
		if diff := cmp.Diff(want, l.broker.told(t)); diff != "" {
			t.Errorf("while they can't be read (- want, + got):\n%s", diff)
		}
		s := l.mirror.Status()
		if s.Phase != PhaseLeading || s.Unreadable != 2 || len(s.Unread) != 2 || s.Unread[0].ID != "2" || s.Unread[0].Reason != "it can't be read: a value" || s.Unread[0].Fix != "mend it" || s.Entities != 3 {
			t.Errorf("status %+v", s)
		}
		if diff := cmp.Diff([]string{"f shop.v2.Order"}, c.passed); diff != "" {
			t.Errorf("passed (- want, + got):\n%s", diff)
		}
		if l.saved() != l.log.at(4) {
			t.Errorf("saved at %s", l.saved())
		}
		since := c.kept[EntityName{"shop.v2.Order", "2"}].Since
		e.set(func() { e.bad["2"], e.bad["4"] = "yet another value", "" })
		l.after(11 * time.Second)
		if u := c.kept[EntityName{"shop.v2.Order", "2"}]; len(c.kept) != 1 || u.Reason != "it can't be read: yet another value" || !u.Since.Equal(since) {
			t.Errorf("kept %+v", c.kept)
		}
		e.set(func() { e.bad["2"] = "" })
		l.after(11 * time.Second)
		l.log.add(marked(), fenced(change.Insert, "orders", "g", 0, `[]`))
		l.after(time.Second)
		want = append(want, "writeback 4 at 100:3", "foreign 2 at 0:3", "fence g epoch 0 void [] to q at 400:2")
		if diff := cmp.Diff(want, l.broker.told(t)); diff != "" {
			t.Errorf("once they can be read (- want, + got):\n%s", diff)
		}
		if s := l.mirror.Status(); s.Unreadable != 0 || s.Unread != nil || len(c.kept) != 0 || len(c.passed) != 1 || slices.Contains(c.calls, "too early") {
			t.Errorf("status %+v, kept %+v, passed %v, %v", s, c.kept, c.passed, c.calls)
		}
	})
}

// A change of it that can be read tells it at once, by its own origin. One that can't be is the last then.
func TestWhatCantBeReadIsReadWithItsNextChange(t *testing.T) {
	serveBroken(t, func(t *testing.T, l *lab, e *broken, c *corner) {
		e.set(func() { e.bad["2"], e.bad["3"] = "a value", "a value" })
		l.log.add(marked(), locked(2), inserted(3, 2, 3))
		l.after(time.Second)
		l.log.add(inserted(1, 2))
		l.after(time.Second)
		if u := c.kept[EntityName{"shop.v2.Order", "2"}]; u.WrittenBack || u.Version != "0001-00000001-000000000064-00000001" || u.Event != "0-1-2:1:shop.v2.Order/2" {
			t.Errorf("kept %+v", u)
		}
		e.set(func() { clear(e.bad) })
		l.log.add(marked(), inserted(2, 2))
		l.after(time.Second)
		if diff := cmp.Diff([]string{"legacy 2 at 200:2"}, l.broker.told(t)); diff != "" || len(c.kept) != 2 {
			t.Errorf("(- want, + got):\n%s, kept %v", diff, c.kept)
		}
		e.set(func() { e.bad["2"] = "again" }) // before it was forgotten
		l.log.add(inserted(1, 2))
		l.after(20 * time.Second)
		if _, still := c.kept[EntityName{"shop.v2.Order", "2"}]; !still || len(c.kept) != 1 {
			t.Errorf("kept %v", c.kept)
		}
	})
}

// What an earlier leader has kept is told by the next one, and what could not be kept holds the position.
func TestWhatCantBeReadOutlivesItsLeader(t *testing.T) {
	serveBroken(t, func(t *testing.T, l *lab, e *broken, c *corner) {
		e.set(func() { e.bad["2"] = "a value" })
		c.mu.Lock()
		c.fail = "keep"
		c.mu.Unlock()
		l.log.add(inserted(1, 1, 2))
		l.after(5 * time.Second)
		if l.saved() != l.log.at(0) || l.mirror.Status().Restarts == 0 {
			t.Errorf("saved at %s, status %+v", l.saved(), l.mirror.Status())
		}
		c.mu.Lock()
		c.fail = ""
		c.mu.Unlock()
		l.after(10 * time.Second)
		if l.saved() != l.log.at(1) || len(c.kept) != 1 {
			t.Errorf("saved at %s, kept %v", l.saved(), c.kept)
		}
		e.set(func() { clear(e.bad); e.gone["2"] = true })
		l.broker.cut()
		l.after(5 * time.Second)
		if told := l.broker.told(t); len(c.kept) > 0 || told[len(told)-1] != "foreign 2 at 0:2" {
			t.Errorf("told %v, kept %v", told, c.kept)
		}
	})
}

// When nearly nothing can be read, it is not the entities that are wrong.
func TestTooManyThatCantBeReadStopTheStream(t *testing.T) {
	serveBroken(t, func(t *testing.T, l *lab, e *broken, c *corner) {
		var ids []int64
		e.set(func() {
			for id := range int64(mostApart + 1) {
				ids = append(ids, id+1)
				e.bad[fmt.Sprint(id+1)] = "a value"
			}
		})
		l.log.add(inserted(1, ids[:mostApart]...))
		l.after(5 * time.Second)
		if s := l.mirror.Status(); s.Phase != PhaseLeading || s.Unreadable != mostApart || len(s.Unread) != mostShown {
			t.Errorf("status %+v", s)
		}
		l.log.add(inserted(1, ids[mostApart]))
		l.after(time.Second)
		if s := l.mirror.Status(); s.Phase != PhaseStopped || s.Stop == nil || !strings.Contains(s.Stop.What, "1001 entities") || s.Stop.Fix != "mend it" {
			t.Errorf("status %+v", s)
		}
		e.set(func() { clear(e.bad) })
		l.after(20 * time.Second)
		if s := l.mirror.Status(); s.Phase != PhaseLeading || s.Unreadable != 0 || len(c.kept) != 0 {
			t.Errorf("status %+v, %d kept", s, len(c.kept))
		}
	})
}

// Without a place to keep it, it stops the stream.
func TestWhatCantBeReadStopsAStreamThatKeepsNothing(t *testing.T) {
	e := &broken{shopEntities: shopEntities{gone: map[string]bool{}}, bad: map[string]string{"1": "a value"}}
	serveWith(t, func(*lab) Entities { return e }, func(t *testing.T, l *lab) {
		l.log.add(inserted(1, 1))
		l.after(time.Second)
		if s := l.mirror.Status(); s.Stop == nil || s.Stop.Cause != "a value" {
			t.Errorf("status %+v", s)
		}
	})
}

// What is met again on the way to what was kept before is no newer than that; and what was changed behind the service's back stays so,
// whatever it has written back since.
func TestWhatIsKeptApartNeverGoesBack(t *testing.T) {
	serveBroken(t, func(t *testing.T, l *lab, e *broken, c *corner) {
		version := func(tx, row int) string { return fmt.Sprintf("0001-00000001-%012x-%08x", 100*tx, row) }
		two, four := EntityName{"shop.v2.Order", "2"}, EntityName{"shop.v2.Order", "4"}
		e.set(func() { e.bad["2"], e.bad["4"] = "a value", "a value" })
		for _, events := range [][]change.Event{{inserted(1, 2)}, {marked(), locked(2), inserted(3, 2)}, {marked(), locked(4), inserted(3, 4)}} {
			l.log.add(events...)
			l.after(time.Second)
		}
		if u := c.kept[two]; u.WrittenBack || u.Version != version(1, 3) {
			t.Errorf("kept %+v", u)
		}
		u := c.kept[four]
		if !u.WrittenBack {
			t.Errorf("kept %+v", u)
		}
		u.Version, u.Event = version(9, 1), "later"
		c.mu.Lock()
		c.kept[four] = u
		c.mu.Unlock()
		l.broker.cut() // the next leader has it from the store, and has not come there
		l.after(time.Second)
		l.log.add(marked(), locked(4), inserted(3, 4))
		l.after(time.Second)
		if u := c.kept[four]; u.Version != version(9, 1) || u.Event != "later" {
			t.Errorf("kept %+v", u)
		}
	})
}
