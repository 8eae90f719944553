package consumer

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/protocol"
)

// runner is a Run.
type runner struct {
	Options
	id      string                   // this process's, among those that share the queues
	members atomic.Pointer[[]string] // all of them, in the same order everywhere; nil before they are known

	mu     sync.Mutex
	places map[string]*at // where the consumers are, by their queues' names
}

// Run consumes a service's queues until ctx ends, and gives nil then; other errors are of the options. It declares what is
// missing, and connects again for ever. Any number of processes may run it for one service: each queue's messages go to one
// of them, and when it ends the next one gets them; the queues are shared evenly. They must share the Store's database.
//
// When it starts it tries parked events once more: what could not be applied may be so by a newer build.
func Run(ctx context.Context, options Options) error {
	options, err := options.withDefaults()
	if err != nil {
		return err
	}
	r := &runner{Options: options, id: uuid.NewString()}
	r.Store.running.add(r)
	defer r.Store.running.remove(r)
	var beside sync.WaitGroup
	defer beside.Wait()
	beside.Go(func() { r.sweep(ctx) })
	beside.Go(func() { r.join(ctx) })
	r.retryAll(ctx)
	r.again(ctx, func() error {
		n, err := r.arrange(ctx)
		if err != nil {
			return err
		}
		return r.all(ctx, n)
	})
	return nil
}

// all consumes all queues until ctx ends, or their number is another.
func (r *runner) all(ctx context.Context, n int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var running sync.WaitGroup
	running.Go(func() { r.watch(ctx, n, cancel) })
	for i := range n {
		running.Go(func() {
			r.again(ctx, func() error {
				err := r.session(ctx, queue{n, i}, n)
				if errors.Is(err, errMoved) || errors.Is(err, errNoQueue) {
					cancel(errMoved)
				}
				return err
			})
		})
	}
	running.Wait()
	return context.Cause(ctx)
}

// again does something until ctx ends, with pauses that grow while it fails.
func (r *runner) again(ctx context.Context, do func() error) {
	for failures := 0; ctx.Err() == nil; failures++ {
		began := time.Now()
		err := do()
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > longestPause {
			failures = 0
		}
		switch {
		case errors.Is(err, errMoved):
			failures = -1
		case errors.Is(err, errYield):
			failures = -1
			rest(ctx, yieldPause)
		default:
			wait := pause(r.Pause, failures)
			r.Logger.Warn("consuming was interrupted; it begins again", "error", err, "in", wait)
			rest(ctx, wait)
		}
	}
}

const (
	// yieldPause is how long a process stays away from a queue that is due to another, yieldEvery how often it does at most.
	yieldPause = 500 * time.Millisecond
	yieldEvery = 5 * time.Second
)

// longestPause bounds the pause between two tries of anything.
const longestPause = 5 * time.Second

// pause gives the pause after a number of failures: twice as long each time, less a random part, so that many services don't
// come back at once.
func pause(first time.Duration, failures int) time.Duration {
	d := min(first<<min(failures, 20), longestPause)
	return d - rand.N(d/4+1)
}

// rest waits, or gives up when ctx ends.
func rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// heartbeat is how soon a dead connection is noticed: after twice as long.
const heartbeat = 5 * time.Second

// connect connects to the broker, through what around makes of the connection.
func (r *runner) connect(ctx context.Context, around func(net.Conn) net.Conn) (*amqp.Connection, error) {
	dialer := &net.Dialer{Timeout: longestPause}
	conn, err := amqp.DialConfig(r.URL, amqp.Config{
		TLSClientConfig: r.TLS, Heartbeat: heartbeat, Properties: amqp.Table{"connection_name": r.Name, "product": "Banyan consumer"},
		Dial: func(network, address string) (net.Conn, error) {
			c, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			// The handshake's deadline; the library takes it off.
			c = around(c)
			return c, c.SetDeadline(time.Now().Add(longestPause))
		},
	})
	if err != nil {
		return nil, fmt.Errorf("connect to the broker: %w", err)
	}
	return conn, nil
}

