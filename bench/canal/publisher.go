package canal

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"sync"
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
func (p *Publisher) Run(ctx context.Context) error {
	return run(ctx, p.options.Broker, func(ctx context.Context, channel *amqp.Channel) (canal.EventHandler, reading, error) {
		out, err := newOutlet(channel, p.options.Exchange, p.options.Window, &p.confirmed)
		if err != nil {
			return nil, reading{}, err
		}
		return &handler{ctx: ctx, out: out, options: &p.options}, reading{
			server: p.options.Server, from: p.options.From, tables: "^" + regexp.QuoteMeta(p.options.Schema+"."+p.options.Table) + "$",
			beside: []func(context.Context) error{func(ctx context.Context) error { return out.reap(ctx, p.options.Keep) }},
		}, nil
	})
}

// reading says what is read, and what is done beside, which gives nil when ctx ends, and an error before that.
type reading struct {
	server Server
	from   Position
	tables string // a regular expression of schema.table
	beside []func(context.Context) error
}

// run connects to the broker, and gives a handler what is read until ctx ends or something fails.
func run(ctx context.Context, broker string, prepare func(context.Context, *amqp.Channel) (canal.EventHandler, reading, error)) (err error) {
	connection, err := amqp.Dial(broker)
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
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	h, of, err := prepare(ctx, channel)
	if err != nil {
		return err
	}
	reader, err := canal.NewCanal(of.server.canal(of.tables))
	if err != nil {
		return fmt.Errorf("read the log: %w", err)
	}
	reader.SetEventHandler(h)

	var running sync.WaitGroup
	failed := make([]error, len(of.beside))
	for i, do := range of.beside {
		running.Go(func() {
			failed[i] = do(ctx)
			stop(failed[i])
		})
	}
	running.Go(func() {
		if err := reader.RunFrom(of.from.at()); err != nil {
			stop(fmt.Errorf("read the log: %w", err))
		}
	})
	<-ctx.Done()
	reader.Close()
	running.Wait()
	if err := errors.Join(failed...); err != nil {
		return err
	}
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}
