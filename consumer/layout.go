package consumer

import (
	"context"
	"errors"
	"fmt"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/protocol"
)

// A service's number of queues can grow while it runs. Then each partition's messages go to another queue, and what waits in
// the old one has to be done first: a fence in the new one says that all before it was applied. So whoever begins with a
// number of queues
//
//  1. keeps the number in the database, and declares and binds the new queues: from then on messages go to both;
//  2. unbinds the old ones, and sends a marker behind what they still have;
//  3. consumes the old ones, the smallest number first, or waits for others to do so, until the marker has come, whose receiver
//     deletes the queue;
//  4. consumes the new ones.
//
// A process that still has the old number gets the marker, or finds the new number when it binds, and begins anew. What the
// broker has not confirmed when a queue is deleted is refused, and sent again: Banyan sends no fence with an epoch before all
// that it comes behind is confirmed.

// typeMoved is the marker's type. It never leaves the kit.
const typeMoved = "dev.banyan.consumer.moved.v1"

// errMoved says that the service has another number of queues now.
var errMoved = errors.New("the service has another number of queues now")

// errNoQueue says that a queue that was to be emptied is not there.
var errNoQueue = errors.New("there is no such queue")

// arrange gives the number of queues, once they are there and nothing is left in those of other numbers.
func (r *runner) arrange(ctx context.Context) (n int, err error) {
	if n, err = r.Store.queues(ctx, r.Service, r.Queues); err != nil {
		return 0, err
	}
	if n != r.Queues {
		r.Logger.Warn("the service has more queues than this process asks for, and so has this process: start all with the same number", "queues", n, "asked", r.Queues)
	}
	conn, err := r.connect(ctx)
	if err != nil {
		return 0, err
	}
	defer conn.Close() //nolint:errcheck // nothing depends on it any more
	if err := onChannel(conn, func(channel *amqp.Channel) error {
		return channel.ExchangeDeclare(protocol.ExchangeName(r.Service), amqp.ExchangeDirect, true, false, false, false, nil)
	}); err != nil {
		return 0, fmt.Errorf("declare exchange %s: %w", protocol.ExchangeName(r.Service), err)
	}
	for i := range n {
		if err := r.declare(conn, n, i); err != nil {
			return 0, err
		}
	}
	if err := r.current(ctx, n); err != nil {
		return 0, err
	}
	old := map[int][]queue{} // by their number
	for _, other := range protocol.QueueLayouts() {
		if other > n {
			if err := r.grown(ctx, conn, other); err != nil {
				return 0, err
			}
			continue
		}
		// Whoever does this with a number that has passed does no harm: a smaller one has passed, too.
		for i := 0; other < n && i < other; i++ {
			q := queue{n: other, i: i}
			if there, err := r.retire(ctx, conn, q); err != nil {
				return 0, err
			} else if there {
				old[other] = append(old[other], q)
			}
		}
	}
	// What waits in those of a smaller number came before what waits in those of a greater one.
	for _, other := range protocol.QueueLayouts() {
		if err := r.empty(ctx, old[other]); err != nil {
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

// queue is number i of n.
type queue struct{ n, i int }

// current gives errMoved when the service has another number of queues than n.
func (r *runner) current(ctx context.Context, n int) error {
	now, err := r.Store.queues(ctx, r.Service, r.Queues)
	if err == nil && now != n {
		err = errMoved
	}
	return err
}

// retire unbinds a queue of another number, and marks its end. there is false when there is none.
func (r *runner) retire(ctx context.Context, conn *amqp.Connection, q queue) (there bool, err error) {
	name := protocol.QueueName(r.Service, q.n, q.i)
	if there, err = exists(conn, name); err != nil || !there {
		return false, err
	}
	r.Logger.Info("what is left in a queue of another number is done first", "queue", name)
	err = onChannel(conn, func(channel *amqp.Channel) error {
		for p := q.i; p < protocol.Partitions; p += q.n {
			if err := channel.QueueUnbind(name, protocol.RoutingKey(p), protocol.ExchangeName(r.Service), nil); err != nil {
				return fmt.Errorf("unbind queue %s: %w", name, err)
			}
		}
		if err := channel.Confirm(false); err != nil {
			return fmt.Errorf("ask for confirms: %w", err)
		}
		ctx, cancel := context.WithTimeout(ctx, confirmWithin)
		defer cancel()
		// One that is deleted meanwhile takes none, which its consumers notice.
		confirm, err := channel.PublishWithDeferredConfirmWithContext(ctx, "", name, false, false, amqp.Publishing{
			DeliveryMode: amqp.Persistent, Headers: amqp.Table{headerType: typeMoved},
		})
		if err != nil {
			return fmt.Errorf("mark the end of queue %s: %w", name, err)
		}
		taken, err := confirm.WaitContext(ctx)
		if err == nil && !taken {
			err = errors.New("the broker did not take it")
		}
		if err != nil {
			return fmt.Errorf("mark the end of queue %s: %w", name, err)
		}
		return nil
	})
	return true, err
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

// empty waits until queues are gone, and does what is in them while it is this process's turn.
func (r *runner) empty(ctx context.Context, old []queue) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	for _, q := range old {
		all.Go(func() {
			if err := r.session(ctx, q, false); !errors.Is(err, errMoved) && !errors.Is(err, errNoQueue) {
				cancel(fmt.Errorf("empty queue %s: %w", protocol.QueueName(r.Service, q.n, q.i), err))
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
	return errMoved
}