// asItIs leaves a connection alone.
func asItIs(conn net.Conn) net.Conn { return conn }

// session connects and consumes a queue until something fails or ctx ends. When it returns, nothing of it is left. There are n
// queues now: one of another number is not declared, and errNoQueue says that it is gone.
func (r *runner) session(ctx context.Context, q queue, n int) error {
	var beside sync.WaitGroup
	defer beside.Wait() // for what ends with the connection
	g := newGate()
	conn, err := r.connect(ctx, g.around)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // whatever was not acknowledged comes again, in its place
	defer g.end()
	if err := r.ready(ctx, conn, q, n); err != nil {
		return err
	}
	channel, err := conn.Channel()
	if err != nil {
		return fmt.Errorf("open a channel: %w", err)
	}
	if err := channel.Qos(r.Prefetch, 0, false); err != nil {
		return fmt.Errorf("set the prefetch count: %w", err)
	}
	if err := channel.Confirm(false); err != nil {
		return fmt.Errorf("ask for confirms: %w", err)
	}
	name := q.name(r.Service)
	closed := channel.NotifyClose(make(chan *amqp.Error, 1))
	cancelled := channel.NotifyCancel(make(chan string, 1))
	deliveries, err := channel.Consume(name, "", false, false, false, false, nil)
	if err != nil {
		return fmt.Errorf("consume: %w", err)
	}
	messages, over := make(chan amqp.Delivery, r.Prefetch), make(chan struct{})
	beside.Go(func() { lay(deliveries, messages, over) })
	defer close(over)
	r.Logger.Info("consuming", "queue", name)
	here := r.enter(name, q)
	defer r.leave(name, here)
	began := time.Now()
	d := &delivering{runner: r, channel: channel, gate: g, queue: q, n: n}
	of := len(q.partitions())
	var end <-chan time.Time // once its marker has come
	for {
		if len(messages) == 0 {
			here.since.Store(0) // nothing is at work
		}
		first, open, ended, err := g.next(ctx, messages, end)
		switch {
		case err != nil:
			return err
		case ended && len(messages) > 0: // there is something behind the end
			continue
		case ended:
			g.open()
			return r.finish(channel, name)
		case !open:
			g.open()
			if _, is := <-cancelled; is { // a lost connection closes it
				return r.gone(conn, name)
			}
			return lost(closed)
		}
		if !first.Timestamp.IsZero() {
			here.since.Store(first.Timestamp.Unix())
		}
		batch := gather(first, messages, r.Batch, of)
		g.took(batch)
		if err := d.deliver(ctx, batch); err != nil {
			return err
		}
		if q.n == n && n > 1 && !r.due(q.i) && time.Since(began) > yieldEvery {
			return errYield
		}
		if end = nil; d.ended {
			end = time.After(straggle)
		}
	}
}

// ready makes a queue ready to be consumed, of n that there are now.
func (r *runner) ready(ctx context.Context, conn *amqp.Connection, q queue, n int) error {
	if q.n == n {
		// Once more behind it: whoever has raised the number meanwhile may have done with this queue.
		if err := r.current(ctx, n); err != nil {
			return err
		}
		if err := r.declare(conn, q.n, q.i); err != nil {
			return err
		}
		return r.current(ctx, n)
	}
	there, err := exists(conn, q.name(r.Service))
	if err == nil && !there {
		err = errNoQueue
	}
	return err
}

// gone gives errNoQueue when the broker has ended a consumer because its queue was deleted.
func (r *runner) gone(conn *amqp.Connection, name string) error {
	switch there, err := exists(conn, name); {
	case err != nil:
		return err
	case there:
		return errors.New("the broker ended the consumer")
	}
	r.Logger.Info("the queue was deleted: the service has another number of queues, or somebody has", "queue", name)
	return errNoQueue
}

