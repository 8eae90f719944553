package config

import (
	"io"
	"log/slog"
	"time"

	"banyan.dev/banyan/internal/fault"
)

// Config is banyan.yaml, with defaults where the file says nothing and paths relative to the file resolved.
//
// The yaml tag is the key, default its value when absent, required says that an absent or empty one is a fault.
type Config struct {
	Contract Contract `yaml:"contract"`
	// SQL are globs of annotated SQL files.
	SQL    []string `yaml:"sql" required:"true" path:"true"`
	Legacy Legacy   `yaml:"legacy"`
	Ledger Ledger   `yaml:"ledger"`
	// Idempotency says how long repeated writes are known.
	Idempotency Idempotency `yaml:"idempotency"`
	// Callers says whether it is kept who calls operations that are deprecated.
	Callers Callers `yaml:"callers"`
	Broker  Broker  `yaml:"broker"`
	Mirror  Mirror  `yaml:"mirror"`
	// Services are the new implementations, by name.
	Services map[string]Service `yaml:"services"`
	// Capabilities are operations that migrate together, by the flag's name.
	Capabilities map[string]Capability `yaml:"capabilities"`
	// Versions are older versions of the contract that are translations of newer ones, by their proto package.
	Versions map[string]Version `yaml:"versions"`
	Shift    Shift              `yaml:"shift"`
	Auth     Auth               `yaml:"auth"`
	Timeouts Timeouts           `yaml:"timeouts"`
	Paging   Paging             `yaml:"paging"`
	Limits   Limits             `yaml:"limits"`
	Listen   Listen             `yaml:"listen"`
	Log      Log                `yaml:"log"`
	Shutdown Shutdown           `yaml:"shutdown"`

	file      string
	positions map[string]fault.Pos
	values    map[string]valuePos
}

// Contract says where the .proto files are.
type Contract struct {
	// Paths are roots of .proto trees: an import is looked up below each.
	Paths []string `yaml:"paths" required:"true" path:"true"`
	// Unserved are operations that no SQL answers on purpose: full names, or pkg.Service.* for a whole service.
	Unserved []string `yaml:"unserved"`
}

// Legacy says how to reach the legacy database.
type Legacy struct {
	// DSN is a go-sql-driver DSN: user:password@tcp(host:port)/schema?param=value.
	DSN Secret `yaml:"dsn" required:"true"`
	// TimeZone is the zone that DATETIME columns are written in.
	TimeZone Zone `yaml:"time_zone" default:"UTC"`
	Pool     Pool `yaml:"pool"`
	// ConnectTimeout bounds opening one connection.
	ConnectTimeout time.Duration `yaml:"connect_timeout" default:"3s"`
	// StartTimeout is how long serve waits at start for a legacy that is down; zero: not at all.
	StartTimeout time.Duration `yaml:"start_timeout" default:"30s"`
}

// Pool bounds the connections to legacy.
type Pool struct {
	// MaxOpen is the most connections that are open at once.
	MaxOpen int `yaml:"max_open" default:"32"`
	// MaxQueue is the most calls that wait for a connection; zero: none waits.
	MaxQueue int `yaml:"max_queue" default:"256"`
	// QueueTimeout is the longest that a call waits for a connection.
	QueueTimeout time.Duration `yaml:"queue_timeout" default:"1s"`
	// MaxIdleTime is how long an unused connection is kept.
	MaxIdleTime time.Duration `yaml:"max_idle_time" default:"5m"`
}

// Ledger says where Banyan keeps rows of its own in legacy.
type Ledger struct {
	// Schema has idempotency keys, writer marks, heartbeats, the mirror's position, flags.
	Schema Name `yaml:"schema" default:"banyan"`
	// Migrate lets serve make the tables, or bring them up to date. Without it that is `banyan migrate up`'s alone.
	Migrate bool `yaml:"migrate" default:"true"`
}

