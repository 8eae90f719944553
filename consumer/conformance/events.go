package conformance

import (
	"context"
	"fmt"

	"banyan.dev/banyan/protocol"
)

// script builds a row of events about one entity after another; the first error ends it.
type script struct {
	r      *rig
	events []protocol.EntityEvent
	err    error
}

func (s *script) add(t told, origin protocol.Origin, n int) protocol.EntityEvent {
	if s.err != nil {
		return protocol.EntityEvent{}
	}
	e, err := s.r.event(t, origin, n)
	s.err = err
	s.events = append(s.events, e)
	return e
}

// send tells the events, and waits until they are done.
func (s *script) send(ctx context.Context) (answer, error) {
	if s.err != nil {
		return answer{}, s.err
	}
	events := s.events
	s.events = nil
	if err := s.r.tell(ctx, events...); err != nil {
		return answer{}, err
	}
	return s.r.fence(ctx, protocol.Fence{}, nil)
}

// sends is send, where the answer says nothing new.
func (s *script) sends(ctx context.Context) error {
	_, err := s.send(ctx)
	return err
}

// elsewhere gives an event as another server's log has it: with the same id, and a greater version.
func (r *rig) elsewhere(e protocol.EntityEvent) protocol.EntityEvent {
	e.Version = r.version(2)
	return e
}

func (r *rig) applied(ctx context.Context) error {
	t, s := r.fresh(), &script{r: r}
	s.add(t, protocol.OriginLegacy, 0)
	if err := s.sends(ctx); err != nil {
		return err
	}
	if err := r.shows(ctx, t, 0, "after its first event"); err != nil {
		return err
	}
	s.add(t, protocol.OriginLegacy, 1)
	if err := s.sends(ctx); err != nil {
		return err
	}
	return r.shows(ctx, t, 1, "after a newer event")
}

// burst is how many events lie before the fence: more than a service takes at once.
const burst = 1500

func (r *rig) fenceLast(ctx context.Context) error {
	const entities = 10
	first := r.fresh()
	all := []told{first}
	for range entities - 1 {
		all = append(all, r.fresh(first.key)) // all in one partition
	}
	events := make([]protocol.EntityEvent, burst)
	for i := range events {
		var err error
		n := 0
		if i >= burst-entities { // the last of each
			n = 1
		}
		if events[i], err = r.event(all[i%entities], protocol.OriginLegacy, n); err != nil {
			return err
		}
	}
	if err := r.tell(ctx, events...); err != nil {
		return err
	}
	partition := protocol.PartitionOf(string(r.Entity.Message.FullName()), first.id, first.key)
	_, err := r.fence(ctx, protocol.Fence{}, func(p int) error {
		if p != partition {
			return nil
		}
		for i := range all {
			t := all[len(all)-1-i] // the last one first
			if err := r.shows(ctx, t, 1, fmt.Sprintf("as soon as the fence behind %d events was answered", burst)); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

func (r *rig) byVersion(ctx context.Context) error {
	t, s := r.fresh(), &script{r: r}
	first := s.add(t, protocol.OriginLegacy, 0)
	late := s.add(t, protocol.OriginForeign, 0) // it comes behind a newer one
	s.events = s.events[:1]
	s.add(t, protocol.OriginLegacy, 1)
	s.events = append(s.events, late, first)
	if err := s.sends(ctx); err != nil {
		return err
	}
	if err := r.shows(ctx, t, 1, "after an older event and a repeated one came behind the newest"); err != nil {
		return err
	}
	late.Origin, late.Event = protocol.OriginAnnounce, late.Event+"/announced"
	s.events = append(s.events, late)
	if err := s.sends(ctx); err != nil {
		return err
	}
	return r.shows(ctx, t, 1, "after an announcement with an older version")
}

func (r *rig) byEvent(ctx context.Context) error {
	t, s := r.fresh(), &script{r: r}
	applied := s.add(t, protocol.OriginForeign, 0)
	between := s.add(t, protocol.OriginLegacy, 1)
	s.events = s.events[:1]
	if s.err != nil {
		return s.err
	}
	again := r.elsewhere(applied)
	again.Data, again.Proto = between.Data, between.Proto // so that it can be seen
	s.events = append(s.events, again)
	if err := s.sends(ctx); err != nil {
		return err
	}
	if err := r.shows(ctx, t, 0, "after its last event came again with a greater version, and other data so that it can be seen"); err != nil {
		return err
	}
	s.events = append(s.events, between)
	if err := s.sends(ctx); err != nil {
		return err
	}
	return r.shows(ctx, t, 0, "after an event whose version is less than that of the one that came again")
}

func (r *rig) foreign(ctx context.Context) error {
	t, s := r.fresh(), &script{r: r}
	s.add(t, protocol.OriginForeign, 0)
	s.add(t, protocol.OriginForeign, 1)
	if err := s.sends(ctx); err != nil {
		return err
	}
	return r.shows(ctx, t, 1, "after two foreign changes")
}

func (r *rig) announced(ctx context.Context) error {
	t, s := r.fresh(), &script{r: r}
	first := s.add(t, protocol.OriginLegacy, 0)
	s.add(t, protocol.OriginAnnounce, 1)
	s.events[len(s.events)-1].Event = first.Event
	if err := s.sends(ctx); err != nil {
		return err
	}
	return r.shows(ctx, t, 1, "after an announcement with the id of the last event")
}

func (r *rig) writtenBack(ctx context.Context) error {
	t, s := r.fresh(), &script{r: r}
	first := s.add(t, protocol.OriginLegacy, 0)
	older := s.add(t, protocol.OriginLegacy, 1)
	s.events = s.events[:1]
	s.add(t, protocol.OriginWriteBack, 1)
	if err := s.sends(ctx); err != nil {
		return err
	}
	if err := r.shows(ctx, t, 0, "after a write-back with another state"); err != nil {
		return err
	}
	s.events = append(s.events, older)
	if err := s.sends(ctx); err != nil {
		return err
	}
	if err := r.shows(ctx, t, 0, "after an event whose version is less than the write-back's"); err != nil {
		return err
	}
	again := r.elsewhere(first)
	again.Data, again.Proto = older.Data, older.Proto
	s.events = append(s.events, again)
	if err := s.sends(ctx); err != nil {
		return err
	}
	return r.shows(ctx, t, 0, "after the event before the write-back came again from another log, with other data so that it can be seen: the write-back's id must not be stored")
}

func (r *rig) deleted(ctx context.Context) error {
	t, never, s := r.fresh(), r.fresh(), &script{r: r}
	s.add(t, protocol.OriginLegacy, 0)
	if err := s.sends(ctx); err != nil {
		return err
	}
	late, before := s.add(t, protocol.OriginLegacy, 1), s.add(never, protocol.OriginLegacy, 0)
	s.events = nil
	s.add(t, protocol.OriginForeign, -1)
	s.add(never, protocol.OriginLegacy, -1)
	if err := s.sends(ctx); err != nil {
		return err
	}
	if err := r.shows(ctx, t, -1, "after its deletion"); err != nil {
		return err
	}
	s.events = append(s.events, late, before)
	if err := s.sends(ctx); err != nil {
		return err
	}
	if err := r.shows(ctx, t, -1, "after an event that is older than its deletion"); err != nil {
		return err
	}
	if err := r.shows(ctx, never, -1, "after a deletion of what was never there, and then an older event"); err != nil {
		return err
	}
	s.add(t, protocol.OriginLegacy, 1)
	if err := s.sends(ctx); err != nil {
		return err
	}
	return r.shows(ctx, t, 1, "after an event that is newer than its deletion")
}
