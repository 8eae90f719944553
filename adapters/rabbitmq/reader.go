package rabbitmq

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/mirror/change"
)

// reader is a connection for reading one stream.
type reader struct {
	stream string
	uri    amqp.URI
	conn   *amqp.Connection
}

// consumer reads a stream from some place on, on a channel of its own.
type consumer struct {
	*reader
	channel    *amqp.Channel
	closed     chan *amqp.Error
	canceled   chan string
	deliveries <-chan amqp.Delivery
}

func openReader(ctx context.Context, o *HistoryOptions) (*reader, error) {
	uri, err := parseURL(o.URL)
	if err != nil {
		return nil, err
	}
	r := &reader{stream: o.Stream, uri: uri}
	if r.conn, err = o.connect(ctx, func(conn net.Conn) net.Conn { return conn }); err != nil {
		return nil, err
	}
	return r, nil
}

// consume begins to read. ctx bounds waiting for the broker's answers; when it ends, so does the connection.
func (r *reader) consume(ctx context.Context, from From) (*consumer, error) {
	stop := context.AfterFunc(ctx, r.close)
	defer stop()
	c, err := r.begin(from)
	if err != nil {
		return nil, r.explain(cmp.Or(context.Cause(ctx), err))
	}
	return c, nil
}

func (r *reader) begin(from From) (*consumer, error) {
	channel, err := r.conn.Channel()
	if err != nil {
		return nil, fmt.Errorf("open a channel: %w", err)
	}
	c := &consumer{
		reader: r, channel: channel,
		closed: channel.NotifyClose(make(chan *amqp.Error, 1)), canceled: channel.NotifyCancel(make(chan string, 1)),
	}
	if err := channel.Qos(prefetch, 0, false); err != nil {
		return nil, fmt.Errorf("bound what is on its way: %w", err)
	}
	c.deliveries, err = channel.Consume(r.stream, "", false, false, false, false, amqp.Table{"x-stream-offset": from.spec})
	if err != nil {
		return nil, fmt.Errorf("consume: %w", err)
	}
	return c, nil
}

// findEnd finds the stream's last offset, -1 where it is empty. AMQP has no question for it, and RabbitMQ counts the
// messages of streams in some of its versions only. So one consumer reads the last batch until nothing comes any more, and
// another one waits for the first message from now on: where that comes first, the end is before it.
func (r *reader) findEnd(ctx context.Context) (int64, error) {
	next, err := r.consume(ctx, Next())
	if err != nil {
		return 0, err
	}
	last, err := r.consume(ctx, Last())
	if err != nil {
		return 0, err
	}
	end, err := r.watchEnd(ctx, next, last)
	if err != nil {
		return 0, err
	}
	for _, c := range []*consumer{next, last} {
		if err := c.channel.Close(); err != nil {
			return 0, r.explain(err)
		}
	}
	return end, nil
}

func (r *reader) watchEnd(ctx context.Context, next, last *consumer) (int64, error) {
	end := int64(-1)
	timer := time.NewTimer(silent)
	defer timer.Stop()
	for {
		select {
		case d, ok := <-next.deliveries:
			if !ok {
				return 0, next.ended()
			}
			offset, err := r.offset(&d)
			return offset - 1, err
		case d, ok := <-last.deliveries:
			if !ok {
				return 0, last.ended()
			}
			offset, err := r.offset(&d)
			if err != nil {
				return 0, err
			}
			end = offset
			if err := d.Ack(false); err != nil {
				return 0, r.explain(err)
			}
			timer.Reset(quiet)
		case <-timer.C:
			return end, nil
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

// offset gives a delivery's place. A queue that is no stream has none; its messages are left alone, and return to it.
func (r *reader) offset(d *amqp.Delivery) (int64, error) {
	if n, ok := d.Headers["x-stream-offset"].(int64); ok {
		return n, nil
	}
	return 0, r.noStream(nil)
}

func (r *reader) noStream(cause error) error {
	return &change.StopError{
		What: "the queue " + r.stream + " is no stream, so that no history can be read from it", Cause: cause,
		Fix: "name the stream in mirror.history",
	}
}

// explain says what a person can do about an error.
func (r *reader) explain(err error) error {
	var said *amqp.Error
	if errors.As(err, &said) && said.Server {
		switch said.Code {
		case amqp.NotFound:
			return &change.StopError{
				What: "RabbitMQ has no stream " + r.stream, Cause: err,
				Fix: "the mirror declares it when it begins to run; mirror.history names it",
			}
		case amqp.AccessRefused:
			return &change.StopError{
				What: fmt.Sprintf("RabbitMQ doesn't let the account %q read the stream %s", r.uri.Username, r.stream), Cause: err,
				Fix: fmt.Sprintf("rabbitmqctl set_permissions --vhost %s %s CONFIGURE WRITE READ, with a READ that matches %s", quote(r.uri.Vhost), quote(r.uri.Username), r.stream),
			}
		case amqp.NotImplemented, amqp.PreconditionFailed:
			return r.noStream(err)
		}
	}
	return fmt.Errorf("read the stream %s: %w", r.stream, err)
}

// ended says why there are no more deliveries.
func (c *consumer) ended() error {
	select {
	case err := <-c.closed:
		if err != nil {
			return c.explain(err)
		}
	case _, told := <-c.canceled:
		if told {
			return fmt.Errorf("read the stream %s: RabbitMQ has ended it; was the stream deleted?", c.stream)
		}
		if err := <-c.closed; err != nil {
			return c.explain(err)
		}
	}
	return fmt.Errorf("read the stream %s: %w", c.stream, net.ErrClosed)
}

func (r *reader) close() {
	_ = r.conn.CloseDeadline(time.Now().Add(parting)) // It is closed whatever it says.
}
