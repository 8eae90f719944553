package rabbitmq

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/mirror/change"
)

// publisher is the only one on a link.
const publisher = 0

// nativeLink is a connection by the native protocol, logged in. Once others read and write it, ask is not to be called.
type nativeLink struct {
	net.Conn
	uri amqp.URI

	reader    *bufio.Reader
	buffer    []byte
	requests  uint32
	frame     int           // the largest that the broker takes
	heartbeat time.Duration // zero: none
	tuned     bool
}

// linkNative connects, logs in, and has begin ask for more.
func linkNative(ctx context.Context, o *Connection, uri amqp.URI, begin func(*nativeLink) error) (*nativeLink, error) {
	ctx, cancel := context.WithTimeout(ctx, o.ConnectTimeout)
	defer cancel()
	dial := o.Dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	conn, err := dial(ctx, "tcp", address(uri))
	if err != nil {
		return nil, err //nolint:wrapcheck // Its caller explains.
	}
	if uri.Scheme == "amqps" {
		if conn, err = secure(ctx, conn, uri); err != nil {
			return nil, fmt.Errorf("speak TLS: %w", err)
		}
	}
	l := &nativeLink{Conn: conn, uri: uri, reader: bufio.NewReaderSize(conn, 16<<10)}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	if err = l.login(o); err == nil {
		err = begin(l)
	}
	if !stop() {
		err = context.Cause(ctx) // It has closed the connection, whatever came of that.
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return l, nil
}

// login goes through the protocol's steps up to a virtual host.
func (l *nativeLink) login(o *Connection) error {
	if _, err := l.ask(nativePeerProperties, func(dst []byte) []byte {
		dst = append(dst, 0, 0, 0, 3)
		for _, property := range [...]string{"product", "Banyan", "platform", "Go", "connection_name", o.Name} {
			dst = appendNativeString(dst, property)
		}
		return dst
	}); err != nil {
		return err
	}
	offered, err := l.ask(nativeSaslHandshake, nil)
	if err != nil {
		return err
	}
	mechanism, secret := l.mechanism(&offered)
	if mechanism == "" {
		return nativeNoMechanism
	}
	if _, err := l.ask(nativeSaslAuthenticate, func(dst []byte) []byte {
		dst = appendNativeString(dst, mechanism)
		dst = append(dst, byte(len(secret)>>24), byte(len(secret)>>16), byte(len(secret)>>8), byte(len(secret)))
		return append(dst, secret...)
	}); err != nil {
		return err
	}
	if err := l.tune(o.Heartbeat); err != nil {
		return err
	}
	_, err = l.ask(nativeOpen, func(dst []byte) []byte { return appendNativeString(dst, l.uri.Vhost) })
	return err
}

// publish declares a publisher for a stream that exists. It has no name: the broker would leave out what has a lower number
// than it has seen, where it is versions that tell repeats.
func (l *nativeLink) publish(stream string) error {
	_, err := l.ask(nativeDeclarePublisher, func(dst []byte) []byte {
		return appendNativeString(appendNativeString(append(dst, publisher), ""), stream)
	})
	return err
}

// find gives whether a stream is there, as a code.
func (l *nativeLink) find(stream string) (nativeCode, error) {
	l.requests++
	if _, err := l.Write(nativeWhere(nil, l.requests, stream)); err != nil {
		return 0, err //nolint:wrapcheck // Its caller explains.
	}
	for {
		f, err := l.next()
		if err != nil {
			return 0, err
		}
		if f.command == nativeMetadata|nativeAnswer {
			return whereNative(&f.body, stream), nil
		}
	}
}

// nativeWhere asks where a stream is.
func nativeWhere(dst []byte, id uint32, stream string) []byte {
	return nativeRequest(dst, nativeMetadata, id, func(dst []byte) []byte {
		return appendNativeString(append(dst, 0, 0, 0, 1), stream)
	})
}

// whereNative gives the code that the answer has for the stream.
func whereNative(body *nativeReader, stream string) nativeCode {
	body.u32() // the request's id
	for range body.count(8) {
		body.u16()
		body.text()
		body.u32()
	}
	body.u32() // one stream
	if name := body.text(); name != stream {
		return nativeUnavailable
	}
	return body.code()
}

// mechanism chooses how to log in, of what the broker offers.
func (l *nativeLink) mechanism(offered *nativeReader) (name string, secret []byte) {
	has := map[string]bool{}
	for range offered.count(2) {
		has[offered.text()] = true
	}
	for _, one := range mechanisms(l.uri) {
		switch name := one.Mechanism(); {
		case !has[name]:
		case name == "PLAIN":
			return name, []byte("\x00" + l.uri.Username + "\x00" + l.uri.Password)
		case name == "EXTERNAL":
			return name, nil
		}
	}
	return "", nil
}

// tune takes the broker's bounds, and answers with ours.
func (l *nativeLink) tune(heartbeat time.Duration) error {
	for !l.tuned {
		f, err := l.next()
		if err != nil {
			return err
		}
		l.heed(&f)
	}
	if l.frame == 0 || l.frame > mostAnswer {
		l.frame = mostAnswer
	}
	if l.heartbeat == 0 || l.heartbeat > heartbeat {
		l.heartbeat = heartbeat.Truncate(time.Second)
	}
	answer, start := beginNative(nil, nativeTune|nativeAnswer)
	for _, n := range []int{l.frame, int(l.heartbeat / time.Second)} {
		answer = append(answer, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	_, err := l.Write(endNative(answer, start))
	return err //nolint:wrapcheck // Its caller explains.
}

// heed takes what comes unasked before the link is up.
func (l *nativeLink) heed(f *nativeFrame) {
	if f.command&^nativeAnswer == nativeTune {
		l.frame, l.heartbeat, l.tuned = int(f.body.u32()), time.Duration(f.body.u32())*time.Second, true
	}
}

func (l *nativeLink) next() (nativeFrame, error) {
	f, buffer, err := readNative(l.reader, l.buffer)
	l.buffer = buffer
	if err == nil && f.command == nativeClose {
		return f, closedByBroker(&f)
	}
	return f, err
}

// closedByBroker says why the broker ends the connection.
func closedByBroker(f *nativeFrame) error {
	f.body.u32() // the request's id
	code := f.body.code()
	return fmt.Errorf("RabbitMQ closes the connection: %s (%w)", f.body.text(), code)
}

// ask sends a request and gives its answer, behind the code. A code other than OK is the error.
func (l *nativeLink) ask(command uint16, rest func(dst []byte) []byte) (nativeReader, error) {
	l.requests++
	if _, err := l.Write(nativeRequest(nil, command, l.requests, rest)); err != nil {
		return nativeReader{}, err //nolint:wrapcheck // Its caller explains.
	}
	for {
		f, err := l.next()
		if err != nil {
			return nativeReader{}, err
		}
		if f.command != command|nativeAnswer || f.body.u32() != l.requests {
			l.heed(&f)
			continue
		}
		if code := f.body.code(); code != nativeOK {
			return nativeReader{}, code
		}
		return nativeReader{bytes.Clone(f.body.rest)}, nil
	}
}

// refusedNative says what a person can do about a link that failed.
func refusedNative(err error, uri amqp.URI, stream string) error {
	at := address(uri)
	var code nativeCode
	if errors.As(err, &code) {
		switch code {
		case nativeAuthFailure, nativeAuthLoopback:
			return &change.StopError{
				What: fmt.Sprintf("RabbitMQ at %s refuses the account %q for streams", at, uri.Username), Cause: err,
				Fix: "correct mirror.history.url, or set the password: rabbitmqctl change_password " + quote(uri.Username) + " …",
			}
		case nativeNoMechanism:
			return &change.StopError{
				What: "RabbitMQ at " + at + " takes none of the ways to log in for streams", Cause: err,
				Fix: "name one that it takes in mirror.history.url: auth_mechanism=plain or external",
			}
		case nativeNoVHost:
			return &change.StopError{
				What: fmt.Sprintf("the account %q may not use the virtual host %q of RabbitMQ at %s", uri.Username, uri.Vhost, at), Cause: err,
				Fix: "correct mirror.history.url, which names the same virtual host as broker.url, or give the account its rights there",
			}
		case nativeAccessRefused:
			return &change.StopError{
				What: fmt.Sprintf("RabbitMQ doesn't let the account %q write to the stream %s", uri.Username, stream), Cause: err,
				Fix: fmt.Sprintf("rabbitmqctl set_permissions --vhost %s %s CONFIGURE WRITE READ, with a WRITE that matches %s", quote(uri.Vhost), quote(uri.Username), stream),
			}
		case nativeNoStream:
			return &change.StopError{
				What: fmt.Sprintf("RabbitMQ at %s has no stream %s in the virtual host %s", at, stream, uri.Vhost), Cause: err,
				Fix: "have mirror.history.url and broker.url lead to the same cluster and virtual host",
			}
		case nativeOK, nativeUnavailable:
		}
	}
	switch {
	case errors.Is(err, errNotNative), isOther(err):
		return &change.StopError{
			What: "what listens at " + at + " does not speak RabbitMQ's stream protocol", Cause: err,
			Fix: "name the port of the plugin rabbitmq_stream in mirror.history.url or mirror.history.port: rabbitmq-diagnostics listeners shows it",
		}
	case untrusted(err):
		return &change.StopError{
			What: "the certificate of RabbitMQ at " + at + " is not trusted", Cause: err,
			Fix: "name the authority's certificates in mirror.history.url: cacertfile=/path/to/ca.pem; or the name in the certificate: server_name_indication=…",
		}
	}
	return fmt.Errorf("speak to RabbitMQ's streams at %s: %w", at, err)
}

// isOther says whether an error is of TLS on one side only.
func isOther(err error) bool {
	return strings.Contains(err.Error(), "first record does not look like a TLS handshake")
}
