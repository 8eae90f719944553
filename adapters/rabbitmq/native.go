package rabbitmq

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Native says how RabbitMQ's own protocol for streams is spoken, which its plugin rabbitmq_stream listens for
// (https://github.com/rabbitmq/rabbitmq-server/blob/v3.10.8/deps/rabbitmq_stream/docs/PROTOCOL.adoc).
type Native struct {
	// URL is rabbitmq-stream:// or rabbitmq-stream+tls://, with account, host, port, virtual host and parameters as in a
	// Connection's. Empty: those of the Connection, at Port.
	URL string
	// Port is where the plugin listens, for a URL that names none. Zero: 5552, or 5551 with TLS.
	Port int
	// Batch is how many messages at most are one entry of the stream, which costs the broker as much as one message. Zero
	// and 1: each is an entry of its own.
	Batch int
	// Compression of entries with several messages: none, gzip or zstd. Empty: none. Compressed entries can be read by the
	// native protocol only.
	Compression string
}

// The ports of the plugin.
const (
	nativePort    = 5552
	nativeTLSPort = 5551
)

// maxBatch is the most messages that an entry has.
const maxBatch = 10_000

// errNativeURL shows nothing of the URL, like errURL.
var errNativeURL = errors.New("the URL for streams is not as rabbitmq-stream://user:password@host:5552/vhost; in user, password and vhost, write all but letters and digits as %XX")

func (n *Native) fill(c *Connection) error {
	n.Batch = cmp.Or(n.Batch, 1)
	n.Compression = cmp.Or(n.Compression, uncompressed)
	if n.Batch < 0 || n.Batch > maxBatch {
		return fmt.Errorf("an entry of the stream has 1 to %d messages", maxBatch)
	}
	if _, err := newCompressor(n.Compression); err != nil {
		return err
	}
	_, err := n.uri(c)
	return err
}

// uri gives where the plugin listens, in the form of AMQP's addresses.
func (n *Native) uri(c *Connection) (amqp.URI, error) {
	if n.URL == "" {
		uri, err := parseURL(c.URL)
		uri.Port = n.port(uri.Scheme)
		return uri, err
	}
	text, plain := strings.CutPrefix(n.URL, "rabbitmq-stream://")
	scheme := "amqp"
	if !plain {
		var found bool
		if text, found = strings.CutPrefix(n.URL, "rabbitmq-stream+tls://"); !found {
			return amqp.URI{}, errNativeURL
		}
		scheme = "amqps"
	}
	uri, err := parseURL(scheme + "://" + text)
	if err != nil {
		return uri, errNativeURL
	}
	if parsed, err := url.Parse(n.URL); err == nil && parsed.Port() == "" {
		uri.Port = n.port(scheme)
	}
	return uri, nil
}

func (n *Native) port(scheme string) int {
	if n.Port != 0 {
		return n.Port
	}
	if scheme == "amqps" {
		return nativeTLSPort
	}
	return nativePort
}
