package canal

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"sync/atomic"

	"github.com/go-mysql-org/go-mysql/canal"
	amqp "github.com/rabbitmq/amqp091-go"
)

// Options say what a Publisher reads and where it sends.
type Options struct {
	Server        Server
	Schema, Table string
	// From is where to begin; Keep is the file that keeps the position.
	From Position
	Keep string
	// Broker is RabbitMQ's address as a URL, Exchange where messages go.
	Broker, Exchange string
	// CloudEvents puts the attributes of CloudEvents 1.0 into headers, as its AMQP binding has them in binary mode.
	CloudEvents bool
	// Window is how many messages may be unconfirmed, by default 1,000.
	Window int
	// Sent is told each row as it is given to the broker; nil: nobody asks.
	Sent func(row []any)
}

// Publisher sends a table's changes. It runs once.
type Publisher struct {
	options   Options
	confirmed atomic.Uint64
}

// New makes a Publisher. Nothing runs yet.
func New(o Options) *Publisher {
	if o.Window == 0 {
		o.Window = 1000
	}
	return &Publisher{options: o}
}

// Confirmed counts messages, from the first on without a gap, that the broker has confirmed.
func (p *Publisher) Confirmed() uint64 { return p.confirmed.Load() }

// Run sends changes until ctx ends. All else that ends it is an error.
func (p *Publisher) Run(ctx context.Context) (err error) {
	connection, err := amqp.Dial(p.options.Broker)
	if err != nil {
		return fmt.Errorf("connect to the broker: %w", err)
	}
	defer func() {
		if closeErr := connection.Close(); !errors.Is(closeErr, amqp.ErrClosed) {
			err = errors.Join(err, closeErr)
		}
	}()
	channel, err := connection.Channel()
	if err != nil {
		return fmt.Errorf("open a channel: %w", err)
	}
	if err := channel.Confirm(false); err != nil {
		return fmt.Errorf("ask for confirms: %w", err)
	}
	reader, err := canal.NewCanal(p.options.Server.canal("^" + regexp.QuoteMeta(p.options.Schema+"."+p.options.Table) + "$"))
	if err != nil {
		return fmt.Errorf("read the log: %w", err)
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	h := &handler{
		ctx: ctx, channel: channel, options: &p.options,
		returned: channel.NotifyReturn(make(chan amqp.Return, 1)),
		window:   make(chan sent, p.options.Window),
	}
	reader.SetEventHandler(h)

	reaped := make(chan error, 1)
	go func() {
		err := p.reap(ctx, h)
		stop(err)
		reaped <- err
	}()
	read := make(chan struct{})
	go func() {
		defer close(read)
		if err := reader.RunFrom(p.options.From.at()); err != nil {
			stop(fmt.Errorf("read the log: %w", err))
		}
	}()
	<-ctx.Done()
	reader.Close()
	<-read
	err = <-reaped
	if cause := context.Cause(ctx); err == nil && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	return err
}
