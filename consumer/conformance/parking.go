package conformance

import (
	"context"
	"fmt"

	"banyan.dev/banyan/protocol"
)

// spoilt tells an entity and then an event of it that can't be applied, and looks whether its key is parked.
func (r *rig) spoilt(ctx context.Context, t told) error {
	s := &script{r: r}
	s.add(t, protocol.OriginLegacy, 0)
	if err := s.sends(ctx); err != nil {
		return err
	}
	bad, err := r.unknown(t, 1)
	if err != nil {
		return err
	}
	s.events = append(s.events, bad)
	a, err := s.send(ctx)
	if err != nil {
		return err
	}
	if err := r.shows(ctx, t, 0, "after an event with a field that nobody knows"); err != nil {
		return err
	}
	if !a.parked[t.key] {
		return fmt.Errorf("after an event with a field that nobody knows, the fence's answer doesn't name its key %q as parked: it names %d", t.key, len(a.parked))
	}
	return nil
}

// unparked announces entities, and looks whether their key is free.
func (r *rig) unparked(ctx context.Context, key string, n int, all ...told) error {
	s := &script{r: r}
	for _, t := range all {
		s.add(t, protocol.OriginAnnounce, n)
	}
	if err := s.sends(ctx); err != nil {
		return err
	}
	for _, t := range all {
		if err := r.shows(ctx, t, n, "after an announcement"); err != nil {
			return err
		}
	}
	// The first fence was answered by each queue for itself, by some before an announcement in another was applied.
	a, err := r.fence(ctx, protocol.Fence{}, nil)
	if err != nil {
		return err
	}
	if a.parked[key] {
		return fmt.Errorf("after announcements of all that was parked, the fence's answer still names the key %q as parked", key)
	}
	return nil
}

func (r *rig) unknownFields(ctx context.Context) error {
	t := r.fresh()
	if err := r.spoilt(ctx, t); err != nil {
		return err
	}
	return r.unparked(ctx, t.key, 1, t)
}

func (r *rig) parking(ctx context.Context) error {
	bad := r.fresh()
	behind, gone, other := r.fresh(bad.key), r.fresh(bad.key), r.fresh()
	s := &script{r: r}
	s.add(gone, protocol.OriginLegacy, 0)
	if err := s.sends(ctx); err != nil {
		return err
	}
	if err := r.spoilt(ctx, bad); err != nil {
		return skip("nothing is parked (%v)", err)
	}
	s.add(behind, protocol.OriginLegacy, 0)
	s.add(other, protocol.OriginLegacy, 0)
	s.add(gone, protocol.OriginForeign, -1)
	s.add(bad, protocol.OriginForeign, 1)
	if err := s.sends(ctx); err != nil {
		return err
	}
	if err := r.shows(ctx, other, 0, "while another key is parked"); err != nil {
		return err
	}
	if err := r.shows(ctx, behind, -1, "behind a parked event of its key"); err != nil {
		return err
	}
	if err := r.shows(ctx, bad, 0, "after a newer event, behind its own parked one"); err != nil {
		return err
	}
	if err := r.shows(ctx, gone, 0, "after a deletion behind a parked event of the key that it had"); err != nil {
		return err
	}
	s.add(gone, protocol.OriginAnnounce, -1)
	if err := s.sends(ctx); err != nil {
		return err
	}
	return r.unparked(ctx, bad.key, 1, bad, behind)
}

func (r *rig) settled(ctx context.Context) error {
	t, s := r.fresh(), &script{r: r}
	if err := r.spoilt(ctx, t); err != nil {
		return skip("nothing is parked (%v)", err)
	}
	s.add(t, protocol.OriginLegacy, 1) // behind it, and older than what is announced
	if err := s.sends(ctx); err != nil {
		return err
	}
	if err := r.unparked(ctx, t.key, 0, t); err != nil {
		return err
	}
	s.add(t, protocol.OriginLegacy, 1)
	if err := s.sends(ctx); err != nil {
		return err
	}
	if err := r.shows(ctx, t, 1, "after an event behind the announcement, when nothing of its key is parked any more"); err != nil {
		return err
	}
	return r.othersStay(ctx)
}

// othersStay announces an entity in between of its parked events: what is newer, and what others have, is to be applied, or stays parked.
func (r *rig) othersStay(ctx context.Context) error {
	t := r.fresh()
	other, s := r.fresh(t.key), &script{r: r}
	if err := r.spoilt(ctx, t); err != nil {
		return err
	}
	between := s.add(t, protocol.OriginAnnounce, 0)
	s.events = nil
	s.add(t, protocol.OriginLegacy, 1)
	s.add(other, protocol.OriginLegacy, 0)
	s.events = append(s.events, between)
	a, err := s.send(ctx)
	if err != nil {
		return err
	}
	if err := r.waits(ctx, t, 1, 0, a, "after an announcement that is older than a parked event"); err != nil {
		return err
	}
	if err := r.waits(ctx, other, 0, -1, a, "after an announcement of another entity of its key"); err != nil {
		return err
	}
	return r.unparked(ctx, t.key, 1, t, other)
}

// waits says what is wrong when an entity is not in state n, and not in state before either with its key parked.
func (r *rig) waits(ctx context.Context, t told, n, before int, a answer, when string) error {
	wrong := r.shows(ctx, t, n, when+", nothing of its key being parked")
	if wrong != nil && a.parked[t.key] {
		return r.shows(ctx, t, before, when+", its key being parked")
	}
	return wrong
}
