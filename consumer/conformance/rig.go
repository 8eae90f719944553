package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/protocol"
)

// brokerError says that the broker failed, not the service.
type brokerError struct{ err error }

func (e *brokerError) Error() string { return e.err.Error() }
func (e *brokerError) Unwrap() error { return e.err }

// rig is Banyan's side of the service.
type rig struct {
	Options
	conn     *amqp.Connection
	channel  *amqp.Channel
	returned <-chan amqp.Return
	answers  string
	replies  <-chan amqp.Delivery

	run      int64 // tells runs apart
	versions int
	entities int
	fences   int
	epoch    uint64 // of the last fence that had one
	layout   int    // how many queues the service has
}

// newRig connects, and declares what Banyan declares.
func newRig(ctx context.Context, o Options) (r *rig, err error) {
	now := o.Now()
	r = &rig{Options: o, run: now.Unix() % 1_000_000, epoch: uint64(max(now.UnixMilli(), 1))} //nolint:gosec // it is positive
	dialer := &net.Dialer{Timeout: o.Within}
	r.conn, err = amqp.DialConfig(o.Broker, amqp.Config{
		TLSClientConfig: o.TLS, Heartbeat: 10 * time.Second, Properties: amqp.Table{"connection_name": "banyan consumer test", "product": "Banyan"},
		Dial: func(network, address string) (net.Conn, error) {
			c, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return c, c.SetDeadline(time.Now().Add(o.Within))
		},
	})
	if err != nil {
		return nil, fmt.Errorf("connect to the broker: %w", err)
	}
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	if r.channel, err = r.conn.Channel(); err != nil {
		return nil, fmt.Errorf("open a channel: %w", err)
	}
	if err := r.channel.ExchangeDeclare(r.exchange(), amqp.ExchangeDirect, true, false, false, false, nil); err != nil {
		return nil, fmt.Errorf("declare the exchange %s as Banyan does, durable and direct: %w", r.exchange(), err)
	}
	if err := r.channel.Confirm(false); err != nil {
		return nil, fmt.Errorf("ask for confirms: %w", err)
	}
	r.returned = r.channel.NotifyReturn(make(chan amqp.Return, 10_000))
	q, err := r.channel.QueueDeclare("", false, true, true, false, nil)
	if err != nil {
		return nil, fmt.Errorf("declare a queue for answers: %w", err)
	}
	r.answers = q.Name
	if r.replies, err = r.channel.Consume(q.Name, "", true, true, false, false, nil); err != nil {
		return nil, fmt.Errorf("consume answers: %w", err)
	}
	return r, nil
}

func (r *rig) exchange() string { return protocol.ExchangeName(r.Service) }

func (r *rig) close() { _ = r.conn.Close() }

// message is one on its way to a partition.
type message struct {
	partition int
	amqp.Publishing
}

func entityMessage(e protocol.EntityEvent) (message, error) {
	body, err := json.Marshal(e)
	if err != nil {
		return message{}, fmt.Errorf("write an event as JSON: %w", err)
	}
	return message{protocol.PartitionOf(e.Entity, e.ID, e.Key), amqp.Publishing{
		Headers:     amqp.Table{"cloudEvents:specversion": "1.0", "cloudEvents:type": protocol.TypeEntity, "cloudEvents:id": e.Event, "cloudEvents:source": "/mirrors/conformance", "cloudEvents:banyanversion": e.Version},
		ContentType: "application/json", DeliveryMode: amqp.Persistent, Timestamp: time.Now(), Body: body,
	}}, nil
}

// send sends messages in their order, and waits until the broker has them; a queue without a leader takes nothing for a while.
// It gives the partitions that no queue has taken.
func (r *rig) send(ctx context.Context, all ...message) (untaken []int, err error) {
	const together = 500
	for part := range slices.Chunk(all, together) {
		deadline := time.Now().Add(r.Within)
		for refused := part; len(refused) > 0; {
			if refused, err = r.publish(ctx, refused); err != nil {
				return nil, &brokerError{err}
			}
			if len(refused) == 0 {
				break
			}
			if time.Now().After(deadline) {
				return nil, &brokerError{fmt.Errorf("the broker refuses messages: a queue is full or has no leader")}
			}
			pause(ctx, 50*time.Millisecond)
		}
	}
	for {
		select {
		case back := <-r.returned:
			if n, err := strconv.Atoi(strings.TrimPrefix(back.RoutingKey, "partition.")); err == nil {
				untaken = append(untaken, n)
			}
			continue
		default:
		}
		slices.Sort(untaken)
		return slices.Compact(untaken), nil
	}
}

// publish sends messages, and gives those that the broker has refused.
func (r *rig) publish(ctx context.Context, all []message) (refused []message, err error) {
	ctx, cancel := context.WithTimeout(ctx, r.Within)
	defer cancel()
	confirms := make([]*amqp.DeferredConfirmation, len(all))
	for i, m := range all {
		if confirms[i], err = r.channel.PublishWithDeferredConfirmWithContext(ctx, r.exchange(), protocol.RoutingKey(m.partition), true, false, m.Publishing); err != nil {
			return nil, fmt.Errorf("send to the exchange %s: %w", r.exchange(), err)
		}
	}
	for i, confirm := range confirms {
		taken, err := confirm.WaitContext(ctx)
		if err != nil {
			return nil, fmt.Errorf("the broker confirms nothing: %w", err)
		}
		if !taken {
			refused = append(refused, all[i])
		}
	}
	return refused, nil
}

