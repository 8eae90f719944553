package consumer

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/protocol"
)

// headerType is CloudEvents' type in its AMQP binding.
const headerType = "cloudEvents:type"

// delivering does what a queue's messages ask for.
type delivering struct {
	*runner
	channel *amqp.Channel
	gate    *gate
	queue   queue
	n       int // how many queues there are now
	// ended says that the marker of the queue's end has come, and nothing behind it. It is not acknowledged before that.
	ended bool
	// These are messages that can be done together: events, or copies of one fence.
	events  []protocol.EntityEvent
	headers []amqp.Table // of the events
	fences  []fenceCopy
	last    amqp.Delivery // of them
}

// fenceCopy is a copy of a fence, and what it came in.
type fenceCopy struct {
	fence   protocol.Fence
	message amqp.Delivery
}

// deliver does what messages of a queue ask for, in their order, and acknowledges each once that is committed.
func (d *delivering) deliver(ctx context.Context, batch []amqp.Delivery) error {
	for _, m := range batch {
		if err := d.message(ctx, m); err != nil {
			return err
		}
	}
	return d.settle(ctx)
}

func (d *delivering) message(ctx context.Context, m amqp.Delivery) error {
	kind, _ := m.Headers[headerType].(string)
	if kind == typeMoved {
		d.ended = true
		return d.settle(ctx)
	}
	if d.ended { // the end is behind this one
		shut := d.gate.open()
		err := d.mark(ctx, d.channel, d.queue.name(d.Service))
		shut()
		if err != nil {
			return err
		}
		d.ended = false
	}
	switch kind {
	case protocol.TypeEntity:
		return d.entity(ctx, m)
	case protocol.TypeFence:
		return d.fence(ctx, m)
	}
	return d.hold(ctx, m, fmt.Errorf("%w: type %q", errMalformed, kind))
}

func (d *delivering) entity(ctx context.Context, m amqp.Delivery) error {
	e, err := readEvent(m.Body)
	if err == nil {
		err = d.Store.fits(e)
	}
	if err != nil {
		return d.hold(ctx, m, err)
	}
	if len(d.fences) > 0 {
		if err := d.settle(ctx); err != nil {
			return err
		}
	}
	d.events, d.headers, d.last = append(d.events, e), append(d.headers, m.Headers), m
	return nil
}

func (d *delivering) fence(ctx context.Context, m amqp.Delivery) error {
	f, err := readFence(m.Body)
	if err == nil {
		err = d.Store.kept("fence's id", f.ID, "capability", f.Capability)
	}
	if err != nil {
		return d.hold(ctx, m, err)
	}
	if len(d.events) > 0 || len(d.fences) > 0 && (d.fences[0].fence.ID != f.ID || d.last.ReplyTo != m.ReplyTo) {
		if err := d.settle(ctx); err != nil {
			return err
		}
	}
	d.fences, d.last = append(d.fences, fenceCopy{f, m}), m
	return nil
}

// settle does what was collected.
func (d *delivering) settle(ctx context.Context) error {
	var err error
	switch {
	case len(d.events) > 0:
		err = d.take(ctx, d.events, d.headers...)
	case len(d.fences) > 0:
		err = d.answer(ctx)
	default:
		return nil
	}
	if err != nil {
		return err
	}
	d.events, d.headers, d.fences = nil, nil, nil
	return acknowledge(d.channel, d.last.DeliveryTag)
}

// acknowledge says that all up to a message are done.
func acknowledge(channel *amqp.Channel, tag uint64) error {
	if err := channel.Ack(tag, true); err != nil {
		return fmt.Errorf("acknowledge: %w", err)
	}
	return nil
}

// remind is how often a message that holds everything up is named again.
const remind = 30 * time.Second

// hold keeps a message that nobody can read, and all behind it, until a build that can takes over: passing over it would lose
// a change of nobody knows which entity.
func (d *delivering) hold(ctx context.Context, m amqp.Delivery, why error) error {
	if err := d.settle(ctx); err != nil {
		return err
	}
	d.gate.open() // the broker's end is to be heard
	closed := d.channel.NotifyClose(make(chan *amqp.Error, 1))
	tick := time.NewTicker(remind)
	defer tick.Stop()
	for {
		d.Logger.Error("a message can't be read, and all behind it waits: start a build that knows it, or stop all of them, consume the one message by hand, and announce what it may have been about",
			"error", why, "id", m.Headers["cloudEvents:id"], "queue", d.queue.name(d.Service))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case lost := <-closed:
			if lost == nil {
				return why
			}
			return fmt.Errorf("%w, and the broker's connection was lost: %w", why, lost)
		case <-tick.C:
		}
	}
}

