package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/mirror/change"
)

// openNative opens a feed to the exchange, where there is one, and to the history by the native protocol.
func (s *Sink) openNative(ctx context.Context) (change.Feed, error) {
	shared := newFate()
	both := &bothFeed{fate: shared}
	conn, err := s.prepare(ctx, shared, both)
	if err == nil {
		both.history, err = s.openHistory(ctx, shared, both.blocked, conn)
	}
	if both.exchange == nil && conn != nil {
		_ = conn.CloseDeadline(time.Now().Add(parting)) // It has done its part.
	}
	if err != nil {
		if both.exchange != nil {
			_ = both.exchange.Close() // It gives nil.
		}
		return nil, err
	}
	if both.exchange == nil {
		return both.history, nil
	}
	return both, nil
}

// prepare declares what is needed by AMQP, and opens the feed to the exchange. The connection is that feed's, where there is one.
func (s *Sink) prepare(ctx context.Context, shared *fate, both *bothFeed) (*amqp.Connection, error) {
	t := s.topology()
	if s.options.Exchange != "" {
		// Whatever nobody takes from the exchange is in the history.
		to := target{exchange: t.exchange, optional: true, unrouted: t.unrouted, broken: t.broken}
		var err error
		if both.exchange, err = openFeedOf(ctx, &s.options, shared, to, t.declareNative); err != nil {
			both.exchange = nil
			return nil, err
		}
		return both.exchange.conn, nil
	}
	conn, err := s.options.connect(ctx, func(conn net.Conn) net.Conn { return conn })
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.CloseDeadline(time.Now()) })
	defer stop()
	return conn, t.declareNative(conn)
}

// declareNative declares exchange and stream, and takes the binding away by which the stream would have all twice.
func (t *topology) declareNative(conn *amqp.Connection) error {
	if err := t.compare(conn); err != nil || t.exchange == "" {
		return err
	}
	return t.onChannel(conn, func(channel *amqp.Channel) error {
		if err := channel.QueueUnbind(t.history.Name, "#", t.exchange, nil); err != nil {
			return t.explain(err, "the binding of "+t.history.Name+" to "+t.exchange, "")
		}
		return nil
	})
}

// again is the time between two attempts to reach the plugin.
const again = 200 * time.Millisecond

// openHistory opens the feed to the stream. The plugin is the last part of a broker to begin listening: it has some time, as
// long as the broker itself is there.
func (s *Sink) openHistory(ctx context.Context, shared *fate, blocked func() string, conn *amqp.Connection) (*nativeFeed, error) {
	patience := time.NewTimer(s.options.ConnectTimeout)
	defer patience.Stop()
	for {
		f, err := openNativeFeed(ctx, &s.options, shared, blocked)
		if err == nil {
			return f, nil
		}
		uri, badURI := s.options.History.Native.uri(&s.options.Connection)
		if badURI != nil {
			return nil, badURI
		}
		var code nativeCode
		passes := errors.Is(err, syscall.ECONNREFUSED) || errors.As(err, &code) && code == nativeUnavailable
		if !passes || conn.IsClosed() {
			return nil, refusedNative(err, uri, s.options.History.Name)
		}
		pause := time.NewTimer(again)
		select {
		case <-pause.C:
		case <-patience.C:
			pause.Stop()
			if conn.IsClosed() || !errors.Is(err, syscall.ECONNREFUSED) {
				return nil, refusedNative(err, uri, s.options.History.Name)
			}
			return nil, noPlugin(err, address(uri))
		case <-ctx.Done():
			pause.Stop()
			return nil, fmt.Errorf("open a feed to RabbitMQ's streams: %w", context.Cause(ctx))
		}
	}
}

func noPlugin(err error, at string) *change.StopError {
	return &change.StopError{
		What: "RabbitMQ takes AMQP, but nobody listens for its stream protocol at " + at, Cause: err,
		Fix: "enable its plugin: rabbitmq-plugins enable rabbitmq_stream; or name where it listens in mirror.history.url or mirror.history.port; or write mirror.history.protocol: amqp",
	}
}

// bothFeed is a change.Feed to an exchange and to a stream. A message is confirmed when both have it; when one fails, so does
// the other.
type bothFeed struct {
	*fate
	exchange *feed
	history  *nativeFeed
}

// Send implements change.Feed.
func (b *bothFeed) Send(ctx context.Context, m *change.Message) error {
	if err := b.exchange.Send(ctx, m); err != nil {
		return err
	}
	return b.history.Send(ctx, m)
}

// Flush implements change.Feed.
func (b *bothFeed) Flush(ctx context.Context) error {
	// What is pending for the history is to go while the exchange is waited for.
	b.history.outlet.push()
	if err := b.exchange.Flush(ctx); err != nil {
		return err
	}
	return b.history.Flush(ctx)
}

// Confirmed implements change.Feed.
func (b *bothFeed) Confirmed() uint64 { return min(b.exchange.Confirmed(), b.history.Confirmed()) }

// Status implements change.Feed.
func (b *bothFeed) Status() change.FeedStatus {
	status, history := b.exchange.Status(), b.history.Status()
	status.Sent = min(status.Sent, history.Sent)
	status.Confirmed = min(status.Confirmed, history.Confirmed)
	status.Oldest = max(status.Oldest, history.Oldest)
	return status
}

// Close implements change.Feed.
func (b *bothFeed) Close() error { return errors.Join(b.history.Close(), b.exchange.Close()) }

// blocked says why the broker takes nothing, where the exchange's connection has been told.
func (b *bothFeed) blocked() string {
	if b.exchange == nil {
		return ""
	}
	if reason := b.exchange.blocked.Load(); reason != nil {
		return *reason
	}
	return ""
}
