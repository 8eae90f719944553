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

// How much is on its way at once, and how often the broker hears that it was read.
const (
	prefetch = 256
	ackEvery = 64
)

// reader is a connection for reading one stream by AMQP.
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

	tag     uint64
	unacked int
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

// consume implements streamReader.
func (r *reader) consume(ctx context.Context, from From) (cursor, error) {
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

// next implements cursor.
func (c *consumer) next(ctx context.Context, nothing <-chan time.Time) (*Delivery, error) {
	if err := c.acknowledge(); err != nil {
		return nil, c.explain(err)
	}
	select {
	case d, ok := <-c.deliveries:
		if !ok {
			return nil, c.ended()
		}
		return c.take(&d)
	case <-nothing:
		return nil, errNothing
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (c *consumer) take(d *amqp.Delivery) (*Delivery, error) {
	offset, err := c.offset(d)
	if err != nil {
		return nil, err
	}
	c.tag, c.unacked = d.DeliveryTag, c.unacked+1
	return &Delivery{
		Message: fromDelivery(d), Offset: offset, Redelivered: d.Redelivered,
		Exchange: d.Exchange, ContentType: d.ContentType, Headers: d.Headers,
	}, nil
}

// end implements cursor.
func (c *consumer) end() error {
	if err := c.channel.Close(); err != nil {
		return c.explain(err)
	}
	return nil
}

// acknowledge makes room for more, once enough was read.
func (c *consumer) acknowledge() error {
	if c.unacked < ackEvery {
		return nil
	}
	c.unacked = 0
	return c.channel.Ack(c.tag, true) //nolint:wrapcheck // Its caller explains.
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
			return noSuchStream(r.stream, err)
		case amqp.AccessRefused:
			return mayNotRead(r.uri, r.stream, err)
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
