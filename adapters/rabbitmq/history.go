package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

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
	// Native has it read by RabbitMQ's own protocol; nil: by AMQP.
	Native *Native
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

// How long the broker may take to go on within a batch, and to send the first message of all, before there is taken to
// be none.
const (
	quiet  = 500 * time.Millisecond
	silent = 5 * time.Second
)

// streamReader is a connection for reading one stream, by either protocol.
type streamReader interface {
	// consume begins to read. ctx bounds waiting for the broker's answer; when it ends, so does the connection.
	consume(ctx context.Context, from From) (cursor, error)
	// close ends it, and what waits for it.
	close()
}

// cursor reads a stream from some place on. It is for one goroutine.
type cursor interface {
	// next gives the next message, or errNothing when nothing came until the channel gave something; nil never does.
	next(ctx context.Context, nothing <-chan time.Time) (*Delivery, error)
	// end has no more come.
	end() error
}

// errNothing says that no message came.
var errNothing = errors.New("no message came")

// History reads a stream. Its methods are for one goroutine, save Close.
type History struct {
	reader streamReader
	cursor cursor // nil when there is nothing to read
	from   From
	toEnd  bool
	end    int64 // with toEnd: the last offset; -1 in an empty stream

	last     int64 // offset given last, -1 before the first
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
	reader, err := openStream(ctx, &o)
	if err != nil {
		return nil, err
	}
	h.reader = reader
	if err := h.begin(ctx); err != nil {
		_ = h.Close() // It says why it couldn't begin.
		return nil, err
	}
	return h, nil
}

func openStream(ctx context.Context, o *HistoryOptions) (streamReader, error) {
	if o.Native != nil {
		return openNativeReader(ctx, o)
	}
	return openReader(ctx, o)
}

// Tail reads what comes to a stream from now on.
func Tail(ctx context.Context, c Connection, stream string) (*History, error) {
	return OpenHistory(ctx, HistoryOptions{Connection: c, Stream: stream, From: Next()})
}

func (h *History) begin(ctx context.Context) error {
	if h.toEnd {
		var err error
		if h.end, err = findEnd(ctx, h.reader); err != nil {
			return err
		}
		if n, ok := h.from.spec.(int64); h.end < 0 || ok && n > h.end || h.from == Next() {
			h.finished = true
			return nil
		}
	}
	var err error
	h.cursor, err = h.reader.consume(ctx, h.from)
	return err
}

// Next gives the next message. It blocks until there is one, until ctx ends, or until the history is closed. With ToEnd it
// gives io.EOF at the end. After other errors there are no more messages.
func (h *History) Next(ctx context.Context) (*Delivery, error) {
	if h.finished || h.toEnd && h.last >= h.end {
		return nil, io.EOF
	}
	var nothing <-chan time.Time
	if h.toEnd && h.last < 0 {
		// A time behind the last batch is where the next one will be.
		timer := time.NewTimer(silent)
		defer timer.Stop()
		nothing = timer.C
	}
	d, err := h.cursor.next(ctx, nothing)
	if errors.Is(err, errNothing) || err == nil && h.toEnd && d.Offset > h.end {
		h.finished = true
		return nil, io.EOF
	}
	if err != nil {
		return nil, err
	}
	h.last = d.Offset
	return d, nil
}

// Close ends reading. It may be called twice, and while Next waits.
func (h *History) Close() error {
	h.closing.Do(h.reader.close)
	return nil
}

// findEnd finds the stream's last offset, -1 where it is empty. AMQP has no question for it, RabbitMQ counts the messages of
// streams in some of its versions only, and answers by its own protocol from 3.11 on. So one cursor reads the last batch until
// nothing comes any more, and another one waits for the first message from now on: where that comes first, the end is before
// it.
func findEnd(ctx context.Context, r streamReader) (int64, error) {
	next, err := r.consume(ctx, Next())
	if err != nil {
		return 0, err
	}
	last, err := r.consume(ctx, Last())
	if err != nil {
		return 0, err
	}
	end, err := watchEnd(ctx, next, last)
	if err != nil {
		return 0, err
	}
	return end, errors.Join(next.end(), last.end())
}

func watchEnd(ctx context.Context, next, last cursor) (int64, error) {
	ctx, cancel := context.WithCancel(ctx)
	var waiting sync.WaitGroup
	defer waiting.Wait()
	defer cancel()
	first := make(chan int64, 1)
	waiting.Go(func() {
		if d, err := next.next(ctx, nil); err == nil {
			first <- d.Offset
		}
	})
	end, patience := int64(-1), silent
	for {
		timer := time.NewTimer(patience)
		d, err := last.next(ctx, timer.C)
		timer.Stop()
		if err != nil && !errors.Is(err, errNothing) {
			return 0, err
		}
		select {
		case offset := <-first:
			return offset - 1, nil
		default:
		}
		if err != nil {
			return end, nil
		}
		end, patience = d.Offset, quiet
	}
}
