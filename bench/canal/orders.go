package canal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/go-mysql-org/go-mysql/canal"
	amqp "github.com/rabbitmq/amqp091-go"
)

// OrdersOptions say what an Orders reads and where it sends.
type OrdersOptions struct {
	Server Server
	// DSN is the same server's, for reading orders; Schema is the database of the DSN, which the tables are in.
	DSN, Schema string
	// From is where to begin; Keep is the file that keeps the position.
	From Position
	Keep string
	// Broker is RabbitMQ's address as a URL, Exchange where messages go. Route gives the routing key of what a customer's orders are
	// sent with.
	Broker, Exchange string
	Route            func(customer string) string
	// Batch is how many orders are read by one statement, of as many transactions as wait; 1 reads each by itself.
	Batch int
	// Window is how many messages may be unconfirmed, by default 1,000.
	Window int
	// Sent is told each order as it is given to the broker; nil: nobody asks.
	Sent func(id int64)
}

// Orders sends each order that a transaction has changed, with its lines, as it is in the database. It runs once.
type Orders struct {
	options   OrdersOptions
	confirmed atomic.Uint64
}

// NewOrders makes an Orders. Nothing runs yet.
func NewOrders(o OrdersOptions) *Orders {
	if o.Window == 0 {
		o.Window = 1000
	}
	return &Orders{options: o}
}

// Confirmed counts messages, from the first on without a gap, that the broker has confirmed.
func (p *Orders) Confirmed() uint64 { return p.confirmed.Load() }

// Run sends orders until ctx ends. All else that ends it is an error.
func (p *Orders) Run(ctx context.Context) (err error) {
	o := &p.options
	db, err := sql.Open("mysql", o.DSN)
	if err != nil {
		return fmt.Errorf("the database: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return run(ctx, o.Broker, func(ctx context.Context, channel *amqp.Channel) (canal.EventHandler, reading, error) {
		out, err := newOutlet(channel, o.Exchange, o.Window, &p.confirmed)
		if err != nil {
			return nil, reading{}, err
		}
		s := &sender{options: o, out: out, ready: newStatements(db, o.Batch)}
		h := &gatherer{ctx: ctx, waiting: make(chan gathered, o.Window)}
		return h, reading{
			server: o.Server, from: o.From, tables: `^` + o.Schema + `\.(orders|order_lines|line_notes)$`,
			beside: []func(context.Context) error{
				func(ctx context.Context) error { return s.run(ctx, h.waiting) },
				func(ctx context.Context) error { return out.reap(ctx, o.Keep) },
			},
		}, nil
	})
}
