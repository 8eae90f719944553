package rabbitmq

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/mirror/change"
)

// errURL does not say what is wrong: the parser's texts quote what they took for a port or a host, which may be of the password.
var errURL = errors.New("the broker's URL is not as amqp://user:password@host:5672/vhost; in user, password and vhost, write all but letters and digits as %XX")

// parseURL reads an AMQP URL. Its error shows nothing of it.
func parseURL(text string) (amqp.URI, error) {
	uri, err := amqp.ParseURI(text)
	if err != nil {
		return uri, errURL
	}
	_, rest, _ := strings.Cut(text, "://")
	if at := strings.IndexByte(rest, '@'); at > strings.IndexAny(rest+"/", "/?#") {
		return uri, errURL // a password with a slash, of which the first part passes for a port
	}
	return uri, nil
}

// connect opens a TCP or TLS connection, hands it to wrap, and logs in over what wrap gives.
func (c *Connection) connect(ctx context.Context, wrap func(net.Conn) net.Conn) (*amqp.Connection, error) {
	uri, err := parseURL(c.URL)
	if err != nil {
		return nil, err
	}
	conn, err := c.login(ctx, uri, wrap)
	if errors.Is(err, amqp.ErrCredentials) {
		// RabbitMQ refuses an account by closing the connection without a word, after some seconds. A broker that is killed
		// at that moment looks the same, but not twice.
		conn, err = c.login(ctx, uri, wrap)
	}
	if err != nil {
		return nil, refused(err, uri)
	}
	return conn, nil
}

func (c *Connection) login(ctx context.Context, uri amqp.URI, wrap func(net.Conn) net.Conn) (*amqp.Connection, error) {
	ctx, cancel := context.WithTimeout(ctx, c.ConnectTimeout)
	defer cancel()
	dial := c.Dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	conn, err := dial(ctx, "tcp", address(uri))
	if err != nil {
		return nil, err
	}
	if uri.Scheme == "amqps" {
		if conn, err = secure(ctx, conn, uri); err != nil {
			return nil, fmt.Errorf("speak TLS: %w", err)
		}
	}
	conn = wrap(conn)
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	opened, err := amqp.Open(conn, amqp.Config{
		SASL: mechanisms(uri), Vhost: uri.Vhost, Heartbeat: c.Heartbeat, Locale: "en_US", FrameSize: frameMax,
		Properties: amqp.Table{"product": "Banyan", "platform": "Go", "connection_name": c.Name},
	})
	if !stop() {
		err = context.Cause(ctx) // It has closed the connection, whatever came of that.
	}
	if err != nil {
		_ = conn.Close()
		return nil, err //nolint:wrapcheck // refused wraps it.
	}
	return opened, nil
}

func address(uri amqp.URI) string { return net.JoinHostPort(uri.Host, strconv.Itoa(uri.Port)) }

// refused says what a person can do about a login that failed.
func refused(err error, uri amqp.URI) error {
	var said *amqp.Error
	switch errors.As(err, &said); {
	case untrusted(err):
		return &change.StopError{
			What: "the certificate of RabbitMQ at " + address(uri) + " is not trusted", Cause: err,
			Fix: "name the authority's certificates in the URL: cacertfile=/path/to/ca.pem; or the name in the certificate: server_name_indication=…",
		}
	case said == nil:
	case errors.Is(said, amqp.ErrSASL):
		return &change.StopError{
			What: "RabbitMQ at " + address(uri) + " takes none of the ways to log in", Cause: err,
			Fix: "name one that it takes in the URL: auth_mechanism=plain, amqplain or external",
		}
	case errors.Is(said, amqp.ErrCredentials), said.Server && said.Code == amqp.AccessRefused:
		return &change.StopError{
			What: fmt.Sprintf("RabbitMQ at %s refuses the account %q", address(uri), uri.Username), Cause: err,
			Fix: "correct the URL, or set the password: rabbitmqctl change_password " + quote(uri.Username) + " …",
		}
	case said.Server && said.Code == amqp.NotAllowed && !strings.Contains(said.Reason, "limit"):
		return &change.StopError{
			What: fmt.Sprintf("the account %q may not use the virtual host %q of RabbitMQ at %s", uri.Username, uri.Vhost, address(uri)), Cause: err,
			Fix: fmt.Sprintf("rabbitmqctl add_vhost %s, if there is none; rabbitmqctl set_permissions --vhost %[1]s %s '.*' '.*' '.*'", quote(uri.Vhost), quote(uri.Username)),
		}
	}
	return fmt.Errorf("log in to RabbitMQ at %s: %w", address(uri), err)
}

// untrusted says whether the broker's certificate is why a connection failed.
func untrusted(err error) bool {
	var why *tls.CertificateVerificationError
	return errors.As(err, &why)
}

func mechanisms(uri amqp.URI) []amqp.Authentication {
	var chosen []amqp.Authentication
	for _, name := range uri.AuthMechanism {
		switch strings.ToUpper(name) {
		case "PLAIN":
			chosen = append(chosen, uri.PlainAuth())
		case "AMQPLAIN":
			chosen = append(chosen, uri.AMQPlainAuth())
		case "EXTERNAL":
			chosen = append(chosen, &amqp.ExternalAuth{})
		}
	}
	if chosen == nil {
		chosen = append(chosen, uri.PlainAuth())
	}
	return chosen
}

// secure puts TLS on a connection, as an amqps URL says. It closes the connection on an error.
func secure(ctx context.Context, conn net.Conn, uri amqp.URI) (net.Conn, error) {
	config, err := tlsConfig(uri)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	client := tls.Client(conn, config)
	if err := client.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return client, nil
}

func tlsConfig(uri amqp.URI) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: uri.ServerName}
	if config.ServerName == "" {
		config.ServerName = uri.Host
	}
	if uri.CACertFile != "" {
		text, err := os.ReadFile(uri.CACertFile)
		if err != nil {
			return nil, fmt.Errorf("read cacertfile: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s has no certificate in PEM", uri.CACertFile)
		}
	}
	if uri.CertFile != "" || uri.KeyFile != "" {
		certificate, err := tls.LoadX509KeyPair(uri.CertFile, uri.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("read certfile and keyfile: %w", err)
		}
		config.Certificates = []tls.Certificate{certificate}
	}
	return config, nil
}

// quote makes a word for a shell.
func quote(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }
