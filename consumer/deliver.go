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

// deliver does what messages ask for, in their order, and acknowledges each once that is committed.
func (r *runner) deliver(ctx context.Context, channel *amqp.Channel, batch []amqp.Delivery) error {
	var events []protocol.EntityEvent
	var last uint64 // delivery tag of the last of events
	settle := func() error {
		if len(events) == 0 {
			return nil
		}
		if err := r.events(ctx, events); err != nil {
			return err
		}
		events = nil
		return acknowledge(channel, last)
	}
	for _, m := range batch {
		kind, _ := m.Headers[headerType].(string)
		switch kind {
		case protocol.TypeEntity:
			e, err := readEvent(m.Body)
			if err != nil {
				return r.holdBehind(ctx, settle, channel, m, err)
			}
			events, last = append(events, e), m.DeliveryTag
		case protocol.TypeFence:
			if err := settle(); err != nil {
				return err
			}
			f, err := readFence(m.Body)
			if err != nil {
				return r.hold(ctx, channel, m, err)
			}
			if err := r.answer(ctx, channel, m, f); err != nil {
				return err
			}
		default:
			return r.holdBehind(ctx, settle, channel, m, fmt.Errorf("%w: type %q", errMalformed, kind))
		}
	}
	return settle()
}

// acknowledge says that all up to a message are done.
func acknowledge(channel *amqp.Channel, tag uint64) error {
	if err := channel.Ack(tag, true); err != nil {
		return fmt.Errorf("acknowledge: %w", err)
	}
	return nil
}

// holdBehind settles what came before, and holds a message.
func (r *runner) holdBehind(ctx context.Context, settle func() error, channel *amqp.Channel, m amqp.Delivery, why error) error {
	if err := settle(); err != nil {
		return err
	}
	return r.hold(ctx, channel, m, why)
}

// remind is how often a message that holds everything up is named again.
const remind = 30 * time.Second

// hold keeps a message that nobody can read, and all behind it, until a build that can takes over: passing over it would lose
// a change of nobody knows which entity.
func (r *runner) hold(ctx context.Context, channel *amqp.Channel, m amqp.Delivery, why error) error {
	closed := channel.NotifyClose(make(chan *amqp.Error, 1))
	tick := time.NewTicker(remind)
	defer tick.Stop()
	for {
		r.Logger.Error("a message can't be read, and all behind it waits: start a build that knows it, or stop all of them, consume the one message by hand, and announce what it may have been about",
			"error", why, "id", m.Headers["cloudEvents:id"], "queue", queue(r.Service))
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

// events does what events ask for, in one transaction, or in one for each where that fails.
func (r *runner) events(ctx context.Context, events []protocol.EntityEvent) error {
	if len(events) > 1 {
		effects := make([]effect, len(events))
		err := r.Store.within(ctx, func(tx *sql.Tx) (err error) {
			if err := r.Store.hear(ctx, tx); err != nil {
				return err
			}
			for i, e := range events {
				if effects[i], err = r.Store.take(ctx, tx, e, r.Apply); err != nil {
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
	for _, e := range events {
		if err := r.one(ctx, e); err != nil {
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

// answer does what a fence asks for, answers it, and acknowledges it once the answer is with the broker.
func (r *runner) answer(ctx context.Context, channel *amqp.Channel, m amqp.Delivery, f protocol.Fence) error {
	a, err := r.Store.fence(ctx, r.Service, f)
	if err != nil {
		return err
	}
	if m.ReplyTo != "" {
		if err := r.publish(ctx, channel, m, a); err != nil {
			return err
		}
	}
	r.Logger.Debug("answered a fence", "fence", f.ID, "capability", f.Capability, "epoch", f.Epoch, "parked", len(a.Parked), "error", a.Error)
	return acknowledge(channel, m.DeliveryTag)
}

// publish sends an answer to whoever asked. Where nobody waits any more, the broker drops it; who still wants to know asks
// again.
func (r *runner) publish(ctx context.Context, channel *amqp.Channel, m amqp.Delivery, a protocol.Answer) error {
	body, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("answer fence %s: %w", a.Fence, err)
	}
	ctx, cancel := context.WithTimeout(ctx, confirmWithin)
	defer cancel()
	confirm, err := channel.PublishWithDeferredConfirmWithContext(ctx, "", m.ReplyTo, false, false, amqp.Publishing{
		ContentType: "application/json", CorrelationId: m.CorrelationId, Body: body, Timestamp: time.Now(),
	})
	if err != nil {
		return fmt.Errorf("answer fence %s: %w", a.Fence, err)
	}
	taken, err := confirm.WaitContext(ctx)
	if err != nil {
		return fmt.Errorf("answer fence %s: %w", a.Fence, err)
	}
	if !taken {
		return fmt.Errorf("answer fence %s: the broker did not take it", a.Fence)
	}
	return nil
}
