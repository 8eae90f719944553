package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/mirror/change"
)

// errClosed is what a feed gives after Close.
var errClosed = errors.New("the feed to RabbitMQ is closed")

// target is where a feed's messages go.
type target struct {
	exchange string
	// optional lets a message be that no queue takes.
	optional bool
	queue    string // through the default exchange, whatever a message's key is
	// unrouted says what to do about a message that no queue takes.
	unrouted func(key, reason string) *change.StopError
	// broken says what the end of the channel means; nil for an error that may pass.
	broken func(*amqp.Error) *change.StopError
}

// feed is a change.Feed: one connection, one channel with confirms.
type feed struct {
	target
	*fate
	window  *window
	outlet  *outlet
	conn    *amqp.Connection
	channel uint16
	frame   int // the largest
	logger  *slog.Logger
	patient time.Duration // ConfirmTimeout
	most    int           // bytes of a body, 0 where it is not known; set before the first message

	returns atomic.Uint64
	blocked atomic.Pointer[string]
	closed  sync.Once
	watcher sync.WaitGroup
	stop    chan struct{}
}

// link is a connection as amqp091-go sees it.
type link struct {
	net.Conn // for deadlines and addresses
	in       *inlet
	out      *outlet
}

func (l *link) Read(p []byte) (int, error)  { return l.in.Read(p) }
func (l *link) Write(p []byte) (int, error) { return l.out.Write(p) }
func (l *link) Close() error                { return l.out.close() }

// openFeed connects, has prepare declare and check what is needed, and goes into confirm mode.
func openFeed(ctx context.Context, o *Options, to target, prepare func(*amqp.Connection) error) (*feed, error) {
	return openFeedOf(ctx, o, newFate(), to, prepare)
}

// openFeedOf opens a feed that fails with others of the same fate.
func openFeedOf(ctx context.Context, o *Options, shared *fate, to target, prepare func(*amqp.Connection) error) (*feed, error) {
	f := &feed{
		target: to, fate: shared, window: newWindow(o.Window, o.WindowBytes), logger: o.Logger, patient: o.ConfirmTimeout,
		stop: make(chan struct{}),
	}
	var in *inlet
	var err error
	f.conn, err = o.connect(ctx, func(conn net.Conn) net.Conn {
		in = &inlet{conn: conn, confirms: f, now: time.Now}
		// The window bounds what is pending: nobody waits for room, the heartbeat's sender neither.
		f.outlet = newOutlet(conn, 2*o.WindowBytes+o.Window*1024+frameMax)
		return &link{conn, in, f.outlet}
	})
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = f.outlet.close() })
	defer stop()
	events, err := f.begin(prepare)
	if err == nil && !stop() {
		err = context.Cause(ctx)
	}
	if err != nil {
		f.disconnect()
		if cause := context.Cause(ctx); cause != nil {
			err = fmt.Errorf("open a feed to RabbitMQ: %w", cause)
		}
		return nil, err
	}
	f.channel, f.frame = in.channel, f.conn.Config.FrameSize
	f.watcher.Go(func() { f.watch(events) })
	return f, nil
}

// notices are what amqp091-go tells of the connection and the channel.
type notices struct {
	connection, channel chan *amqp.Error
	blocked             chan amqp.Blocking
}

func (f *feed) begin(prepare func(*amqp.Connection) error) (notices, error) {
	n := notices{
		connection: f.conn.NotifyClose(make(chan *amqp.Error, 1)),
		blocked:    f.conn.NotifyBlocked(make(chan amqp.Blocking, 16)),
	}
	if err := prepare(f.conn); err != nil {
		return n, err
	}
	channel, err := f.conn.Channel()
	if err != nil {
		return n, fmt.Errorf("open a channel: %w", err)
	}
	n.channel = channel.NotifyClose(make(chan *amqp.Error, 1))
	if err := channel.Confirm(false); err != nil {
		return n, fmt.Errorf("ask RabbitMQ for confirms: %w", err)
	}
	return n, nil
}

// Send implements change.Feed.
func (f *feed) Send(ctx context.Context, m *change.Message) error {
	key := m.Key
	if f.queue != "" {
		key = f.queue
	}
	if err := check(m, key, f.frame); err != nil {
		f.fail(err)
		return err
	}
	if f.most > 0 && len(m.Body) > f.most {
		return &change.TooLargeError{Bytes: len(m.Body), Most: f.most, Fix: raiseMost}
	}
	for {
		if err := f.failure(); err != nil {
			return err
		}
		if f.window.enter(len(m.Body)) {
			break
		}
		if err := f.wait(ctx); err != nil {
			return err
		}
	}
	if err := f.outlet.append(false, func(dst []byte) []byte {
		return appendPublish(dst, f.channel, f.exchange, key, m, f.frame, !f.optional)
	}); err != nil {
		f.fail(fmt.Errorf("send to RabbitMQ: %w", err))
		return f.failure()
	}
	return nil
}

// Flush implements change.Feed.
func (f *feed) Flush(ctx context.Context) error {
	for {
		if err := f.failure(); err != nil {
			return err
		}
		if f.window.empty() {
			return nil
		}
		if err := f.wait(ctx); err != nil {
			return err
		}
	}
}

// wait waits until something was confirmed, or there is an error.
func (f *feed) wait(ctx context.Context) error {
	f.outlet.push()
	select {
	case <-f.window.room:
		return nil
	case <-f.failed:
		return f.failure()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// settled implements confirms.
func (f *feed) settled(tag uint64, multiple, ok bool) {
	switch {
	case f.failure() != nil: // What was returned is acknowledged, too.
	case !ok:
		f.fail(errors.New("RabbitMQ could not keep a message (basic.nack): is a queue full that is bound to the exchange and refuses more, or down?"))
	case !f.window.confirm(tag, multiple):
		f.fail(fmt.Errorf("RabbitMQ confirmed message %d, which was not sent", tag))
	}
}

// returned implements confirms.
func (f *feed) returned(code uint16, reason, key string) {
	f.returns.Add(1)
	f.fail(f.unrouted(key, fmt.Sprintf("%d %s", code, reason)))
}

// Confirmed implements change.Feed.
func (f *feed) Confirmed() uint64 { return f.window.confirmed() }

// Status implements change.Feed.
func (f *feed) Status() change.FeedStatus {
	status := change.FeedStatus{Returned: f.returns.Load()}
	status.Sent, status.Confirmed, status.Bytes, status.Oldest = f.window.account()
	if reason := f.blocked.Load(); reason != nil {
		status.Blocked = *reason
	}
	return status
}

// Close implements change.Feed.
func (f *feed) Close() error {
	f.fail(errClosed)
	f.closed.Do(func() {
		close(f.stop)
		f.watcher.Wait()
		f.disconnect()
	})
	return nil
}

// disconnect says goodbye to a broker that listens, and cuts the connection otherwise.
func (f *feed) disconnect() {
	if f.blocked.Load() == nil {
		_ = f.conn.CloseDeadline(time.Now().Add(parting)) // It is closed whatever it says.
	}
	_ = f.outlet.close() // The same.
	_ = f.conn.Close()   // amqp091-go has to know.
}