// Idempotency says how clients' Idempotency-Keys are kept.
type Idempotency struct {
	// Enabled keeps keys in the ledger. Without it a write that brings a key is refused.
	Enabled bool `yaml:"enabled" default:"true"`
	// Keep is how long a key is kept after its write.
	Keep time.Duration `yaml:"keep" default:"24h"`
	// MaxReplyBytes is the largest reply that is kept.
	MaxReplyBytes Size `yaml:"max_reply_bytes" default:"1MiB"`
}

// Callers says whether callers of deprecated operations are counted.
type Callers struct {
	// Enabled counts them in the control store.
	Enabled bool `yaml:"enabled" default:"true"`
}

// Broker says how to reach RabbitMQ.
type Broker struct {
	// URL is an AMQP 0-9-1 URL, amqp:// or amqps://. Without one there is no mirror.
	URL Secret `yaml:"url"`
	// ConnectTimeout bounds opening one connection.
	ConnectTimeout time.Duration `yaml:"connect_timeout" default:"5s"`
}

// Mirror says which changes are sent as events, and where to.
type Mirror struct {
	// Enabled turns the mirror off where a broker is given for other reasons.
	Enabled bool `yaml:"enabled" default:"true"`
	// Name tells mirrors of one legacy apart: its saved position, its lock, the source of its events.
	Name Name `yaml:"name" default:"main"`
	// Tables are globs of table or schema.table; none: all tables of the DSN's schema. Except takes some out again.
	Tables []string `yaml:"tables"`
	Except []string `yaml:"except"`
	// OmitColumns are globs of table.column or schema.table.column that events leave out: secrets.
	OmitColumns []string `yaml:"omit_columns"`
	// Exchange is the topic exchange that events go to.
	Exchange Name    `yaml:"exchange" default:"banyan.events"`
	History  History `yaml:"history"`
	// Window is the most messages, and MaxMemory the most bytes, that the mirror has under way.
	Window    int  `yaml:"window" default:"4096"`
	MaxMemory Size `yaml:"max_memory" default:"64MiB"`
	// ServerID is the id that the mirror has among the legacy's replicas; 0: a free one.
	ServerID int `yaml:"server_id" default:"0"`
}

// MirrorOn says whether there is a mirror.
func (c *Config) MirrorOn() bool { return c.Mirror.Enabled && c.Broker.URL.Reveal() != "" }

// Service is a new implementation of a part of the contract.
type Service struct {
	// Target is where it listens for gRPC: host:port, several with commas between, or dns:///host:port. It is needed as soon as
	// a capability moves there.
	Target string `yaml:"target"`
	// Entities are messages that it is told of, by their full names, besides those of its capabilities.
	Entities map[string]ServiceEntity `yaml:"entities" names:"proto"`
	// Format is how events have the messages.
	Format EventFormat `yaml:"format" default:"json"`
}

// ServiceEntity is a message that a service is told of.
type ServiceEntity struct {
	// Key is a CEL expression over the message's fields: what events about one are kept in order by.
	Key string `yaml:"key" required:"true"`
}

// Capability is a set of operations that migrate together behind one flag.
type Capability struct {
	// Service is the name of the one that takes over.
	Service string `yaml:"service" required:"true"`
	// Operations are full names, or pkg.Service.* for a whole service.
	Operations []string `yaml:"operations" required:"true"`
	// Entity is the full name of the message that the capability is about. It needs an event and a put in SQL.
	Entity string `yaml:"entity"`
	// Key is a CEL expression over the entity's fields: what its requests are routed by.
	Key string `yaml:"key"`
	// Keys are CEL expressions over the requests' fields, by the operation's name. They give the same as Key does for the
	// entity that the request is about.
	Keys map[string]string `yaml:"keys"`
}

