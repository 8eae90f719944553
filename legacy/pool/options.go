package pool

import (
	"log/slog"
	"time"
)

// Options say where the legacy is and how much of it is used. A zero value of any
// field but DSN means its default.
type Options struct {
	// DSN is a go-sql-driver DSN: user:password@tcp(host:port)/database?option=value.
	DSN string
	// TimeZone is the session's: an IANA name or +HH:MM. Default UTC.
	TimeZone string
	// MaxOpen bounds the connections (default 32); a small one beside them ends abandoned statements.
	MaxOpen int
	// MaxQueue bounds those who wait for a connection (default 256; negative: nobody waits).
	MaxQueue int
	// QueueTimeout bounds how long one waits (default 1 s).
	QueueTimeout time.Duration
	// MaxIdleTime is how long an unused connection is kept (default 5 min).
	MaxIdleTime time.Duration
	// MaxLifetime is how old a connection gets, less up to a tenth, so that not all are renewed at once (default 1 h).
	MaxLifetime time.Duration
	// ConnectTimeout bounds dialling, greeting and session set-up together (default 3 s).
	ConnectTimeout time.Duration
	// CommitGrace is how long a COMMIT may go on after its caller has gone (default 5 s).
	CommitGrace time.Duration
	// MaxStatements bounds the statements that one connection keeps prepared (default 256).
	MaxStatements int
	// Marker gives the marks that write transactions begin with; nil: they have none. It needs at least MaxOpen slots.
	Marker Marker
	// Logger gets what callers are not told. Default slog.Default().
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	orInt := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	orTime := func(v *time.Duration, d time.Duration) {
		if *v <= 0 {
			*v = d
		}
	}
	orInt(&o.MaxOpen, 32)
	orInt(&o.MaxQueue, 256)
	orInt(&o.MaxStatements, 256)
	orTime(&o.QueueTimeout, time.Second)
	orTime(&o.MaxIdleTime, 5*time.Minute)
	orTime(&o.MaxLifetime, time.Hour)
	orTime(&o.ConnectTimeout, 3*time.Second)
	orTime(&o.CommitGrace, 5*time.Second)
	o.MaxOpen = max(o.MaxOpen, 1)
	o.MaxQueue = max(o.MaxQueue, 0)
	o.MaxStatements = max(o.MaxStatements, 1)
	if o.TimeZone == "" {
		o.TimeZone = "UTC"
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}
