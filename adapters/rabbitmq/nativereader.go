package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	message "github.com/rabbitmq/rabbitmq-stream-go-client/pkg/amqp"
	"github.com/rabbitmq/rabbitmq-stream-go-client/pkg/logs"
	"github.com/rabbitmq/rabbitmq-stream-go-client/pkg/stream"

	"banyan.dev/banyan/mirror/change"
)

// batches is how many batches of a stream are on their way to one cursor, and arrivals how many messages of them wait.
const (
	batches  = 2
	arrivals = 64
)

// nativeStream reads a stream by the native protocol, by RabbitMQ's client for it.
type nativeStream struct {
	name string
	uri  amqp.URI
	env  *stream.Environment

	closing sync.Once
	closed  chan struct{}
}

// openNativeReader connects. What a person has to look at is found out before the client is used, which would try again for
// ever, or say less.
func openNativeReader(ctx context.Context, o *HistoryOptions) (*nativeStream, error) {
	native := *o.Native
	if err := native.fill(&o.Connection); err != nil {
		return nil, fmt.Errorf("a history in RabbitMQ: %w", err)
	}
	uri, err := native.uri(&o.Connection)
	if err != nil {
		return nil, err
	}
	var code nativeCode
	link, err := linkNative(ctx, &o.Connection, uri, func(l *nativeLink) (err error) {
		code, err = l.find(o.Stream)
		return err
	})
	if err != nil {
		return nil, refusedNative(err, uri, o.Stream)
	}
	_ = link.Close() // It was only asked.
	switch code {
	case nativeOK:
	case nativeNoStream:
		return nil, noSuchStream(o.Stream, code)
	default:
		return nil, fmt.Errorf("read the stream %s: %w", o.Stream, code)
	}
	s := &nativeStream{name: o.Stream, uri: uri, closed: make(chan struct{})}
	if s.env, err = openEnvironment(ctx, o, uri); err != nil {
		return nil, fmt.Errorf("read the stream %s: %w", o.Stream, err)
	}
	return s, nil
}

// openEnvironment connects the client, which has no contexts: when ctx ends first, it is closed once it gives something.
func openEnvironment(ctx context.Context, o *HistoryOptions, uri amqp.URI) (*stream.Environment, error) {
	type made struct {
		env *stream.Environment
		err error
	}
	done := make(chan made, 1)
	go func() {
		env, err := environment(o, uri)
		done <- made{env, err}
	}()
	select {
	case m := <-done:
		return m.env, m.err
	case <-ctx.Done():
		go func() {
			if m := <-done; m.env != nil {
				_ = m.env.Close() // It gives nil.
			}
		}()
		return nil, context.Cause(ctx)
	}
}

func environment(o *HistoryOptions, uri amqp.URI) (*stream.Environment, error) {
	quietly()
	options := stream.NewEnvironmentOptions().SetRequestedHeartbeat(max(o.Heartbeat, leastHeartbeat)).SetRPCTimeout(o.ConnectTimeout)
	// The system's own sizes: with the client's 8 KiB a large batch comes at a few KiB each 200 ms, and some not at all.
	options.TCPParameters.ReadBuffer, options.TCPParameters.WriteBuffer = 0, 0
	scheme := "rabbitmq-stream"
	if uri.Scheme == "amqps" {
		config, err := tlsConfig(uri)
		if err != nil {
			return nil, err
		}
		scheme += "+tls"
		options.SetTLSConfig(config)
	}
	for _, mechanism := range mechanisms(uri) {
		if mechanism.Mechanism() == stream.SaslConfigurationExternal {
			options.SetSaslConfiguration(stream.SaslConfigurationExternal)
		}
	}
	// The client puts URLs together from these, as they are.
	options.ConnectionParameters = []*stream.Broker{{
		Scheme: scheme, Host: uri.Host, Port: strconv.Itoa(uri.Port),
		User: escaped(uri.Username), Password: escaped(uri.Password), Vhost: url.PathEscape(url.QueryEscape(uri.Vhost)),
	}}
	return stream.NewEnvironment(options) //nolint:wrapcheck // Its caller wraps.
}

// escaped writes all but letters and digits as %XX.
func escaped(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }

// leastHeartbeat is what the client takes at least.
const leastHeartbeat = 3 * time.Second

// consume implements streamReader.
func (s *nativeStream) consume(ctx context.Context, from From) (cursor, error) {
	c := &nativeCursor{nativeStream: s, deliveries: make(chan *Delivery, arrivals), ended: make(chan struct{})}
	options := stream.NewConsumerOptions().SetOffset(from.native()).SetInitialCredits(batches).SetClientProvidedName("banyan events")
	opened := make(chan error, 1)
	go func() {
		var err error
		c.consumer, err = s.env.NewConsumer(s.name, c.take, options)
		opened <- err
	}()
	select {
	case err := <-opened:
		if err != nil {
			return nil, s.explain(err)
		}
	case <-ctx.Done():
		s.close()
		return nil, context.Cause(ctx)
	}
	c.notice = c.consumer.NotifyClose()
	return c, nil
}

