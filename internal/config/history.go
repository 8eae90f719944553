package config

import (
	"errors"
	"net/url"
	"time"
)

// History is the stream that keeps events for those who come later.
type History struct {
	Enabled bool `yaml:"enabled" default:"true"`
	// Stream is the queue's name.
	Stream Name `yaml:"stream" default:"banyan.history"`
	// Protocol is how the history is written and read: amqp, through the exchange, or stream, RabbitMQ's own for streams, for
	// high volume.
	Protocol HistoryProtocol `yaml:"protocol" default:"amqp"`
	// URL is where the stream protocol is spoken: rabbitmq-stream:// or rabbitmq-stream+tls://. None: as in broker.url, at Port;
	// 0 is 5552, or 5551 with TLS.
	URL  Secret `yaml:"url"`
	Port int    `yaml:"port" default:"0"`
	// Batch is how many events at most share an entry of the stream, and Compression how such entries are packed: none, gzip
	// or zstd.
	Batch       int         `yaml:"batch" default:"1"`
	Compression Compression `yaml:"compression" default:"none"`
	// Only sends events to the history alone, and not to the exchange.
	Only bool `yaml:"only" default:"false"`
	// MaxAge and MaxBytes bound what is kept: the oldest events go when either is passed.
	MaxAge   time.Duration `yaml:"max_age" default:"168h"`
	MaxBytes Size          `yaml:"max_bytes" default:"10GiB"`
}

// Native says whether RabbitMQ's stream protocol is spoken.
func (h *History) Native() bool { return h.Protocol == ByStream }

// HistoryProtocol is how the history is written and read.
type HistoryProtocol string

const (
	// ByAMQP has the history get events from the exchange.
	ByAMQP HistoryProtocol = "amqp"
	// ByStream has it get them by RabbitMQ's protocol for streams.
	ByStream HistoryProtocol = "stream"
)

// UnmarshalText reads a protocol.
func (p *HistoryProtocol) UnmarshalText(text []byte) error {
	if v := HistoryProtocol(text); v == ByAMQP || v == ByStream {
		*p = v
		return nil
	}
	return errors.New("write amqp or stream")
}

// Compression is how entries of a stream are packed.
type Compression string

// The compressions that there are.
const (
	Uncompressed Compression = "none"
	Gzip         Compression = "gzip"
	Zstd         Compression = "zstd"
)

// UnmarshalText reads a compression.
func (c *Compression) UnmarshalText(text []byte) error {
	if v := Compression(text); v == Uncompressed || v == Gzip || v == Zstd {
		*c = v
		return nil
	}
	return errors.New("write none, gzip or zstd")
}

// maxBatch is the most events that share an entry, and maxPort the last port.
const (
	maxBatch = 10_000
	maxPort  = 1<<16 - 1
)

func (v validator) history() {
	h := v.c.Mirror.History
	atLeast(v, "mirror.history.max_age", h.MaxAge, time.Second)
	if h.MaxAge%time.Second != 0 {
		v.add("mirror.history.max_age", "round it", "mirror.history.max_age is in whole seconds")
	}
	atLeast(v, "mirror.history.max_bytes", h.MaxBytes, 1<<20)
	atLeast(v, "mirror.history.port", h.Port, 0)
	atMost(v, "mirror.history.port", h.Port, maxPort)
	atLeast(v, "mirror.history.batch", h.Batch, 1)
	atMost(v, "mirror.history.batch", h.Batch, maxBatch)
	if text := h.URL.Reveal(); text != "" {
		if u, err := url.Parse(text); err != nil || u.Scheme != "rabbitmq-stream" && u.Scheme != "rabbitmq-stream+tls" || u.Host == "" {
			v.add("mirror.history.url", "write rabbitmq-stream://user:password@host:5552/vhost, or rabbitmq-stream+tls://…", "mirror.history.url is no URL of RabbitMQ's stream protocol")
		}
	}
	if h.Compression != Uncompressed && h.Batch == 1 {
		v.add("mirror.history.compression", "raise mirror.history.batch, to 100 for instance", "only entries with several events are packed, and mirror.history.batch is 1")
	}
	if !h.Native() {
		for key, set := range map[string]bool{
			"mirror.history.url": h.URL.Reveal() != "", "mirror.history.port": h.Port != 0, "mirror.history.batch": h.Batch > 1,
			"mirror.history.compression": h.Compression != Uncompressed, "mirror.history.only": h.Only,
		} {
			if set {
				v.add(key, "set mirror.history.protocol to stream, or leave it out", "%s is for RabbitMQ's stream protocol only", key)
			}
		}
	}
	if h.Only && !h.Enabled {
		v.add("mirror.history.only", "set mirror.history.enabled to true", "events would go nowhere: mirror.history.only is set, and there is no history")
	}
}
