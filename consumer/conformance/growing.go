package conformance

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"banyan.dev/banyan/protocol"
)

// A round of what is told while the queues grow: many events of some entities in all sorts of partitions, with a fence behind them.
const (
	growingEntities = 16
	growingEvents   = 400
)

// growing tells round after round while the service gets more queues, until it has them and nothing is left of the old ones.
func (r *rig) growing(ctx context.Context) error {
	switch {
	case r.Grow == nil:
		return skip("no way to more queues was given: --grow COMMAND")
	case r.layout == protocol.Partitions:
		return skip("it has %d queues, and there can't be more", r.layout)
	}
	all := make([]told, growingEntities)
	for i := range all {
		all[i] = r.fresh()
	}
	if err := r.growingRound(ctx, all, 0); err != nil {
		return err
	}
	asking, end := context.WithTimeout(ctx, r.Within)
	asked := make(chan error, 1)
	var running sync.WaitGroup
	running.Go(func() { asked <- r.Grow(asking) })
	defer running.Wait()
	defer end()
	var late time.Time // once it was asked for
	for n := 1; ; n++ {
		if err := r.growingRound(ctx, all, n); err != nil {
			return err
		}
		select {
		case err := <-asked:
			if err != nil {
				return fmt.Errorf("the service was not asked for more queues: %w", err)
			}
			late = time.Now().Add(r.Within)
		default:
		}
		if late.IsZero() {
			continue
		}
		layout, err := r.look()
		if broker := (*brokerError)(nil); errors.As(err, &broker) {
			return err
		}
		if err == nil && layout > r.layout {
			r.layout = layout
			return r.growingRound(ctx, all, n+1)
		}
		if time.Now().After(late) {
			if err == nil {
				err = fmt.Errorf("there are %d", layout)
			}
			return fmt.Errorf("%s after more queues than %d were asked for, the service does not have them: %w", r.Within, r.layout, err)
		}
	}
}

// growingRound tells round n of the entities' states, and looks at each as soon as the fence behind it is answered.
func (r *rig) growingRound(ctx context.Context, all []told, n int) error {
	s := &script{r: r}
	for i := range growingEvents {
		state := n
		if i < growingEvents-len(all) { // all but the last of each
			state = n + 1
		}
		s.add(all[i%len(all)], protocol.OriginLegacy, state%2)
	}
	if s.err != nil {
		return s.err
	}
	if err := r.tell(ctx, s.events...); err != nil {
		return err
	}
	_, err := r.fence(ctx, protocol.Fence{}, func(p int) error {
		for _, t := range all {
			if protocol.PartitionOf(string(r.Entity.Message.FullName()), t.id, t.key) != p {
				continue
			}
			if err := r.shows(ctx, t, n%2, "as soon as a fence was answered, while the queues grow"); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}
