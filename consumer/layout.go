package consumer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/protocol"
)

// A service's number of queues can grow while it runs. Then each partition's messages go to another queue, and what waits in
// the old one has to be done first: a fence in the new one says that all before it was applied. So whoever begins with a
// number of queues
//
//  1. keeps the number in the database, and declares and binds the new queues: from then on messages go to both;
//  2. unbinds the old ones, and sends a marker behind what they still have;
//  3. consumes the old ones, the smallest number first, or waits for others to do so, until the marker has come, and nothing
//     behind it for a while, whose receiver deletes the queue;
//  4. consumes the new ones.
//
// A process that still has the old number gets the marker, or finds the new number when it looks, and begins anew. What the
// broker has not confirmed when a queue is deleted is refused, and sent again: Banyan sends no fence with an epoch before all
// that it comes behind is confirmed.
//
// A process that is slow may declare and bind a queue whose number has passed. That has no more than the new ones have, but for
// what came while it was not bound: so fences are answered from queues of the present number only, and those that others have
// are sent on, behind what the new ones have.

// typeMoved is the marker's type. It never leaves the kit.
const typeMoved = "dev.banyan.consumer.moved.v1"

// straggle is for how long a queue that was unbound may still get messages, by nodes of the broker that have not heard of it.
const straggle = time.Second

// errMoved says that the service has another number of queues now.
var errMoved = errors.New("the service has another number of queues now")

// errNoQueue says that a queue is gone, or was never there.
var errNoQueue = errors.New("there is no such queue")

// queue is number i of n. In 0 queues there is one, which is what services had before there were partitions.
type queue struct{ n, i int }

func (q queue) name(service string) string {
	if q.n == 0 {
		return protocol.ExchangeName(service) + ".0"
	}
	return protocol.QueueName(service, q.n, q.i)
}

// partitions gives those that it binds.
func (q queue) partitions() (all []int) {
	if q.n == 0 {
		return []int{0}
	}
	for p := q.i; p < protocol.Partitions; p += q.n {
		all = append(all, p)
	}
	return all
}

// arrange gives the number of queues, once they are there and nothing is left in those of other numbers.
func (r *runner) arrange(ctx context.Context) (n int, err error) {
	if n, err = r.Store.queues(ctx, r.Service, r.Queues); err != nil {
		return 0, err
	}
	if n != r.Queues {
		r.Logger.Warn("the service has more queues than this process asks for, and so has this process: start all with the same number", "queues", n, "asked", r.Queues)
	}
	conn, err := r.connect(ctx, asItIs)
	if err != nil {
		return 0, err
	}
	defer conn.Close() //nolint:errcheck // nothing depends on it any more
	if err := onChannel(conn, func(channel *amqp.Channel) error {
		return channel.ExchangeDeclare(protocol.ExchangeName(r.Service), amqp.ExchangeDirect, true, false, false, false, nil)
	}); err != nil {
		return 0, fmt.Errorf("declare exchange %s: %w", protocol.ExchangeName(r.Service), err)
	}
	for _, other := range protocol.QueueLayouts() {
		if other > n {
			if err := r.grown(ctx, conn, other); err != nil {
				return 0, err
			}
		}
	}
	for i := range n {
		if err := r.declare(conn, n, i); err != nil {
			return 0, err
		}
	}
	if err := r.current(ctx, n); err != nil {
		return 0, err
	}
	old := make([][]queue, 0, 1) // by their number
	// Whoever does this with a number that has passed does no harm: a smaller one has passed, too.
	for _, other := range append([]int{0}, protocol.QueueLayouts()...) {
		var left []queue
		for i := 0; other < n && i < max(other, 1); i++ {
			q := queue{n: other, i: i}
			if there, err := r.retire(ctx, conn, q); err != nil {
				return 0, err
			} else if there {
				left = append(left, q)
			}
		}
		old = append(old, left)
	}
	// What waits in those of a smaller number came before what waits in those of a greater one.
	for _, left := range old {
		if err := r.empty(ctx, left, n); err != nil {
			return 0, err
		}
	}
	return n, nil
}

// grown looks whether there are more queues than the database knows of, as after it was restored: then their number holds.
func (r *runner) grown(ctx context.Context, conn *amqp.Connection, n int) error {
	there, err := exists(conn, protocol.QueueName(r.Service, n, 0))
	if err != nil || !there {
		return err
	}
	if _, err := r.Store.queues(ctx, r.Service, n); err != nil {
		return err
	}
	return errMoved
}

// current gives errMoved when the service has another number of queues than n.
func (r *runner) current(ctx context.Context, n int) error {
	now, err := r.Store.number(ctx, r.Service)
	if err == nil && now != n {
		err = errMoved
	}
	return err
}

