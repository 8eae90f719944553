package rabbitmq

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Connection says where the broker is, and how to reach it.
type Connection struct {
	// URL is amqp:// or amqps://, with the virtual host as its path. Of its parameters, auth_mechanism, cacertfile,
	// certfile, keyfile and server_name_indication are heeded.
	URL string
	// Name is what the broker's administrators see.
	Name string
	// ConnectTimeout bounds connecting and logging in. Zero: 10 seconds.
	ConnectTimeout time.Duration
	// Heartbeat is in whole seconds; the broker may want less. A broker that is silent for one and a half of it is taken
	// for dead. Zero: 10 seconds.
	Heartbeat time.Duration
	// Dial connects to host:port; nil for TCP as usual.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Logger may be nil.
	Logger *slog.Logger
}

// Options say where messages go.
type Options struct {
	Connection
	// Exchange is the durable topic exchange's name. It may be empty with a native history: then all is sent to that alone.
	Exchange string
	// History is the stream that keeps all messages for a while.
	History Stream
	// Window and WindowBytes are the most messages, and the most bytes of their bodies, that are sent and not confirmed;
	// one message may be larger. Zero: 2048 messages, 16 MiB.
	Window      int
	WindowBytes int
	// ConfirmTimeout is how long a broker may confirm nothing and take nothing, although it is not blocked and messages
	// wait, until the feed gives up. Zero: one minute.
	ConfirmTimeout time.Duration
}

// Stream is a stream queue that is bound to the exchange with #, or written by the native protocol. What exists is used if it
// is declared in the same way.
type Stream struct {
	// Name is the queue's name; empty: there is none.
	Name string
	// MaxAge and MaxBytes are how long and how much is kept, the oldest goes first, a segment at a time; zero: for ever.
	MaxAge   time.Duration
	MaxBytes int64
	// SegmentBytes is a segment's size; zero: the broker's default.
	SegmentBytes int64
	// Native has messages sent to the stream by RabbitMQ's own protocol, beside the exchange. Nil: through the exchange.
	Native *Native
}

// What holds where nothing is said.
const (
	defaultConnectTimeout = 10 * time.Second
	defaultHeartbeat      = 10 * time.Second
	defaultConfirmTimeout = time.Minute
	defaultWindow         = 2048
	defaultWindowBytes    = 16 << 20
)

func (c *Connection) fill() error {
	if c.URL == "" {
		return errors.New("the broker's URL is missing")
	}
	if _, err := parseURL(c.URL); err != nil {
		return err
	}
	c.ConnectTimeout = cmp.Or(c.ConnectTimeout, defaultConnectTimeout)
	c.Heartbeat = cmp.Or(c.Heartbeat, defaultHeartbeat)
	if c.ConnectTimeout < 0 || c.Heartbeat < time.Second {
		return errors.New("the timeout for connecting must be positive, the heartbeat at least a second")
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

func (o *Options) fill() error {
	if err := o.Connection.fill(); err != nil {
		return err
	}
	o.Window = cmp.Or(o.Window, defaultWindow)
	o.WindowBytes = cmp.Or(o.WindowBytes, defaultWindowBytes)
	o.ConfirmTimeout = cmp.Or(o.ConfirmTimeout, defaultConfirmTimeout)
	if err := o.fillNative(); err != nil {
		return err
	}
	switch h := o.History; {
	case o.Exchange == "" && o.History.Native == nil:
		return errors.New("the exchange's name is missing")
	case len(o.Exchange) > maxShort || len(h.Name) > maxShort:
		return fmt.Errorf("names of exchanges and queues have at most %d bytes", maxShort)
	case o.Window < 0 || o.WindowBytes < 0 || o.ConfirmTimeout < 0:
		return errors.New("the window and the timeout for confirms must be positive")
	case h.MaxAge < 0 || h.MaxBytes < 0 || h.SegmentBytes < 0:
		return errors.New("what the history keeps must be positive, or 0 for all")
	case h.MaxAge%time.Second != 0:
		return errors.New("the history's age is in whole seconds")
	}
	return nil
}

func (o *Options) fillNative() error {
	if o.History.Native == nil {
		return nil
	}
	if o.History.Name == "" {
		return errors.New("the name of the history's stream is missing")
	}
	native := *o.History.Native
	o.History.Native = &native
	return native.fill(&o.Connection)
}

// arguments are those of the stream's declaration. Administrators who declare it beforehand have to write the same.
func (h Stream) arguments() amqp.Table {
	table := amqp.Table{amqp.QueueTypeArg: amqp.QueueTypeStream}
	if h.MaxAge > 0 {
		table[amqp.StreamMaxAgeArg] = age(h.MaxAge)
	}
	if h.MaxBytes > 0 {
		table[amqp.StreamMaxLenBytesArg] = h.MaxBytes
	}
	if h.SegmentBytes > 0 {
		table[amqp.StreamMaxSegmentSizeBytesArg] = h.SegmentBytes
	}
	return table
}

// age writes a duration as RabbitMQ does, in the largest unit without a rest: 7D for a week.
func age(d time.Duration) string {
	for _, unit := range []struct {
		length time.Duration
		sign   string
	}{{24 * time.Hour, "D"}, {time.Hour, "h"}, {time.Minute, "m"}} {
		if d%unit.length == 0 {
			return strconv.FormatInt(int64(d/unit.length), 10) + unit.sign
		}
	}
	return strconv.FormatInt(int64(d/time.Second), 10) + "s"
}
