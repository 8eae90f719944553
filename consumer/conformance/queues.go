package conformance

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/protocol"
)

// queues waits for the service's queues, and looks how they are declared.
func (r *rig) queues(ctx context.Context) error {
	var missing error
	for deadline := time.Now().Add(r.Within); ; pause(ctx, 100*time.Millisecond) {
		if r.layout, missing = r.look(); missing == nil || ctx.Err() != nil {
			break
		}
		if time.Now().After(deadline) {
			return missing
		}
	}
	for i := range r.layout {
		name := protocol.QueueName(r.Service, r.layout, i)
		arguments := amqp.Table{amqp.QueueTypeArg: amqp.QueueTypeQuorum, amqp.SingleActiveConsumerArg: true}
		if version, _ := r.conn.Properties["version"].(string); limited(version) {
			arguments["x-delivery-limit"] = -1
		}
		// It is there: declaring it anew only compares.
		err := r.onChannel(func(c *amqp.Channel) error {
			_, err := c.QueueDeclare(name, true, false, false, false, arguments)
			return err
		})
		var refused *amqp.Error
		if errors.As(err, &refused) && refused.Code == amqp.PreconditionFailed {
			return fmt.Errorf("the queue %s is declared otherwise: %s", name, refused.Reason)
		}
		if err != nil {
			return &brokerError{err}
		}
	}
	return nil
}

// limited says whether quorum queues of a broker drop what came back often, unless they are told not to.
func limited(version string) bool {
	major, _, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(major)
	return err == nil && n >= 4
}

// look finds the queues of one number, all of them consumed, and gives the number.
func (r *rig) look() (layout int, err error) {
	for _, n := range protocol.QueueLayouts() {
		q, err := r.passive(protocol.QueueName(r.Service, n, 0))
		if err != nil {
			return layout, err
		}
		if q == nil {
			continue
		}
		if layout != 0 {
			return layout, fmt.Errorf("there are queues of %d and of %d: those of one number are to be emptied and deleted", layout, n)
		}
		layout = n
	}
	if layout == 0 {
		return layout, fmt.Errorf("there is no queue %s, nor of another number; does the service run, with this broker and the name %s?", protocol.QueueName(r.Service, 1, 0), r.Service)
	}
	for i := range layout {
		name := protocol.QueueName(r.Service, layout, i)
		q, err := r.passive(name)
		switch {
		case err != nil:
			return layout, err
		case q == nil:
			return layout, fmt.Errorf("there is no queue %s", name)
		case q.Consumers == 0:
			return layout, fmt.Errorf("nobody consumes the queue %s", name)
		}
	}
	return layout, nil
}

// passive gives a queue; nil when there is none.
func (r *rig) passive(name string) (*amqp.Queue, error) {
	var q amqp.Queue
	err := r.onChannel(func(c *amqp.Channel) (err error) {
		q, err = c.QueueDeclarePassive(name, true, false, false, false, nil)
		return err
	})
	var refused *amqp.Error
	if errors.As(err, &refused) && refused.Code == amqp.NotFound {
		return nil, nil //nolint:nilnil // see above
	}
	if err != nil {
		return nil, &brokerError{fmt.Errorf("look at the queue %s: %w", name, err)}
	}
	return &q, nil
}

func (r *rig) onChannel(do func(*amqp.Channel) error) error {
	c, err := r.conn.Channel()
	if err != nil {
		return fmt.Errorf("open a channel: %w", err)
	}
	if err := do(c); err != nil {
		_ = c.Close() // the error is what counts
		return err
	}
	return c.Close()
}

// bindings fences all partitions; a service that is starting may still bind.
func (r *rig) bindings(ctx context.Context) error {
	for deadline := time.Now().Add(r.Within); ; pause(ctx, 100*time.Millisecond) {
		untaken, err := r.probe(ctx)
		if err != nil {
			return err
		}
		if len(untaken) == 0 {
			break
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return fmt.Errorf("no queue takes the messages of the partitions %v", untaken)
		}
	}
	_, err := r.fence(ctx, protocol.Fence{}, nil)
	return err
}

// probe gives partitions that are not bound. Fences without reply_to do nothing, and nobody waits for an answer.
func (r *rig) probe(ctx context.Context) (untaken []int, err error) {
	all := make([]message, protocol.Partitions)
	for p := range all {
		all[p] = message{p, amqp.Publishing{
			Headers: amqp.Table{"cloudEvents:type": protocol.TypeFence, "cloudEvents:id": "probe"}, DeliveryMode: amqp.Persistent,
			ReplyTo: r.answers, CorrelationId: "probe", Body: fmt.Appendf(nil, `{"id": "probe", "partition": %d, "service": %q, "capability": %q, "epoch": 0}`, p, r.Service, r.Capability),
		}}
	}
	return r.send(ctx, all...)
}

// fenceAgain sends one fence twice, and one that only measures how far the service is behind: it has no capability.
func (r *rig) fenceAgain(ctx context.Context) error {
	f := protocol.Fence{ID: fmt.Sprintf("conformance-%d-again", r.run)}
	for range 2 {
		if _, err := r.fence(ctx, f, nil); err != nil {
			return err
		}
	}
	none := *r
	none.Capability = ""
	if _, err := none.fence(ctx, protocol.Fence{ID: f.ID + "-measures"}, nil); err != nil {
		return fmt.Errorf("a fence of epoch 0 without a capability: %w", err)
	}
	return nil
}

// nothingLeft looks at the end.
func (r *rig) nothingLeft(ctx context.Context) error {
	a, err := r.fence(ctx, protocol.Fence{}, nil)
	if err != nil {
		return err
	}
	if len(a.parked) > 0 {
		var keys []string
		for key := range a.parked {
			if keys = append(keys, key); len(keys) == 5 {
				break
			}
		}
		return fmt.Errorf("%d keys stay parked, such as %q", len(a.parked), keys)
	}
	for deadline := time.Now().Add(r.Within); ; pause(ctx, 100*time.Millisecond) {
		left := 0
		for i := range r.layout {
			q, err := r.passive(protocol.QueueName(r.Service, r.layout, i))
			if err != nil {
				return err
			}
			if q != nil {
				left += q.Messages
			}
		}
		if left == 0 {
			return nil
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return fmt.Errorf("%d messages wait in the queues, though nothing is sent any more", left)
		}
	}
}
