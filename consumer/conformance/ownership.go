package conformance

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"

	"banyan.dev/banyan/protocol"
)

// held says what is wrong when a state was changed, or its key is not parked.
func (r *rig) held(ctx context.Context, t told, state proto.Message, a answer, when string) error {
	got, err := r.get(ctx, t.id)
	if err != nil {
		return err
	}
	if got == nil || !proto.Equal(got, state) {
		now := "gone"
		if got != nil {
			now = brief(got)
		}
		return fmt.Errorf("%s, what the service has written is lost: it was %s, and is %s", when, brief(state), now)
	}
	if !a.parked[t.key] {
		return fmt.Errorf("%s, the fence's answer doesn't name the key %q as parked", when, t.key)
	}
	return nil
}

// own makes a write, lets Banyan bring it back, and gives what the service has.
func (r *rig) own(ctx context.Context) (told, *dynamicpb.Message, error) {
	w, err := r.written(ctx)
	if err != nil {
		return told{}, nil, err
	}
	state, err := r.get(ctx, w.on.id)
	if err == nil && state == nil {
		err = fmt.Errorf("after a live write of %q, there is none", w.on.id)
	}
	if err != nil {
		return told{}, nil, err
	}
	back, err := r.event(w.on, protocol.OriginWriteBack, 0)
	if err != nil {
		return told{}, nil, err
	}
	if err := r.carry(&back, state); err != nil {
		return told{}, nil, err
	}
	return w.on, state, r.tell(ctx, back)
}

func (r *rig) conflicts(ctx context.Context) error {
	t, state, err := r.own(ctx)
	if err != nil {
		return err
	}
	s := &script{r: r}
	s.add(t, protocol.OriginForeign, 1)
	a, err := s.send(ctx)
	if err != nil {
		return err
	}
	if err := r.held(ctx, t, state, a, "after a foreign change of what a live write has written"); err != nil {
		return err
	}
	if err := r.unparked(ctx, t.key, 1, t); err != nil {
		return err
	}
	s.add(t, protocol.OriginForeign, 0)
	if err := s.sends(ctx); err != nil {
		return err
	}
	return r.shows(ctx, t, 0, "after a foreign change behind an announcement: legacy has the authority again")
}

func (r *rig) repeatsOfWritten(ctx context.Context) error {
	if r.Write == nil {
		return skip("no write was given: --write OPERATION --request JSON")
	}
	if !r.Write.onTold() {
		return skip("the write makes an entity: try one that changes what was told, with ${id} in its request")
	}
	w, err := r.newWrite(ctx)
	if err != nil {
		return err
	}
	applied, err := r.event(w.on, protocol.OriginForeign, 1)
	if err != nil {
		return err
	}
	s := &script{r: r, events: []protocol.EntityEvent{applied}}
	if err := s.sends(ctx); err != nil {
		return err
	}
	if _, err := r.do(ctx, w); err != nil {
		return err
	}
	state, err := r.get(ctx, w.on.id)
	if err != nil {
		return err
	}
	for range 2 { // twice a failover
		s.events = append(s.events, r.elsewhere(applied))
	}
	a, err := s.send(ctx)
	if err != nil {
		return err
	}
	if got, err := r.get(ctx, w.on.id); err != nil {
		return err
	} else if got == nil || !proto.Equal(got, state) {
		return fmt.Errorf("after the event from before a live write came again, from another log, the write is undone: %q was %s", w.on.id, brief(state))
	}
	if a.parked[w.on.key] {
		return fmt.Errorf("the event from before a live write came again, from another log, and is parked under %q", w.on.key)
	}
	return nil
}

func (r *rig) wayBack(ctx context.Context) error {
	t, state, err := r.own(ctx)
	if err != nil {
		return err
	}
	// All copies but the last one.
	r.epoch++
	back := protocol.Fence{ID: fmt.Sprintf("conformance-%d-back-%d", r.run, time.Now().UnixNano()), Epoch: r.epoch, Back: true}
	var most []int
	for p := range protocol.Partitions - 1 {
		most = append(most, p)
	}
	if _, err := r.fence(ctx, back, nil, most...); err != nil {
		return err
	}
	s := &script{r: r}
	s.add(t, protocol.OriginForeign, 1)
	a, err := s.send(ctx)
	if err != nil {
		return err
	}
	if err := r.held(ctx, t, state, a, "after a foreign change behind 63 of the 64 copies of a way back"); err != nil {
		return err
	}
	if err := r.unparked(ctx, t.key, 1, t); err != nil {
		return err
	}
	// All copies, of a new one, some of them twice.
	if t, _, err = r.own(ctx); err != nil {
		return err
	}
	r.epoch++
	back.ID, back.Epoch = back.ID+"-whole", r.epoch
	if _, err := r.fence(ctx, back, nil, most...); err != nil {
		return err
	}
	if _, err := r.fence(ctx, back, nil); err != nil {
		return err
	}
	s.add(t, protocol.OriginForeign, 1)
	if a, err = s.send(ctx); err != nil {
		return err
	}
	if a.parked[t.key] {
		return fmt.Errorf("after all 64 copies of a way back, a foreign change is parked as if it were a conflict, under %q", t.key)
	}
	if err := r.shows(ctx, t, 1, "after a foreign change behind all 64 copies of a way back"); err != nil {
		return err
	}
	return r.conflictStays(ctx)
}

// conflictStays looks whether a conflict is still one after a way back, when its key is tried again: what was parked behind it is
// announced.
func (r *rig) conflictStays(ctx context.Context) error {
	t, state, err := r.own(ctx)
	if err != nil {
		return err
	}
	behind, s := r.fresh(t.key), &script{r: r}
	s.add(t, protocol.OriginForeign, 1)
	s.add(behind, protocol.OriginLegacy, 0)
	if err := s.sends(ctx); err != nil {
		return err
	}
	r.epoch++
	if _, err := r.fence(ctx, protocol.Fence{Epoch: r.epoch, Back: true}, nil); err != nil {
		return err
	}
	s.add(behind, protocol.OriginAnnounce, 1)
	a, err := s.send(ctx)
	if err != nil {
		return err
	}
	if err := r.held(ctx, t, state, a, "after a way back behind a conflict, and an announcement of another entity of its key"); err != nil {
		return err
	}
	return r.unparked(ctx, t.key, 1, t, behind)
}
