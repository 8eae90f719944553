package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/mirror/change"
)

// From is where reading begins. Its zero value is the first message that is kept.
type From struct{ spec any }

// First is the oldest message that is kept. Its specification, like all here, is RabbitMQ's x-stream-offset
// (https://www.rabbitmq.com/docs/streams#consuming).
func First() From { return From{"first"} }

// Last is the beginning of the newest batch that the broker wrote.
func Last() From { return From{"last"} }

// Next is the first message to come.
func Next() From { return From{"next"} }

// Time is the first batch that the broker wrote at that time or later, in whole seconds. Events were committed before the
// broker wrote them, so that all that were committed since are in it, if both clocks agree.
func Time(t time.Time) From { return From{t} }

// Offset is the message of that number, or the first one behind it that is kept.
func Offset(n int64) From { return From{n} }

// HistoryOptions say what is read.
type HistoryOptions struct {
	Connection
	// Stream is the history's name.
	Stream string
	From   From
	// ToEnd has Next give io.EOF behind the message that was the stream's last when it was opened. The broker doesn't tell
	// which that is, so opening looks for it, which takes half a second, and five where the stream is empty.
	ToEnd bool
}

// Delivery is a message in the history. Foreign messages have what they have; all else is empty.
type Delivery struct {
	change.Message
	// Offset is the message's number in the stream.
	Offset int64
	// Redelivered is set when the broker has given it before and not heard that it was read.
	Redelivered bool
	// Exchange is what the message was sent to, ContentType and Headers are as they came.
	Exchange    string
	ContentType string
	Headers     map[string]any
}

// How much is on its way at once, and how often the broker hears that it was read.
const (
	prefetch = 256
	ackEvery = 64
)

// How long the broker may take to go on within a batch, and to send the first message of all, before there is taken to
// be none.
const (
	quiet  = 500 * time.Millisecond
	silent = 5 * time.Second
)

// History reads a stream. Its methods are for one goroutine, save Close.
type History struct {
	reader   *reader
	consumer *consumer // nil when there is nothing to read
	from     From
	toEnd    bool
	end      int64 // with toEnd: the last offset; -1 in an empty stream

	last     int64 // offset given last, -1 before the first
	tag      uint64
	unacked  int
	closing  sync.Once
	finished bool
}

// OpenHistory begins to read a stream. ctx bounds opening only. A stream that isn't there, or may not be read, is a
// *change.StopError.
func OpenHistory(ctx context.Context, o HistoryOptions) (*History, error) {
	if err := o.Connection.fill(); err != nil {
		return nil, fmt.Errorf("a history in RabbitMQ: %w", err)
	}
	if o.Stream == "" || len(o.Stream) > maxShort {
		return nil, errors.New("the name of the history's stream is missing, or too long")
	}
	if o.From.spec == nil {
		o.From = First()
	}
	h := &History{from: o.From, toEnd: o.ToEnd, last: -1}
	var err error
	if h.reader, err = openReader(ctx, &o); err != nil {
		return nil, err
	}
	if err := h.begin(ctx); err != nil {
		_ = h.Close() // It says why it couldn't begin.
		return nil, err
	}
	return h, nil
}

// Tail reads what comes to a stream from now on.
func Tail(ctx context.Context, c Connection, stream string) (*History, error) {
	return OpenHistory(ctx, HistoryOptions{Connection: c, Stream: stream, From: Next()})
}

func (h *History) begin(ctx context.Context) error {
	if h.toEnd {
		var err error
		if h.end, err = h.reader.findEnd(ctx); err != nil {
			return err
		}
		if n, ok := h.from.spec.(int64); h.end < 0 || ok && n > h.end || h.from == Next() {
			h.finished = true
			return nil
		}
	}
	var err error
	h.consumer, err = h.reader.consume(ctx, h.from)
	return err
}

// Next gives the next message. It blocks until there is one, until ctx ends, or until the history is closed. With ToEnd it
// gives io.EOF at the end. After other errors there are no more messages.
func (h *History) Next(ctx context.Context) (*Delivery, error) {
	if h.finished || h.toEnd && h.last >= h.end {
		return nil, io.EOF
	}
	if err := h.acknowledge(); err != nil {
		return nil, h.reader.explain(err)
	}
	var nothing <-chan time.Time
	if h.toEnd && h.last < 0 {
		// A time behind the last batch is where the next one will be.
		timer := time.NewTimer(silent)
		defer timer.Stop()
		nothing = timer.C
	}
	select {
	case d, ok := <-h.consumer.deliveries:
		if !ok {
			return nil, h.consumer.ended()
		}
		return h.take(&d)
	case <-nothing:
		h.finished = true
		return nil, io.EOF
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (h *History) take(d *amqp.Delivery) (*Delivery, error) {
	offset, err := h.reader.offset(d)
	if err != nil {
		return nil, err
	}
	if h.toEnd && offset > h.end {
		h.finished = true
		return nil, io.EOF
	}
	h.last, h.tag, h.unacked = offset, d.DeliveryTag, h.unacked+1
	return &Delivery{
		Message: fromDelivery(d), Offset: offset, Redelivered: d.Redelivered,
		Exchange: d.Exchange, ContentType: d.ContentType, Headers: d.Headers,
	}, nil
}

// acknowledge makes room for more, once enough was read.
func (h *History) acknowledge() error {
	if h.unacked < ackEvery {
		return nil
	}
	h.unacked = 0
	return h.consumer.channel.Ack(h.tag, true) //nolint:wrapcheck // Its caller explains.
}

// Close ends reading. It may be called twice, and while Next waits.
func (h *History) Close() error {
	h.closing.Do(h.reader.close)
	return nil
}
