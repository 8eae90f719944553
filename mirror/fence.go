package mirror

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"banyan.dev/banyan/mirror/change"
	"banyan.dev/banyan/protocol"
)

// Once a service has answered a fence with an epoch, keys may be its own: what legacy had before must never be told again as
// if it were newer, which it would be in the epoch of another log. So such a fence is sent only when a leader that begins anew,
// on whatever server, begins behind all that was told before it.

// fence is a fence on its way to the service.
type fence struct {
	protocol.Fence
	replyTo string
	at      change.Version
	tx      *change.Transaction
}

// lateFence waits until the position has come to where its transaction begins, if it has an epoch, and until all is settled.
type lateFence struct {
	fence
	begins    change.Position
	unsettled unsettled
}

// fences sends the fences of a transaction.
func (p *pump) fences(ctx context.Context, w *work) error {
	for _, f := range w.fences {
		late := lateFence{fence: f, begins: w.begins}
		var settled bool
		var err error
		if late.unsettled, settled, err = p.settling(ctx, w.read); err != nil {
			return err
		}
		if !settled {
			p.late = append(p.late, late)
			continue
		}
		if f.Epoch > 0 && !p.secured {
			if !reaches(w.before, w.begins) {
				p.s.o.Logger.Warn("a fence waits until an XA transaction that was prepared before it is decided: XA RECOVER shows those that are prepared",
					"fence", f.ID, "capability", f.Capability)
				p.late = append(p.late, late)
				continue
			}
			if err := p.secure(ctx, w.before); err != nil {
				return err
			}
		}
		if err := p.fence(ctx, &f); err != nil {
			return err
		}
	}
	return nil
}

// lateFences sends those that may be sent now that some work is done.
func (p *pump) lateFences(ctx context.Context, done *work) error {
	var later []lateFence
	for _, f := range p.late {
		settled, err := p.settled(ctx, &f.unsettled, done.read)
		if err != nil {
			return err
		}
		if !settled || f.Epoch > 0 && !reaches(done.next, f.begins) {
			later = append(later, f)
			continue
		}
		if f.Epoch > 0 {
			if err := p.secure(ctx, done.next); err != nil {
				return err
			}
		}
		if err := p.fence(ctx, &f.fence); err != nil {
			return err
		}
	}
	p.late = later
	return nil
}

// reaches says whether a position is known not to be before a place.
func reaches(p, place change.Position) bool {
	if p == place {
		return true
	}
	order, err := p.Compare(place)
	return err == nil && order >= 0
}

// secure waits until all that was told is confirmed, and saves a position behind it.
func (p *pump) secure(ctx context.Context, at change.Position) error {
	if p.secured {
		return nil
	}
	p.s.marks.add(p.s.sent, at, p.s.feed.Confirmed)
	if err := p.s.feed.Flush(ctx); err != nil {
		return fmt.Errorf("wait for what is before a fence: %w", err)
	}
	if err := p.s.saveConfirmed(ctx); err != nil {
		return err
	}
	p.secured = true
	return nil
}

// fence sends a fence to every partition.
func (p *pump) fence(ctx context.Context, f *fence) error {
	if err := p.passes(ctx, f.ID); err != nil {
		return err
	}
	for partition := range protocol.Partitions {
		f.Partition = partition
		body, err := json.Marshal(f.Fence)
		if err != nil {
			return fmt.Errorf("write the fence %s as JSON: %w", f.ID, err)
		}
		if err := p.send(ctx, f.tx, partition, &change.Message{
			ID: eventID(f.tx, f.at, "fence/"+strconv.Itoa(partition)), Type: protocol.TypeFence, Version: f.at.String(), ReplyTo: f.replyTo, CorrelationID: f.ID,
			Body: body,
		}); err != nil {
			return err
		}
	}
	p.s.m.watch.told(0, 1)
	return nil
}