// tell sends events. What no queue takes is a fault of the service's.
func (r *rig) tell(ctx context.Context, events ...protocol.EntityEvent) error {
	all := make([]message, len(events))
	for i, e := range events {
		var err error
		if all[i], err = entityMessage(e); err != nil {
			return err
		}
	}
	untaken, err := r.send(ctx, all...)
	if err != nil {
		return err
	}
	if len(untaken) > 0 {
		return fmt.Errorf("no queue takes the messages of the partitions %v", untaken)
	}
	return nil
}

// answer is what the service answers to a fence, by all partitions that were asked.
type answer struct {
	parked    map[string]bool
	committed map[string][]string
}

// fence sends a fence to some partitions, all where none is named, and waits until each has answered. at is called when a
// partition's answer is there.
func (r *rig) fence(ctx context.Context, f protocol.Fence, at func(partition int) error, partitions ...int) (answer, error) {
	if len(partitions) == 0 {
		for p := range protocol.Partitions {
			partitions = append(partitions, p)
		}
	}
	if f.ID == "" {
		r.fences++
		f.ID = fmt.Sprintf("conformance-%d-%d", r.run, r.fences)
	}
	f.Service = r.Service
	if f.Capability == "" {
		f.Capability = r.Capability
	}
	var all []message
	for _, p := range partitions {
		f.Partition = p
		body, err := json.Marshal(f)
		if err != nil {
			return answer{}, fmt.Errorf("write a fence as JSON: %w", err)
		}
		all = append(all, message{p, amqp.Publishing{
			Headers:     amqp.Table{"cloudEvents:specversion": "1.0", "cloudEvents:type": protocol.TypeFence, "cloudEvents:id": fmt.Sprint(f.ID, "/", p), "cloudEvents:source": "/mirrors/conformance"},
			ContentType: "application/json", DeliveryMode: amqp.Persistent, Timestamp: time.Now(), ReplyTo: r.answers, CorrelationId: f.ID, Body: body,
		}})
	}
	untaken, err := r.send(ctx, all...)
	if err != nil {
		return answer{}, err
	}
	if len(untaken) > 0 {
		return answer{}, fmt.Errorf("no queue takes the messages of the partitions %v", untaken)
	}
	return r.answered(ctx, f, partitions, at)
}

// answered waits for the answers to a fence.
func (r *rig) answered(ctx context.Context, f protocol.Fence, partitions []int, at func(partition int) error) (answer, error) {
	out := answer{parked: map[string]bool{}, committed: map[string][]string{}}
	missing := map[int]bool{}
	for _, p := range partitions {
		missing[p] = true
	}
	late := time.NewTimer(r.Within)
	defer late.Stop()
	for len(missing) > 0 {
		select {
		case <-ctx.Done():
			return out, ctx.Err()
		case <-late.C:
			return out, fmt.Errorf("after %s, a fence is not answered for %d of %d partitions: %s", r.Within, len(missing), len(partitions), listed(missing))
		case d, open := <-r.replies:
			if !open {
				return out, &brokerError{errors.New("the connection to the broker was lost")}
			}
			var a protocol.Answer
			if err := json.Unmarshal(d.Body, &a); err != nil {
				return out, fmt.Errorf("an answer to a fence can't be read: %w: %.200s", err, d.Body)
			}
			if d.CorrelationId != f.ID && a.Fence != f.ID {
				continue // late, to an earlier one
			}
			if err := judge(a, d.CorrelationId, f, partitions); err != nil {
				return out, err
			}
			for _, key := range a.Parked {
				// Another queue's answer may be older than what has parked or freed the key in its own.
				if slices.Contains(a.Partitions, protocol.PartitionOf("", "", key)) {
					out.parked[key] = true
				}
			}
			for id, entities := range a.Committed {
				out.committed[id] = entities
			}
			for _, p := range a.Partitions {
				if at != nil && missing[p] {
					if err := at(p); err != nil {
						return out, err
					}
				}
				delete(missing, p)
			}
		}
	}
	return out, nil
}

// judge says what is wrong with an answer.
func judge(a protocol.Answer, correlation string, f protocol.Fence, partitions []int) error {
	switch {
	case a.Error != "":
		return fmt.Errorf("the service answers a fence with the error %q", a.Error)
	case correlation != f.ID:
		return fmt.Errorf("an answer has the correlation_id %q, and the fence's message had %q", correlation, f.ID)
	case a.Fence != f.ID:
		return fmt.Errorf("an answer names the fence %q, and it was %q", a.Fence, f.ID)
	case a.Service != f.Service:
		return fmt.Errorf("an answer names the service %q, and it was %q", a.Service, f.Service)
	case len(a.Partitions) == 0:
		return errors.New("an answer has no partitions: which copies does it answer?")
	case len(a.Parked) > protocol.MostParked:
		return fmt.Errorf("an answer names %d parked keys: at most %d, and more: true", len(a.Parked), protocol.MostParked)
	}
	for _, p := range a.Partitions {
		if !slices.Contains(partitions, p) {
			return fmt.Errorf("an answer is for partition %d, which got no copy of the fence", p)
		}
	}
	return nil
}

// listed gives numbers in their order.
func listed(set map[int]bool) string {
	var all []int
	for n := range set {
		all = append(all, n)
	}
	slices.Sort(all)
	if len(all) > 8 {
		return fmt.Sprint(all[:8], " and others")
	}
	return fmt.Sprint(all)
}

// pause waits, or gives up when ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