// take does what events ask for, in one transaction, or in one for each where that fails. headers are their messages'.
func (r *runner) take(ctx context.Context, events []protocol.EntityEvent, headers ...amqp.Table) error {
	if len(events) > 1 {
		effects := make([]effect, len(events))
		err := r.Store.within(ctx, func(tx *sql.Tx) (err error) {
			if err := r.Store.hear(ctx, tx); err != nil {
				return err
			}
			for i, e := range events {
				if effects[i], err = r.Store.take(traced(ctx, headers, i), tx, e, r.Apply); err != nil {
					return err
				}
			}
			return nil
		})
		if err == nil {
			for i, e := range events {
				r.tell(ctx, e, effects[i])
			}
			return nil
		}
		r.Logger.Debug("events are taken one by one", "count", len(events), "error", err)
	}
	for i, e := range events {
		if err := r.one(traced(ctx, headers, i), e); err != nil {
			return err
		}
	}
	return nil
}

// one does what an event asks for, in a transaction of its own, or parks it when that fails too often. It gives an error only
// when ctx ends: while the database fails, it waits, since then every event would fail.
func (r *runner) one(ctx context.Context, e protocol.EntityEvent) error {
	for failures, attempts := 0, 0; ; failures++ {
		var done effect
		err := r.Store.within(ctx, func(tx *sql.Tx) (err error) {
			if err := r.Store.hear(ctx, tx); err != nil {
				return err
			}
			done, err = r.Store.take(ctx, tx, e, r.Apply)
			return err
		})
		if err == nil {
			r.tell(ctx, e, done)
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if r.Store.blames(err) {
			attempts++
		}
		if attempts >= r.Attempts {
			key, parked, parking := r.Store.parkFailed(ctx, e, err)
			if parking == nil && !parked {
				return nil
			}
			if parking == nil {
				r.Store.counted.parked.Add(1)
				r.Logger.Error("an event can't be applied: it is parked, and all later ones of its key wait behind it",
					"key", key, "entity", e.Entity, "id", e.ID, "version", e.Version, "error", err)
				return nil
			}
			attempts = 0 // the database is what fails
			err = errors.Join(err, parking)
		}
		wait := pause(r.Pause, failures)
		r.Logger.Warn("an event could not be applied; it is tried again", "entity", e.Entity, "id", e.ID, "version", e.Version, "error", err, "in", wait)
		rest(ctx, wait)
	}
}

// tell logs what people should know of what an event did, and goes on with what it freed.
func (r *runner) tell(ctx context.Context, e protocol.EntityEvent, done effect) {
	if done.did != nil {
		done.did(&r.Store.counted)
	} else {
		r.Store.counted.parked.Add(1)
	}
	switch {
	case done.parked != "" && done.first:
		r.Logger.Error("an event is parked, and all later ones of its key wait behind it",
			"key", done.key, "entity", e.Entity, "id", e.ID, "version", e.Version, "reason", done.parked)
	case done.parked != "":
		r.Logger.Warn("an event is parked behind others", "key", done.key, "entity", e.Entity, "id", e.ID, "version", e.Version)
	case done.freed != "":
		r.Logger.Info("an event has made parked ones needless", "key", done.freed, "entity", e.Entity, "id", e.ID)
		r.retryKey(ctx, done.freed)
	}
}

// confirmWithin bounds how long an answer may take to be safe.
const confirmWithin = 10 * time.Second

// answer does what copies of a fence ask for, and answers them once. While the queue was bound without a break, which it was
// while its number is the present one, all that is ahead of them came in it.
func (d *delivering) answer(ctx context.Context) error {
	if err := d.current(ctx, d.n); err != nil {
		return err
	}
	defer d.gate.open()() // the confirm comes behind what was sent ahead
	if d.queue.n != d.n {
		return d.sendOn(ctx, d.channel, d.n, d.fences)
	}
	copies := make([]protocol.Fence, len(d.fences))
	for i, c := range d.fences {
		copies[i] = c.fence
	}
	f := copies[0]
	a, err := d.Store.fence(ctx, d.Service, copies...)
	if err != nil {
		return err
	}
	d.Store.counted.fences.Add(uint64(len(copies)))
	if d.last.ReplyTo != "" {
		if err := d.publish(ctx, d.channel, d.last, a); err != nil {
			return err
		}
	}
	d.Logger.Debug("answered a fence", "fence", f.ID, "capability", f.Capability, "epoch", f.Epoch, "partitions", len(a.Partitions), "parked", len(a.Parked), "error", a.Error)
	return nil
}

// publish sends an answer to whoever asked. Where nobody waits any more, the broker drops it; who still wants to know asks
// again.
func (r *runner) publish(ctx context.Context, channel *amqp.Channel, m amqp.Delivery, a protocol.Answer) error {
	body, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("answer fence %s: %w", a.Fence, err)
	}
	if err := handOver(ctx, channel, m.ReplyTo, amqp.Publishing{
		ContentType: "application/json", CorrelationId: m.CorrelationId, Body: body, Timestamp: time.Now(),
	}); err != nil {
		return fmt.Errorf("answer fence %s: %w", a.Fence, err)
	}
	return nil
}
