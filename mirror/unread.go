package mirror

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"banyan.dev/banyan/mirror/change"
	"banyan.dev/banyan/protocol"
)

// Unread keeps the entities that a service could not be told of, since they can't be read in legacy (a value that the contract has no
// room for, a row that its Get misses), or are larger than the broker takes. One of them must not keep all others from being told. Its methods are called by
// whoever leads the service's stream.
type Unread interface {
	// Load gives those that are kept.
	Load(ctx context.Context) ([]Unreadable, error)
	// Keep keeps some, in the place of what was kept of them, unless that has a greater version.
	Keep(ctx context.Context, some []Unreadable) error
	// Forget forgets some, but those of which a greater version is kept by now: a later leader has met them again.
	Forget(ctx context.Context, some []Unreadable) error
	// Passed notes that a fence is about to pass entities of these messages that can't be read: keys must not move by it. It is kept
	// before the fence is sent, so that whoever has the answer finds it.
	Passed(ctx context.Context, fence string, messages []string) error
}

// Unreadable is an entity that can't be read.
type Unreadable struct {
	EntityName
	// Reason says why, and Fix what to do about it.
	Reason, Fix string
	// Since is when it was first so.
	Since time.Time
	// Version is that of the last change that was not told, Event the id of its event, and Committed when it was committed.
	Version   string
	Event     string
	Committed time.Time
	// WrittenBack says that all changes that were not told were brought from the service itself.
	WrittenBack bool
}

const (
	// mostApart is how many entities are kept apart. With more the stream stops: it is the contract or the SQL that is wrong, and
	// nobody would look through them.
	mostApart = 1000
	// rereadEvery is the time between two tries to read them, at least. rereadAtOnce are read between other work, and rereadShare
	// times as long as that took, nothing but other work is done.
	rereadEvery  = 10 * time.Second
	rereadAtOnce = 10
	rereadShare  = 4
	// mostShown is how many Status names.
	mostShown = 5
)

// apart are the entities that can't be read, as the pump has them.
type apart struct {
	kept map[EntityName]Unreadable
	// told are those that were told since they were kept, and are to be forgotten once that is confirmed.
	told map[EntityName]Unreadable
	left []EntityName // still to be read in this turn
	next time.Time    // when some are read again
}

// unread gives the port; nil: what can't be read stops the stream.
func (p *pump) unread() Unread { return p.s.o.Service.Unread }

// load reads what earlier leaders have kept apart.
func (p *pump) load(ctx context.Context) error {
	p.apart.kept, p.apart.told = map[EntityName]Unreadable{}, map[EntityName]Unreadable{}
	if p.unread() == nil {
		return nil
	}
	all, err := p.unread().Load(ctx)
	if err != nil {
		return fmt.Errorf("read which entities can't be read: %w", err)
	}
	for _, u := range all {
		p.apart.kept[u.EntityName] = u
	}
	p.s.m.watch.unread(p.apart.list())
	return nil
}

// list gives those that are kept, in the order of their versions: of an order by epochs, too.
func (a *apart) list() []Unreadable {
	all := make([]Unreadable, 0, len(a.kept))
	for _, u := range a.kept {
		all = append(all, u)
	}
	slices.SortFunc(all, func(x, y Unreadable) int {
		return cmp.Or(cmp.Compare(x.Version, y.Version), cmp.Compare(x.Entity, y.Entity), cmp.Compare(x.ID, y.ID))
	})
	return all
}

// setApart keeps entities that can't be read. It is kept when it returns: the position may go on, and a fence be sent.
func (p *pump) setApart(ctx context.Context, some []Unreadable) error {
	if len(some) == 0 {
		return nil
	}
	if len(p.apart.kept) == 0 {
		p.apart.next = time.Now().Add(rereadEvery)
	}
	for i, u := range some {
		before, again := p.apart.kept[u.EntityName]
		if again {
			some[i].Since, some[i].WrittenBack = before.Since, u.WrittenBack && before.WrittenBack
			if before.Version > u.Version { // it is met again on the way there
				some[i].Version, some[i].Event, some[i].Committed = before.Version, before.Event, before.Committed
			}
		}
		if !again || before.Reason != u.Reason {
			p.s.o.Logger.Error("an entity can't be read in legacy, or can't be sent: the service is not told of it until it can, no key of its capability can move, and all others go on",
				"entity", u.Entity, "id", u.ID, "reason", u.Reason, "do", u.Fix)
		}
		p.apart.kept[u.EntityName] = some[i]
		delete(p.apart.told, u.EntityName)
	}
	if len(p.apart.kept) > mostApart {
		last := some[len(some)-1]
		return &change.StopError{What: fmt.Sprintf("%d entities can't be read, the %s %s last: %s", len(p.apart.kept), last.Entity, last.ID, last.Reason), Fix: last.Fix}
	}
	if err := p.unread().Keep(ctx, some); err != nil {
		return fmt.Errorf("keep what can't be read: %w", err)
	}
	p.s.m.watch.unread(p.apart.list())
	return nil
}

// tellApart takes an entity back that is told now.
func (p *pump) tellApart(name EntityName) {
	u, was := p.apart.kept[name]
	if !was {
		return
	}
	delete(p.apart.kept, name)
	p.apart.told[name] = u
	p.s.m.watch.unread(p.apart.list())
	p.s.o.Logger.Info("an entity can be read again, and the service is told of it", "entity", name.Entity, "id", name.ID)
}