// lost says why the messages have ended.
func lost(closed <-chan *amqp.Error) error {
	select {
	case err := <-closed:
		if err != nil {
			return fmt.Errorf("the broker's connection was lost: %w", err)
		}
	default:
	}
	return fmt.Errorf("the broker ended the consumer: was the queue deleted?")
}

// lay lays deliveries ready, until they end, or it is over. The library hands them over one by one: whoever takes what is there at
// once would find one at a time, and on a busy machine the more so. ready has room for all that the broker sends before they are
// acknowledged, if it keeps to the prefetch count.
func lay(deliveries <-chan amqp.Delivery, ready chan<- amqp.Delivery, over <-chan struct{}) {
	defer close(ready)
	for m := range deliveries {
		select {
		case ready <- m:
		case <-over:
			return
		}
	}
}

// mostGathered is how many bytes are taken at once: events are decoded together, and share a transaction. One message may be larger.
const mostGathered = 8 << 20

// gather gives the first message and those that are there already, and with a copy of a fence all of its copies, which Banyan
// sends one behind the other: of is how many the queue gets.
func gather(first amqp.Delivery, messages <-chan amqp.Delivery, most, of int) []amqp.Delivery {
	batch := []amqp.Delivery{first}
	for size := len(first.Body); len(batch) < most && size < mostGathered; size += len(batch[len(batch)-1].Body) {
		select {
		case next, open := <-messages:
			if !open {
				return batch
			}
			batch = append(batch, next)
			continue
		default:
		}
		break
	}
	have := copies(batch)
	if have == 0 || have >= of {
		return batch
	}
	late := time.NewTimer(copiesWithin)
	defer late.Stop()
	for have < of {
		select {
		case next, open := <-messages:
			if !open {
				return batch
			}
			batch = append(batch, next)
			if now := copies(batch); now <= have {
				return batch
			}
			have++
		case <-late.C:
			return batch
		}
	}
	return batch
}

// copiesWithin is how long is waited for the other copies of a fence, whose answers would be sent one by one otherwise.
const copiesWithin = 20 * time.Millisecond

// copies counts the copies of a fence at a batch's end; 0 when there is none.
func copies(batch []amqp.Delivery) (n int) {
	last := batch[len(batch)-1]
	for i := len(batch) - 1; i >= 0; i-- {
		if kind, _ := batch[i].Headers[headerType].(string); kind != protocol.TypeFence || batch[i].CorrelationId != last.CorrelationId {
			break
		}
		n++
	}
	return n
}

// sweepEvery is how often old writes are removed.
const sweepEvery = 10 * time.Minute

// sweep removes old writes until ctx ends.
func (r *runner) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		n, err := r.Store.Sweep(ctx)
		if err != nil && ctx.Err() == nil {
			r.Logger.Warn("old writes could not be removed; they are tried again later", "error", err)
		} else if n > 0 {
			r.Logger.Debug("old writes were removed", "count", n)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// retryAll tries all parked keys once.
func (r *runner) retryAll(ctx context.Context) {
	r.retryKey(ctx, "") // events of entities whose key nobody knows
	for after := ""; ; {
		keys, err := r.Store.ParkedKeys(ctx, after, mostListed)
		if err != nil || len(keys) == 0 {
			if err != nil && ctx.Err() == nil {
				r.Logger.Warn("parked events could not be tried again", "error", err)
			}
			return
		}
		for _, key := range keys {
			r.retryKey(ctx, key)
		}
		after = keys[len(keys)-1]
	}
}

// retryKey tries a key's parked events, and says what came of it.
func (r *runner) retryKey(ctx context.Context, key string) {
	if left, err := r.Store.RetryParked(ctx, key, r.Apply); err != nil && ctx.Err() == nil {
		r.Logger.Error("events stay parked", "key", key, "count", left, "error", err)
	}
}
