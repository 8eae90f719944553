package config

import (
	"cmp"
	"net/url"
	"path"
	"strings"
	"time"

	"banyan.dev/banyan/internal/fault"
)

// validate checks what one key alone can't show: ranges, and keys that have to fit together.
func validate(c *Config, faults *fault.List) {
	v := validator{c, faults}
	atLeast(v, "legacy.pool.max_open", c.Legacy.Pool.MaxOpen, 1)
	atLeast(v, "legacy.pool.max_queue", c.Legacy.Pool.MaxQueue, 0)
	atLeast(v, "legacy.pool.queue_timeout", c.Legacy.Pool.QueueTimeout, time.Millisecond)
	atLeast(v, "legacy.pool.max_idle_time", c.Legacy.Pool.MaxIdleTime, time.Second)
	atLeast(v, "legacy.connect_timeout", c.Legacy.ConnectTimeout, time.Millisecond)
	atLeast(v, "legacy.start_timeout", c.Legacy.StartTimeout, 0)

	atLeast(v, "idempotency.keep", c.Idempotency.Keep, time.Minute)
	atLeast(v, "idempotency.max_reply_bytes", c.Idempotency.MaxReplyBytes, 1)
	atMost(v, "idempotency.max_reply_bytes", c.Idempotency.MaxReplyBytes, maxMessage)

	atLeast(v, "timeouts.default", c.Timeouts.Default, time.Millisecond)
	atLeast(v, "timeouts.max", c.Timeouts.Max, time.Millisecond)
	atLeast(v, "timeouts.stream", c.Timeouts.Stream, time.Millisecond)
	if c.Timeouts.Default > c.Timeouts.Max {
		v.add("timeouts.default", "raise timeouts.max or lower it", "timeouts.default (%s) is more than timeouts.max (%s)", c.Timeouts.Default, c.Timeouts.Max)
	}

	atLeast(v, "paging.default_size", c.Paging.DefaultSize, 1)
	atLeast(v, "paging.max_size", c.Paging.MaxSize, 1)
	if c.Paging.DefaultSize > c.Paging.MaxSize {
		v.add("paging.default_size", "raise paging.max_size or lower it", "paging.default_size (%d) is more than paging.max_size (%d)", c.Paging.DefaultSize, c.Paging.MaxSize)
	}
	v.pageKeys()

	atLeast(v, "limits.max_request_bytes", c.Limits.MaxRequestBytes, 1)
	atLeast(v, "limits.max_reply_bytes", c.Limits.MaxReplyBytes, 1)
	atMost(v, "limits.max_request_bytes", c.Limits.MaxRequestBytes, maxMessage)
	atMost(v, "limits.max_reply_bytes", c.Limits.MaxReplyBytes, maxMessage)
	atLeast(v, "limits.max_in_flight", c.Limits.MaxInFlight, 1)
	atLeast(v, "shutdown.drain", c.Shutdown.Drain, 0)
	v.mirror()
	v.capabilities()
	v.versions()
	v.auth()
	v.listen()
}

// maxMessage is what protobuf and gRPC can carry as one message.
const maxMessage Size = 1 << 30

// minKey is the fewest bytes of a secret that seals page tokens: 128 bits.
const minKey = 16

type validator struct {
	c      *Config
	faults *fault.List
}

func (v validator) add(key, fix, format string, args ...any) {
	v.faults.Add(v.c.Pos(key), fix, format, args...)
}

func atLeast[T cmp.Ordered](v validator, key string, got, least T) {
	if got < least {
		v.add(key, "raise it", "%s is %v, but has to be at least %v", key, got, least)
	}
}

func atMost[T cmp.Ordered](v validator, key string, got, most T) {
	if got > most {
		v.add(key, "lower it", "%s is %v, but may be at most %v", key, got, most)
	}
}

func (v validator) pageKeys() {
	seen := map[string]bool{}
	for i, k := range v.c.Paging.Keys {
		path := Indexed("paging.keys", i)
		switch text := k.Reveal(); {
		case len(text) < minKey:
			v.add(path, "make one with: openssl rand -base64 32", "%s is shorter than %d characters", path, minKey)
		case seen[text]:
			v.add(path, "keep one", "%s repeats an earlier key", path)
		default:
			seen[text] = true
		}
	}
}

func (v validator) mirror() {
	m := v.c.Mirror
	atLeast(v, "broker.connect_timeout", v.c.Broker.ConnectTimeout, time.Millisecond)
	atLeast(v, "mirror.window", m.Window, 1)
	atMost(v, "mirror.window", m.Window, 1<<20)
	atLeast(v, "mirror.max_memory", m.MaxMemory, 1<<20)
	atLeast(v, "mirror.server_id", m.ServerID, 0)
	v.history()
	if strings.ContainsAny(string(v.c.Ledger.Schema), ".-") {
		v.add("ledger.schema", "use letters, digits and underscores", "ledger.schema is the name of a schema, which has no dots and dashes here")
	}
	if strings.Contains(string(m.Name), ".") {
		v.add("mirror.name", "use letters, digits, dashes and underscores", "mirror.name is part of keys, where dots have a meaning")
	}
	for key, globs := range map[string][]string{"mirror.tables": m.Tables, "mirror.except": m.Except} {
		for i, glob := range globs {
			if _, err := path.Match(glob, ""); err != nil || strings.Count(glob, ".") > 1 {
				v.add(Indexed(key, i), "write table or schema.table, with * and ? for what varies", "%s is no glob of tables", glob)
			}
		}
	}
	for i, glob := range m.OmitColumns {
		if _, err := path.Match(glob, ""); err != nil || strings.Count(glob, ".") < 1 || strings.Count(glob, ".") > 2 {
			v.add(Indexed("mirror.omit_columns", i), "write table.column or schema.table.column, with * and ? for what varies", "%s is no glob of columns", glob)
		}
	}
	if text := v.c.Broker.URL.Reveal(); text != "" {
		if u, err := url.Parse(text); err != nil || u.Scheme != "amqp" && u.Scheme != "amqps" || u.Host == "" {
			v.add("broker.url", "write amqp://user:password@host:5672/vhost, or amqps://…", "broker.url is no AMQP URL")
		}
	}
}

func (v validator) listen() {
	l := v.c.Listen
	if !l.Admin.Loopback() && !l.AdminRemote && l.AdminTLS.ClientCA == "" {
		v.add("listen.admin", "use 127.0.0.1, ask operators for certificates (listen.admin_tls.client_ca), or set listen.admin_remote: true and guard the address yourself",
			"listen.admin has no authentication, so that it may only be on loopback")
	}
	taken := map[Address]string{}
	for _, at := range []struct {
		key  string
		addr Address
	}{{"listen.rest", l.REST}, {"listen.grpc", l.GRPC}, {"listen.admin", l.Admin}} {
		if other, ok := taken[at.addr]; ok && at.addr.fixedPort() {
			blamed := at.key
			if _, given := v.c.positions[blamed]; !given {
				blamed = other // the file says nothing of a default
			}
			v.add(blamed, "give each its own port", "%s and %s are the same address", other, at.key)
		}
		taken[at.addr] = at.key
	}
}