// reread tells what can be read by now. Between an entity's change and its telling, keys may have moved to the service: so what
// is told late is no change by legacy's authority any more, whatever it was. It is a foreign one, which the service does not
// apply over what it has written itself.
//
// There may be many of them, each slow to read: they take turns with what can be read, and leave legacy alone for most of the time.
func (p *pump) reread(ctx context.Context) error {
	began := time.Now()
	if err := p.rereadNext(ctx); err != nil {
		return err
	}
	pause := rereadShare * time.Since(began)
	if len(p.apart.left) == 0 {
		pause = max(pause, rereadEvery)
	}
	p.apart.next = time.Now().Add(pause)
	if len(p.apart.told) == 0 {
		return nil
	}
	if err := p.s.feed.Flush(ctx); err != nil {
		return fmt.Errorf("wait for what could be read again: %w", err)
	}
	if err := p.unread().Forget(ctx, slices.Collect(maps.Values(p.apart.told))); err != nil {
		return fmt.Errorf("forget what can be read again: %w", err)
	}
	clear(p.apart.told)
	return nil
}

// rereadNext reads those whose turn it is.
func (p *pump) rereadNext(ctx context.Context) error {
	a := &p.apart
	if len(a.left) == 0 {
		for _, u := range a.list() {
			a.left = append(a.left, u.EntityName)
		}
	}
	var some []Unreadable
	n := 0
	for ; n < len(a.left) && len(some) < rereadAtOnce; n++ {
		if u, still := a.kept[a.left[n]]; still {
			some = append(some, u)
		}
	}
	a.left = a.left[n:]
	if len(some) == 0 {
		return nil
	}
	at, err := p.s.o.Source.Tail(ctx)
	if err != nil {
		return fmt.Errorf("find the end of the log: %w", err)
	}
	if at.Server != p.s.stream.Server() {
		return errMoved
	}
	for len(some) > 0 {
		n, err := p.rereadSome(ctx, at, some)
		if err != nil {
			return err
		}
		some = some[n:]
	}
	return nil
}

// rereadSome reads some anew, and tells those that it can. It gives how many it has read.
func (p *pump) rereadSome(ctx context.Context, at change.Position, some []Unreadable) (int, error) {
	names := make([]EntityName, len(some))
	for i, u := range some {
		names[i] = u.EntityName
	}
	states, err := p.s.o.Service.Entities.Read(ctx, at, names)
	if err != nil {
		return 0, fmt.Errorf("read %d entities again: %w", len(names), err)
	}
	if len(states) == 0 || len(states) > len(some) {
		return 0, fmt.Errorf("of %d entities, %d were read again", len(some), len(states))
	}
	var still []Unreadable
	for i, state := range states {
		u := some[i]
		if stop := state.Unreadable; stop != nil {
			if reason := reasonOf(stop); reason != u.Reason {
				u.Reason, u.Fix = reason, stop.Fix
				still = append(still, u)
			}
			continue
		}
		origin := protocol.OriginForeign
		if u.WrittenBack {
			origin = protocol.OriginWriteBack
		}
		p.secured = false
		body, err := event(u.EntityName, &state, origin, u.Version, u.Event)
		if err != nil {
			return 0, err
		}
		if err := p.send(ctx, &change.Transaction{Committed: u.Committed}, protocol.PartitionOf(u.Entity, u.ID, state.Key), &change.Message{ID: u.Event, Type: protocol.TypeEntity, Version: u.Version, Body: body}); err != nil {
			stop := tooLarge(u.Entity, u.ID, err)
			if stop == nil {
				return 0, err
			}
			if reason := reasonOf(stop); reason != u.Reason {
				u.Reason, u.Fix = reason, stop.Fix
				still = append(still, u)
			}
			continue
		}
		p.s.m.watch.told(1, 0)
		p.tellApart(u.EntityName)
	}
	return len(states), p.setApart(ctx, still)
}

// tooLarge says of an error what to do about the entity whose event is too large for the broker; nil where that is not why.
func tooLarge(entity, id string, err error) *change.StopError {
	var large *change.TooLargeError
	if !errors.As(err, &large) {
		return nil
	}
	return &change.StopError{What: fmt.Sprintf("the %s %s is too large to be sent", entity, id), Cause: large, Fix: large.Fix + "; it is tried again by itself"}
}

// reasonOf says why an entity can't be read.
func reasonOf(stop *change.StopError) string {
	if stop.Cause != nil {
		return stop.What + ": " + stop.Cause.Error()
	}
	return stop.What
}

// passes notes for a fence what it passes.
func (p *pump) passes(ctx context.Context, fence string) error {
	var messages []string
	for name := range p.apart.kept {
		if !slices.Contains(messages, name.Entity) {
			messages = append(messages, name.Entity)
		}
	}
	if len(messages) == 0 {
		return nil
	}
	slices.Sort(messages)
	if err := p.unread().Passed(ctx, fence, messages); err != nil {
		return fmt.Errorf("note what the fence %s passes: %w", fence, err)
	}
	return nil
}