// Shift bounds shifts and rollbacks.
type Shift struct {
	// HoldTimeout is the longest that writes of moved keys wait in a shift forward, before it goes back by itself.
	HoldTimeout time.Duration `yaml:"hold_timeout" default:"5s"`
	// FenceTimeout is the longest that a service may lag behind when a shift begins.
	FenceTimeout time.Duration `yaml:"fence_timeout" default:"30s"`
	// Grace is how long a rollback waits for open writes before it gives them up.
	Grace time.Duration `yaml:"grace" default:"300ms"`
	// Poll is the time between two looks at the control store.
	Poll time.Duration `yaml:"poll" default:"25ms"`
	// SweepAfter is the age at which an open write is taken over from whoever began it.
	SweepAfter time.Duration `yaml:"sweep_after" default:"15s"`
}

// Timeouts bound how long calls run.
type Timeouts struct {
	// Default is the deadline of a unary call that came without one.
	Default time.Duration `yaml:"default" default:"10s"`
	// Max is the most that a unary call's own deadline may be; longer ones are cut to it.
	Max time.Duration `yaml:"max" default:"60s"`
	// Stream is both for server streaming calls.
	Stream time.Duration `yaml:"stream" default:"10m"`
}

// Paging bounds and seals pages (AIP-158).
type Paging struct {
	// DefaultSize is the number of items of a page when the request names none.
	DefaultSize int `yaml:"default_size" default:"50"`
	// MaxSize is the most items of a page; a larger page_size is cut to it.
	MaxSize int `yaml:"max_size" default:"1000"`
	// Keys are secrets that seal page tokens: the first seals, all open. Without any, each start makes its own, and
	// tokens don't outlive it.
	Keys []Secret `yaml:"keys"`
}

// Limits bound what one caller can take from the others.
type Limits struct {
	// MaxRequestBytes is the largest request message or body.
	MaxRequestBytes Size `yaml:"max_request_bytes" default:"4MiB"`
	// MaxReplyBytes is the largest reply message.
	MaxReplyBytes Size `yaml:"max_reply_bytes" default:"64MiB"`
	// MaxInFlight is the most calls that run at once; more are told RESOURCE_EXHAUSTED.
	MaxInFlight int `yaml:"max_in_flight" default:"512"`
}

// Listen says where Banyan listens. Port 0 takes a free one.
type Listen struct {
	REST Address `yaml:"rest" default:"127.0.0.1:8080"`
	GRPC Address `yaml:"grpc" default:"127.0.0.1:9090"`
	// Admin has no authentication, so that it has to be loopback unless AdminRemote is set.
	Admin Address `yaml:"admin" default:"127.0.0.1:9091"`
	// AdminRemote allows Admin on an address that other machines reach.
	AdminRemote bool `yaml:"admin_remote" default:"false"`
	// TLS is for REST and GRPC, AdminTLS for Admin.
	TLS      TLS      `yaml:"tls"`
	AdminTLS AdminTLS `yaml:"admin_tls"`
}

// Log says what is logged, and how. Logs go to standard error.
type Log struct {
	Level Level `yaml:"level" default:"info"`
	// Format is json or text.
	Format Format `yaml:"format" default:"json"`
}

// Shutdown says how Banyan stops.
type Shutdown struct {
	// Drain is how long calls in flight may go on after a signal to stop.
	Drain time.Duration `yaml:"drain" default:"15s"`
}

// File is the path of the file as it was given.
func (c *Config) File() string { return c.file }

// Pos says where a key stands ("legacy.dsn", "contract.unserved[1]"); the file alone where it doesn't.
func (c *Config) Pos(key string) fault.Pos {
	if p, ok := c.positions[key]; ok {
		return p
	}
	return fault.Pos{File: c.file}
}

// Handler gives what writes logs in the configured level and format to w.
func (l Log) Handler(w io.Writer) slog.Handler {
	opts := &slog.HandlerOptions{Level: slog.Level(l.Level)}
	if l.Format == Text {
		return slog.NewTextHandler(w, opts)
	}
	return slog.NewJSONHandler(w, opts)
}