// watch ends what is done with n queues once there is another number of them.
func (r *runner) watch(ctx context.Context, n int, end context.CancelCauseFunc) {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			// While the database fails, nothing is applied anyhow.
			if err := r.current(ctx, n); errors.Is(err, errMoved) {
				end(err)
			}
		}
	}
}

// retire unbinds a queue of another number, and marks its end. there is false when there is none.
func (r *runner) retire(ctx context.Context, conn *amqp.Connection, q queue) (there bool, err error) {
	name := q.name(r.Service)
	if there, err = exists(conn, name); err != nil || !there {
		return false, err
	}
	r.Logger.Info("what is left in a queue of another number is done first", "queue", name)
	err = onChannel(conn, func(channel *amqp.Channel) error {
		for _, p := range q.partitions() {
			if err := channel.QueueUnbind(name, protocol.RoutingKey(p), protocol.ExchangeName(r.Service), nil); err != nil {
				return fmt.Errorf("unbind queue %s: %w", name, err)
			}
		}
		if err := channel.Confirm(false); err != nil {
			return fmt.Errorf("ask for confirms: %w", err)
		}
		return r.mark(ctx, channel, name)
	})
	return true, err
}

// mark sends the marker that says where a queue ends. One that is deleted meanwhile takes none, which its consumers notice.
func (r *runner) mark(ctx context.Context, channel *amqp.Channel, name string) error {
	err := handOver(ctx, channel, name, amqp.Publishing{DeliveryMode: amqp.Persistent, Headers: amqp.Table{headerType: typeMoved}})
	if err != nil {
		return fmt.Errorf("mark the end of queue %s: %w", name, err)
	}
	return nil
}

// sendOn sends copies of a fence to where a service of n queues has the partitions that they are for.
func (r *runner) sendOn(ctx context.Context, channel *amqp.Channel, n int, copies []fenceCopy) error {
	ctx, cancel := context.WithTimeout(ctx, confirmWithin)
	defer cancel()
	names, confirms := make([]string, len(copies)), make([]*amqp.DeferredConfirmation, len(copies))
	failed := func(i int, err error) error {
		return fmt.Errorf("send fence %s on to queue %s: %w", copies[i].fence.ID, names[i], err)
	}
	for i, c := range copies {
		names[i] = protocol.QueueName(r.Service, n, c.fence.Partition%n)
		var err error
		if confirms[i], err = channel.PublishWithDeferredConfirmWithContext(ctx, "", names[i], false, false, amqp.Publishing{
			Headers: c.message.Headers, ContentType: c.message.ContentType, DeliveryMode: amqp.Persistent, ReplyTo: c.message.ReplyTo,
			CorrelationId: c.message.CorrelationId, MessageId: c.message.MessageId, Timestamp: c.message.Timestamp, Body: c.message.Body,
		}); err != nil {
			return failed(i, err)
		}
	}
	for i, confirm := range confirms { // of all together: there may be 64
		if err := confirmed(ctx, confirm); err != nil {
			return failed(i, err)
		}
	}
	return nil
}

// handOver publishes a message to a queue, and waits until the broker has taken it, or dropped it since there is no such queue.
func handOver(ctx context.Context, channel *amqp.Channel, name string, m amqp.Publishing) error {
	ctx, cancel := context.WithTimeout(ctx, confirmWithin)
	defer cancel()
	confirm, err := channel.PublishWithDeferredConfirmWithContext(ctx, "", name, false, false, m)
	if err != nil {
		return err
	}
	return confirmed(ctx, confirm)
}

// confirmed waits until the broker has a message, and gives an error when it refuses it.
func confirmed(ctx context.Context, confirm *amqp.DeferredConfirmation) error {
	taken, err := confirm.WaitContext(ctx)
	if err == nil && !taken {
		err = errors.New("the broker did not take it")
	}
	return err
}

// exists says whether a queue is there.
func exists(conn *amqp.Connection, name string) (bool, error) {
	err := onChannel(conn, func(channel *amqp.Channel) error {
		_, err := channel.QueueDeclarePassive(name, true, false, false, false, nil)
		return err
	})
	var refused *amqp.Error
	if errors.As(err, &refused) && refused.Code == amqp.NotFound {
		return false, nil
	}
	return err == nil, err
}

// empty waits until queues are gone, and does what is in them while it is this process's turn. There are n others now.
func (r *runner) empty(ctx context.Context, old []queue, n int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	for _, q := range old {
		all.Go(func() {
			if err := r.session(ctx, q, n); !errors.Is(err, errNoQueue) {
				cancel(fmt.Errorf("empty queue %s: %w", q.name(r.Service), err))
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}

// finish deletes a queue whose end was reached.
func (r *runner) finish(channel *amqp.Channel, name string) error {
	if _, err := channel.QueueDelete(name, false, false, false); err != nil {
		return fmt.Errorf("delete queue %s, whose end was reached: %w", name, err)
	}
	r.Logger.Info("a queue of another number is empty, and deleted", "queue", name)
	return errNoQueue
}
