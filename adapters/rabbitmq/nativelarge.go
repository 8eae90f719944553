package rabbitmq

import (
	"context"
	"fmt"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/mirror/change"
)

// largeFeed takes what is larger than a frame of the native protocol by AMQP, which cuts messages into frames: to an exchange
// with the stream's name, to which only the stream is bound. It is opened when first needed.
type largeFeed struct {
	mu     sync.Mutex
	feed   *feed
	closed bool
}

// sendLarge sends a large message in its turn: all before it is confirmed first, and it is before any other is sent.
func (f *nativeFeed) sendLarge(ctx context.Context, m *change.Message) error {
	if err := f.Flush(ctx); err != nil {
		return err
	}
	if err := f.enter(ctx, len(m.Body)); err != nil {
		return err
	}
	by, err := f.large.open(ctx, f.options, f.fate)
	if err == nil {
		err = by.Send(ctx, m)
	}
	if err == nil {
		err = by.Flush(ctx)
	}
	if err != nil {
		err = fmt.Errorf("send a message of %d bytes to the stream %s: %w", len(m.Body), f.options.History.Name, err)
		f.fail(err)
		return err
	}
	f.entries.skip()
	f.window.confirm(f.entries.tag, false)
	return nil
}

// open gives the feed.
func (l *largeFeed) open(ctx context.Context, o *Options, shared *fate) (*feed, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, errClosed
	}
	if l.feed != nil {
		return l.feed, nil
	}
	name := o.History.Name
	uri, err := parseURL(o.URL)
	if err != nil {
		return nil, err
	}
	t := &topology{exchange: name, history: o.History, uri: uri}
	l.feed, err = openFeedOf(ctx, o, shared, target{exchange: name, unrouted: t.unrouted, broken: t.broken}, func(conn *amqp.Connection) error {
		return t.onChannel(conn, func(channel *amqp.Channel) error {
			if err := channel.ExchangeDeclare(name, amqp.ExchangeTopic, true, false, false, false, nil); err != nil {
				return t.explain(err, "the exchange "+name, "name another stream in mirror.history, or delete this exchange, which has the stream's name and no other use: rabbitmqadmin --vhost="+quote(uri.Vhost)+" delete exchange name="+quote(name))
			}
			if err := channel.QueueBind(name, "#", name, false, nil); err != nil {
				return t.explain(err, "the binding of "+name+" to the exchange of the same name", "")
			}
			return nil
		})
	})
	return l.feed, err
}

func (l *largeFeed) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if l.feed != nil {
		_ = l.feed.Close() // It gives nil.
	}
}