// native gives where to begin in the client's words.
func (f From) native() stream.OffsetSpecification {
	switch spec := f.spec.(type) {
	case time.Time:
		return stream.OffsetSpecification{}.Timestamp(spec.UnixMilli())
	case int64:
		return stream.OffsetSpecification{}.Offset(spec)
	}
	switch f {
	case Last():
		return stream.OffsetSpecification{}.Last()
	case Next():
		return stream.OffsetSpecification{}.Next()
	}
	return stream.OffsetSpecification{}.First()
}

func (s *nativeStream) explain(err error) error {
	switch {
	case errors.Is(err, stream.StreamDoesNotExist):
		return noSuchStream(s.name, err)
	case errors.Is(err, stream.CodeAccessRefused):
		return mayNotRead(s.uri, s.name, err)
	}
	return fmt.Errorf("read the stream %s: %w", s.name, err)
}

func (s *nativeStream) close() {
	s.closing.Do(func() {
		close(s.closed)
		_ = s.env.Close() // It gives nil.
	})
}

// nativeCursor is a cursor of a nativeStream.
type nativeCursor struct {
	*nativeStream
	consumer   *stream.Consumer
	notice     stream.ChannelClose
	deliveries chan *Delivery
	ended      chan struct{}
}

// take is called by the client, for one message after the other.
func (c *nativeCursor) take(at stream.ConsumerContext, m *message.Message) {
	select {
	case c.deliveries <- fromNative(m, at.Consumer.GetOffset()):
	case <-c.ended:
	case <-c.closed:
	}
}

// next implements cursor.
func (c *nativeCursor) next(ctx context.Context, nothing <-chan time.Time) (*Delivery, error) {
	select {
	case d := <-c.deliveries:
		return d, nil
	default:
	}
	select {
	case d := <-c.deliveries:
		return d, nil
	case event := <-c.notice:
		return nil, c.over(event)
	case <-c.closed:
		return nil, fmt.Errorf("read the stream %s: %w", c.name, net.ErrClosed)
	case <-nothing:
		return nil, errNothing
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// over says why there is no more.
func (c *nativeCursor) over(event stream.Event) error {
	select {
	case <-c.closed:
		return fmt.Errorf("read the stream %s: %w", c.name, net.ErrClosed)
	default:
	}
	if event.Reason == stream.MetaDataUpdate {
		return fmt.Errorf("read the stream %s: RabbitMQ has ended it; was the stream deleted?", c.name)
	}
	return fmt.Errorf("read the stream %s: the connection is lost", c.name)
}

// end implements cursor.
func (c *nativeCursor) end() error {
	close(c.ended)
	if err := c.consumer.Close(); err != nil && !errors.Is(err, stream.AlreadyClosed) {
		return c.explain(err)
	}
	return nil
}

// fromNative reads a message as it is kept in a stream. What a foreign message lacks stays empty.
func fromNative(m *message.Message, offset int64) *Delivery {
	d := amqp.Delivery{Headers: amqp.Table{"x-stream-offset": offset}, Body: []byte{}}
	for name, value := range m.ApplicationProperties {
		d.Headers[name] = value
	}
	annotation := func(name string) string {
		text, _ := m.Annotations[name].(string)
		return text
	}
	d.RoutingKey, d.Exchange, d.Type = annotation(annotationKey), annotation(annotationExchange), annotation("x-basic-type")
	if also, ok := m.Annotations[annotationAlso].([]any); ok {
		d.Headers[headerAlso] = also
	}
	if p := m.Properties; p != nil {
		d.MessageId, _ = p.MessageID.(string)
		d.CorrelationId, _ = p.CorrelationID.(string)
		d.ContentType, d.Timestamp, d.ReplyTo = p.ContentType, p.CreationTime, p.ReplyTo
	}
	for _, part := range m.Data {
		d.Body = append(d.Body, part...)
	}
	return &Delivery{Message: fromDelivery(&d), Offset: offset, Exchange: d.Exchange, ContentType: d.ContentType, Headers: d.Headers}
}

var once sync.Once

// quietly keeps the client from writing to this program's output: what matters comes back as errors.
func quietly() { once.Do(func() { logs.SetLogger(silence{}) }) }

type silence struct{}

func (silence) Info(string, ...any)  {}
func (silence) Warn(string, ...any)  {}
func (silence) Error(string, ...any) {}
func (silence) Debug(string, ...any) {}

func noSuchStream(name string, cause error) *change.StopError {
	return &change.StopError{
		What: "RabbitMQ has no stream " + name, Cause: cause,
		Fix: "the mirror declares it when it begins to run; mirror.history names it",
	}
}

func mayNotRead(uri amqp.URI, name string, cause error) *change.StopError {
	return &change.StopError{
		What: fmt.Sprintf("RabbitMQ doesn't let the account %q read the stream %s", uri.Username, name), Cause: cause,
		Fix: fmt.Sprintf("rabbitmqctl set_permissions --vhost %s %s CONFIGURE WRITE READ, with a READ that matches %s", quote(uri.Vhost), quote(uri.Username), name),
	}
}
